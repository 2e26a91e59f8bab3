import { nextTurn } from "../../core/index.ts";
import { dot } from "./unit-vector.ts";

/**
 * Finds vectors near another one. Vectors are of length 1. What it finds is a proposal: similarity is computed from the
 * policy's own copy. It may throw, reject or be slow: then there is no similar question.
 */
export interface VectorIndex {
  /** Replaces the vector of the same `id`. Partitions are apart from one another: `search` never looks into two. */
  add(partition: string, id: string, vector: Float32Array): void | Promise<void>;
  /** The ids of up to `count` of the nearest vectors of `partition`, nearest first. */
  search(partition: string, vector: Float32Array, count: number): readonly string[] | Promise<readonly string[]>;
  delete(partition: string, id: string): void | Promise<void>;
}

interface Rows {
  readonly ids: string[];
  readonly vectors: Float32Array[];
  readonly rowOf: Map<string, number>;
}

interface Near {
  readonly id: string;
  readonly similarity: number;
}

/** About a millisecond of multiplications. */
const PRODUCTS_A_TURN = 1_000_000;

/**
 * An index in memory that compares with every vector of the partition: exact, and fast enough for some ten thousand. A
 * search that takes longer than about a millisecond lets everything else have its turn in between.
 */
export function exactIndex(): VectorIndex {
  const partitions = new Map<string, Rows>();
  return {
    add(partition, id, vector) {
      const rows = partitions.get(partition) ?? { ids: [], vectors: [], rowOf: new Map() };
      partitions.set(partition, rows);
      const row = rows.rowOf.get(id) ?? rows.ids.length;
      rows.rowOf.set(id, row);
      rows.ids[row] = id;
      rows.vectors[row] = vector;
    },
    search(partition, vector, count) {
      const rows = partitions.get(partition);
      if (rows === undefined) return [];
      const rowsATurn = Math.max(1, Math.floor(PRODUCTS_A_TURN / vector.length));
      const nearest: Near[] = [];
      if (rows.ids.length > rowsATurn) return searchInTurns(rows, vector, count, rowsATurn, nearest);
      scan(rows, vector, count, 0, rows.ids.length, nearest);
      return nearest.map(({ id }) => id);
    },
    delete(partition, id) {
      const rows = partitions.get(partition);
      const row = rows?.rowOf.get(id);
      if (rows === undefined || row === undefined) return;
      remove(rows, id, row);
      if (rows.ids.length === 0) partitions.delete(partition);
    },
  };
}

// The last row takes the place of the one that goes.
function remove({ ids, vectors, rowOf }: Rows, id: string, row: number): void {
  const lastId = ids.pop();
  const lastVector = vectors.pop();
  rowOf.delete(id);
  if (lastId === undefined || lastVector === undefined || lastId === id) return;
  ids[row] = lastId;
  vectors[row] = lastVector;
  rowOf.set(lastId, row);
}

async function searchInTurns(
  rows: Rows,
  vector: Float32Array,
  count: number,
  rowsATurn: number,
  nearest: Near[],
): Promise<readonly string[]> {
  for (let row = 0; row < rows.ids.length; row += rowsATurn) {
    if (row > 0) await nextTurn();
    scan(rows, vector, count, row, Math.min(row + rowsATurn, rows.ids.length), nearest);
  }
  return nearest.map(({ id }) => id);
}

function scan(rows: Rows, vector: Float32Array, count: number, from: number, to: number, nearest: Near[]): void {
  let worst = nearest.length < count ? Number.NEGATIVE_INFINITY : (nearest.at(-1)?.similarity ?? 0);
  for (let row = from; row < to; row++) {
    const other = rows.vectors[row];
    if (other === undefined || other.length !== vector.length) continue;
    const similarity = dot(vector, other);
    if (similarity <= worst) continue;
    const at = nearest.findIndex((near) => near.similarity < similarity);
    nearest.splice(at < 0 ? nearest.length : at, 0, { id: rows.ids[row] as string, similarity });
    if (nearest.length > count) nearest.pop();
    if (nearest.length === count) worst = (nearest.at(-1) as Near).similarity;
  }
}
