import type { Duration, EventMap, EventType } from "../../core/index.ts";
import type { Aggregate, LabelFilter, Query } from "../reading.ts";

/** A message about alerts: the payload of the event `alert`. */
export type Alert = EventMap["alert"];
export type AlertLevel = Alert["level"];
/** Gets messages. `signal` is aborted when its time is over. What it returns is not waited for, unless it is a promise. */
export type AlertHandler = (alert: Alert, context: { readonly signal: AbortSignal }) => unknown;

/** From the least to the most severe. The rank of a level is its place here, counted from 1; 0 is none. */
export const LEVELS = ["info", "warning", "critical"] as const;

export function levelOf(rank: number): AlertLevel {
  return LEVELS[Math.max(0, rank - 1)] ?? "critical";
}

/** A threshold for each level; the more severe, the further. */
export type LevelThresholds = Readonly<Partial<Record<AlertLevel, number>>>;

/**
 * A threshold made of the label set's own past: so many `times` the median of its values of the last `of`, never less
 * than `atLeast`. There is none until a twentieth of `of` has been seen.
 */
export interface BaselineThreshold {
  readonly times: number;
  /** `"1h"` to `"7d"`. */
  readonly of: Duration;
  /** In the metric's unit. Default 0. */
  readonly atLeast?: number;
}

interface RuleBase {
  /** Default: made of the rule's parts. */
  readonly id?: string;
  /** Rules of one family share their messages, and a more severe alert stands for the less severe ones. Default: the id. */
  readonly family?: string;
  /** Default `"warning"`; not beside thresholds for each level. */
  readonly level?: AlertLevel;
  /** How long the condition must be gone until the alert is over. Default `"1m"`. */
  readonly keep?: Duration;
  /** The same alert with the same labels is not sent again within this time, unless its level rises. Default `"5m"`. */
  readonly cooldown?: Duration;
  /** Only series, or events, with these labels. */
  readonly labels?: LabelFilter;
  /** One alert of its own for each set of values of these labels. Default: one for all. */
  readonly groupBy?: readonly string[];
  /** Ids of rules whose alerts silence this one's, where the labels that both have are equal. */
  readonly inhibitedBy?: readonly string[];
  /** Called beside the event `alert`, as `alerts.notify` does. */
  readonly handlers?: readonly AlertHandler[];
  /** Where it is written what to do. */
  readonly runbook?: string;
  /** What is wrong, in words; the labels are added. Default: says what is beyond what. */
  readonly message?: string;
}

/**
 * A second condition that must hold as well. What it leaves out is as the first has it; with a metric or an aggregate of
 * its own, only `window`, `groupBy` and the threshold are.
 */
export interface SecondCondition {
  readonly metric?: string;
  readonly aggregate?: Aggregate;
  readonly window?: Duration;
  readonly labels?: LabelFilter;
  readonly share?: LabelFilter;
  readonly above?: number;
  readonly below?: number;
  readonly clear?: number;
  readonly minCount?: number;
}

/** When to raise an alert from a metric. */
export interface MetricRule extends RuleBase {
  /** A metric of Breakwater's, or one of your own, also one that does not exist yet. */
  readonly metric: string;
  readonly aggregate: Aggregate;
  /** Alert while the value is greater. Exactly one of `above` and `below`; in the metric's unit. */
  readonly above?: number | LevelThresholds | BaselineThreshold;
  /** Alert while the value is less. */
  readonly below?: number | LevelThresholds;
  /** The alert is over when the value is no longer beyond this; a number of times beside `times`. Default: the threshold. */
  readonly clear?: number;
  /** How long the condition must hold. Default 0. */
  readonly for?: Duration;
  /** Which values are looked at. Default `"1m"`, at most `"1h"`, of a counter `"6h"`. */
  readonly window?: Duration;
  /** With fewer values there is no data. Default 10 for percentiles and ratios, 1 for mean, min, max, else 0. */
  readonly minCount?: number;
  /** For the aggregate `ratio` of a counter: the labels of the part. */
  readonly share?: LabelFilter;
  /** For the aggregate `ratio` of two metrics: what the metric's count, of a gauge its value, is divided by. */
  readonly per?: { readonly metric: string; readonly labels?: LabelFilter };
  /** Another window, or metric, that must be beyond its threshold too: what a burn rate needs. */
  readonly and?: SecondCondition;
  /**
   * What it means when data stays away for `keep` and at least one window: `resolve` ends the alert, `keep` takes the
   * last value for as good as ever, `fire` takes it for a breach. Default `"resolve"`.
   */
  readonly noData?: "keep" | "resolve" | "fire";
}

/** When to raise an alert from an event, at once. */
export interface EventRule extends RuleBase {
  /** Any but the monitor's own `alert` ones. `labels` and `groupBy` name fields of the event. */
  readonly event: EventType;
  /** What ends the alert with the same labels, `keep` later. Default: over when nothing has happened for `keep`. */
  readonly until?: EventType;
  /** A field of the event with a number: it is shown, and `above` is compared with it. */
  readonly value?: string;
  readonly above?: number | LevelThresholds;
}

/** When to raise an alert. */
export type AlertRule = MetricRule | EventRule;

/** From where on a value is beyond its threshold, at each level. */
export interface Limit {
  readonly direction: "above" | "below";
  /** From the least severe on. */
  readonly levels: readonly { readonly rank: number; readonly at: number }[];
  /** Back within this, an alert is on its way out. */
  readonly clear: number;
  /** `at` and `clear` are numbers of times the median of the label set's own past. */
  readonly baseline: { readonly spanMs: number; readonly atLeast: number } | undefined;
}

/** What is read, and what is too much. */
export interface Condition {
  readonly query: Query;
  /** What the count is divided by. */
  readonly per: Query | undefined;
  readonly minCount: number;
  readonly limit: Limit;
}

interface ActiveBase {
  readonly id: string;
  readonly family: string;
  /** Name of the metric, or type of the event. */
  readonly subject: string;
  /** Rank of the least severe level. */
  readonly rank: number;
  readonly groupBy: readonly string[];
  readonly keepMs: number;
  readonly cooldownMs: number;
  readonly inhibitedBy: readonly string[];
  readonly handlers: readonly AlertHandler[];
  readonly runbook: string | undefined;
  readonly message: string | undefined;
}

/** A rule that has been read. */
export interface ActiveMetricRule extends ActiveBase {
  readonly kind: "metric";
  /** The first and, if there is one, the second. */
  readonly conditions: readonly [Condition, ...Condition[]];
  readonly forMs: number;
  readonly noData: "keep" | "resolve" | "fire";
}

export interface ActiveEventRule extends ActiveBase {
  readonly kind: "event";
  readonly event: EventType;
  readonly until: EventType | undefined;
  readonly labels: LabelFilter;
  readonly value: string | undefined;
  readonly limit: Limit | undefined;
}

export type ActiveRule = ActiveMetricRule | ActiveEventRule;

export const ALERT_DEFAULTS = {
  for: 0,
  window: 60_000,
  keep: 60_000,
  cooldown: 300_000,
  level: "warning",
  noData: "resolve",
} as const;
