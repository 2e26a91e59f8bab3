import { SCALE } from "./exponential-histogram.ts";
import type { MetricKind } from "./metric.ts";
import type { AnyMetric, Registry } from "./registry.ts";
import { CounterSeries, GaugeSeries, HistogramSeries, type Labels, type Series } from "./series.ts";

interface MetricHead {
  readonly name: string;
  /** UCUM, as OpenTelemetry writes it. */
  readonly unit: string;
  readonly description: string;
  /** Every label key that a series may have. */
  readonly labelKeys: readonly string[];
}

/** One metric with all its series since the start, as plain data. */
export type MetricSnapshot =
  | (MetricHead & { readonly kind: "counter" | "gauge"; readonly series: readonly NumberSnapshot[] })
  | (MetricHead & { readonly kind: "histogram"; readonly series: readonly HistogramSnapshot[] });

/** A counter's total or a gauge's value. */
export interface NumberSnapshot {
  readonly labels: Labels;
  readonly value: number;
}

export interface HistogramSnapshot {
  readonly labels: Labels;
  readonly count: number;
  readonly sum: number;
  /** With `count` 0, 0; as is `max`. */
  readonly min: number;
  readonly max: number;
  /** Upper bounds of the explicit buckets, each included in its bucket. */
  readonly bounds: readonly number[];
  /** Values in each bucket, not cumulative; one more than `bounds`. */
  readonly bucketCounts: readonly number[];
  readonly exponential: ExponentialSnapshot;
}

/** As a point of OpenTelemetry: `counts[i]` values lie in (2^((offset+i)/2^scale), 2^((offset+i+1)/2^scale)]. */
export interface ExponentialSnapshot {
  readonly scale: number;
  readonly zeroCount: number;
  readonly offset: number;
  readonly counts: readonly number[];
}

export function snapshotOf(registry: Registry, now: number): MetricSnapshot[] {
  registry.refresh(now);
  return [...registry].map((metric) => metricSnapshot(metric, now));
}

function metricSnapshot(metric: AnyMetric, now: number): MetricSnapshot {
  const { name, kind, unit, description, labels } = metric.definition;
  const all: Series[] = [...metric];
  const labelKeys = labels ?? [...new Set(all.flatMap((series) => Object.keys(series.labels)))];
  const head = { name, unit, description, labelKeys };
  if (kind === "histogram") {
    return { ...head, kind, series: all.flatMap((one) => (one instanceof HistogramSeries ? [histogramOf(one)] : [])) };
  }
  return { ...head, kind: kind as Exclude<MetricKind, "histogram">, series: all.flatMap((one) => numberOf(one, now)) };
}

function numberOf(series: Series, now: number): NumberSnapshot[] {
  if (series instanceof CounterSeries) return [{ labels: series.labels, value: series.total }];
  const value = series instanceof GaugeSeries ? series.at(now) : undefined;
  return value === undefined ? [] : [{ labels: series.labels, value }];
}

function histogramOf({ labels, lifetime, bounds, bucketCounts }: HistogramSeries): HistogramSnapshot {
  const { count, sum, min, max } = lifetime;
  const empty = count === 0;
  return {
    labels,
    count,
    sum,
    min: empty ? 0 : min,
    max: empty ? 0 : max,
    bounds,
    bucketCounts: [...bucketCounts],
    exponential: { scale: SCALE, zeroCount: lifetime.zeros, ...lifetime.dense() },
  };
}
