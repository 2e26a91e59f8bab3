import { integerIn, knownKeys } from "../../core/index.ts";
import { Gcra } from "./gcra.ts";
import type { Meter, Unit } from "./meter.ts";
import { SlidingWindow } from "./sliding-window.ts";

/** Limits of one scope. What is absent is not limited. Whole numbers of at least 1. */
export interface RateLimits {
  readonly requestsPerMinute?: number;
  /** Input and output tokens together. */
  readonly tokensPerMinute?: number;
  readonly requestsPerDay?: number;
  readonly tokensPerDay?: number;
}

export const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Windows longer than this are quotas: nobody wants them spread evenly. */
const PACED_WINDOW_MAX_MS = 3_600_000;

export interface MeterSettings {
  readonly burstMs: number;
  readonly exact: boolean;
}

const DIMENSIONS: readonly (readonly [keyof RateLimits, Unit, number])[] = [
  ["requestsPerMinute", "requests", MINUTE_MS],
  ["tokensPerMinute", "tokens", MINUTE_MS],
  ["requestsPerDay", "requests", DAY_MS],
  ["tokensPerDay", "tokens", DAY_MS],
];

export const LIMIT_KEYS = DIMENSIONS.map(([key]) => key);

/** Reads the four limits out of `options`, whose keys were checked. Throws `OptionError`. */
export function readLimits(option: string, options: RateLimits): RateLimits {
  const limits: Record<string, number> = {};
  for (const [key] of DIMENSIONS) {
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

/** The meters of `limits`. Those of `current` that still apply are kept, with what is taken from them. */
export function metersFor(
  limits: RateLimits,
  settings: MeterSettings,
  now: number,
  current: readonly Meter[] = [],
): Meter[] {
  const meters: Meter[] = [];
  for (const [key, unit, windowMs] of DIMENSIONS) {
    const limit = limits[key];
    if (limit === undefined) continue;
    const paced = windowMs <= PACED_WINDOW_MAX_MS;
    const kept = current.filter((meter) => meter.unit === unit && meter.windowMs === windowMs);
    for (const meter of kept) meter.setLimit(limit, now);
    if (paced) {
      const gcra = kept.find((meter) => meter instanceof Gcra);
      gcra?.setBurst(settings.burstMs);
      meters.push(gcra ?? new Gcra(unit, limit, windowMs, settings.burstMs, now));
    }
    if (!paced || settings.exact) {
      meters.push(kept.find((meter) => meter instanceof SlidingWindow) ?? new SlidingWindow(unit, limit, windowMs));
    }
  }
  return meters;
}

/** The meter of a limit that the provider told. A quota may come at once: the provider tells what is left of it. */
export function learnedMeter(unit: Unit, limit: number, windowMs: number, burstMs: number, now: number): Gcra {
  return new Gcra(unit, limit, windowMs, windowMs <= PACED_WINDOW_MAX_MS ? burstMs : windowMs, now);
}
