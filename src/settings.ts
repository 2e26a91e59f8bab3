import type { Duration } from "./core/index.ts";
import { knownKeys, OptionError } from "./core/index.ts";
import { readEnvironment } from "./environment.ts";
import type { BreakerOptions } from "./policies/breaker/index.ts";
import type { BudgetOptions } from "./policies/budget/index.ts";
import type { CacheOptions as CachePolicyOptions } from "./policies/cache/index.ts";
import type { CoalesceOptions } from "./policies/coalesce/index.ts";
import type { FallbackOptions } from "./policies/fallback/index.ts";
import type { HedgeOptions } from "./policies/hedge/index.ts";
import type { PoolOptions } from "./policies/pool/index.ts";
import type { RateLimitOptions } from "./policies/rate-limit/index.ts";
import type { RetryOptions } from "./policies/retry/index.ts";
import type { ThrottleOptions } from "./policies/throttle/index.ts";
import type { TimeoutOptions as AttemptTimeoutOptions } from "./policies/timeout/index.ts";
import { PROFILES, type ProfileName, profileNamed } from "./profiles.ts";

/** The cache of an optimizer; without `tiers` it is one memory tier. */
export type CacheSettings = Omit<CachePolicyOptions, "tiers"> & Partial<Pick<CachePolicyOptions, "tiers">>;

/** Every timer of a call. `false` switches one off. */
export interface TimeoutSettings extends AttemptTimeoutOptions {
  /** From entering the line to the end of the answer, waiting and retries included. */
  readonly total?: Duration | false | undefined;
}

/** The policies of an optimizer. `false` takes one out of the line; what is not given comes from the profile. */
export interface PolicySettings {
  readonly cache?: CacheSettings | boolean | undefined;
  /** Lets identical calls in flight share one answer. Default true. */
  readonly coalesce?: CoalesceOptions | boolean | undefined;
  readonly pool?: PoolOptions | boolean | undefined;
  /** Where else calls may go. Default false. */
  readonly fallback?: FallbackOptions | false | undefined;
  readonly retry?: RetryOptions | boolean | undefined;
  /** A second try beside a slow first. Default false. */
  readonly hedge?: HedgeOptions | boolean | undefined;
  /** Limits of money. Default false. */
  readonly budget?: BudgetOptions | false | undefined;
  readonly breaker?: BreakerOptions | boolean | undefined;
  readonly throttle?: ThrottleOptions | boolean | undefined;
  readonly rateLimit?: RateLimitOptions | boolean | undefined;
  readonly timeout?: TimeoutSettings | boolean | undefined;
}

/** The options of every policy of a line, read and joined; `undefined` where the policy is switched off. */
export interface ResolvedSettings {
  readonly profile: ProfileName;
  readonly cache: CacheSettings | undefined;
  readonly coalesce: CoalesceOptions | undefined;
  readonly pool: PoolOptions | undefined;
  readonly fallback: FallbackOptions | undefined;
  readonly retry: RetryOptions | undefined;
  readonly hedge: HedgeOptions | undefined;
  readonly budget: BudgetOptions | undefined;
  readonly breaker: BreakerOptions | undefined;
  readonly throttle: ThrottleOptions | undefined;
  readonly rateLimit: RateLimitOptions | undefined;
  readonly timeout: TimeoutSettings | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const SECTIONS = [
  "cache",
  "coalesce",
  "pool",
  "fallback",
  "retry",
  "hedge",
  "budget",
  "breaker",
  "throttle",
  "rateLimit",
  "timeout",
] as const;
type Section = (typeof SECTIONS)[number];

// Policies that nobody has who did not ask for them.
const OPT_IN: ReadonlySet<Section> = new Set(["fallback", "hedge", "budget"]);
// Those that mean nothing without options.
const NEVER_BARE: ReadonlySet<Section> = new Set(["fallback", "budget"]);

// Where others answer meanwhile, probing an ill target early costs nobody an answer, and it is back sooner.
const BREAKER_BESIDE_FALLBACK: BreakerOptions = { maxOpen: "2s", ramp: "2s" };

/**
 * Joins what is said of the policies: the profile, over it the options of the code, over them the environment.
 * Throws `OptionError` for a section that is neither an object nor a switch, and for an unknown profile.
 */
export function resolveSettings(
  profileName: unknown,
  given: PolicySettings,
  environment: Environment,
): ResolvedSettings {
  const fromEnvironment = readEnvironment(environment);
  const profile = profileNamed(
    fromEnvironment.profile === undefined ? "profile" : "BREAKWATER_PROFILE",
    fromEnvironment.profile ?? profileName ?? "production",
  );
  const section = (name: Section): object | undefined => {
    const own = given[name];
    if (own !== undefined && typeof own !== "boolean") knownKeysOrSwitch(name, own);
    if (own === true && NEVER_BARE.has(name)) throw new OptionError(name, own, "an object of options, or false");
    const enabled =
      fromEnvironment.switches[name] ?? (OPT_IN.has(name) ? own !== undefined && own !== false : own !== false);
    if (!enabled) return undefined;
    const preset = {
      ...(PROFILES[profile] as unknown as Record<string, object | undefined>)[name],
      ...(name === "breaker" && typeof given.fallback === "object" && BREAKER_BESIDE_FALLBACK),
    };
    const said = typeof own === "object" ? defined(own) : {};
    return { ...fitting(preset, said), ...said, ...fromEnvironment.values[name] };
  };
  return {
    profile,
    ...Object.fromEntries(SECTIONS.map((name) => [name, section(name)])),
  } as ResolvedSettings;
}

// Which keys a section may have is checked by the policy itself; here only that it is an options object at all.
function knownKeysOrSwitch(name: string, value: unknown): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new OptionError(name, value, "an object of options, true or false");
  }
  knownKeys(name, value, Object.keys(value));
}

// An option that is `undefined` is one that was not given.
function defined(options: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

// A bound of the user's own must not be met by a start of the profile's that lies beyond it.
function fitting(preset: object, said: Readonly<Record<string, unknown>>): object {
  const { initial } = preset as { readonly initial?: number };
  const { min, max } = said;
  if (initial === undefined) return preset;
  const low = typeof min === "number" ? min : Number.NEGATIVE_INFINITY;
  const high = typeof max === "number" ? max : Number.POSITIVE_INFINITY;
  return { ...preset, initial: Math.max(low, Math.min(high, initial)) };
}
