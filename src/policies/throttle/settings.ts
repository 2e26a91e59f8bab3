import { booleanOf, integerIn, knownKeys } from "../../core/index.ts";

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
}

export const THROTTLE_DEFAULTS = { adaptive: true, initial: 20, min: 1, max: 1_000, maxQueue: 10_000 } as const;

export type ThrottleSettings = {
  readonly [K in keyof typeof THROTTLE_DEFAULTS]: K extends "adaptive" ? boolean : number;
};

/** Reads options; what they leave out comes from `base`. Throws {@link OptionError}. */
export function throttleSettings(options: ThrottleOptions, base: ThrottleSettings): ThrottleSettings {
  knownKeys("throttle", options, Object.keys(THROTTLE_DEFAULTS));
  const min = integerIn("throttle.min", options.min ?? base.min, 1);
  const max = integerIn("throttle.max", options.max ?? base.max, min);
  // A default that a narrower range leaves out moves to its nearest end; a wrong value of the user's is an error.
  const initial = options.initial ?? Math.min(max, Math.max(min, base.initial));
  return {
    adaptive: booleanOf("throttle.adaptive", options.adaptive ?? base.adaptive),
    initial: integerIn("throttle.initial", initial, min, max),
    min,
    max,
    maxQueue: integerIn("throttle.maxQueue", options.maxQueue ?? base.maxQueue, 0),
  };
}
