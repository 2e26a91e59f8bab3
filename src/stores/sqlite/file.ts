import { randomInt } from "node:crypto";
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock, Marks } from "../../core/index.ts";
import {
  DamagedError,
  defaultDriver,
  ensureFolder,
  inodeOf,
  isDamagedAtOpening,
  isOnDisk,
  nodeDriver,
  type SqliteDatabase,
  type SqliteDriver,
} from "../../sqlite/index.ts";
import { CheckpointWorker } from "./checkpoint-worker.ts";
import { ENTRIES_SCHEMA, EntriesTable, type Evicted, PAGE_BYTES, type Write } from "./entries-table.ts";
import { LEASES_SCHEMA, LeasesTable } from "./leases-table.ts";
import { MARKS_SCHEMA, MarksTable, type Position, whole } from "./marks-table.ts";

// How long the log gets before it is copied into the file; where the event loop has to wait for that, less.
const LOG_BYTES = 8 * 1024 ** 2;
const AUTOMATIC_CHECKPOINT_PAGES = 64;
// What a process may wait for another's transaction while nothing else runs; longer waits are the caller's, in turns.
const BLOCKED_MS = 5;
const FIRST_SEQ_MAX = 2 ** 47;
// One piece of upkeep ends soon after this time.
const UPKEEP_MS = 2;
const UPKEEP_STEPS = 20;
const VACUUMED_PAGES_PER_STEP = 8;
// Free pages are used again by later writes: so many, or this share of the file, are not given back.
const FREE_PAGES_KEPT = 8;
const FREE_SHARE_KEPT = 0.03;

// The version is part of the names: a process of an older version finds its own tables untouched.
const SCHEMA = `${ENTRIES_SCHEMA} ${MARKS_SCHEMA} ${LEASES_SCHEMA}`;

export interface FileOptions {
  readonly path: string;
  readonly maxBytes: number;
  readonly durable: boolean;
  readonly driver: SqliteDriver | undefined;
}

/** One open database. Every function is synchronous and may throw. */
export class SqliteFile {
  readonly marks: MarksTable;
  readonly leases: LeasesTable;
  readonly #path: string;
  readonly #database: SqliteDatabase;
  readonly #inode: number | undefined;
  readonly #entries: EntriesTable;
  #checkpoints: CheckpointWorker | undefined;

  /**
   * Opens the file, creating it and its folder where they are missing. Marks of a new file begin at `epoch`.
   */
  constructor({ path, maxBytes, durable, driver }: FileOptions, epoch: number) {
    this.#path = path;
    if (isOnDisk(path)) ensureFolder(dirname(path));
    const Database = driver ?? defaultDriver();
    this.#database = new Database(path);
    try {
      // The size of pages and the way to shrink are decided by whoever creates the file, before anything else.
      this.#database.exec(`
        PRAGMA busy_timeout = 100;
        PRAGMA page_size = ${PAGE_BYTES};
        PRAGMA auto_vacuum = INCREMENTAL;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = ${durable ? "FULL" : "NORMAL"};
        PRAGMA cell_size_check = ON;
        PRAGMA wal_autocheckpoint = ${AUTOMATIC_CHECKPOINT_PAGES};
        PRAGMA journal_size_limit = 0;
        PRAGMA max_page_count = ${Math.ceil(maxBytes / PAGE_BYTES)};
      `);
      this.#transact(() => {
        this.#database.exec(SCHEMA);
        // Two files must not seem one: each has an order of changes of its own.
        const seq = randomInt(FIRST_SEQ_MAX);
        this.#database
          .prepare("INSERT OR IGNORE INTO breakwater_state_2 VALUES (1, ?, ?, 0, ?, ?, 0, ?, 0)")
          .run(epoch, epoch, seq, seq, seq);
      });
      this.#entries = new EntriesTable(this.#database, maxBytes);
      this.marks = new MarksTable(this.#database);
      this.leases = new LeasesTable(this.#database);
      this.#database.exec(`PRAGMA busy_timeout = ${BLOCKED_MS}`);
    } catch (error) {
      closeQuietly(this.#database);
      throw isDamagedAtOpening(error, path) ? new DamagedError() : error;
    }
    this.#inode = inodeOf(path);
    if (isOnDisk(path) && Database === nodeDriver()) this.#checkpointElsewhere();
  }

  /** Whether the file is still the one that was opened; another process, or its owner, may have taken it away. */
  get isInPlace(): boolean {
    return !isOnDisk(this.#path) || inodeOf(this.#path) === this.#inode;
  }

  get(key: string, now: number): Uint8Array | undefined {
    return this.#entries.valueOf(key, this.#entries.row(key, now));
  }

  /** A value and the marks of `tags`, as they are together. */
  read(key: string, now: number, tags: readonly string[]): { bytes: Uint8Array | undefined; marks: Marks } {
    const row = this.#entries.row(key, now);
    const bytes = this.#entries.valueOf(key, row);
    const generations = tags.length === 0 ? [] : this.marks.generations(whole(row.epoch), tags);
    return { bytes, marks: { generations, sweep: whole(row.sweep) } };
  }

  /** Applies a batch, all of it or nothing. */
  write(batch: readonly Write[], now: number): Evicted {
    return this.#transact(() => this.#entries.write(batch, now));
  }

  /** Whether the log is due to be copied into the file. */
  get isCheckpointDue(): boolean {
    return this.#checkpoints !== undefined && this.#logBytes() > LOG_BYTES;
  }

  /** Never rejects. Writes may go on meanwhile, but then the log grows. */
  async checkpoint(): Promise<void> {
    await this.#checkpoints?.run();
  }

  clear(): Position {
    return this.#mark(() => this.marks.clear());
  }

  invalidate(tags: readonly string[]): Position {
    return this.#mark(() => this.marks.invalidate(tags));
  }

  sweep(pattern: string): Position {
    return this.#mark(() => this.marks.sweep(pattern));
  }

  stats(now: number): { entries: number; bytes: number } {
    return { entries: this.#entries.count(now), bytes: this.#entries.usedBytes() };
  }

  /** Takes out some of what has expired or was cleared, then gives room back to the disk. Says whether there is more. */
  keepUp(clock: Clock): boolean {
    const now = clock.wall();
    const endAt = clock.now() + UPKEEP_MS;
    if (this.#entries.hasLeftovers(now)) {
      this.#transact(() => {
        this.leases.deleteExpired(now);
        for (let step = 0; step < UPKEEP_STEPS && clock.now() < endAt; step++) {
          if (!this.#entries.takeOutLeftovers(now)) break;
        }
      });
      return true;
    }
    for (let step = 0; step < UPKEEP_STEPS && clock.now() < endAt && this.#hasRoomToGiveBack(); step++) {
      this.#database.exec(`PRAGMA incremental_vacuum(${VACUUMED_PAGES_PER_STEP})`);
    }
    return this.#hasRoomToGiveBack();
  }

  async close(): Promise<void> {
    closeQuietly(this.#database);
    await this.#checkpoints?.close();
  }

  #checkpointElsewhere(): void {
    const automatically = (pages: number): unknown => this.#database.exec(`PRAGMA wal_autocheckpoint = ${pages}`);
    automatically(0);
    this.#checkpoints = new CheckpointWorker(this.#path, () => {
      this.#checkpoints = undefined;
      automatically(AUTOMATIC_CHECKPOINT_PAGES);
    });
  }

  #logBytes(): number {
    return statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  #hasRoomToGiveBack(): boolean {
    const free = this.#entries.freePages();
    return free > FREE_PAGES_KEPT && free > this.#entries.pages() * FREE_SHARE_KEPT;
  }

  #mark(change: () => void): Position {
    return this.#transact(() => {
      change();
      return this.marks.position();
    });
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
}

function closeQuietly(database: SqliteDatabase): void {
  try {
    database.close();
  } catch {
    // A damaged file may refuse to be closed in order; its handle is gone all the same.
  }
}
