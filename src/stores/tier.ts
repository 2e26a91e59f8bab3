import { type Duration, durationMs, type Runtime, type Store } from "../core/index.ts";

/**
 * Where a cache rests, as declared in its options. The cache opens each of its tiers once, so that the store
 * shares its clock, chance and events.
 *
 * A store of your own is a tier with `{ name: store.name, open: () => store }`.
 */
export interface Tier {
  /** Shown in events and statistics: `memory`, `redis`, `sqlite`, `keyv`, or your own. */
  readonly name: string;
  /** Longest time to keep an entry here, in milliseconds; absent: as long as the cache says. */
  readonly ttlMs?: number | undefined;
  /** Most bytes of heap that it takes; absent where it keeps its entries elsewhere, or does not tell. */
  readonly maxBytes?: number | undefined;
  /** Returns at once and does not throw: a store that cannot be reached says so when it is used. */
  open(runtime: Runtime): Store;
}

/** Reads the `ttl` of a tier. Throws `OptionError` naming `<tier>.ttl`. */
export function ttlOf(tier: string, ttl: Duration | undefined): number | undefined {
  return ttl === undefined ? undefined : durationMs(`${tier}.ttl`, ttl, { min: 1 });
}
