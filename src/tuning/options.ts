import { type Duration, durationMs, integerIn, knownKeys, numberIn, OptionError, oneOf } from "../core/index.ts";
import { LINE_OPTIONS, type LineOptionName } from "../reports/recommendations/index.ts";
import { TUNING_LEVELS, type TuningLevel } from "./kinds.ts";

/** What an option may become; times are milliseconds. */
export interface TuningBounds {
  readonly min?: number;
  readonly max?: number;
}

export interface AutoTuneOptions {
  /**
   * What is changed without being asked. `none`: only what `enable` names. `basic`: what asks less of the provider.
   * `advanced`: longer timeouts and more attempts too. `aggressive`: more at a time and shorter timeouts too.
   * Default `"basic"`.
   */
  readonly level?: TuningLevel;
  /** How often to look, and the length of a slice of time in comparisons. At least 1 minute. Default `"5m"`. */
  readonly every?: Duration;
  /** Slices that are compared before and after a change, 4 to 12. Default 6. */
  readonly slices?: number;
  /** After a decision nothing is changed for so long. Default `"15m"`. */
  readonly coolDown?: Duration;
  /** With fewer calls before or after, nothing is said of a change. Default 200. */
  readonly minCount?: number;
  /**
   * How far an option may go: `{ "timeout.attempt": { min: 5_000 } }`. Default: timeouts 1 s to 15 minutes, 1 to 6
   * attempts, 1 to 512 calls at a time, limits of at least 1.
   */
  readonly bounds?: Readonly<Partial<Record<LineOptionName, TuningBounds>>>;
}

export const AUTO_TUNE_DEFAULTS = {
  level: "basic",
  every: "5m",
  slices: 6,
  coolDown: "15m",
  minCount: 200,
  bounds: {},
} as const satisfies AutoTuneOptions;

const TIMEOUTS = { min: 1_000, max: 900_000 };
const BOUNDS: Readonly<Record<LineOptionName, Required<TuningBounds>>> = {
  "timeout.attempt": TIMEOUTS,
  "timeout.firstToken": TIMEOUTS,
  "retry.attempts": { min: 1, max: 6 },
  "hedge.budget": { min: 0, max: 1 },
  "pool.concurrency": { min: 1, max: 512 },
  "rateLimit.requestsPerMinute": { min: 1, max: Number.MAX_SAFE_INTEGER },
  "breaker.minimumCalls": { min: 1, max: 1_000 },
};

/** The options, read: times in milliseconds. */
export interface AutoTuneSettings {
  readonly level: TuningLevel;
  readonly everyMs: number;
  readonly slices: number;
  readonly coolDownMs: number;
  readonly minCount: number;
  readonly bounds: Readonly<Record<LineOptionName, Required<TuningBounds>>>;
}

/** Throws {@link OptionError}. */
export function readAutoTuneOptions(options: AutoTuneOptions): AutoTuneSettings {
  knownKeys("autoTune", options, Object.keys(AUTO_TUNE_DEFAULTS));
  const given = { ...AUTO_TUNE_DEFAULTS, ...options };
  return {
    level: oneOf("autoTune.level", given.level, TUNING_LEVELS),
    everyMs: durationMs("autoTune.every", given.every, { min: 60_000, max: 3_600_000 }),
    slices: integerIn("autoTune.slices", given.slices, 4, 12),
    coolDownMs: durationMs("autoTune.coolDown", given.coolDown),
    minCount: integerIn("autoTune.minCount", given.minCount, 20),
    bounds: readBounds(given.bounds),
  };
}

function readBounds(given: unknown): AutoTuneSettings["bounds"] {
  const chosen = knownKeys("autoTune.bounds", given, Object.keys(LINE_OPTIONS));
  const read = Object.entries(BOUNDS).map(([name, usual]) => {
    const option = `autoTune.bounds.${name}`;
    const own = knownKeys(option, chosen[name] ?? {}, ["min", "max"]);
    const min = numberIn(`${option}.min`, own["min"] ?? usual.min, 0, Number.MAX_SAFE_INTEGER);
    const max = numberIn(`${option}.max`, own["max"] ?? Math.max(min, usual.max), 0, Number.MAX_SAFE_INTEGER);
    if (min > max) throw new OptionError(option, own, "a min that is not above max");
    return [name, { min, max }];
  });
  return Object.fromEntries(read) as AutoTuneSettings["bounds"];
}
