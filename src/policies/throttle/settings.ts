import { type ConditionOptions, readConditionOptions } from "../../conditions/index.ts";
import { booleanOf, type Duration, durationMs, integerIn, knownKeys, numberIn } from "../../core/index.ts";
import type { AcceptanceRules } from "./acceptance.ts";

export interface ClientThrottlingOptions {
  /** How many requests may be sent for each that the provider accepts; from 1 to 10. Default 2. */
  readonly k?: number | undefined;
  /** Over how long accepts are counted; at least twice as long as 99 % of calls take. Default `"2m"`. */
  readonly window?: Duration | undefined;
}

export interface ThrottleOptions {
  /** Learn the limit; `false` keeps it at `initial`. Default `true`. */
  readonly adaptive?: boolean | undefined;
  /** Calls at once to begin with, between `min` and `max`. Default 20; `createOptimizer` takes its profile's. */
  readonly initial?: number | undefined;
  /** The lowest that the limit can become. At least 1. Default 1. */
  readonly min?: number | undefined;
  /** The highest that the limit can become. Default 1,000. */
  readonly max?: number | undefined;
  /** How many calls may wait for one target. Default 10,000. */
  readonly maxQueue?: number | undefined;
  /**
   * Refuse here, the least urgent first, what the provider would only refuse there: for a line without a breaker, which
   * answers the same failures sooner. Default `false`; `true` takes the defaults of its options.
   */
  readonly clientThrottling?: ClientThrottlingOptions | boolean | undefined;
  /** Refuse calls, the least urgent first, while the own process is beyond these thresholds. Default `false`. */
  readonly conditions?: ConditionOptions | false | undefined;
}

export const THROTTLE_DEFAULTS = {
  adaptive: true,
  initial: 20,
  min: 1,
  max: 1_000,
  maxQueue: 10_000,
  clientThrottling: false,
  conditions: false,
} as const;

export const CLIENT_THROTTLING_DEFAULTS = { k: 2, window: "2m" } as const;

export interface ThrottleSettings {
  readonly adaptive: boolean;
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  readonly maxQueue: number;
  readonly clientThrottling: AcceptanceRules | false;
  readonly conditions: ConditionOptions | false;
}

/** Reads options; what they leave out comes from `base`. Throws {@link OptionError}. */
export function throttleSettings(options: ThrottleOptions, base: ThrottleSettings): ThrottleSettings {
  knownKeys("throttle", options, Object.keys(THROTTLE_DEFAULTS));
  const min = integerIn("throttle.min", options.min ?? base.min, 1);
  const max = integerIn("throttle.max", options.max ?? base.max, min);
  // A default that a narrower range leaves out moves to its nearest end; a wrong value of the user's is an error.
  const initial = options.initial ?? Math.min(max, Math.max(min, base.initial));
  const { clientThrottling, conditions } = options;
  return {
    adaptive: booleanOf("throttle.adaptive", options.adaptive ?? base.adaptive),
    initial: integerIn("throttle.initial", initial, min, max),
    min,
    max,
    maxQueue: integerIn("throttle.maxQueue", options.maxQueue ?? base.maxQueue, 0),
    clientThrottling: clientThrottling === undefined ? base.clientThrottling : acceptanceRules(clientThrottling),
    conditions: conditions === undefined ? base.conditions : conditionOptions(conditions),
  };
}

function acceptanceRules(options: ClientThrottlingOptions | boolean): AcceptanceRules | false {
  if (options === false) return false;
  const given = options === true ? {} : options;
  knownKeys("throttle.clientThrottling", given, Object.keys(CLIENT_THROTTLING_DEFAULTS));
  return {
    k: numberIn("throttle.clientThrottling.k", given.k ?? CLIENT_THROTTLING_DEFAULTS.k, 1, 10),
    windowMs: durationMs("throttle.clientThrottling.window", given.window ?? CLIENT_THROTTLING_DEFAULTS.window, {
      min: 1_000,
    }),
  };
}

// Checked here so that a running throttle changes all or nothing; the watch reads them again.
function conditionOptions(options: ConditionOptions | false): ConditionOptions | false {
  if (options === false) return false;
  readConditionOptions("throttle.conditions", options);
  return options;
}
