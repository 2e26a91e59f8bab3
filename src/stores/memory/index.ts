import {
  type Bytes,
  byteCount,
  type Entry,
  type EntryStore,
  integerIn,
  knownKeys,
  type Runtime,
  type StoreStats,
} from "../../core/index.ts";
import type { Tier } from "../tier.ts";
import { entryBytes } from "./entry-size.ts";

export interface MemoryOptions {
  /** Most entries to hold. Default 10,000. */
  readonly maxEntries?: number;
  /** Most bytes of heap to take. An entry that needs more than an eighth of it is not kept. Default `"64mb"`. */
  readonly maxBytes?: Bytes;
}

export const MEMORY_DEFAULTS = { maxEntries: 10_000, maxBytes: "64mb" } as const satisfies MemoryOptions;

// One giant must not push out everybody else.
const LARGEST_SHARE = 1 / 8;

/**
 * A tier in the heap of this process: the fastest, gone with the process. Full, it lets go of what was not asked
 * for the longest. Throws {@link OptionError}.
 */
export function memory(options: MemoryOptions = {}): Tier {
  knownKeys("memory", options, ["maxEntries", "maxBytes"]);
  const maxEntries = integerIn("memory.maxEntries", options.maxEntries ?? MEMORY_DEFAULTS.maxEntries, 1);
  const maxBytes = byteCount("memory.maxBytes", options.maxBytes ?? MEMORY_DEFAULTS.maxBytes, { min: 1024 });
  return { name: "memory", open: (runtime) => new MemoryStore(maxEntries, maxBytes, runtime) };
}

interface Held {
  readonly key: string;
  readonly entry: Entry;
  readonly bytes: number;
  newer: Held | undefined;
  older: Held | undefined;
}

// With every set this many entries are looked at; so a store with room to spare is rid of what expired, too.
const SWEPT_PER_SET = 2;

class MemoryStore implements EntryStore {
  readonly name = "memory";
  readonly holds = "entries";
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #runtime: Runtime;
  readonly #held = new Map<string, Held>();
  #newest: Held | undefined;
  #oldest: Held | undefined;
  #bytes = 0;
  // An iterator of a Map goes on through whatever is added and removed meanwhile.
  #sweep = this.#held.values();

  constructor(maxEntries: number, maxBytes: number, runtime: Runtime) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
    this.#runtime = runtime;
  }

  get(key: string): Entry | undefined {
    const held = this.#held.get(key);
    if (held === undefined) return undefined;
    if (held.entry.expiresAt <= this.#runtime.clock.wall()) {
      this.#remove(held);
      return undefined;
    }
    if (held !== this.#newest) {
      this.#unlink(held);
      this.#link(held);
    }
    return held.entry;
  }

  set(key: string, entry: Entry): void {
    const now = this.#runtime.clock.wall();
    this.delete(key);
    this.#sweepSome(now);
    const bytes = entryBytes(key, entry);
    if (entry.expiresAt <= now || bytes > this.#maxBytes * LARGEST_SHARE) return;
    const held: Held = { key, entry, bytes, newer: undefined, older: undefined };
    this.#held.set(key, held);
    this.#bytes += bytes;
    this.#link(held);
    if (this.#bytes > this.#maxBytes || this.#held.size > this.#maxEntries) this.#evict();
  }

  delete(key: string): void {
    const held = this.#held.get(key);
    if (held !== undefined) this.#remove(held);
  }

  clear(): void {
    this.#held.clear();
    this.#sweep = this.#held.values();
    this.#newest = undefined;
    this.#oldest = undefined;
    this.#bytes = 0;
  }

  stats(): StoreStats {
    return { entries: this.#held.size, bytes: this.#bytes };
  }

  close(): void {
    this.clear();
  }

  #evict(): void {
    let entries = 0;
    let bytes = 0;
    while (this.#oldest !== undefined && (this.#bytes > this.#maxBytes || this.#held.size > this.#maxEntries)) {
      entries++;
      bytes += this.#oldest.bytes;
      this.#remove(this.#oldest);
    }
    const { events } = this.#runtime;
    if (events.wants("cache.evicted")) events.emit("cache.evicted", undefined, { tier: this.name, entries, bytes });
  }

  #sweepSome(now: number): void {
    for (let looked = 0; looked < SWEPT_PER_SET; looked++) {
      const { value, done } = this.#sweep.next();
      if (done) {
        this.#sweep = this.#held.values();
        return;
      }
      if (value.entry.expiresAt <= now) this.#remove(value);
    }
  }

  #remove(held: Held): void {
    this.#held.delete(held.key);
    this.#bytes -= held.bytes;
    this.#unlink(held);
  }

  #link(held: Held): void {
    held.older = this.#newest;
    held.newer = undefined;
    if (this.#newest === undefined) this.#oldest = held;
    else this.#newest.newer = held;
    this.#newest = held;
  }

  #unlink(held: Held): void {
    if (held.newer === undefined) this.#newest = held.older;
    else held.newer.older = held.older;
    if (held.older === undefined) this.#oldest = held.newer;
    else held.older.newer = held.newer;
  }
}
