import { dirname } from "node:path";
import type { Clock } from "../core/index.ts";
import {
  DamagedError,
  ensureFolder,
  inodeOf,
  isDamaged,
  isDamagedAtOpening,
  isOnDisk,
  quarantine,
  SqliteThread,
  type SqlValue,
  type SqlWrite,
} from "../sqlite/index.ts";
import type { CallLogSettings } from "./options.ts";
import { INSERT, SCHEMA, TABLE } from "./row.ts";

// The thread waits for another process's transaction, and nobody else.
const BUSY_MS = 5_000;
const SETUP = `
  PRAGMA busy_timeout = ${BUSY_MS};
  PRAGMA auto_vacuum = INCREMENTAL;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA cell_size_check = ON;
  PRAGMA journal_size_limit = 0;
  BEGIN IMMEDIATE;
  ${SCHEMA}
  COMMIT;
`;

/** Rows that one sweep takes out. */
const SLICE_ROWS = 1_000;
const SLICE_PAGES = 256;
// Later rows use free pages again: this share of the file is not given back.
const FREE_SHARE_KEPT = 0.1;

const OLDEST = `(SELECT min(id) FROM ${TABLE}) + ?`;
const USED_BYTES = `(SELECT (page_count - freelist_count) * page_size
  FROM pragma_page_count, pragma_freelist_count, pragma_page_size)`;
// Each takes at most so many of the oldest rows.
const SWEEP_ROWS = `DELETE FROM ${TABLE} WHERE id < min(${OLDEST}, (SELECT max(id) FROM ${TABLE}) - ? + 1)`;
// By time and not by number: rows of a wall clock that was ahead must not stand before those that are old.
const SWEEP_AGE = `DELETE FROM ${TABLE} WHERE id IN (SELECT id FROM ${TABLE} WHERE startedAt < ? ORDER BY startedAt LIMIT ?)`;
const SWEEP_BYTES = `DELETE FROM ${TABLE} WHERE id < ${OLDEST} AND ${USED_BYTES} > ?`;

type Bounds = Pick<CallLogSettings, "path" | "maxRows" | "maxBytes" | "maxAgeMs">;

interface Opened {
  readonly thread: SqliteThread;
  readonly inode: number | undefined;
}

/** The file of a log. A damaged one is set aside and a new one begun; one that was taken away is made again. */
export class LogFile {
  readonly #bounds: Bounds;
  readonly #clock: Clock;
  readonly #onRebuilt: (quarantined: string) => void;
  #opened: Promise<Opened> | undefined;

  constructor(bounds: Bounds, clock: Clock, onRebuilt: (quarantined: string) => void) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#onRebuilt = onRebuilt;
  }

  /** Adds rows, all of them or none, and takes out as many of the oldest as are too many. */
  async append(rows: readonly SqlValue[][]): Promise<void> {
    await this.#leaveIfMoved();
    const writes = [{ sql: INSERT, runs: rows }, ...this.#sweeps(rows.length * 2)];
    await this.#use((thread) => thread.write(writes));
  }

  read(sql: string, parameters: readonly SqlValue[]): Promise<readonly Record<string, SqlValue>[]> {
    return this.#use((thread) => thread.read(sql, parameters));
  }

  /** Takes out some of what is too old or too much. Says whether there may be more. */
  async sweep(): Promise<boolean> {
    const changes = await this.#use((thread) => thread.write(this.#sweeps(SLICE_ROWS)));
    if (changes.some((count) => count >= SLICE_ROWS)) return true;
    return this.#use(givePagesBack);
  }

  /** Never rejects. */
  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.then(
      ({ thread }) => thread.close(),
      () => {},
    );
  }

  #sweeps(rows: number): SqlWrite[] {
    const { maxRows, maxBytes, maxAgeMs } = this.#bounds;
    return [
      { sql: SWEEP_ROWS, runs: [[rows, maxRows]] },
      { sql: SWEEP_AGE, runs: [[Math.floor(this.#clock.wall() - maxAgeMs), rows]] },
      { sql: SWEEP_BYTES, runs: [[rows, maxBytes]] },
    ];
  }

  async #use<T>(work: (thread: SqliteThread) => Promise<T>): Promise<T> {
    for (let again = false; ; again = true) {
      this.#opened ??= this.#open();
      const opened = this.#opened;
      try {
        return await work((await opened).thread);
      } catch (error) {
        if (again || !isDamaged(error)) {
          // A thread that is gone is not asked again.
          if (this.#opened === opened && !(await isAlive(opened))) this.#opened = undefined;
          throw error;
        }
        await this.#rebuild(opened);
      }
    }
  }

  async #open(): Promise<Opened> {
    const { path } = this.#bounds;
    if (isOnDisk(path)) ensureFolder(dirname(path));
    try {
      const thread = await SqliteThread.open(path, SETUP);
      return { thread, inode: inodeOf(path) };
    } catch (error) {
      throw isDamagedAtOpening(error, path) ? new DamagedError() : error;
    }
  }

  async #rebuild(damaged: Promise<Opened>): Promise<void> {
    // Somebody else who noticed has done it already.
    if (this.#opened !== damaged) return;
    const { path } = this.#bounds;
    const inode = await damaged.then(
      (opened) => opened.inode,
      () => inodeOf(path),
    );
    if (this.#opened !== damaged) return;
    await this.close();
    // If another process has begun a new file, that one is sound.
    if (!isOnDisk(path) || inode === undefined || inodeOf(path) !== inode) return;
    this.#onRebuilt(quarantine(path, this.#clock.wall()));
  }

  async #leaveIfMoved(): Promise<void> {
    const { path } = this.#bounds;
    const opened = this.#opened;
    if (opened === undefined || !isOnDisk(path)) return;
    const inode = await opened.then(
      (file) => file.inode,
      () => undefined,
    );
    if (this.#opened === opened && inodeOf(path) !== inode) await this.close();
  }
}

async function isAlive(opened: Promise<Opened>): Promise<boolean> {
  return opened.then(
    ({ thread }) => thread.isAlive,
    () => false,
  );
}

async function givePagesBack(thread: SqliteThread): Promise<boolean> {
  const sql = "SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count";
  const { page_count: pages, freelist_count: free } = (await thread.read(sql))[0] ?? {};
  if (Number(free) <= Math.max(SLICE_PAGES, Number(pages) * FREE_SHARE_KEPT)) return false;
  // What is given back leaves the file only with what is copied into it.
  await thread.exec(`PRAGMA incremental_vacuum(${SLICE_PAGES}); PRAGMA wal_checkpoint(PASSIVE)`);
  return true;
}
