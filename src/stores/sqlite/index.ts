import {
  type ByteStore,
  type Bytes,
  byteCount,
  type Duration,
  durationMs,
  knownKeys,
  type Runtime,
  type StoreStats,
  textOf,
} from "../../core/index.ts";
import { StoreError } from "../store-error.ts";
import type { Tier } from "../tier.ts";
import { inodeOf, isBusy, isDamaged, isOnDisk, quarantine } from "./damage.ts";
import { SqliteFile } from "./file.ts";
import { type Batch, WriteQueue } from "./write-queue.ts";

export interface SqliteOptions {
  /** File of the database; its folder is made when missing. `":memory:"` keeps it in memory. */
  readonly path: string;
  /**
   * Most bytes that entries take in the file; beyond, the oldest go. An entry of more than an eighth of it is not
   * kept. Default `"1gb"`.
   */
  readonly maxBytes?: Bytes;
  /** How long an operation tries again while another process holds the lock. Default `"2s"`. */
  readonly busyTimeout?: Duration;
}

export const SQLITE_DEFAULTS = { maxBytes: "1gb", busyTimeout: "2s" } as const satisfies Partial<SqliteOptions>;

const LARGEST_SHARE = 1 / 8;
const PATH_MAX = 4096;

/**
 * A tier in a file, which outlives the process and may be shared by several. Uses Node's own `node:sqlite`
 * (Node.js 22.13 or newer). Writes are gathered and written in one transaction right after the current turn of the
 * event loop; reads see them at once. A damaged file is put aside as `<path>.corrupt-<time>` and a new one begun
 * (event `cache.tier_rebuilt`). Throws {@link OptionError}.
 */
export function sqlite(options: SqliteOptions): Tier {
  knownKeys("sqlite", options, ["path", "maxBytes", "busyTimeout"]);
  const path = textOf("sqlite.path", options.path, PATH_MAX);
  const maxBytes = byteCount("sqlite.maxBytes", options.maxBytes ?? SQLITE_DEFAULTS.maxBytes, { min: 1024 ** 2 });
  const busyMs = durationMs("sqlite.busyTimeout", options.busyTimeout ?? SQLITE_DEFAULTS.busyTimeout);
  return { name: "sqlite", open: (runtime) => new SqliteStore(path, maxBytes, busyMs, runtime) };
}

// Between two tries to get the lock: long against a transaction, short against what a caller notices.
const BUSY_PAUSE_MS = 4;

class SqliteStore implements ByteStore {
  readonly name = "sqlite";
  readonly holds = "bytes";
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #busyMs: number;
  readonly #runtime: Runtime;
  readonly #queue: WriteQueue;
  #file: SqliteFile | undefined;
  // A file begun anew has forgotten what was invalidated: its generations start where none has been before.
  #epoch = 0;
  #closed = false;

  constructor(path: string, maxBytes: number, busyMs: number, runtime: Runtime) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#busyMs = busyMs;
    this.#runtime = runtime;
    this.#queue = new WriteQueue(maxBytes / 4, (batch) => this.#write(batch));
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const now = this.#runtime.clock.wall();
    const queued = this.#queue.find(key);
    if (queued !== undefined) return queued.expiresAt > now ? queued.bytes : undefined;
    return this.#use((file) => file.get(key, now));
  }

  async set(key: string, bytes: Uint8Array, ttlMs: number): Promise<void> {
    this.#assertOpen();
    const fits = bytes.byteLength <= this.#maxBytes * LARGEST_SHARE;
    // What the key held before is not its value any more, also when the new one is too large.
    return this.#queue.add({
      key,
      bytes: fits ? bytes : undefined,
      expiresAt: Math.ceil(this.#runtime.clock.wall() + ttlMs),
    });
  }

  async delete(key: string): Promise<void> {
    this.#assertOpen();
    return this.#queue.add({ key, bytes: undefined, expiresAt: 0 });
  }

  async clear(): Promise<void> {
    this.#queue.drop();
    return this.#use((file) => file.clear());
  }

  async generations(tags: readonly string[]): Promise<readonly number[]> {
    return this.#use((file) => file.generations(tags));
  }

  async invalidate(tags: readonly string[]): Promise<void> {
    return this.#use((file) => file.invalidate(tags));
  }

  async stats(): Promise<StoreStats> {
    return this.#use((file) => file.stats(this.#runtime.clock.wall()));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#queue.settled();
    this.#closed = true;
    this.#file?.close();
    this.#file = undefined;
  }

  async #write(batch: Batch): Promise<void> {
    if (this.#file?.isInPlace === false) this.#leave();
    const evicted = await this.#use((file) => file.write(batch(), this.#runtime.clock.wall()));
    const { events } = this.#runtime;
    if (evicted.entries === 0 || !events.wants("cache.evicted")) return;
    events.emit("cache.evicted", undefined, { tier: this.name, ...evicted });
  }

  /** Runs `work`: again while another process has the lock, and once more on a new file if this one is damaged. */
  async #use<T>(work: (file: SqliteFile) => T): Promise<T> {
    this.#assertOpen();
    const { clock } = this.#runtime;
    const giveUpAt = clock.now() + this.#busyMs;
    let rebuilt = false;
    for (;;) {
      try {
        this.#file ??= new SqliteFile(this.#path, this.#maxBytes, this.#epoch);
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

  #rebuild(reason: unknown): void {
    const wasInPlace = this.#file?.isInPlace ?? true;
    this.#leave();
    // If another process has already begun a new file, that one is sound.
    if (!wasInPlace || !isOnDisk(this.#path) || inodeOf(this.#path) === undefined) return;
    try {
      const quarantined = quarantine(this.#path, this.#runtime.clock.wall());
      this.#runtime.events.emit("cache.tier_rebuilt", undefined, { tier: this.name, quarantined });
    } catch {
      throw this.#failure(reason);
    }
  }

  #leave(): void {
    this.#file?.close();
    this.#file = undefined;
    this.#epoch = Math.round(this.#runtime.clock.wall());
  }

  #assertOpen(): void {
    if (this.#closed) throw new StoreError("The sqlite tier is closed.");
  }

  #failure(error: unknown): StoreError {
    if (error instanceof StoreError) return error;
    const reason = error instanceof Error ? error.message : String(error);
    return new StoreError(`The sqlite tier at "${this.#path}" failed: ${reason}.`, error);
  }
}
