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
  /** Those hits of the tiers' that were stale. */
  staleHits = 0;
  negativeHits = 0;
  bypassed = 0;
  refreshes = 0;
  failedRefreshes = 0;
  stores = 0;
  skipped = 0;
}
