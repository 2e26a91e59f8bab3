import { integerIn, knownKeys, type QuotaLimit } from "../../core/index.ts";
import { Gcra } from "./gcra.ts";
import type { Meter, Unit } from "./meter.ts";
import { SlidingWindow } from "./sliding-window.ts";

/** Limits of one scope. What is absent is not limited. Whole numbers of at least 1. */
export interface RateLimits {
  readonly requestsPerMinute?: number;
  /** Input and output tokens together. */
  readonly tokensPerMinute?: number;
  readonly inputTokensPerMinute?: number;
  readonly outputTokensPerMinute?: number;
  /** In any 24 hours, wherever a provider lets its day begin. */
  readonly requestsPerDay?: number;
  /** Input and output tokens together, in any 24 hours. */
  readonly tokensPerDay?: number;
  /** Calls at the same time, each until the end of its answer. */
  readonly concurrency?: number;
}

export const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Windows longer than this are quotas: nobody wants them spread evenly. */
export const PACED_WINDOW_MAX_MS = 3_600_000;
/** Below so many calls a burst is too small to even out two limits that bind in turns. */
const SMALL_BURST = { requests: 10, tokens: 10_000, inputTokens: 10_000, outputTokens: 10_000 } as const;

/** How much more of a minute's token limit a guard lets pass, at least. */
const TOKEN_SLACK = 0.02;

export interface MeterSettings {
  readonly burstMs: number;
  readonly exact: boolean;
}

const DIMENSIONS: readonly (readonly [Exclude<keyof RateLimits, "concurrency">, Unit, number])[] = [
  ["requestsPerMinute", "requests", MINUTE_MS],
  ["tokensPerMinute", "tokens", MINUTE_MS],
  ["inputTokensPerMinute", "inputTokens", MINUTE_MS],
  ["outputTokensPerMinute", "outputTokens", MINUTE_MS],
  ["requestsPerDay", "requests", DAY_MS],
  ["tokensPerDay", "tokens", DAY_MS],
];

export const LIMIT_KEYS = [...DIMENSIONS.map(([key]) => key), "concurrency"] as const;

/** Reads the limits out of `options`, whose keys were checked. Throws `OptionError`. */
export function readLimits(option: string, options: RateLimits): RateLimits {
  const limits: Record<string, number> = {};
  for (const key of LIMIT_KEYS) {
    const value = options[key];
    if (value !== undefined) limits[key] = integerIn(`${option}.${key}`, value, 1);
  }
  return limits;
}

/** Reads an object that holds limits and nothing else. Throws `OptionError`. */
export function readLimitsOnly(option: string, options: RateLimits): RateLimits {
  knownKeys(option, options, LIMIT_KEYS);
  return readLimits(option, options);
}

export function isEmpty(limits: RateLimits): boolean {
  return LIMIT_KEYS.every((key) => limits[key] === undefined);
}

/** The limits of `limits` that count in windows. */
export function quotaLimits(limits: RateLimits): QuotaLimit[] {
  return DIMENSIONS.flatMap(([key, unit, windowMs]) => {
    const limit = limits[key];
    return limit === undefined ? [] : [{ unit, windowMs, limit }];
  });
}

/**
 * The meters of `limits`. Those of `current` that still apply are kept, with what is taken from them; one that joins
 * them later begins with the most that may have been taken.
 *
 * A minute's limit is paced. Where its burst is small, it is guarded by an exact window as well, so that a call may use
 * what flowed off while it waited for another limit.
 */
export function metersFor(
  limits: RateLimits,
  settings: MeterSettings,
  now: number,
  current: readonly Meter[] = [],
): Meter[] {
  return quotaLimits(limits).flatMap(({ unit, windowMs, limit }) => {
    const kept = current.filter((meter) => meter.unit === unit && meter.windowMs === windowMs);
    for (const meter of kept) meter.setLimit(limit, now);
    const keptGcra = kept.find((meter) => meter instanceof Gcra);
    const keptWindow = kept.find((meter) => meter instanceof SlidingWindow);
    if (windowMs > PACED_WINDOW_MAX_MS) return [keptWindow ?? new SlidingWindow(unit, limit, windowMs)];
    const gcra = keptGcra ?? new Gcra(unit, limit, windowMs, settings.burstMs, now);
    gcra.setBurst(settings.burstMs);
    gcra.spares = (limit * settings.burstMs) / windowMs < SMALL_BURST[unit];
    if (!settings.exact && !gcra.spares) return [gcra];
    const window = keptWindow ?? windowBeside(gcra, now);
    window.guards = !settings.exact;
    window.slack = settings.exact ? 0 : slackOf(gcra);
    return [gcra, window];
  });
}

// What may come at once anyway. A token limit that is a few calls wide could not be used up without a little more.
function slackOf({ unit, burst, limit }: Gcra): number {
  if (unit === "requests") return burst <= 1 ? 0 : burst;
  return Math.max(burst, limit * TOKEN_SLACK);
}

function windowBeside(gcra: Gcra, now: number): SlidingWindow {
  const window = new SlidingWindow(gcra.unit, gcra.limit, gcra.windowMs);
  if (now > gcra.since) window.assume(gcra.mostTaken(now), gcra.since, now);
  return window;
}

/** The meter of a limit that the provider told. A quota may come at once: the provider tells what is left of it. */
export function learnedMeter(unit: Unit, limit: number, windowMs: number, burstMs: number, now: number): Gcra {
  return new Gcra(unit, limit, windowMs, windowMs <= PACED_WINDOW_MAX_MS ? burstMs : windowMs, now);
}
