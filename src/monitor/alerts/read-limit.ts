import { durationMs, knownKeys, numberIn, OptionError, oneOf } from "../../core/index.ts";
import {
  ALERT_DEFAULTS,
  type AlertLevel,
  type BaselineThreshold,
  type EventRule,
  LEVELS,
  type LevelThresholds,
  type Limit,
  type MetricRule,
} from "./rule.ts";

const HOUR_MS = 3_600_000;
const WEEK_MS = 168 * HOUR_MS;
const BOUND = Number.MAX_VALUE;

type Levels = Limit["levels"];

/** Reads the thresholds of a metric rule. Throws {@link OptionError}. */
export function readLimit(rule: Pick<MetricRule, "above" | "below" | "clear" | "level">): Limit {
  const { above, below, clear } = rule;
  if ((above === undefined) === (below === undefined)) {
    throw new OptionError("alert.above", above, "a number, or below does: exactly one of the two");
  }
  const direction = above === undefined ? "below" : "above";
  if (isBaseline(above)) return readBaseline(above, rule);
  const given = (above ?? below) as number | LevelThresholds;
  const levels = readLevels(rule, given, `alert.${direction}`);
  const first = (levels[0] as Levels[number]).at;
  checkOrder(`alert.${direction}`, given, levels, direction);
  return { direction, levels, clear: readClear(clear, direction, first), baseline: undefined };
}

/** Reads the thresholds of an event rule, if it has any. Throws {@link OptionError}. */
export function readEventLimit({ above, level }: EventRule): Limit | undefined {
  if (above === undefined) return undefined;
  const levels = readLevels({ level }, above, "alert.above");
  checkOrder("alert.above", above, levels, "above");
  return { direction: "above", levels, clear: (levels[0] as Levels[number]).at, baseline: undefined };
}

/** One level with a number, or those that are listed. */
export function readLevels(
  { level }: { readonly level?: AlertLevel | undefined },
  given: number | LevelThresholds,
  option = "alert.above",
): Levels {
  if (typeof given !== "object" || given === null) {
    const word = oneOf("alert.level", level ?? ALERT_DEFAULTS.level, LEVELS);
    return [{ rank: LEVELS.indexOf(word) + 1, at: numberIn(option, given, -BOUND, BOUND) }];
  }
  if (level !== undefined) throw new OptionError("alert.level", level, "no level beside thresholds for each level");
  knownKeys(option, given, LEVELS);
  const levels = LEVELS.flatMap((word, index) => {
    const at = given[word];
    return at === undefined ? [] : [{ rank: index + 1, at: numberIn(`${option}.${word}`, at, -BOUND, BOUND) }];
  });
  if (levels.length === 0) throw new OptionError(option, given, `a threshold for one of ${LEVELS.join(", ")}`);
  return levels;
}

function checkOrder(option: string, given: unknown, levels: Levels, direction: Limit["direction"]): void {
  for (const [index, { at }] of levels.entries()) {
    const before = levels[index - 1]?.at;
    if (before === undefined || (direction === "above" ? at > before : at < before)) continue;
    throw new OptionError(option, given, "thresholds that are the further the more severe the level");
  }
}

function readClear(clear: number | undefined, direction: Limit["direction"], threshold: number): number {
  if (clear === undefined) return threshold;
  const [low, high] = direction === "above" ? [-BOUND, threshold] : [threshold, BOUND];
  return numberIn("alert.clear", clear, low, high);
}

function isBaseline(above: MetricRule["above"]): above is BaselineThreshold {
  return typeof above === "object" && above !== null && "times" in above;
}

function readBaseline(above: BaselineThreshold, { clear, level }: Pick<MetricRule, "clear" | "level">): Limit {
  knownKeys("alert.above", above, ["times", "of", "atLeast"]);
  const times = numberIn("alert.above.times", above.times, Number.MIN_VALUE, BOUND);
  const spanMs = durationMs("alert.above.of", above.of, { min: HOUR_MS, max: WEEK_MS });
  const atLeast = numberIn("alert.above.atLeast", above.atLeast ?? 0, 0, BOUND);
  const levels = readLevels({ level }, times);
  return { direction: "above", levels, clear: readClear(clear, "above", times), baseline: { spanMs, atLeast } };
}
