import { AMPLIFICATION } from "./definitions.ts";
import { ExponentialHistogram } from "./exponential-histogram.ts";
import type { Course } from "./gauge-history.ts";
import type { AnyMetric, Registry } from "./registry.ts";
import { CounterSeries, GaugeSeries, HistogramSeries, type Labels, type Series } from "./series.ts";
import { windowStart } from "./slot-ring.ts";

export const AGGREGATES = [
  "p50",
  "p95",
  "p99",
  "mean",
  "max",
  "min",
  "count",
  "sum",
  "rate",
  "value",
  "ratio",
] as const;

/**
 * What is made of a metric's values within the window.
 * Histograms: `p50` `p95` `p99` `mean` `max` `min` `sum`, `count` (of values), `rate` (values per second).
 * Counters: `count` and `sum` (what was added), `rate` (per second), `ratio` (the share that has given labels).
 * Gauges: `value`, now, the largest of the series; `sum`, that of all series now; `mean` (by time), `min` and `max`
 * within the window.
 */
export type Aggregate = (typeof AGGREGATES)[number];

/** Which series: each label must have the value, or one of them. */
export type LabelFilter = Readonly<Record<string, string | readonly string[]>>;

/** What is asked of a metric. */
export interface Query {
  readonly metric: string;
  readonly aggregate: Aggregate;
  readonly windowMs: number;
  readonly labels?: LabelFilter | undefined;
  /** For `ratio`: the labels of the part. */
  readonly share?: LabelFilter | undefined;
  /** One answer for each different set of values of these labels. Default: one for all. */
  readonly groupBy?: readonly string[] | undefined;
}

/** One answer. */
export interface Reading {
  readonly labels: Labels;
  /** `undefined`: there is no data. */
  readonly value: number | undefined;
  /** How many values it is made of; of a ratio, the size of the whole. */
  readonly count: number;
}

/** The aggregates that make sense for a metric. */
export function aggregatesOf(metric: AnyMetric | typeof AMPLIFICATION): readonly Aggregate[] {
  if (!("definition" in metric)) return ["value", "ratio"];
  if (metric.definition.kind === "gauge") return ["value", "sum", "mean", "min", "max"];
  if (metric.definition.kind === "counter") return ["count", "sum", "rate", "ratio"];
  return ["p50", "p95", "p99", "mean", "max", "min", "count", "sum", "rate"];
}

/** Answers a query. A query without `groupBy` has exactly one answer. */
export function read(registry: Registry, query: Query, now: number): Reading[] {
  registry.refresh(now, query.metric);
  const derived = query.metric === AMPLIFICATION.name ? AMPLIFICATION : undefined;
  const metric = registry.get(derived?.of ?? query.metric);
  const groups = grouped(metric, query);
  if (groups.length === 0 && (query.groupBy ?? []).length === 0) groups.push({ labels: {}, series: [] });
  return groups.map(({ labels, series }) => {
    if (derived !== undefined) {
      const { whole, part } = shared(series, derived.per, query, now);
      return { labels, value: part === 0 ? undefined : whole / part, count: part };
    }
    return { labels, ...aggregated(metric, series, query, now) };
  });
}

/** The answer to a query without `groupBy`; `undefined` also where no series matches. */
export function valueRead(registry: Registry, query: Query, now: number): number | undefined {
  registry.refresh(now, query.metric);
  const metric = registry.get(query.metric === AMPLIFICATION.name ? AMPLIFICATION.of : query.metric);
  if (grouped(metric, query).length === 0) return undefined;
  const [reading] = read(registry, query, now);
  return reading?.value;
}

interface Group {
  readonly labels: Labels;
  readonly series: Series[];
}

function grouped(metric: AnyMetric | undefined, { labels: filter = {}, groupBy = [] }: Query): Group[] {
  const groups = new Map<string, Group>();
  for (const series of metric ?? []) {
    if (!has(series.labels, filter)) continue;
    const values = groupBy.map((key) => series.labels[key] ?? "");
    const key = JSON.stringify(values);
    let group = groups.get(key);
    if (group === undefined) {
      group = { labels: Object.fromEntries(groupBy.map((label, index) => [label, values[index] ?? ""])), series: [] };
      groups.set(key, group);
    }
    group.series.push(series);
  }
  return [...groups.values()];
}

/** Whether the labels pass the filter. */
export function has(labels: Labels, filter: LabelFilter): boolean {
  for (const key in filter) {
    const wanted = filter[key] as string | readonly string[];
    const value = labels[key];
    if (value === undefined || !(typeof wanted === "string" ? wanted === value : wanted.includes(value))) return false;
  }
  return true;
}

function aggregated(
  metric: AnyMetric | undefined,
  series: Series[],
  query: Query,
  now: number,
): Omit<Reading, "labels"> {
  const kind = metric?.definition.kind;
  if (kind === "histogram") return ofHistogram(gather(series, query.windowMs, now), query);
  if (kind === "gauge") return ofGauges(series, query, now);
  switch (query.aggregate) {
    case "ratio": {
      const { whole, part } = shared(series, query.share ?? {}, query, now);
      return { value: whole === 0 ? undefined : part / whole, count: whole };
    }
    case "rate": {
      const whole = total(series, query, now);
      return { value: whole / (query.windowMs / 1000), count: whole };
    }
    case "count":
    case "sum": {
      const whole = total(series, query, now);
      return { value: whole, count: whole };
    }
    default:
      return { value: undefined, count: 0 };
  }
}

/** What the counters sum up to, and those of them that have the labels `share`. */
function shared(series: readonly Series[], share: LabelFilter, { windowMs }: Query, now: number) {
  let whole = 0;
  let part = 0;
  for (const one of series) {
    if (!(one instanceof CounterSeries)) continue;
    const sum = one.within(now, windowMs);
    whole += sum;
    if (has(one.labels, share)) part += sum;
  }
  return { whole, part };
}

function total(series: readonly Series[], { windowMs }: Query, now: number): number {
  let sum = 0;
  for (const one of series) if (one instanceof CounterSeries) sum += one.within(now, windowMs);
  return sum;
}

function ofGauges(series: readonly Series[], { aggregate, windowMs }: Query, now: number): Omit<Reading, "labels"> {
  const from = windowStart(now, windowMs);
  const values: number[] = [];
  for (const one of series) {
    if (!(one instanceof GaugeSeries)) continue;
    const value =
      aggregate === "value" || aggregate === "sum"
        ? one.at(now)
        : courseValue(one.between(from, Number.POSITIVE_INFINITY, now), aggregate);
    if (value !== undefined) values.push(value);
  }
  return { value: joinGauges(values, aggregate), count: values.length };
}

/** What an aggregate takes of a gauge's course. */
export function courseValue(course: Course | undefined, aggregate: Aggregate): number | undefined {
  if (course === undefined) return undefined;
  if (aggregate === "mean" || aggregate === "min" || aggregate === "max") return course[aggregate];
  return course.last;
}

/** One value of those of several gauges. */
export function joinGauges(values: readonly number[], aggregate: Aggregate): number | undefined {
  if (values.length === 0) return undefined;
  const sum = values.reduce((all, value) => all + value, 0);
  if (aggregate === "sum") return sum;
  if (aggregate === "mean") return sum / values.length;
  return aggregate === "min" ? Math.min(...values) : Math.max(...values);
}

/** The values of several series within the window. */
export function gather(series: Iterable<Series>, windowMs: number, now: number): ExponentialHistogram {
  const all = new ExponentialHistogram();
  for (const one of series) if (one instanceof HistogramSeries) one.collect(now, windowMs, all);
  return all;
}

/** What an aggregate makes of values that came within `windowMs`. */
export function ofHistogram(
  values: ExponentialHistogram,
  { aggregate, windowMs }: Pick<Query, "aggregate" | "windowMs">,
): Omit<Reading, "labels"> {
  const { count } = values;
  switch (aggregate) {
    case "count":
      return { value: count, count };
    case "sum":
      return { value: values.sum, count };
    case "rate":
      return { value: count / (windowMs / 1000), count };
    case "mean":
      return { value: values.mean, count };
    case "min":
    case "max":
      return { value: count === 0 ? undefined : values[aggregate], count };
    case "p50":
    case "p95":
    case "p99":
      return { value: values.quantile(Number(aggregate.slice(1)) / 100), count };
    default:
      return { value: undefined, count: 0 };
  }
}
