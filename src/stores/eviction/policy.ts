/** One entry as an eviction policy sees it. The store makes it, and one entry has one item as long as it is held. */
export interface EvictionItem {
  readonly key: string;
  /** What keeping it takes. */
  readonly bytes: number;
  /** What asking the provider again would cost, in the unit of the cache's `cost` option; 0 when nothing is known. */
  readonly cost: number;
  /** How long asking the provider again would take, in milliseconds. */
  readonly tookMs: number;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
  /** Where the policy keeps it: an entry that goes for another reason is taken out of there. */
  place: Place | undefined;

  // For the policy to use as it likes, but for those that its places use: `Queue` the first two, `Ranking` the last three.
  newer: EvictionItem | undefined;
  older: EvictionItem | undefined;
  /** 0 in a new item; in one that replaces another of its key, what that one had. */
  uses: number;
  gain: number;
  value: number;
  order: number;
  slot: number;
}

/** What holds items for a policy and can let go of one of them: a queue, a heap, or your own. */
export interface Place {
  /** Lets go of `item`, which is in it. */
  remove(item: EvictionItem): void;
}

/**
 * Decides which entry goes when there is no room. It never decides that one goes: the store counts entries and bytes,
 * and asks for a victim while there are too many.
 *
 * Three methods suffice, because an item knows its place. An entry that is deleted, replaced or expired leaves by
 * `item.place.remove(item)`: no eviction, so a policy that learns from evictions (its age, its memory of what it let go)
 * does not mistake it for one. None of the methods may throw.
 */
export interface EvictionPolicy {
  /** The entry was found by a `get`. On the busiest path of the cache: a few assignments at most. */
  onHit(item: EvictionItem): void;
  /** A new entry is there. Puts it into a place, which is to be found in `item.place` from then on. */
  onInsert(item: EvictionItem): void;
  /** Takes the entry that is worth least out of its place and gives it back; `undefined` when none is left. */
  victim(): EvictionItem | undefined;
}

/** A policy as declared in options; every store, and every owner with a share of its own, creates one. */
export interface Eviction {
  /** Shown in results: `lru`, `gdsf`, or your own. */
  readonly name: string;
  create(): EvictionPolicy;
}
