import type { Framing } from "../../compression/index.ts";
import {
  type Bytes,
  booleanOf,
  byteCount,
  type Duration,
  durationMs,
  integerIn,
  knownKeys,
  numberIn,
  OptionError,
  oneOf,
  type Runtime,
  type Store,
  VARIANTS_MAX,
} from "../../core/index.ts";
import type { CostFunction } from "./cost.ts";
import type { EncryptionOptions, Keyring } from "./encryption.ts";
import { type CompressionOption, readCompression, readEncryptionOption } from "./envelope-options.ts";

/** Where the cache rests: it opens each of its tiers once. `memory()`, `redis()`, `sqlite()` and `keyv()` are tiers. */
export interface CacheTier {
  /** Shown in events and statistics; each tier of a cache has another. */
  readonly name: string;
  /** Longest time to keep an entry in it, in milliseconds. */
  readonly ttlMs?: number | undefined;
  /** Most bytes of heap that it takes; absent where it takes none worth mentioning, or does not tell. */
  readonly maxBytes?: number | undefined;
  open(runtime: Runtime): Store;
}

/** What can be changed while the cache runs. */
export interface CacheTuning {
  /** How long an answer may be given again; at least 1 ms. A call's own `ttl` goes before it. Default `"1h"`. */
  readonly ttl?: Duration | undefined;
  /**
   * Share of its `ttl`, 0 to 1, by which an entry may become stale earlier; how much is left to chance, so that entries
   * that were kept together are not asked for again together. Default 0.1.
   */
  readonly jitter?: number | undefined;
  /**
   * How long a stale answer is still given, at once, while another is asked for in the background (RFC 5861 section 3).
   * Default `"0ms"`: not at all.
   */
  readonly staleWhileRevalidate?: Duration | undefined;
  /**
   * How long a stale answer is still given when asking for another fails: for reasons of the provider, or because
   * Breakwater declined (RFC 5861 section 4). Default `"0ms"`: not at all.
   */
  readonly staleIfError?: Duration | undefined;
  /**
   * Asks for another answer in the background before the old one is stale: the sooner, the longer asking takes. 1 is what
   * the authors of XFetch recommend, more is earlier; 0 to 100. Default 0: never.
   */
  readonly earlyRefresh?: number | undefined;
  /**
   * How long this process remembers that a request is wrong (the provider's 400 and 422). Default `"0ms"`: not at all.
   */
  readonly negativeTtl?: Duration | undefined;
  /**
   * How many answers to one question are kept side by side, 1 to 100, when it does not ask for temperature 0: each call
   * picks one of that many places by chance. Default 1.
   */
  readonly variants?: number | undefined;
  /**
   * Whether callers of different credentials and clients get one another's answers. Default false: each has its own.
   */
  readonly shared?: boolean | undefined;
  /** Largest answer to keep, in bytes of its UTF-8 text. Default `"4mb"`. */
  readonly maxEntryBytes?: Bytes | undefined;
  /**
   * `"always"`, or `"deterministic"`: only embeddings, and calls that ask for temperature 0 in so many words. Default
   * `"always"`: the same question gets the same answer, whatever its temperature.
   */
  readonly when?: "always" | "deterministic" | undefined;
  /**
   * What asking again would cost: a full store lets go of the cheap first. `"tokens"`: of the prompt, and four times those
   * of the answer; about the length of the answer, where the provider reports no usage. Or a function that says it in a
   * unit of its own, at least 0. Default `"tokens"`.
   */
  readonly cost?: "tokens" | CostFunction | undefined;
  /**
   * How entries of tiers outside the process are compressed: `"auto"` picks what pays, false writes them as they are. What
   * was written with one setting is read with any. Default `"auto"`.
   */
  readonly compression?: CompressionOption | undefined;
  /**
   * Keys of AES-256-GCM for entries of tiers outside the process; then only encrypted ones are read. Default false: they
   * are written as they are.
   */
  readonly encryption?: EncryptionOptions | false | undefined;
  /** How long a call waits for a tier outside the process; at least 1 ms. Default `"50ms"`. */
  readonly tierTimeout?: Duration | undefined;
  /**
   * Where a tier tells of invalidations by other processes: how long entries in memory are given while it is out of reach,
   * since the last contact with it. Then the tier itself is asked. Default `"5s"`.
   */
  readonly maxStaleOnGap?: Duration | undefined;
  /**
   * Where processes share a tier that has leases: only one of them asks the provider what several miss, and the others
   * wait for its answer. So long a process that died keeps them from asking themselves; at least 10 ms. False: nobody
   * waits. Default `"3s"`.
   */
  readonly lease?: Duration | false | undefined;
  /** How long a call waits for the answer that another process asked for, at most. Default `"10s"`. */
  readonly leaseWait?: Duration | undefined;
}

export interface CacheOptions extends CacheTuning {
  /** Fastest first; at least one. They cannot be changed later. */
  readonly tiers: readonly CacheTier[];
}

export const CACHE_DEFAULTS = {
  ttl: "1h",
  jitter: 0.1,
  staleWhileRevalidate: "0ms",
  staleIfError: "0ms",
  earlyRefresh: 0,
  negativeTtl: "0ms",
  variants: 1,
  shared: false,
  maxEntryBytes: "4mb",
  when: "always",
  cost: "tokens",
  compression: "auto",
  encryption: false,
  tierTimeout: "50ms",
  maxStaleOnGap: "5s",
  lease: "3s",
  leaseWait: "10s",
} as const satisfies CacheTuning;

const TUNING_KEYS = Object.keys(CACHE_DEFAULTS);

export interface CacheSettings {
  readonly ttlMs: number;
  readonly jitter: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  readonly earlyRefresh: number;
  readonly negativeTtlMs: number;
  readonly variants: number;
  readonly shared: boolean;
  readonly maxEntryBytes: number;
  readonly when: "always" | "deterministic";
  readonly cost: "tokens" | CostFunction;
  readonly compression: Framing;
  readonly encryption: Keyring | undefined;
  readonly tierTimeoutMs: number;
  readonly maxStaleOnGapMs: number;
  readonly leaseMs: number | false;
  readonly leaseWaitMs: number;
}

const EARLY_REFRESH_MAX = 100;

/** Reads the tunable options; what is left out stays as in `current`. Throws `OptionError`. */
export function readTuning(options: CacheTuning, current?: CacheSettings): CacheSettings {
  knownKeys("cache", options, TUNING_KEYS);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const told = { ...(current === undefined ? CACHE_DEFAULTS : tuningOf(current)), ...given };
  return {
    ttlMs: durationMs("cache.ttl", told.ttl, { min: 1 }),
    jitter: numberIn("cache.jitter", told.jitter, 0, 1),
    staleWhileRevalidateMs: durationMs("cache.staleWhileRevalidate", told.staleWhileRevalidate),
    staleIfErrorMs: durationMs("cache.staleIfError", told.staleIfError),
    earlyRefresh: numberIn("cache.earlyRefresh", told.earlyRefresh, 0, EARLY_REFRESH_MAX),
    negativeTtlMs: durationMs("cache.negativeTtl", told.negativeTtl),
    variants: integerIn("cache.variants", told.variants, 1, VARIANTS_MAX),
    shared: booleanOf("cache.shared", told.shared),
    maxEntryBytes: byteCount("cache.maxEntryBytes", told.maxEntryBytes, { min: 1 }),
    when: oneOf("cache.when", told.when, ["always", "deterministic"]),
    cost: costOption("cache.cost", told.cost),
    compression: readCompression("cache.compression", told.compression),
    encryption: readEncryptionOption("cache.encryption", told.encryption),
    tierTimeoutMs: durationMs("cache.tierTimeout", told.tierTimeout, { min: 1 }),
    maxStaleOnGapMs: durationMs("cache.maxStaleOnGap", told.maxStaleOnGap),
    leaseMs: told.lease === false ? false : durationMs("cache.lease", told.lease, { min: 10 }),
    leaseWaitMs: durationMs("cache.leaseWait", told.leaseWait),
  };
}

/** The settings as options: every duration is a number of milliseconds. */
function tuningOf(settings: CacheSettings): Readonly<Record<keyof CacheTuning, unknown>> {
  return {
    ...settings,
    ttl: settings.ttlMs,
    staleWhileRevalidate: settings.staleWhileRevalidateMs,
    staleIfError: settings.staleIfErrorMs,
    negativeTtl: settings.negativeTtlMs,
    tierTimeout: settings.tierTimeoutMs,
    maxStaleOnGap: settings.maxStaleOnGapMs,
    lease: settings.leaseMs,
    leaseWait: settings.leaseWaitMs,
  };
}

function costOption(option: string, value: unknown): CacheSettings["cost"] {
  if (value === "tokens" || typeof value === "function") return value as CacheSettings["cost"];
  throw new OptionError(option, value, '"tokens" or a function of an answer\'s facts');
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
    if (tier.ttlMs !== undefined) numberIn(`cache.tiers[${index}].ttlMs`, tier.ttlMs, 1, Number.MAX_SAFE_INTEGER);
  }
  return tiers;
}
