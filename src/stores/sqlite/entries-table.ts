import zlib from "node:zlib";
import type { SqliteDatabase, SqliteStatement } from "../../sqlite/index.ts";
import { DamagedError } from "../../sqlite/index.ts";

/** One entry to keep, or with `bytes` absent a key to forget. */
export interface Write {
  readonly key: string;
  readonly bytes: Uint8Array | undefined;
  readonly expiresAt: number;
}

export interface Evicted {
  readonly entries: number;
  readonly bytes: number;
}

export const PAGE_BYTES = 16_384;
// Reading an expired or cleared row costs nothing but room, so each batch of writes takes out only some.
const LEFTOVERS_PER_BATCH = 40;
const LEFTOVERS_PER_STEP = 10;
const EVICTED_PER_STEP = 20;
const EVICTIONS_PER_BATCH = 40;

/**
 * Ids grow with every write, so the lowest are the oldest and everything up to one of them can be cleared at once.
 */
export const ENTRIES_SCHEMA = `
  CREATE TABLE IF NOT EXISTS breakwater_entries_2 (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    k TEXT NOT NULL UNIQUE,
    expires INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    v BLOB NOT NULL
  );
  CREATE INDEX IF NOT EXISTS breakwater_entries_2_expires ON breakwater_entries_2 (expires);
`;

const CLEARED = "(SELECT cleared FROM breakwater_state_2 WHERE id = 1)";

/** What a key holds, beside the counts that every read needs. */
export interface Row {
  readonly epoch: number;
  readonly sweep: number;
  /** `null`, as the next ones, where there is no entry. */
  readonly expires: number | null;
  readonly crc: number | null;
  readonly v: Uint8Array | null;
}

/** The entries of a file, in its order. Synchronous; what writes belongs in a transaction. */
export class EntriesTable {
  readonly #maxBytes: number;
  readonly #statements: ReturnType<typeof statementsOf>;

  constructor(database: SqliteDatabase, maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#statements = statementsOf(database);
  }

  row(key: string, now: number): Row {
    const row = this.#statements.get.get(key, now) as Row | undefined;
    if (row === undefined) throw new DamagedError();
    return row;
  }

  valueOf(key: string, { expires, crc, v }: Row): Uint8Array | undefined {
    if (expires === null) return undefined;
    if (v instanceof Uint8Array && crcOf(key, expires, v) === crc) return v;
    this.#statements.delete.run(key);
    return undefined;
  }

  /** Applies a batch, and in passing takes out what has expired, was cleared or is too much. */
  write(batch: readonly Write[], now: number): Evicted {
    const { put, delete: remove, deleteExpired, deleteCleared } = this.#statements;
    deleteExpired.run(now, LEFTOVERS_PER_BATCH);
    deleteCleared.run(LEFTOVERS_PER_BATCH);
    const coming = batch.reduce((sum, { bytes }) => sum + (bytes?.byteLength ?? 0), 0);
    const evicted = this.#evict(coming);
    for (const { key, bytes, expiresAt } of batch) {
      if (bytes === undefined) remove.run(key);
      else put.run(key, expiresAt, crcOf(key, expiresAt, bytes), bytes);
    }
    return evicted;
  }

  hasLeftovers(now: number): boolean {
    return this.#statements.leftover.get(now) !== undefined;
  }

  /** Takes out some of what has expired or was cleared; false when nothing was left. */
  takeOutLeftovers(now: number): boolean {
    const { deleteExpired, deleteCleared } = this.#statements;
    const expired = Number(deleteExpired.run(now, LEFTOVERS_PER_STEP).changes);
    return Number(deleteCleared.run(LEFTOVERS_PER_STEP).changes) + expired > 0;
  }

  count(now: number): number {
    return (this.#statements.count.get(now) as { entries: number }).entries;
  }

  #evict(coming: number): Evicted {
    const before = this.usedBytes();
    let bytes = before;
    let entries = 0;
    // A row of a little more than half a page takes a whole one.
    const room = this.#maxBytes - coming * 2 - 16 * PAGE_BYTES;
    for (let step = 0; step < EVICTIONS_PER_BATCH && bytes > room; step++) {
      const evicted = Number(this.#statements.deleteOldest.run(EVICTED_PER_STEP).changes);
      if (evicted === 0) break;
      entries += evicted;
      bytes = this.usedBytes();
    }
    return { entries, bytes: before - bytes };
  }

  usedBytes(): number {
    return (this.pages() - this.freePages()) * PAGE_BYTES;
  }

  pages(): number {
    return (this.#statements.pages.get() as { page_count: number }).page_count;
  }

  freePages(): number {
    return (this.#statements.freePages.get() as { freelist_count: number }).freelist_count;
  }
}

function statementsOf(database: SqliteDatabase) {
  const prepare = (sql: string): SqliteStatement => database.prepare(sql);
  const deleteSome = (condition: string): SqliteStatement =>
    prepare(`DELETE FROM breakwater_entries_2 WHERE id IN (SELECT id FROM breakwater_entries_2 ${condition} LIMIT ?)`);
  return {
    get: prepare(
      `SELECT epoch, sweep, expires, crc, v FROM breakwater_state_2 AS state
       LEFT JOIN breakwater_entries_2 AS entry ON k = ? AND expires > ? AND entry.id > cleared WHERE state.id = 1`,
    ),
    put: prepare("INSERT OR REPLACE INTO breakwater_entries_2 (k, expires, crc, v) VALUES (?, ?, ?, ?)"),
    delete: prepare("DELETE FROM breakwater_entries_2 WHERE k = ?"),
    deleteExpired: deleteSome("WHERE expires <= ? ORDER BY expires"),
    deleteCleared: deleteSome(`WHERE id <= ${CLEARED} ORDER BY id`),
    deleteOldest: deleteSome("ORDER BY id"),
    leftover: prepare(
      `SELECT 1 WHERE EXISTS (SELECT 1 FROM breakwater_entries_2 WHERE expires <= ?)
       OR EXISTS (SELECT 1 FROM breakwater_entries_2 WHERE id <= ${CLEARED})`,
    ),
    count: prepare(`SELECT count(*) AS entries FROM breakwater_entries_2 WHERE expires > ? AND id > ${CLEARED}`),
    pages: prepare("PRAGMA page_count"),
    freePages: prepare("PRAGMA freelist_count"),
  };
}

// SQLite does not notice when bits of a value change on the disk, nor when an index leads to another row.
function crcOf(key: string, expires: number, bytes: Uint8Array): number {
  const head = zlib.crc32(`${expires}:${key}`);
  // An empty value that comes from Node 22's SQLite has no buffer at all, for which zlib starts anew.
  return bytes.byteLength === 0 ? head : zlib.crc32(bytes, head);
}
