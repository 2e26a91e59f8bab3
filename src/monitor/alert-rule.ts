import {
  type Duration,
  durationMs,
  type EventMap,
  functionOf,
  integerIn,
  knownKeys,
  numberIn,
  OptionError,
  oneOf,
  textOf,
} from "../core/index.ts";
import { AMPLIFICATION } from "./definitions.ts";
import { checkLabelKey } from "./metric.ts";
import { AGGREGATES, type Aggregate, aggregatesOf, type LabelFilter, type Query } from "./reading.ts";
import type { Registry } from "./registry.ts";
import { FINE_MS, WINDOW_MAX_MS } from "./slot-ring.ts";

/** What an alert tells: the payload of the event `alert`. */
export type Alert = EventMap["alert"];
export type AlertLevel = Alert["level"];
export type AlertHandler = (alert: Alert) => unknown;

/** When to raise an alert. */
export interface AlertRule {
  /** Default: made of the rule's parts. */
  readonly id?: string;
  /** A metric of Breakwater's, or one of your own, also one that does not exist yet. */
  readonly metric: string;
  readonly aggregate: Aggregate;
  /** Alert while the value is greater. Exactly one of `above` and `below`; in the metric's unit. */
  readonly above?: number;
  /** Alert while the value is less. */
  readonly below?: number;
  /** The alert is over when the value is no longer beyond this. Default: the threshold. */
  readonly clear?: number;
  /** How long the condition must hold. Default 0. */
  readonly for?: Duration;
  /** Which values are looked at. Default `"1m"`, at most `"1h"`. */
  readonly window?: Duration;
  /** How long the condition must be gone until the alert is over. Default `"1m"`. */
  readonly keep?: Duration;
  /** The same alert with the same labels is not sent again within this time. Default `"5m"`. */
  readonly cooldown?: Duration;
  /** With fewer values there is no data. Default 10 for percentiles and ratios, 1 for mean, min, max, else 0. */
  readonly minCount?: number;
  /** Default `"warning"`. */
  readonly level?: AlertLevel;
  /** Only series with these labels. */
  readonly labels?: LabelFilter;
  /** For the aggregate `ratio` of a counter: the labels of the part. */
  readonly share?: LabelFilter;
  /** One alert of its own for each set of values of these labels. Default: one for all. */
  readonly groupBy?: readonly string[];
  /** Called beside the event `alert`. What they return is not waited for; at most 5 s are given to a promise. */
  readonly handlers?: readonly AlertHandler[];
  /** Default: says what is beyond what. */
  readonly message?: string;
}

/** A rule that has been read. */
export interface ActiveRule {
  readonly id: string;
  readonly query: Query;
  readonly direction: "above" | "below";
  readonly threshold: number;
  readonly clear: number;
  readonly forMs: number;
  readonly keepMs: number;
  readonly cooldownMs: number;
  readonly minCount: number;
  readonly level: AlertLevel;
  readonly handlers: readonly AlertHandler[];
  readonly message: string | undefined;
}

export const ALERT_DEFAULTS = { for: 0, window: 60_000, keep: 60_000, cooldown: 300_000, level: "warning" } as const;

const RULE_KEYS = [
  "id",
  "metric",
  "aggregate",
  "above",
  "below",
  "clear",
  "for",
  "window",
  "keep",
  "cooldown",
  "minCount",
  "level",
  "labels",
  "share",
  "groupBy",
  "handlers",
  "message",
] as const;
const LEVELS = ["info", "warning", "critical"] as const;
const MIN_COUNTS: Partial<Record<Aggregate, number>> = {
  p50: 10,
  p95: 10,
  p99: 10,
  ratio: 10,
  mean: 1,
  min: 1,
  max: 1,
};
const OURS = /^(breakwater|gen_ai)\./;

/** Reads a rule. Throws {@link OptionError}. */
export function readRule(rule: AlertRule, registry: Registry): ActiveRule {
  knownKeys("alert", rule, RULE_KEYS);
  const query = readQuery(rule, registry);
  const { direction, threshold, clear } = readThreshold(rule);
  return {
    id: rule.id === undefined ? idOf(query, direction, threshold) : textOf("alert.id", rule.id),
    query,
    direction,
    threshold,
    clear,
    forMs: durationMs("alert.for", rule.for ?? ALERT_DEFAULTS.for),
    keepMs: durationMs("alert.keep", rule.keep ?? ALERT_DEFAULTS.keep),
    cooldownMs: durationMs("alert.cooldown", rule.cooldown ?? ALERT_DEFAULTS.cooldown),
    minCount: integerIn("alert.minCount", rule.minCount ?? MIN_COUNTS[rule.aggregate] ?? 0, 0),
    level: oneOf("alert.level", rule.level ?? ALERT_DEFAULTS.level, LEVELS),
    handlers: readHandlers(rule.handlers ?? []),
    message: rule.message === undefined ? undefined : textOf("alert.message", rule.message, 1_000),
  };
}

function readQuery(rule: AlertRule, registry: Registry): Query {
  const metric = textOf("alert.metric", rule.metric);
  const aggregate = oneOf("alert.aggregate", rule.aggregate, AGGREGATES);
  const known = metric === AMPLIFICATION.name ? AMPLIFICATION : registry.get(metric);
  if (known === undefined && OURS.test(metric)) {
    throw new OptionError(
      "alert.metric",
      metric,
      "a metric that exists, or one of your own outside breakwater and gen_ai",
    );
  }
  if (known !== undefined) oneOf("alert.aggregate", aggregate, aggregatesOf(known));
  if ((rule.share !== undefined) !== (aggregate === "ratio" && known !== AMPLIFICATION)) {
    throw new OptionError(
      "alert.share",
      rule.share,
      'the labels of the part, with the aggregate "ratio" of a counter only',
    );
  }
  const allowed = known === undefined ? undefined : "definition" in known ? known.definition.labels : known.labels;
  return {
    metric,
    aggregate,
    windowMs: durationMs("alert.window", rule.window ?? ALERT_DEFAULTS.window, { min: FINE_MS, max: WINDOW_MAX_MS }),
    labels: readFilter("alert.labels", rule.labels ?? {}, allowed),
    share: rule.share === undefined ? undefined : readFilter("alert.share", rule.share, allowed),
    groupBy: readKeys("alert.groupBy", rule.groupBy ?? [], allowed),
  };
}

function readThreshold({ above, below, clear }: AlertRule): Pick<ActiveRule, "direction" | "threshold" | "clear"> {
  if ((above === undefined) === (below === undefined)) {
    throw new OptionError("alert.above", above, "a number, or below does: exactly one of the two");
  }
  const direction = above === undefined ? "below" : "above";
  const bound = Number.MAX_VALUE;
  const threshold = numberIn(`alert.${direction}`, above ?? below, -bound, bound);
  if (clear === undefined) return { direction, threshold, clear: threshold };
  const [low, high] = direction === "above" ? [-bound, threshold] : [threshold, bound];
  return { direction, threshold, clear: numberIn("alert.clear", clear, low, high) };
}

function readFilter(option: string, filter: LabelFilter, allowed: readonly string[] | undefined): LabelFilter {
  const entries = Object.entries(knownKeys(option, filter, allowed ?? Object.keys(filter)));
  for (const [key, value] of entries) {
    checkLabelKey(option, key, allowed);
    const values = Array.isArray(value) ? value : [value];
    for (const one of values) textOf(`${option}.${key}`, one);
  }
  return { ...filter };
}

function readKeys(option: string, keys: readonly string[], allowed: readonly string[] | undefined): readonly string[] {
  if (!Array.isArray(keys)) throw new OptionError(option, keys, "an array of label keys");
  for (const key of keys) checkLabelKey(option, key, allowed);
  return [...keys];
}

function readHandlers(handlers: readonly AlertHandler[]): readonly AlertHandler[] {
  if (!Array.isArray(handlers)) throw new OptionError("alert.handlers", handlers, "an array of functions");
  return handlers.map((handler, index) => functionOf(`alert.handlers[${index}]`, handler as AlertHandler));
}

function idOf(query: Query, direction: string, threshold: number): string {
  const parts = [`${query.metric} ${query.aggregate} ${direction} ${threshold}`];
  for (const filter of [query.labels, query.share]) {
    const labels = Object.entries(filter ?? {}).map(([key, value]) => `${key}=${[value].flat().join("|")}`);
    if (labels.length > 0) parts.push(`{${labels.join(",")}}`);
  }
  if (query.groupBy !== undefined && query.groupBy.length > 0) parts.push(`by ${query.groupBy.join(",")}`);
  return parts.join(" ");
}
