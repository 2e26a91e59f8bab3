import { booleanOf, type Duration, durationMs, knownKeys, numberIn } from "../../core/index.ts";
import type { AttemptLimits } from "./attempt-clocks.ts";

/** Limits of one attempt; `false` switches one off. */
export interface TimeoutOptions {
  /** The whole attempt, body included. Default `"60s"`; `createOptimizer` takes its profile's. */
  readonly attempt?: Duration | false;
  /** From sending until the first content of a stream. Default `"20s"`, or the profile's. Whole replies have `attempt` only. */
  readonly firstToken?: Duration | false;
  /**
   * Lets `firstToken` be lower where first tokens use to come sooner: see {@link AdaptiveFirstToken}. Default `false`.
   */
  readonly adaptiveFirstToken?: AdaptiveFirstToken | boolean;
  /** Between two chunks of a stream, while somebody waits for the next one. Default `"15s"`, or the profile's. */
  readonly idle?: Duration | false;
  /**
   * The least speed of a stream after its first content, in tokens a second, 0.01 to 1,000: measured over `speedWindow`
   * of waiting for the provider. Default `false`.
   */
  readonly minTokensPerSecond?: number | false;
  /** How long a stream may be slower than `minTokensPerSecond`. At least 1 s. Default `"30s"`. */
  readonly speedWindow?: Duration;
}

/**
 * The limit is `times` the 99th percentile of the lately seen times to first token of the same model, credential and input
 * size (within a factor of four), from 100 samples on, and never outside of `min` and `firstToken`.
 */
export interface AdaptiveFirstToken {
  /** 1 to 100. Default 3. */
  readonly times?: number;
  /** Default `"10s"`. */
  readonly min?: Duration;
}

export const TIMEOUT_DEFAULTS = {
  attempt: "60s",
  firstToken: "20s",
  adaptiveFirstToken: false,
  idle: "15s",
  minTokensPerSecond: false,
  speedWindow: "30s",
} as const satisfies TimeoutOptions;

const ADAPTIVE_DEFAULTS = { times: 3, min: "10s" } as const satisfies AdaptiveFirstToken;

export interface AdaptiveSettings {
  readonly times: number;
  readonly minMs: number;
}

/** The options, read: times in milliseconds, `Infinity` for what is off. */
export interface TimeoutSettings {
  readonly attemptMs: number;
  readonly firstTokenMs: number;
  readonly adaptive: AdaptiveSettings | undefined;
  readonly idleMs: number;
  readonly tokensPerSecond: number;
  readonly speedWindowMs: number;
}

const OFF = Number.POSITIVE_INFINITY;

/** Reads options; what they leave out comes from `current`. Throws `OptionError`. */
export function readTimeoutOptions(
  options: TimeoutOptions,
  current: TimeoutSettings = readTimeoutOptions(TIMEOUT_DEFAULTS, NOTHING),
): TimeoutSettings {
  knownKeys("timeout", options, Object.keys(TIMEOUT_DEFAULTS));
  const { attempt, firstToken, adaptiveFirstToken, idle, minTokensPerSecond, speedWindow } = options;
  return {
    attemptMs: limitOf("timeout.attempt", attempt, current.attemptMs),
    firstTokenMs: limitOf("timeout.firstToken", firstToken, current.firstTokenMs),
    adaptive: adaptiveFirstToken === undefined ? current.adaptive : readAdaptive(adaptiveFirstToken, current.adaptive),
    idleMs: limitOf("timeout.idle", idle, current.idleMs),
    tokensPerSecond: minTokensPerSecond === undefined ? current.tokensPerSecond : readSpeed(minTokensPerSecond),
    speedWindowMs:
      speedWindow === undefined
        ? current.speedWindowMs
        : durationMs("timeout.speedWindow", speedWindow, { min: 1_000 }),
  };
}

const NOTHING: TimeoutSettings = {
  attemptMs: OFF,
  firstTokenMs: OFF,
  adaptive: undefined,
  idleMs: OFF,
  tokensPerSecond: 0,
  speedWindowMs: OFF,
};

/** The limits that these settings make for an attempt whose own limit of the first token is `firstTokenMs`. */
export function limitsOf(settings: TimeoutSettings, firstTokenMs = settings.firstTokenMs): AttemptLimits {
  const { attemptMs, idleMs, tokensPerSecond, speedWindowMs } = settings;
  return {
    attempt: attemptMs,
    firstToken: firstTokenMs,
    idle: idleMs,
    speed: tokensPerSecond === 0 ? OFF : speedWindowMs,
    speedTokens: tokensPerSecond * (speedWindowMs / 1_000),
  };
}

function limitOf(option: string, value: Duration | false | undefined, current: number): number {
  if (value === undefined) return current;
  return value === false ? OFF : durationMs(option, value, { min: 1 });
}

function readSpeed(value: number | false): number {
  return value === false ? 0 : numberIn("timeout.minTokensPerSecond", value, 0.01, 1_000);
}

function readAdaptive(
  value: AdaptiveFirstToken | boolean,
  current: AdaptiveSettings | undefined,
): AdaptiveSettings | undefined {
  if (typeof value !== "object" && !booleanOf("timeout.adaptiveFirstToken", value)) return undefined;
  const given = value === true ? {} : (value as AdaptiveFirstToken);
  knownKeys("timeout.adaptiveFirstToken", given, Object.keys(ADAPTIVE_DEFAULTS));
  const { times = current?.times ?? ADAPTIVE_DEFAULTS.times, min = current?.minMs ?? ADAPTIVE_DEFAULTS.min } = given;
  return {
    times: numberIn("timeout.adaptiveFirstToken.times", times, 1, 100),
    minMs: durationMs("timeout.adaptiveFirstToken.min", min, { min: 1 }),
  };
}
