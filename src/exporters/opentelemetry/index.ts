/**
 * Metrics and traces for OpenTelemetry, shipped as `breakwater/opentelemetry`. Needs the package `@opentelemetry/api`.
 *
 * @module
 */
export { type OtelExporter, withFailureEvents } from "./failure-events.ts";
export type { OtelCollection, OtelMetric, OtelResource } from "./metric-data.ts";
export { type MetricProducerOptions, metricProducer, type OtelMetricProducer } from "./metric-producer.ts";
export { TRACE_DEFAULTS, type TraceOptions, traceCalls } from "./trace-calls.ts";
