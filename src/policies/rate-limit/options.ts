import { booleanOf, type Duration, durationMs, integerIn, knownKeys, OptionError } from "../../core/index.ts";
import { type BottleneckGroupLike, type BottleneckLike, readBottleneck } from "./bottleneck.ts";
import {
  isEmpty,
  LIMIT_KEYS,
  type MeterSettings,
  MINUTE_MS,
  type RateLimits,
  readLimits,
  readLimitsOnly,
} from "./limits.ts";

export interface RateLimitOptions extends RateLimits {
  /** Limits that each model has for itself. */
  readonly perModel?: RateLimits;
  /** Limits that each client (`scope.client`) has for itself; calls without a client have none. */
  readonly perClient?: RateLimits;
  /** Follows the limits that providers tell in their responses, per model and credential. Default `true`. */
  readonly learn?: boolean;
  /**
   * How much of a minute's limit may come at once, as the time in which it would flow: 1 ms to 60 s. In any minute at
   * most `limit * (1 + burst / 60 s)` is let through. Default `"1s"`.
   */
  readonly burst?: Duration;
  /** Never more than the limit in any window, at the cost of a log of what was taken. Default `false`. */
  readonly exact?: boolean;
  /** How many calls may wait: 0 to 1,000,000. Default 10,000. */
  readonly maxQueue?: number;
  /** A `Bottleneck` or `Bottleneck.Group` of your own, instead of everything above. */
  readonly limiter?: BottleneckLike | BottleneckGroupLike;
}

export const RATE_LIMIT_DEFAULTS = {
  learn: true,
  burst: "1s",
  exact: false,
  maxQueue: 10_000,
} as const satisfies RateLimitOptions;

export interface RateLimitSettings extends MeterSettings {
  readonly limits: RateLimits;
  readonly perModel: RateLimits;
  readonly perClient: RateLimits;
  readonly learn: boolean;
  readonly maxQueue: number;
  readonly limiter: BottleneckLike | BottleneckGroupLike | undefined;
}

const DEFAULT_SETTINGS: RateLimitSettings = {
  limits: {},
  perModel: {},
  perClient: {},
  learn: RATE_LIMIT_DEFAULTS.learn,
  burstMs: durationMs("rateLimit.burst", RATE_LIMIT_DEFAULTS.burst),
  exact: RATE_LIMIT_DEFAULTS.exact,
  maxQueue: RATE_LIMIT_DEFAULTS.maxQueue,
  limiter: undefined,
};

const KEYS = [...LIMIT_KEYS, "perModel", "perClient", "learn", "burst", "exact", "maxQueue", "limiter"] as const;

/** Reads options; what they leave out comes from `current`. Throws `OptionError`. */
export function readRateLimitOptions(
  options: RateLimitOptions,
  current: RateLimitSettings = DEFAULT_SETTINGS,
): RateLimitSettings {
  knownKeys("rateLimit", options, KEYS);
  const { perModel, perClient, learn, burst, exact, maxQueue, limiter } = options;
  const limits = readLimits("rateLimit", options);
  const settings: RateLimitSettings = {
    limits: { ...current.limits, ...limits },
    perModel: perModel === undefined ? current.perModel : readLimitsOnly("rateLimit.perModel", perModel),
    perClient: perClient === undefined ? current.perClient : readLimitsOnly("rateLimit.perClient", perClient),
    learn: learn === undefined ? current.learn : booleanOf("rateLimit.learn", learn),
    burstMs: burst === undefined ? current.burstMs : durationMs("rateLimit.burst", burst, { min: 1, max: MINUTE_MS }),
    exact: exact === undefined ? current.exact : booleanOf("rateLimit.exact", exact),
    maxQueue: maxQueue === undefined ? current.maxQueue : integerIn("rateLimit.maxQueue", maxQueue, 0, 1_000_000),
    limiter: limiter === undefined ? current.limiter : readBottleneck(limiter),
  };
  const { limits: own, perModel: models, perClient: clients } = settings;
  if (settings.limiter !== undefined && !(isEmpty(own) && isEmpty(models) && isEmpty(clients))) {
    throw new OptionError("rateLimit.limiter", settings.limiter, "a limiter without limits of ours beside it");
  }
  return settings;
}
