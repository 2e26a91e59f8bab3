import {
  type Bytes,
  booleanOf,
  byteCount,
  type Duration,
  durationMs,
  knownKeys,
  OptionError,
  oneOf,
  type Runtime,
  type Store,
} from "../../core/index.ts";

/** Where the cache rests: it opens each of its tiers once. `memory()`, `redis()`, `sqlite()` and `keyv()` are tiers. */
export interface CacheTier {
  /** Shown in events and statistics; each tier of a cache has another. */
  readonly name: string;
  open(runtime: Runtime): Store;
}

/** What can be changed while the cache runs. */
export interface CacheTuning {
  /** How long an answer may be given again; at least 1 ms. A call's own `ttl` goes before it. Default `"1h"`. */
  readonly ttl?: Duration | undefined;
  /**
   * Whether callers of different credentials and clients get one another's answers. Default false: each has its own.
   */
  readonly shared?: boolean | undefined;
  /** Largest answer to keep, in bytes of its UTF-8 text. Default `"4mb"`. */
  readonly maxEntryBytes?: Bytes | undefined;
  /**
   * `"always"`, or `"deterministic"`: only calls that ask for temperature 0 in so many words. Default `"always"`:
   * the same question gets the same answer, whatever its temperature.
   */
  readonly when?: "always" | "deterministic" | undefined;
  /** How long a call waits for a tier outside the process; at least 1 ms. Default `"50ms"`. */
  readonly tierTimeout?: Duration | undefined;
}

export interface CacheOptions extends CacheTuning {
  /** Fastest first; at least one. They cannot be changed later. */
  readonly tiers: readonly CacheTier[];
}

export const CACHE_DEFAULTS = {
  ttl: "1h",
  shared: false,
  maxEntryBytes: "4mb",
  when: "always",
  tierTimeout: "50ms",
} as const satisfies CacheTuning;

const TUNING_KEYS = Object.keys(CACHE_DEFAULTS);

export interface CacheSettings {
  readonly ttlMs: number;
  readonly shared: boolean;
  readonly maxEntryBytes: number;
  readonly when: "always" | "deterministic";
  readonly tierTimeoutMs: number;
}

/** Reads the tunable options; what is left out stays as in `current`. Throws `OptionError`. */
export function readTuning(options: CacheTuning, current?: CacheSettings): CacheSettings {
  knownKeys("cache", options, TUNING_KEYS);
  const { ttl, shared, maxEntryBytes, when, tierTimeout } = options;
  const { ttlMs, tierTimeoutMs, ...rest } = current ?? {};
  const base = { ...CACHE_DEFAULTS, ...rest };
  return {
    ttlMs: durationMs("cache.ttl", ttl ?? ttlMs ?? base.ttl, { min: 1 }),
    shared: booleanOf("cache.shared", shared ?? base.shared),
    maxEntryBytes: byteCount("cache.maxEntryBytes", maxEntryBytes ?? base.maxEntryBytes, { min: 1 }),
    when: oneOf("cache.when", when ?? base.when, ["always", "deterministic"]),
    tierTimeoutMs: durationMs("cache.tierTimeout", tierTimeout ?? tierTimeoutMs ?? base.tierTimeout, { min: 1 }),
  };
}

/** Reads everything that the factory takes. Throws `OptionError`. */
export function readOptions(options: CacheOptions): { tiers: readonly CacheTier[]; settings: CacheSettings } {
  knownKeys("cache", options, ["tiers", ...TUNING_KEYS]);
  const { tiers, ...tuning } = options;
  return { tiers: readTiers(tiers), settings: readTuning(tuning) };
}

function readTiers(tiers: unknown): readonly CacheTier[] {
  if (!Array.isArray(tiers) || tiers.length === 0) {
    throw new OptionError("cache.tiers", tiers, "an array of at least one tier, such as [memory()]");
  }
  const names = new Set<string>();
  for (const [index, tier] of tiers.entries()) {
    if (typeof tier?.name !== "string" || tier.name === "" || typeof tier.open !== "function") {
      throw new OptionError(
        `cache.tiers[${index}]`,
        tier,
        "a tier, such as memory(): an object with `name` and `open`",
      );
    }
    if (names.has(tier.name)) {
      throw new OptionError(`cache.tiers[${index}].name`, tier.name, "a name that no other tier of this cache has");
    }
    names.add(tier.name);
  }
  return tiers;
}
