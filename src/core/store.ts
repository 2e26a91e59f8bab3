import type { Usage } from "./reply.ts";
import type { KeptAnswer } from "./wire.ts";

/** A cache entry, whole and read-only. Times are milliseconds since the Unix epoch. */
export interface Entry {
  readonly answer: KeptAnswer;
  /** Second digest of the request: a hit must match it. */
  readonly check: string;
  readonly createdAt: number;
  /**
   * Fresh before; from then on stale, and given only to whom stale answers are allowed. After `expiresAt` only in a tier
   * that keeps entries for a shorter time than others.
   */
  readonly freshUntil: number;
  /** No longer there from then on. */
  readonly expiresAt: number;
  /** How long the provider took, in milliseconds: what a hit saves, and what a refresh will take. */
  readonly tookMs: number;
  /** What asking again would cost, in the unit of the cache's `cost` option: eviction keeps the dear. At least 0. */
  readonly cost: number;
  /** `Call.label` of the call that was answered: what patterns match. */
  readonly label: string;
  /** `Call.owner` of it; empty when the cache is shared. A tier may give each owner only so much room. */
  readonly owner: string;
  /** The model that really answered. */
  readonly model: string | undefined;
  readonly usage: Usage | undefined;
  /** Generation of every tag when the provider was asked: one that has changed since makes the entry invalid. */
  readonly tags: Readonly<Record<string, number>>;
  /** How many patterns had been swept when the provider was asked: a later one that matches makes it invalid. */
  readonly sweep: number;
}

/** What a store tells of itself. */
export interface StoreStats {
  readonly entries: number | undefined;
  readonly bytes: number | undefined;
}

interface StoreBase {
  /** Shown in events and statistics: `memory`, `redis`, `sqlite`, or the user's own. */
  readonly name: string;
  delete(key: string): void | Promise<void>;
  /** Removes every entry of this store's namespace, and no other. */
  clear(): void | Promise<void>;
  stats?(): StoreStats | Promise<StoreStats>;
  /** Gives back connections, files and timers. The store is not used afterwards. */
  close?(): void | Promise<void>;
}

/** A store inside the process: holds entries as they are. Its functions do not throw. */
export interface EntryStore extends StoreBase {
  readonly holds: "entries";
  get(key: string): Entry | undefined;
  /** Keeps `entry` until `entry.expiresAt`, unless bounds make it drop it or another. */
  set(key: string, entry: Entry): void;
  delete(key: string): void;
  clear(): void;
}

/**
 * A store outside the heap: holds bytes. It may be slow, down, full or corrupt; then its promises reject,
 * or never settle: the cache guards every call.
 */
export interface ByteStore extends StoreBase {
  readonly holds: "bytes";
  get(key: string): Promise<Uint8Array | undefined>;
  /** Keeps `bytes` for `ttlMs`, a whole number of at least 1. */
  set(key: string, bytes: Uint8Array, ttlMs: number): Promise<void>;
  /** Invalidations that everybody who uses the store sees. Absent: those of a process are known to it alone. */
  readonly marks?: StoreMarks;
  /** Leases that everybody who uses the store respects. Absent: processes do not wait for one another. */
  readonly leases?: StoreLeases;
}

/** What has been invalidated, as counts that only grow and are never forgotten. */
export interface Marks {
  /** The generation of each tag asked for, in order; 0 for one never invalidated. */
  readonly generations: readonly number[];
  /** How many patterns have been swept so far. */
  readonly sweep: number;
}

/** A pattern that was swept, and the count that `Marks.sweep` reached with it. */
export interface Sweep {
  readonly number: number;
  readonly pattern: string;
}

/** An invalidation by somebody else, or `missed`: some may not have been told. */
export type MarksChange =
  | { readonly kind: "tags"; readonly tags: readonly string[] }
  | { readonly kind: "sweep"; readonly pattern: string }
  | { readonly kind: "clear" }
  | { readonly kind: "missed" };

export interface StoreMarks {
  /** A value and the marks of `tags`, in one round trip. */
  read(
    key: string,
    tags: readonly string[],
  ): Promise<{ readonly bytes: Uint8Array | undefined; readonly marks: Marks }>;
  marks(tags: readonly string[]): Promise<Marks>;
  /** Adds 1 to the generation of each tag, atomically. */
  invalidate(tags: readonly string[]): Promise<void>;
  /** Adds a pattern, atomically. */
  sweep(pattern: string): Promise<void>;
  /**
   * The patterns swept after the count stood at `after`, oldest first. `complete` is false when some of them are
   * no longer known: then everything kept at or before `after` counts as swept.
   */
  sweepsSince(after: number): Promise<{ readonly sweeps: readonly Sweep[]; readonly complete: boolean }>;
  /**
   * Tells `listener` of invalidations by other users of the store, soon after they happen. The functions returned:
   * `connected` says whether they are being told right now. Absent: they are seen when the store is read.
   */
  watch?(listener: (change: MarksChange) => void): { readonly connected: () => boolean; readonly stop: () => void };
}

/** Leases by key: one holder at a time, until it gives it back or its time is over. */
export interface StoreLeases {
  /** Whether `holder` has the lease of `key` for the next `leaseMs`; it may have had it before. */
  acquire(key: string, holder: string, leaseMs: number): Promise<boolean>;
  /** Gives it back, unless somebody else has it by now. */
  release(key: string, holder: string): Promise<void>;
}

export type Store = EntryStore | ByteStore;
