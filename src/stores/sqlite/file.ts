import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import zlib from "node:zlib";
import { StoreError } from "../store-error.ts";
import { DamagedError, inodeOf, isDamagedAtOpening, isOnDisk } from "./damage.ts";

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

const PAGE_BYTES = 8192;
// Reading an expired or cleared row costs nothing but room, so each batch of writes takes out only some.
const EXPIRED_PER_BATCH = 50;
const CLEARED_PER_BATCH = 100;
const EVICTED_PER_STEP = 200;
const EVICTIONS_PER_BATCH = 8;
// The write that fills the log copies it into the file: 1 MB takes under 10 ms, SQLite's default of 8 MB took 45.
const CHECKPOINT_PAGES = 128;
// What a process may wait for another's transaction while nothing else runs; longer waits are the caller's, in turns.
const BLOCKED_MS = 5;

/**
 * The version is part of the names: a process of an older version finds its own tables untouched.
 * Ids grow with every write, so the lowest are the oldest and everything up to one of them can be cleared at once.
 */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS breakwater_entries_1 (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    k TEXT NOT NULL UNIQUE,
    expires INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    v BLOB NOT NULL
  );
  CREATE INDEX IF NOT EXISTS breakwater_entries_1_expires ON breakwater_entries_1 (expires);
  CREATE TABLE IF NOT EXISTS breakwater_tags_1 (tag TEXT PRIMARY KEY, generation INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS breakwater_facts_1 (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT OR IGNORE INTO breakwater_facts_1 VALUES ('cleared', 0);
`;

const CLEARED = "(SELECT value FROM breakwater_facts_1 WHERE name = 'cleared')";

interface Row {
  readonly expires: number;
  readonly crc: number;
  readonly v: Uint8Array;
}

/** One open database: its schema, its statements and its bound. Every function is synchronous and may throw. */
export class SqliteFile {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #database: DatabaseSync;
  readonly #inode: number | undefined;
  readonly #statements: ReturnType<typeof statementsOf>;

  /**
   * Opens the file at `path`, creating it and its folder where they are missing. Tags that it knows nothing of are
   * of generation `epoch`, if the file is new.
   */
  constructor(path: string, maxBytes: number, epoch: number) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    if (isOnDisk(path)) mkdirSync(dirname(path), { recursive: true });
    const Database = databaseClass();
    this.#database = new Database(path);
    try {
      this.#database.exec(`
        PRAGMA busy_timeout = 100;
        PRAGMA page_size = ${PAGE_BYTES};
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
        PRAGMA cell_size_check = ON;
        PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
        PRAGMA journal_size_limit = ${1024 * PAGE_BYTES};
        PRAGMA max_page_count = ${Math.ceil(maxBytes / PAGE_BYTES)};
      `);
      this.#transact(() => {
        this.#database.exec(SCHEMA);
        this.#database.prepare("INSERT OR IGNORE INTO breakwater_facts_1 VALUES ('epoch', ?)").run(epoch);
      });
      this.#statements = statementsOf(this.#database);
      this.#database.exec(`PRAGMA busy_timeout = ${BLOCKED_MS}`);
    } catch (error) {
      closeQuietly(this.#database);
      throw isDamagedAtOpening(error, path) ? new DamagedError() : error;
    }
    this.#inode = inodeOf(path);
  }

  /** Whether the file is still the one that was opened; another process, or its owner, may have taken it away. */
  get isInPlace(): boolean {
    return !isOnDisk(this.#path) || inodeOf(this.#path) === this.#inode;
  }

  get(key: string, now: number): Uint8Array | undefined {
    const row = this.#statements.get.get(key, now) as unknown as Row | undefined;
    if (row === undefined) return undefined;
    if (row.v instanceof Uint8Array && crcOf(key, row.expires, row.v) === row.crc) return row.v;
    this.#statements.delete.run(key);
    return undefined;
  }

  /** Applies a batch in one transaction, and in passing takes out what has expired, was cleared or is too much. */
  write(batch: readonly Write[], now: number): Evicted {
    const { put, delete: remove, deleteExpired, deleteCleared } = this.#statements;
    return this.#transact(() => {
      deleteExpired.run(now, EXPIRED_PER_BATCH);
      deleteCleared.run(CLEARED_PER_BATCH);
      const coming = batch.reduce((sum, { bytes }) => sum + (bytes?.byteLength ?? 0), 0);
      const evicted = this.#evict(coming);
      for (const { key, bytes, expiresAt } of batch) {
        if (bytes === undefined) remove.run(key);
        else put.run(key, expiresAt, crcOf(key, expiresAt, bytes), bytes);
      }
      return evicted;
    });
  }

  clear(): void {
    this.#statements.clear.run();
  }

  generations(tags: readonly string[]): number[] {
    const epoch = (this.#statements.epoch.get() as { value: number } | undefined)?.value;
    return tags.map((tag) => {
      const row = this.#statements.generation.get(tag) as { generation: number } | undefined;
      return whole(epoch) + whole(row?.generation ?? 0);
    });
  }

  invalidate(tags: readonly string[]): void {
    this.#transact(() => {
      for (const tag of tags) this.#statements.invalidate.run(tag);
    });
  }

  stats(now: number): { entries: number; bytes: number } {
    const { entries } = this.#statements.count.get(now) as { entries: number };
    return { entries, bytes: this.#usedBytes() };
  }

  close(): void {
    closeQuietly(this.#database);
  }

  #transact<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      try {
        this.#database.exec("ROLLBACK");
      } catch {
        // SQLite has rolled back by itself; what counts is the first error.
      }
      throw error;
    }
  }

  #evict(coming: number): Evicted {
    const before = this.#usedBytes();
    let bytes = before;
    let entries = 0;
    // A row of a little more than half a page takes a whole one.
    const room = this.#maxBytes - coming * 2 - 16 * PAGE_BYTES;
    for (let step = 0; step < EVICTIONS_PER_BATCH && bytes > room; step++) {
      const evicted = Number(this.#statements.deleteOldest.run(EVICTED_PER_STEP).changes);
      if (evicted === 0) break;
      entries += evicted;
      bytes = this.#usedBytes();
    }
    return { entries, bytes: before - bytes };
  }

  #usedBytes(): number {
    const { page_count } = this.#statements.pages.get() as { page_count: number };
    const { freelist_count } = this.#statements.freePages.get() as { freelist_count: number };
    return (page_count - freelist_count) * PAGE_BYTES;
  }
}

function statementsOf(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  const deleteSome = (condition: string): StatementSync =>
    prepare(`DELETE FROM breakwater_entries_1 WHERE id IN (SELECT id FROM breakwater_entries_1 ${condition} LIMIT ?)`);
  return {
    get: prepare(`SELECT expires, crc, v FROM breakwater_entries_1 WHERE k = ? AND expires > ? AND id > ${CLEARED}`),
    put: prepare("INSERT OR REPLACE INTO breakwater_entries_1 (k, expires, crc, v) VALUES (?, ?, ?, ?)"),
    delete: prepare("DELETE FROM breakwater_entries_1 WHERE k = ?"),
    deleteExpired: deleteSome("WHERE expires <= ? ORDER BY expires"),
    deleteCleared: deleteSome(`WHERE id <= ${CLEARED} ORDER BY id`),
    deleteOldest: deleteSome("ORDER BY id"),
    clear: prepare(
      `UPDATE breakwater_facts_1 SET value = (SELECT coalesce(max(id), 0) FROM breakwater_entries_1) WHERE name = 'cleared'`,
    ),
    epoch: prepare("SELECT value FROM breakwater_facts_1 WHERE name = 'epoch'"),
    generation: prepare("SELECT generation FROM breakwater_tags_1 WHERE tag = ?"),
    invalidate: prepare(
      "INSERT INTO breakwater_tags_1 VALUES (?, 1) ON CONFLICT (tag) DO UPDATE SET generation = generation + 1",
    ),
    count: prepare(`SELECT count(*) AS entries FROM breakwater_entries_1 WHERE expires > ? AND id > ${CLEARED}`),
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

function whole(value: unknown): number {
  if (Number.isSafeInteger(value)) return value as number;
  throw new DamagedError();
}

function closeQuietly(database: DatabaseSync): void {
  try {
    database.close();
  } catch {
    // A damaged file may refuse to be closed in order; its handle is gone all the same.
  }
}

function databaseClass(): typeof DatabaseSync {
  const sqlite = process.getBuiltinModule("node:sqlite");
  if (sqlite === undefined)
    throw new StoreError("The sqlite tier needs the module node:sqlite: Node.js 22.13 or newer.");
  return sqlite.DatabaseSync;
}
