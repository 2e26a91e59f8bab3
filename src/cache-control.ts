import { type EventBus, type EventMap, OptionError, tagList } from "./core/index.ts";
import { type CachePolicy, labelMatcher } from "./policies/cache/index.ts";
import type { SemanticPolicy } from "./policies/semantic/index.ts";

/** What can be asked of the cache while it runs. With the cache switched off there is nothing to invalidate. */
export type CacheControl = Pick<
  CachePolicy,
  "invalidateTags" | "invalidateMatching" | "invalidateKey" | "clear" | "flush" | "tier" | "stats"
>;

/** One control for the caches of a line: what is invalidated in one is invalidated in the other. */
export function cacheControl(
  cache: CachePolicy | undefined,
  semantic: SemanticPolicy | undefined,
  events: EventBus,
): CacheControl {
  const exact = cache ?? noCache;
  if (semantic === undefined) return exact;
  events.on("cache.invalidated", (event) => {
    if (event.by === "elsewhere") follow(semantic, event);
  });
  // What may have been invalidated without a word is not to be served either.
  events.on("cache.gap", () => semantic.clear());
  return {
    ...exact,
    async invalidateTags(tags) {
      semantic.invalidateTags(tags);
      await exact.invalidateTags(tagList("tags", tags));
    },
    async invalidateMatching(pattern) {
      semantic.invalidateLabels(labelMatcher("pattern", pattern));
      await exact.invalidateMatching(pattern);
    },
    async invalidateKey(key) {
      semantic.invalidateKey(key);
      await exact.invalidateKey(key);
    },
    async clear() {
      semantic.clear();
      await exact.clear();
    },
    async flush() {
      await Promise.all([exact.flush(), semantic.flush()]);
    },
  };
}

function follow(semantic: SemanticPolicy, { tags, pattern, key, everything }: EventMap["cache.invalidated"]): void {
  if (everything) semantic.clear();
  else if (key !== undefined) semantic.invalidateKey(key);
  else if (pattern !== undefined) semantic.invalidateLabels(labelMatcher("pattern", pattern));
  else if (tags.length > 0) semantic.invalidateTags(tags);
}

const noCache: CacheControl = {
  invalidateTags: async () => {},
  invalidateMatching: async () => {},
  invalidateKey: async () => {},
  clear: async () => {},
  flush: async () => {},
  tier(name) {
    throw new OptionError("tier", name, "the name of a tier; the cache of this optimizer is switched off");
  },
  stats: () => ({
    hits: {},
    misses: { absent: 0, expired: 0, invalidated: 0, mismatch: 0, refresh: 0, shape: 0 },
    staleHits: 0,
    negativeHits: 0,
    bypassed: 0,
    refreshes: 0,
    failedRefreshes: 0,
    stores: 0,
    skipped: 0,
    pendingWrites: 0,
    droppedWrites: 0,
  }),
};
