import type { Runtime, Store } from "../core/index.ts";

/**
 * Where a cache rests, as declared in its options. The cache opens each of its tiers once, so that the store
 * shares its clock, chance and events.
 *
 * A store of your own is a tier with `{ name: store.name, open: () => store }`.
 */
export interface Tier {
  /** Shown in events and statistics: `memory`, `redis`, `sqlite`, `keyv`, or your own. */
  readonly name: string;
  /** Returns at once and does not throw: a store that cannot be reached says so when it is used. */
  open(runtime: Runtime): Store;
}
