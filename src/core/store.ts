import type { Usage } from "./reply.ts";
import type { KeptAnswer } from "./wire.ts";

/** A cache entry, whole and read-only. */
export interface Entry {
  readonly answer: KeptAnswer;
  /** Second digest of the request: a hit must match it. */
  readonly check: string;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
  readonly expiresAt: number;
  /** The model that really answered. */
  readonly model: string | undefined;
  readonly usage: Usage | undefined;
  /** Generation of every tag when the provider was asked: an invalidation since then makes the entry stale. */
  readonly tags: Readonly<Record<string, number>>;
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
  /** The generation of each tag, in order; 0 for one never invalidated. Absent: tags live in this process only. */
  generations?(tags: readonly string[]): Promise<readonly number[]>;
  /** Adds 1 to the generation of each tag, atomically, and never forgets it. */
  invalidate?(tags: readonly string[]): Promise<void>;
}

export type Store = EntryStore | ByteStore;
