import type { MissReason } from "./search.ts";

/** What the cache counts of calls; tiers count their own. */
export class CacheCounts {
  readonly misses: Record<MissReason, number> = {
    absent: 0,
    expired: 0,
    invalidated: 0,
    mismatch: 0,
    refresh: 0,
    shape: 0,
  };
  bypassed = 0;
  stores = 0;
  skipped = 0;
}
