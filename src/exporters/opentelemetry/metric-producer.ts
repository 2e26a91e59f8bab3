import type { HrTime } from "@opentelemetry/api";
import { knownKeys, oneOf, systemClock } from "../../core/index.ts";
import type { HistogramSnapshot, MetricSnapshot, Monitor } from "../../monitor/index.ts";
import { AttributeSets } from "./attributes.ts";
import {
  CUMULATIVE,
  DOUBLE,
  EMPTY_RESOURCE,
  type ExplicitHistogram,
  type ExponentialHistogram,
  type OtelCollection,
  type OtelMetric,
  POINT,
} from "./metric-data.ts";

export interface MetricProducerOptions {
  /**
   * `explicit`: the bucket bounds that the GenAI conventions advise, and longer ones. `exponential`: base-2 exponential
   * buckets of scale 5, from which quantiles are at most 1.1 % off. Default `"explicit"`.
   */
  readonly histograms?: "explicit" | "exponential";
}

/** What a metric reader of `@opentelemetry/sdk-metrics` takes among its `metricProducers`. */
export interface OtelMetricProducer {
  collect(): Promise<OtelCollection>;
}

/**
 * The metrics of `monitor` for a metric reader of OpenTelemetry, with the attribute names of the GenAI conventions.
 * Temporality is cumulative, whatever the exporter would rather have. Throws `OptionError`.
 */
export function metricProducer(
  monitor: Pick<Monitor, "metrics">,
  options: MetricProducerOptions = {},
): OtelMetricProducer {
  knownKeys("metricProducer", options, ["histograms"]);
  const form = oneOf("metricProducer.histograms", options.histograms ?? "explicit", ["explicit", "exponential"]);
  const attributes = new AttributeSets();
  // Everything counted since some moment in this process was counted since it began.
  const startTime = hrTime(performance.timeOrigin);

  return {
    async collect() {
      const endTime = hrTime(systemClock.wall());
      const metrics = monitor
        .metrics()
        .filter(({ series }) => series.length > 0)
        .map((metric) => otelMetric(metric, form, pointOf(metric, attributes, { startTime, endTime })));
      return {
        resourceMetrics: { resource: EMPTY_RESOURCE, scopeMetrics: [{ scope: { name: "breakwater" }, metrics }] },
        errors: [],
      };
    },
  };
}

interface Interval {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
}

type ToPoint = ReturnType<typeof pointOf>;

function pointOf({ name }: MetricSnapshot, attributes: AttributeSets, interval: Interval) {
  return <Value>(labels: Readonly<Record<string, string>>, value: Value) => ({
    ...interval,
    attributes: attributes.of(name, labels),
    value,
  });
}

function otelMetric(metric: MetricSnapshot, form: "explicit" | "exponential", point: ToPoint): OtelMetric {
  const { name, description, unit } = metric;
  const head = {
    descriptor: { name, description, unit, valueType: DOUBLE },
    aggregationTemporality: CUMULATIVE,
  } as const;
  if (metric.kind !== "histogram") {
    const dataPoints = metric.series.map(({ labels, value }) => point(labels, value));
    return metric.kind === "gauge"
      ? { ...head, dataPointType: POINT.gauge, dataPoints }
      : { ...head, dataPointType: POINT.sum, isMonotonic: true, dataPoints };
  }
  if (form === "explicit") {
    const dataPoints = metric.series.map((series) => point(series.labels, explicit(series)));
    return { ...head, dataPointType: POINT.histogram, dataPoints };
  }
  const dataPoints = metric.series.map((series) => point(series.labels, exponential(series)));
  return { ...head, dataPointType: POINT.exponentialHistogram, dataPoints };
}

function explicit(series: HistogramSnapshot): ExplicitHistogram {
  return {
    ...distribution(series),
    buckets: { boundaries: [...series.bounds], counts: [...series.bucketCounts] },
  };
}

function exponential(series: HistogramSnapshot): ExponentialHistogram {
  const { scale, zeroCount, offset, counts } = series.exponential;
  return {
    ...distribution(series),
    scale,
    zeroCount,
    positive: { offset, bucketCounts: [...counts] },
    negative: { offset: 0, bucketCounts: [] },
  };
}

// Of nothing there is no least and no greatest.
function distribution({ count, sum, min, max }: HistogramSnapshot) {
  return count === 0 ? { count, sum } : { count, sum, min, max };
}

function hrTime(unixMs: number): HrTime {
  const seconds = Math.floor(unixMs / 1000);
  return [seconds, Math.round((unixMs - seconds * 1000) * 1e6)];
}
