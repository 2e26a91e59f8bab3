import { defaultRuntime, OptionError, type Policy, type Runtime, tagList, textOf } from "../../core/index.ts";
import { Cache } from "./cache.ts";
import { EntryCodec } from "./envelope.ts";
import { Invalidations } from "./invalidations.ts";
import { type CallPattern, readPattern } from "./label-pattern.ts";
import { type CacheOptions, type CacheSettings, type CacheTuning, readOptions, readTuning } from "./options.ts";
import type { MissReason } from "./search.ts";
import { type OpenTier, Tiers } from "./tiers.ts";
import { within } from "./within.ts";

export type { CostFacts, CostFunction } from "./cost.ts";
export type { EncryptionOptions } from "./encryption.ts";
export type { CompressionOption } from "./envelope-options.ts";
export { type CallPattern, labelMatcher } from "./label-pattern.ts";
export { CACHE_DEFAULTS, type CacheOptions, type CacheTier, type CacheTuning } from "./options.ts";

export interface CacheTierStats {
  readonly hits: number;
  /** How often it failed, was too slow or held something unreadable. */
  readonly failures: number;
  /** False while it is left alone after failures. */
  readonly available: boolean;
  readonly enabled: boolean;
  readonly pendingWrites: number;
  /** Writes that failed, or that found too many others before them. */
  readonly droppedWrites: number;
}

export interface CacheTierControl {
  readonly name: string;
  readonly enabled: boolean;
  enable(): void;
  /** Neither reads nor writes it from now on. Invalidations still reach it. */
  disable(): void;
  /** `entries` and `bytes` where the store tells them in time. */
  stats(): Promise<CacheTierStats & { readonly entries: number | undefined; readonly bytes: number | undefined }>;
}

export interface CacheStats {
  /** By tier. */
  readonly hits: Readonly<Record<string, number>>;
  readonly misses: Readonly<Record<MissReason, number>>;
  /** Those hits that were stale. */
  readonly staleHits: number;
  /** Calls that were given a fault from before. */
  readonly negativeHits: number;
  /** Calls that the cache was not used for. */
  readonly bypassed: number;
  /** Answers that were asked for in the background, failed ones included. */
  readonly refreshes: number;
  readonly failedRefreshes: number;
  readonly stores: number;
  /** Answers that were not kept. */
  readonly skipped: number;
  readonly pendingWrites: number;
  readonly droppedWrites: number;
}

export interface CacheSnapshot extends CacheStats, Omit<CacheSettings, "cost" | "compression" | "encryption"> {
  /** `custom` for a function. */
  readonly cost: "tokens" | "custom";
  /** Name of the compressor; `none` without one. */
  readonly compression: string;
  /** Ids, never keys; absent when entries are not encrypted. */
  readonly encryption: { readonly current: string; readonly ids: readonly string[] } | undefined;
  /** Refreshes that are running. */
  readonly refreshing: number;
  /** Keys that calls of this process ask for, or wait for, under a lease. */
  readonly leases: number;
  /** False while some invalidation by another process may not be told: entries in memory are then given only a short time. */
  readonly informed: boolean;
  readonly tiers: Readonly<Record<string, CacheTierStats>>;
}

export interface CachePolicy extends Policy {
  readonly name: "cache";
  readonly runtime: Runtime;
  /**
   * Makes every entry invalid that carries one of `tags`, at once in this process; the promise resolves when the tiers
   * outside have taken note. A tier that is down does when it is back, and until then its entries of these tags
   * are not used. Answers on their way are not kept. At most 32 tags of 1 to 128 characters. Throws `OptionError`.
   */
  invalidateTags(tags: readonly string[]): Promise<void>;
  /**
   * Makes every entry invalid whose call matches `pattern`. That is text of the form `client/operation/model/route`, such
   * as `tenant3/chat/gpt-4o-mini/*`: `*` stands for any text, alone or within a part; a part that the call does not have
   * is empty; `%`, `/` and `*` themselves are written `%25`, `%2F` and `%2A`. Or it is an object of exact texts, in
   * which what is left out may be anything. What is said of `invalidateTags` holds here, too. Throws `OptionError`.
   */
  invalidateMatching(pattern: string | CallPattern): Promise<void>;
  /**
   * Removes the entry of `key`, as `Explanation.cacheKey` tells it. What is said of `invalidateTags` holds here, too; but
   * an answer on its way in another process is kept where no tier tells processes of invalidations. Throws `OptionError`.
   */
  invalidateKey(key: string): Promise<void>;
  /** Removes every entry of every tier; what is said of `invalidateTags` holds here, too. */
  clear(): Promise<void>;
  /** Waits until everything is written that is being written now. */
  flush(): Promise<void>;
  /** Throws `OptionError` for an unknown name. */
  tier(name: string): CacheTierControl;
  stats(): CacheStats;
  /** Changes the running cache; what is left out stays. Throws `OptionError` and then changes nothing. */
  update(options: CacheTuning): void;
  snapshot(): CacheSnapshot;
  /** Writes what is still to be written, for at most 1 s, and closes the stores. Calls then pass by. */
  close(): Promise<void>;
}

const CLOSING_MS = 1000;

/**
 * Answers a call from what an identical call was answered before. Stands in the call ring, outside everything that
 * asks the provider.
 *
 * Tiers are asked in their order, and what a lower one has is put into those above. Only whole, good answers are
 * kept. A tier that is slow, down or damaged costs a call at most `tierTimeout`, never its answer; after three failures
 * in a row it is left alone for 1 to 2 s. Writes to tiers outside the process delay nobody.
 *
 * How one call uses the cache (see `CacheDirectives`), its `ttl` and its `tags` come with its scope. Refuses with
 * `NotCachedError` when only a cached answer was wanted and there is none.
 *
 * Throws `OptionError`, and whatever a tier throws when it is opened.
 */
export function cache(options: CacheOptions, runtime: Runtime = defaultRuntime()): CachePolicy {
  const { tiers: given, settings } = readOptions(options);
  const invalidations = new Invalidations();
  const codec = new EntryCodec(() => core.settings);
  const tiers: Tiers = new Tiers(given, {
    codec,
    invalidations,
    runtime,
    limitMs: () => core.settings.tierTimeoutMs,
    maxStaleOnGapMs: () => core.settings.maxStaleOnGapMs,
  });
  const core: Cache = new Cache(settings, tiers, invalidations, runtime);

  const stats = (): CacheStats => {
    const { misses, ...counts } = core.counts;
    return {
      hits: Object.fromEntries(tiers.all.map(({ name, hits }) => [name, hits])),
      misses: { ...misses },
      ...counts,
      pendingWrites: tiers.bytes.reduce((sum, { writes }) => sum + writes.pending, 0),
      droppedWrites: tiers.bytes.reduce((sum, { writes }) => sum + writes.dropped, 0),
    };
  };

  return {
    name: "cache",
    ring: "call",
    runtime,
    handle: (call, next) => core.handle(call, next),
    async invalidateTags(tags) {
      const list = tagList("tags", tags);
      if (list.length === 0) return;
      await tiers.invalidate(list);
    },
    async invalidateMatching(pattern) {
      await tiers.sweep(readPattern("pattern", pattern));
    },
    async invalidateKey(key) {
      core.negatives.delete(textOf("key", key));
      await tiers.invalidateKey(key);
    },
    clear() {
      core.negatives.clear();
      return tiers.clear();
    },
    flush: () => tiers.flush(),
    tier(name) {
      const tier = tiers.all.find((one) => one.name === name);
      if (tier === undefined) {
        throw new OptionError("tier", name, `one of ${tiers.all.map((one) => `"${one.name}"`).join(", ")}`);
      }
      return controlOf(tier);
    },
    stats,
    update(changes) {
      core.settings = readTuning(changes, core.settings);
    },
    snapshot: () => ({
      ...shown(core.settings),
      ...stats(),
      refreshing: core.refreshes.running,
      leases: core.leases.size,
      informed: tiers.watch.connected,
      tiers: Object.fromEntries(tiers.all.map((tier) => [tier.name, statsOf(tier)])),
    }),
    async close() {
      if (core.closed) return;
      core.closed = true;
      core.refreshes.close();
      tiers.watch.stop();
      await within(runtime.clock, CLOSING_MS, core.leases.close());
      await within(runtime.clock, CLOSING_MS, tiers.flush());
      await Promise.all(tiers.all.map((tier) => within(runtime.clock, CLOSING_MS, tier.close())));
    },
  };
}

// Plain data: no functions, and no keys.
function shown(settings: CacheSettings): Pick<CacheSnapshot, keyof CacheSettings> {
  return {
    ...settings,
    cost: settings.cost === "tokens" ? "tokens" : "custom",
    compression: settings.compression.name,
    encryption: settings.encryption?.shown(),
  };
}

function controlOf(tier: OpenTier): CacheTierControl {
  return {
    name: tier.name,
    get enabled() {
      return tier.enabled;
    },
    enable() {
      tier.enabled = true;
    },
    disable() {
      tier.enabled = false;
    },
    async stats() {
      const { entries, bytes } = (await tier.stats()) ?? { entries: undefined, bytes: undefined };
      return { ...statsOf(tier), entries, bytes };
    },
  };
}

function statsOf(tier: OpenTier): CacheTierStats {
  const outside = tier.holds === "bytes" ? tier : undefined;
  return {
    hits: tier.hits,
    failures: tier.failures.count,
    available: outside?.available ?? true,
    enabled: tier.enabled,
    pendingWrites: outside?.writes.pending ?? 0,
    droppedWrites: outside?.writes.dropped ?? 0,
  };
}
