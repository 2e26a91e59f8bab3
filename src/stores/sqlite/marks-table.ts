import type { Marks, MarksChange, Sweep } from "../../core/index.ts";
import type { SqliteDatabase, SqliteStatement } from "../../sqlite/index.ts";
import { DamagedError } from "../../sqlite/index.ts";

/** Most sweeps that are known by their patterns. */
const SWEEPS_MAX = 1000;
/** Most tags whose generations are kept apart. */
const TAGS_MAX = 100_000;

/**
 * One row of counts. `seq` goes up with every change of marks; `cleared_seq` and `forgotten_seq` are its values at the
 * last clear and when tags were last forgotten, `first_seq` that at the last change of `epoch`. `tags` is how many tags
 * there are.
 */
export const MARKS_SCHEMA = `
  CREATE TABLE IF NOT EXISTS breakwater_state_2 (
    id INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    sweep INTEGER NOT NULL,
    cleared INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    cleared_seq INTEGER NOT NULL,
    forgotten_seq INTEGER NOT NULL,
    tags INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS breakwater_tags_2 (
    tag TEXT PRIMARY KEY, generation INTEGER NOT NULL, seq INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS breakwater_tags_2_seq ON breakwater_tags_2 (seq);
  CREATE TABLE IF NOT EXISTS breakwater_sweeps_2 (number INTEGER PRIMARY KEY, pattern TEXT NOT NULL);
`;

/** Where a watcher stands. */
export interface Position {
  readonly seq: number;
  readonly sweep: number;
}

interface State extends Position {
  readonly epoch: number;
  readonly first_seq: number;
  readonly cleared_seq: number;
  readonly forgotten_seq: number;
  readonly tags: number;
}

/**
 * What has been invalidated in a file. Synchronous; what changes it belongs in a transaction.
 */
export class MarksTable {
  readonly #statements: ReturnType<typeof statementsOf>;

  constructor(database: SqliteDatabase) {
    this.#statements = statementsOf(database);
  }

  marks(tags: readonly string[]): Marks {
    const { epoch, sweep } = this.#state();
    return { generations: tags.length === 0 ? [] : this.generations(epoch, tags), sweep };
  }

  generations(epoch: number, tags: readonly string[]): number[] {
    return tags.map((tag) => {
      const row = this.#statements.generation.get(tag) as { generation: unknown } | undefined;
      return row === undefined ? epoch : whole(epoch + whole(row.generation));
    });
  }

  invalidate(tags: readonly string[]): void {
    const { bump, add, count, forget, advance } = this.#statements;
    const seq = this.#nextSeq();
    let added = 0;
    for (const tag of new Set(tags)) {
      if (Number(bump.run(seq, tag).changes) > 0) continue;
      add.run(tag, seq);
      added++;
    }
    if (added === 0) return;
    count.run(added);
    if (this.#state().tags > TAGS_MAX) {
      // Every generation goes up at once, past the highest that any tag can have had.
      forget.run();
      advance.run();
    }
  }

  sweep(pattern: string): void {
    this.#nextSeq();
    const { sweep } = this.#statements.nextSweep.get() as { sweep: number };
    this.#statements.addSweep.run(whole(sweep), pattern);
    this.#statements.dropSweeps.run(sweep - SWEEPS_MAX);
  }

  clear(): void {
    this.#nextSeq();
    this.#statements.clear.run();
  }

  sweepsSince(after: number): { readonly sweeps: readonly Sweep[]; readonly complete: boolean } {
    const { sweep } = this.#state();
    const sweeps = (this.#statements.sweeps.all(after) as unknown as Sweep[]).map(({ number, pattern }) => ({
      number,
      pattern: text(pattern),
    }));
    return { sweeps, complete: sweeps.length === sweep - after };
  }

  position(): Position {
    const { seq, sweep } = this.#state();
    return { seq, sweep };
  }

  /** What has changed since, and where that leads. */
  changesSince(position: Position): { readonly changes: readonly MarksChange[]; readonly position: Position } {
    const { seq, sweep, cleared_seq, forgotten_seq } = this.#state();
    if (seq === position.seq) return { changes: [], position };
    const swept = this.sweepsSince(position.sweep);
    const present = { seq, sweep };
    if (seq < position.seq || forgotten_seq > position.seq || !swept.complete) {
      return { changes: [{ kind: "missed" }], position: present };
    }
    const changes: MarksChange[] = swept.sweeps.map(({ pattern }) => ({ kind: "sweep", pattern }));
    const tags = (this.#statements.tagsSince.all(position.seq) as { tag: unknown }[]).map(({ tag }) => text(tag));
    if (tags.length > 0) changes.push({ kind: "tags", tags });
    if (cleared_seq > position.seq) changes.push({ kind: "clear" });
    return { changes, position: present };
  }

  #nextSeq(): number {
    return whole((this.#statements.nextSeq.get() as { seq: unknown } | undefined)?.seq);
  }

  #state(): State {
    const row = this.#statements.state.get() as State | undefined;
    if (row === undefined) throw new DamagedError();
    for (const count of Object.values(row)) whole(count);
    return row;
  }
}

function statementsOf(database: SqliteDatabase) {
  const prepare = (sql: string): SqliteStatement => database.prepare(sql);
  return {
    state: prepare(
      "SELECT epoch, sweep, seq, first_seq, cleared_seq, forgotten_seq, tags FROM breakwater_state_2 WHERE id = 1",
    ),
    nextSeq: prepare("UPDATE breakwater_state_2 SET seq = seq + 1 RETURNING seq"),
    nextSweep: prepare("UPDATE breakwater_state_2 SET sweep = sweep + 1 RETURNING sweep"),
    clear: prepare(
      `UPDATE breakwater_state_2
       SET cleared_seq = seq, cleared = (SELECT coalesce(max(id), 0) FROM breakwater_entries_2)`,
    ),
    generation: prepare("SELECT generation FROM breakwater_tags_2 WHERE tag = ?"),
    bump: prepare("UPDATE breakwater_tags_2 SET generation = generation + 1, seq = ? WHERE tag = ?"),
    add: prepare("INSERT INTO breakwater_tags_2 VALUES (?, 1, ?)"),
    count: prepare("UPDATE breakwater_state_2 SET tags = tags + ?"),
    forget: prepare("DELETE FROM breakwater_tags_2"),
    advance: prepare(
      `UPDATE breakwater_state_2
       SET epoch = epoch + seq - first_seq + 1, first_seq = seq, forgotten_seq = seq, tags = 0`,
    ),
    tagsSince: prepare("SELECT tag FROM breakwater_tags_2 WHERE seq > ?"),
    addSweep: prepare("INSERT INTO breakwater_sweeps_2 VALUES (?, ?)"),
    dropSweeps: prepare("DELETE FROM breakwater_sweeps_2 WHERE number <= ?"),
    sweeps: prepare("SELECT number, pattern FROM breakwater_sweeps_2 WHERE number > ? ORDER BY number"),
  };
}

/** `value`, if it can be a count that was written here. */
export function whole(value: unknown): number {
  if (Number.isSafeInteger(value)) return value as number;
  throw new DamagedError();
}

function text(value: unknown): string {
  if (typeof value === "string") return value;
  throw new DamagedError();
}
