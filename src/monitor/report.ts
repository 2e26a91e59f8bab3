import type { Clock } from "../core/index.ts";
import type { ExponentialHistogram } from "./exponential-histogram.ts";
import type { MetricDefinition } from "./metric.ts";
import { gather } from "./reading.ts";
import type { Registry } from "./registry.ts";
import { CounterSeries, GaugeSeries, type Labels, type Series } from "./series.ts";
import { type Totals, totalsOf, windowSums } from "./totals.ts";
import { type Trend, trendMs, trendOf } from "./trend.ts";

interface Row {
  readonly name: string;
  readonly unit: string;
  readonly labels: Labels;
  /** Against the time before, see `trendMinutes`; absent where that is not known. */
  readonly trend?: Trend;
}

export interface CounterRow extends Row {
  readonly kind: "counter";
  readonly total: number;
  /** Per second. */
  readonly rate: number;
}

export interface GaugeRow extends Row {
  readonly kind: "gauge";
  readonly value: number;
}

/** A percentile that too few values cannot tell is absent: p95 needs 20, p99 needs 100. */
export interface HistogramRow extends Row {
  readonly kind: "histogram";
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  readonly p50: number;
  readonly p95?: number;
  readonly p99?: number;
}

export type ReportRow = CounterRow | GaugeRow | HistogramRow;

/** What happened in the last minutes; the metrics of the monitor itself are not in it. */
export interface Report {
  /** Milliseconds since the Unix epoch; not before the monitor was there. */
  readonly from: number;
  readonly to: number;
  /** One row for each metric and label set that has data. */
  readonly metrics: readonly ReportRow[];
  readonly totals: Totals;
  /** Trends compare the last so many minutes with as many before; absent before the monitor was there for both. */
  readonly trendMinutes?: number;
}

const P95_COUNT_MIN = 20;
const P99_COUNT_MIN = 100;

export function reportOf(
  registry: Registry,
  clock: Clock,
  { windowMs, startedAt, priced }: { windowMs: number; startedAt: number; priced: boolean },
): Report {
  const now = clock.now();
  registry.refresh(now);
  const to = clock.wall();
  const coveredMs = Math.min(windowMs, now - startedAt);
  const metrics: ReportRow[] = [];
  const lengthMs = trendMs(windowMs);
  const hasTrend = now - startedAt >= 2 * lengthMs;
  for (const metric of registry) {
    if (isOfTheMonitor(metric.definition)) continue;
    for (const series of metric) {
      const row = rowOf(metric.definition, series, { now, windowMs, coveredMs });
      if (row === undefined) continue;
      const trend = hasTrend ? trendOf(series, now, lengthMs) : undefined;
      metrics.push(trend === undefined ? row : { ...row, trend });
    }
  }
  const totals = totalsOf(windowSums(registry, now, windowMs), priced);
  return { from: to - coveredMs, to, metrics, totals, ...(hasTrend && { trendMinutes: lengthMs / 60_000 }) };
}

function isOfTheMonitor({ name }: MetricDefinition): boolean {
  return name.startsWith("breakwater.monitor.");
}

function rowOf(
  { name, unit }: MetricDefinition,
  series: Series,
  { now, windowMs, coveredMs }: { now: number; windowMs: number; coveredMs: number },
): ReportRow | undefined {
  const row = { name, unit, labels: series.labels };
  if (series instanceof CounterSeries) {
    const total = series.within(now, windowMs);
    return total === 0
      ? undefined
      : { ...row, kind: "counter", total, rate: coveredMs === 0 ? 0 : total / (coveredMs / 1000) };
  }
  if (series instanceof GaugeSeries) {
    const value = series.at(now);
    return value === undefined ? undefined : { ...row, kind: "gauge", value };
  }
  const values = gather([series], windowMs, now);
  return values.count === 0 ? undefined : { ...row, kind: "histogram", ...summaryOf(values) };
}

function summaryOf(values: ExponentialHistogram): Omit<HistogramRow, keyof Row | "kind"> {
  const { count, min, max } = values;
  return {
    count,
    mean: values.mean ?? 0,
    min,
    max,
    p50: values.quantile(0.5) ?? 0,
    ...(count >= P95_COUNT_MIN && { p95: values.quantile(0.95) ?? 0 }),
    ...(count >= P99_COUNT_MIN && { p99: values.quantile(0.99) ?? 0 }),
  };
}
