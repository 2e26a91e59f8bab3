import { type Duration, durationMs, integerIn, knownKeys, numberIn, OptionError } from "../../core/index.ts";

export interface BreakerOptions {
  /** Share of failures in the window that opens the circuit, above 0 and at most 1. Default 0.5. */
  readonly failureRate?: number | undefined;
  /**
   * How long a call may take to its first token (a whole reply: to its answer) from sending, before it counts as slow. At
   * least 1 ms; `undefined`: none is slow. Default `undefined`.
   */
  readonly slowCallDuration?: Duration | undefined;
  /** Share of slow calls in the window that opens the circuit, above 0 and at most 1. Default 0.8. */
  readonly slowCallRate?: number | undefined;
  /** How far back calls count. At least 10 ms. Default `"30s"`. */
  readonly window?: Duration | undefined;
  /** How many calls the window must hold before its rate counts. At least 1. Default 10. */
  readonly minimumCalls?: number | undefined;
  /** How long the circuit stays open the first time; doubles each time it opens again. Default `"1s"`. */
  readonly halfOpenAfter?: Duration | undefined;
  /** The longest that doubling leads to; never less than `halfOpenAfter`. Default `"15s"`. */
  readonly maxOpen?: Duration | undefined;
  /** How many calls may try at once while half open, and how many must succeed to close it. 1 to 100. Default 3. */
  readonly probes?: number | undefined;
  /** A probe without an answer for so long after it was sent counts as failed. Default `"60s"`. */
  readonly probeTimeout?: Duration | undefined;
  /**
   * Time after closing in which the share of calls let through grows from 10 % to all; never longer than the circuit
   * was not closed. 0: none. Default `"10s"`.
   */
  readonly ramp?: Duration | undefined;
  /** Failures in a row that open the circuit whatever the rate; `undefined`: rate only. Default `undefined`. */
  readonly consecutiveFailures?: number | undefined;
}

export const BREAKER_DEFAULTS = {
  failureRate: 0.5,
  slowCallDuration: undefined,
  slowCallRate: 0.8,
  window: "30s",
  minimumCalls: 10,
  halfOpenAfter: "1s",
  maxOpen: "15s",
  probes: 3,
  probeTimeout: "60s",
  ramp: "10s",
  consecutiveFailures: undefined,
} as const satisfies BreakerOptions;

/** The options, read: times in milliseconds. */
export interface BreakerSettings {
  readonly failureRate: number;
  readonly slowCallMs: number;
  readonly slowCallRate: number;
  readonly windowMs: number;
  readonly minimumCalls: number;
  readonly halfOpenAfterMs: number;
  readonly maxOpenMs: number;
  readonly probes: number;
  readonly probeTimeoutMs: number;
  readonly rampMs: number;
  readonly consecutiveFailures: number;
}

/** Reads options whose gaps the defaults have filled. Throws {@link OptionError}. */
export function breakerSettings(options: BreakerOptions): BreakerSettings {
  knownKeys("breaker", options, Object.keys(BREAKER_DEFAULTS));
  const { consecutiveFailures, slowCallDuration } = options;
  const halfOpenAfterMs = durationMs("breaker.halfOpenAfter", options.halfOpenAfter, { min: 1 });
  const maxOpenMs = durationMs("breaker.maxOpen", options.maxOpen, { min: 1 });
  return {
    failureRate: shareOf("breaker.failureRate", options.failureRate),
    slowCallMs:
      slowCallDuration === undefined
        ? Number.POSITIVE_INFINITY
        : durationMs("breaker.slowCallDuration", slowCallDuration, { min: 1 }),
    slowCallRate: shareOf("breaker.slowCallRate", options.slowCallRate),
    windowMs: durationMs("breaker.window", options.window, { min: 10 }),
    minimumCalls: integerIn("breaker.minimumCalls", options.minimumCalls, 1),
    halfOpenAfterMs,
    maxOpenMs: Math.max(maxOpenMs, halfOpenAfterMs),
    probes: integerIn("breaker.probes", options.probes, 1, 100),
    probeTimeoutMs: durationMs("breaker.probeTimeout", options.probeTimeout, { min: 1 }),
    rampMs: durationMs("breaker.ramp", options.ramp),
    consecutiveFailures:
      consecutiveFailures === undefined
        ? Number.POSITIVE_INFINITY
        : integerIn("breaker.consecutiveFailures", consecutiveFailures, 1),
  };
}

function shareOf(option: string, value: unknown): number {
  if (value === 0) throw new OptionError(option, value, "a number above 0 and at most 1");
  return numberIn(option, value, 0, 1);
}

/** `changes` over `base`: what is `undefined` in `changes` stays as it was. */
export function merged(base: BreakerOptions, changes: BreakerOptions): BreakerOptions {
  knownKeys("breaker", changes, Object.keys(BREAKER_DEFAULTS));
  const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
  return { ...base, ...given };
}
