import type { Clock } from "../core/index.ts";
import type { ExponentialHistogram } from "./exponential-histogram.ts";
import type { MetricDefinition } from "./metric.ts";
import { gather } from "./reading.ts";
import type { Registry } from "./registry.ts";
import { CounterSeries, GaugeSeries, type Labels, type Series } from "./series.ts";
import { type Totals, totalsOf, windowSums } from "./totals.ts";

interface Row {
  readonly name: string;
  readonly unit: string;
  readonly labels: Labels;
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

/** What happened in the last minutes. */
export interface Report {
  /** Milliseconds since the Unix epoch; not before the monitor was there. */
  readonly from: number;
  readonly to: number;
  /** One row for each metric and label set that has data. */
  readonly metrics: readonly ReportRow[];
  readonly totals: Totals;
}

const P95_COUNT_MIN = 20;
const P99_COUNT_MIN = 100;

export function reportOf(
  registry: Registry,
  clock: Clock,
  { windowMs, startedAt, priced }: { windowMs: number; startedAt: number; priced: boolean },
): Report {
  const now = clock.now();
  const to = clock.wall();
  const coveredMs = Math.min(windowMs, now - startedAt);
  const metrics: ReportRow[] = [];
  for (const metric of registry) {
    for (const series of metric) {
      const row = rowOf(metric.definition, series, { now, windowMs, coveredMs });
      if (row !== undefined) metrics.push(row);
    }
  }
  return { from: to - coveredMs, to, metrics, totals: totalsOf(windowSums(registry, now, windowMs), priced) };
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
