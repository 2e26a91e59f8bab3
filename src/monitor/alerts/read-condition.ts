import { durationMs, integerIn, knownKeys, OptionError, oneOf, textOf } from "../../core/index.ts";
import { AMPLIFICATION } from "../definitions.ts";
import { checkLabelKey } from "../metric.ts";
import { AGGREGATES, type Aggregate, aggregatesOf, type LabelFilter, type Query } from "../reading.ts";
import type { AnyMetric, Registry } from "../registry.ts";
import { FINE_MS, WINDOW_MAX_MS } from "../slot-ring.ts";
import { readLimit } from "./read-limit.ts";
import { ALERT_DEFAULTS, type Condition, type MetricRule } from "./rule.ts";

const MIN_COUNTS: Partial<Record<Aggregate, number>> = {
  p50: 10,
  p95: 10,
  p99: 10,
  ratio: 10,
  mean: 1,
  min: 1,
  max: 1,
};
const LONG_WINDOW_MAX_MS = 6 * WINDOW_MAX_MS;
const OURS = /^(breakwater|gen_ai)\./;
const SECOND_KEYS = [
  "metric",
  "aggregate",
  "window",
  "labels",
  "share",
  "above",
  "below",
  "clear",
  "minCount",
] as const;

/** Reads what a rule looks at. Throws {@link OptionError}. */
export function readConditions(rule: MetricRule, registry: Registry): readonly [Condition, ...Condition[]] {
  const first = readCondition(rule, registry);
  if (rule.and === undefined) return [first];
  const second = { ...knownKeys("alert.and", rule.and, SECOND_KEYS) } as Partial<MetricRule>;
  const ownLimit = second.above !== undefined || second.below !== undefined;
  if (typeof second.above === "object" || typeof second.below === "object") {
    throw new OptionError("alert.and.above", second.above, "a number: the first condition has the levels");
  }
  if (first.limit.baseline !== undefined) throw new OptionError("alert.and", rule.and, "no second one beside times");
  const { above, below, clear, and: _and, level: _level, ...rest } = rule;
  const limits = { ...(above !== undefined && { above }), ...(below !== undefined && { below }) };
  const same = second.metric === undefined && second.aggregate === undefined;
  const merged: MetricRule = {
    ...(same ? rest : withoutReading(rest)),
    ...(ownLimit ? {} : { ...limits, ...(clear !== undefined && { clear }) }),
    ...second,
  };
  return [first, readCondition(merged, registry)];
}

// What of another metric, or of the same one in another way, means something else.
function withoutReading({
  labels: _labels,
  share: _share,
  per: _per,
  minCount: _count,
  ...rest
}: MetricRule): MetricRule {
  return rest;
}

function readCondition(rule: MetricRule, registry: Registry): Condition {
  const aggregate = oneOf("alert.aggregate", rule.aggregate, AGGREGATES);
  const query = readQuery(rule, aggregate, registry);
  return {
    query,
    per: rule.per === undefined ? undefined : readPer(rule.per, query, registry),
    minCount: integerIn("alert.minCount", rule.minCount ?? MIN_COUNTS[aggregate] ?? 0, 0),
    limit: readLimit(rule),
  };
}

function readQuery(rule: MetricRule, aggregate: Aggregate, registry: Registry): Query {
  const metric = textOf("alert.metric", rule.metric);
  const known = knownMetric("alert.metric", metric, registry);
  const divided = rule.per !== undefined;
  if (known !== undefined && !divided) oneOf("alert.aggregate", aggregate, aggregatesOf(known));
  if (divided && aggregate !== "ratio") throw new OptionError("alert.aggregate", aggregate, '"ratio", beside per');
  const needsShare = aggregate === "ratio" && known !== AMPLIFICATION && !divided;
  if ((rule.share !== undefined) !== needsShare) {
    const accepted = 'the labels of the part, with the aggregate "ratio" of one counter only';
    throw new OptionError("alert.share", rule.share, accepted);
  }
  const allowed = labelsOf(known);
  return {
    metric,
    aggregate: divided ? "count" : aggregate,
    windowMs: readWindow(rule, known),
    labels: readFilter("alert.labels", rule.labels ?? {}, allowed),
    share: rule.share === undefined ? undefined : readFilter("alert.share", rule.share, allowed),
    groupBy: readKeys("alert.groupBy", rule.groupBy ?? [], allowed),
  };
}

// What came when is remembered for an hour; only counts can be told apart by what they were before.
function readWindow({ window }: MetricRule, known: AnyMetric | typeof AMPLIFICATION | undefined): number {
  const max = isCounter(known) ? LONG_WINDOW_MAX_MS : WINDOW_MAX_MS;
  return durationMs("alert.window", window ?? ALERT_DEFAULTS.window, { min: FINE_MS, max });
}

function isCounter(known: AnyMetric | typeof AMPLIFICATION | undefined): boolean {
  return known !== undefined && "definition" in known && known.definition.kind === "counter";
}

function isGauge(metric: AnyMetric | typeof AMPLIFICATION): boolean {
  return "definition" in metric && metric.definition.kind === "gauge";
}

function readPer(per: NonNullable<MetricRule["per"]>, query: Query, registry: Registry): Query {
  knownKeys("alert.per", per, ["metric", "labels"]);
  const metric = textOf("alert.per.metric", per.metric);
  const known = knownMetric("alert.per.metric", metric, registry);
  if (known === AMPLIFICATION) throw new OptionError("alert.per.metric", metric, "a metric with values of its own");
  const divided = registry.get(query.metric);
  if (known !== undefined && divided !== undefined && isGauge(known) !== isGauge(divided)) {
    throw new OptionError("alert.per.metric", metric, "a gauge beside a gauge, and what has counts beside such");
  }
  if (query.windowMs > WINDOW_MAX_MS && !isCounter(known)) {
    throw new OptionError("alert.per.metric", metric, "a counter, with a window of more than an hour");
  }
  const allowed = labelsOf(known);
  return {
    metric,
    aggregate: "count",
    windowMs: query.windowMs,
    labels: readFilter("alert.per.labels", per.labels ?? {}, allowed),
    groupBy: readKeys("alert.groupBy", query.groupBy ?? [], allowed),
  };
}

function knownMetric(option: string, metric: string, registry: Registry): AnyMetric | typeof AMPLIFICATION | undefined {
  const known = metric === AMPLIFICATION.name ? AMPLIFICATION : registry.get(metric);
  if (known !== undefined || !OURS.test(metric)) return known;
  throw new OptionError(option, metric, "a metric that exists, or one of your own outside breakwater and gen_ai");
}

function labelsOf(known: AnyMetric | typeof AMPLIFICATION | undefined): readonly string[] | undefined {
  if (known === undefined) return undefined;
  return "definition" in known ? known.definition.labels : known.labels;
}

function readFilter(option: string, filter: LabelFilter, allowed: readonly string[] | undefined): LabelFilter {
  const entries = Object.entries(knownKeys(option, filter, allowed ?? Object.keys(filter)));
  for (const [key, value] of entries) {
    checkLabelKey(option, key, allowed);
    for (const one of [value].flat()) textOf(`${option}.${key}`, one);
  }
  return { ...filter };
}

function readKeys(option: string, keys: readonly string[], allowed: readonly string[] | undefined): readonly string[] {
  if (!Array.isArray(keys)) throw new OptionError(option, keys, "an array of label keys");
  for (const key of keys) checkLabelKey(option, key, allowed);
  return [...keys];
}
