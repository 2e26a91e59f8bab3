import {
  type ByteStore,
  type Bytes,
  booleanOf,
  byteCount,
  type Duration,
  durationMs,
  functionOf,
  knownKeys,
  type Runtime,
  StoreError,
  type StoreLeases,
  type StoreMarks,
  type StoreStats,
  textOf,
} from "../../core/index.ts";
import { inodeOf, isBusy, isDamaged, isOnDisk, quarantine, type SqliteDriver } from "../../sqlite/index.ts";
import { type Tier, ttlOf } from "../tier.ts";
import type { Evicted } from "./entries-table.ts";
import { type FileOptions, SqliteFile } from "./file.ts";
import { SqliteMarks } from "./marks.ts";
import { Upkeep } from "./upkeep.ts";
import { type Batch, WriteQueue } from "./write-queue.ts";

export type { SqliteDriver };

export interface SqliteOptions {
  /** File of the database; its folder is made when missing. `":memory:"` keeps it in memory. */
  readonly path: string;
  /**
   * Most bytes that entries take in the file; beyond, the oldest go. An entry of more than an eighth of it is not
   * kept. Default `"1gb"`.
   */
  readonly maxBytes?: Bytes;
  /** Longest time to keep an entry here. Default: as long as the cache says. */
  readonly ttl?: Duration;
  /**
   * Whether what a set has confirmed survives a power cut, too, and not only the end of the process: each batch of writes
   * then waits for the disk. Default false.
   */
  readonly durable?: boolean;
  /** How long an operation tries again while another process holds the lock. Default `"2s"`. */
  readonly busyTimeout?: Duration;
  /** The class of better-sqlite3 12, say. Default that of `node:sqlite`, or better-sqlite3 where Node.js has none. */
  readonly driver?: SqliteDriver;
}

export const SQLITE_DEFAULTS = {
  maxBytes: "1gb",
  durable: false,
  busyTimeout: "2s",
} as const satisfies Partial<SqliteOptions>;

const LARGEST_SHARE = 1 / 8;
const PATH_MAX = 4096;

interface Settings extends FileOptions {
  readonly busyMs: number;
}

/**
 * A tier in a file, which outlives the process and may be shared by several. Uses Node's own `node:sqlite`
 * (Node.js 22.13 or newer) or better-sqlite3. Writes are gathered and written in one transaction right after the current
 * turn of the event loop; reads see them at once. A damaged file is put aside as `<path>.corrupt-<time>` and a new one
 * begun (event `cache.tier_rebuilt`). Throws {@link OptionError}.
 */
export function sqlite(options: SqliteOptions): Tier {
  knownKeys("sqlite", options, ["path", "maxBytes", "ttl", "durable", "busyTimeout", "driver"]);
  const { driver } = options;
  const settings: Settings = {
    path: textOf("sqlite.path", options.path, PATH_MAX),
    maxBytes: byteCount("sqlite.maxBytes", options.maxBytes ?? SQLITE_DEFAULTS.maxBytes, { min: 1024 ** 2 }),
    durable: booleanOf("sqlite.durable", options.durable ?? SQLITE_DEFAULTS.durable),
    busyMs: durationMs("sqlite.busyTimeout", options.busyTimeout ?? SQLITE_DEFAULTS.busyTimeout),
    driver: driver === undefined ? undefined : functionOf("sqlite.driver", driver, "a class of databases"),
  };
  return { name: "sqlite", ttlMs: ttlOf("sqlite", options.ttl), open: (runtime) => new SqliteStore(settings, runtime) };
}

// Between two tries to get the lock: long against a transaction, short against what a caller notices.
const BUSY_PAUSE_MS = 4;

class SqliteStore implements ByteStore {
  readonly name = "sqlite";
  readonly holds = "bytes";
  readonly #settings: Settings;
  readonly #runtime: Runtime;
  readonly #upkeep: Upkeep;
  readonly #queue: WriteQueue;
  readonly marks: SqliteMarks;
  readonly leases: StoreLeases;
  #file: SqliteFile | undefined;
  // A file begun anew has forgotten what was invalidated: its generations start where none has been before.
  #epoch = 0;
  #closed = false;

  constructor(settings: Settings, runtime: Runtime) {
    this.#settings = settings;
    this.#runtime = runtime;
    this.#queue = new WriteQueue(settings.maxBytes / 4, (batch) => this.#write(batch));
    this.#upkeep = new Upkeep(runtime.clock, () => this.#file?.keepUp(runtime.clock) ?? false);
    const use = <T>(work: (file: SqliteFile) => T): Promise<T> => this.#use(work);
    this.marks = new SqliteMarks(
      use,
      () => this.#file,
      (key, tags) => this.#read(key, tags),
      runtime,
    );
    const now = (): number => runtime.clock.wall();
    this.leases = {
      acquire: (key, holder, leaseMs) => use((file) => file.leases.acquire(key, holder, now(), leaseMs)),
      release: (key, holder) => use((file) => file.leases.release(key, holder)),
    };
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const now = this.#runtime.clock.wall();
    const queued = this.#queue.find(key);
    if (queued !== undefined) return queued.expiresAt > now ? queued.bytes : undefined;
    return this.#use((file) => file.get(key, now));
  }

  async set(key: string, bytes: Uint8Array, ttlMs: number): Promise<void> {
    this.#assertOpen();
    const fits = bytes.byteLength <= this.#settings.maxBytes * LARGEST_SHARE;
    // What the key held before is not its value any more, also when the new one is too large.
    return this.#queue.add({
      key,
      bytes: fits ? bytes : undefined,
      // A greater number could not be read again.
      expiresAt: Math.min(Number.MAX_SAFE_INTEGER, Math.ceil(this.#runtime.clock.wall() + ttlMs)),
    });
  }

  async delete(key: string): Promise<void> {
    this.#assertOpen();
    return this.#queue.add({ key, bytes: undefined, expiresAt: 0 });
  }

  async clear(): Promise<void> {
    this.#queue.drop();
    return this.marks.clear();
  }

  async stats(): Promise<StoreStats> {
    return this.#use((file) => file.stats(this.#runtime.clock.wall()));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.marks.close();
    await this.#queue.settled();
    this.#closed = true;
    this.#upkeep.stop();
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #read(key: string, tags: readonly string[]): ReturnType<StoreMarks["read"]> {
    const now = this.#runtime.clock.wall();
    const queued = this.#queue.find(key);
    if (queued === undefined) return this.#use((file) => file.read(key, now, tags));
    const marks = await this.marks.marks(tags);
    return { bytes: queued.expiresAt > now ? queued.bytes : undefined, marks };
  }

  async #write(batch: Batch): Promise<void> {
    if (this.#file?.isInPlace === false) this.#leave();
    const evicted = await this.#use((file) => file.write(batch(), this.#runtime.clock.wall()));
    this.#tellOf(evicted);
    // Nothing is written meanwhile: only so can the log begin anew.
    if (this.#file?.isCheckpointDue) await this.#file.checkpoint();
  }

  #tellOf(evicted: Evicted): void {
    const { events } = this.#runtime;
    if (evicted.entries === 0 || !events.wants("cache.evicted")) return;
    events.emit("cache.evicted", undefined, { tier: this.name, ...evicted });
  }

  /** Runs `work`: again while another process has the lock, and once more on a new file if this one is damaged. */
  async #use<T>(work: (file: SqliteFile) => T): Promise<T> {
    this.#assertOpen();
    const { clock } = this.#runtime;
    const giveUpAt = clock.now() + this.#settings.busyMs;
    let rebuilt = false;
    for (;;) {
      try {
        this.#file ??= this.#open();
        return work(this.#file);
      } catch (error) {
        if (isBusy(error) && clock.now() < giveUpAt) {
          await new Promise<void>((resolve) => clock.timer(BUSY_PAUSE_MS, resolve));
          this.#assertOpen();
        } else if (isDamaged(error) && !rebuilt) {
          rebuilt = true;
          this.#rebuild(error);
        } else {
          throw this.#failure(error);
        }
      }
    }
  }

  #open(): SqliteFile {
    const file = new SqliteFile(this.#settings, this.#epoch);
    this.#upkeep.start();
    return file;
  }

  #rebuild(reason: unknown): void {
    const wasInPlace = this.#file?.isInPlace ?? true;
    this.#leave();
    // If another process has already begun a new file, that one is sound.
    if (!wasInPlace || !isOnDisk(this.#settings.path) || inodeOf(this.#settings.path) === undefined) return;
    try {
      const quarantined = quarantine(this.#settings.path, this.#runtime.clock.wall());
      this.#runtime.events.emit("cache.tier_rebuilt", undefined, { tier: this.name, quarantined });
    } catch {
      throw this.#failure(reason);
    }
  }

  #leave(): void {
    void this.#file?.close();
    this.#file = undefined;
    this.#epoch = Math.round(this.#runtime.clock.wall());
  }

  #assertOpen(): void {
    if (this.#closed) throw new StoreError("The sqlite tier is closed.");
  }

  #failure(error: unknown): StoreError {
    if (error instanceof StoreError) return error;
    const reason = error instanceof Error ? error.message : String(error);
    return new StoreError(`The sqlite tier at "${this.#settings.path}" failed: ${reason}.`, error);
  }
}
