export type {
  ActiveAlert,
  Alert,
  AlertHandler,
  AlertLevel,
  AlertRule,
  AlertStatus,
  BaselineThreshold,
  EventRule,
  GroupingOptions,
  LevelThresholds,
  MetricRule,
  NotifyOptions,
  SecondCondition,
  Silence,
  SilenceOptions,
} from "./alerts/index.ts";
export { ALERT_DEFAULTS, GROUPING_DEFAULTS } from "./alerts/index.ts";
export { DEFAULT_ALERTS } from "./default-alerts.ts";
export { formatReport } from "./format-report.ts";
export type { Health, HealthReason, HealthStatus } from "./health.ts";
export type { CounterMetric, GaugeMetric, HistogramMetric, InstrumentOptions, TimerMetric } from "./instruments.ts";
export type { Measuring } from "./measure.ts";
export { createMonitor, MONITOR_DEFAULTS, type Monitor, type MonitorOptions, type MonitorStats } from "./monitor.ts";
export { litellmPrices, type ModelPrice, type Prices } from "./prices.ts";
export type { ReadOptions, TimelineOptions } from "./read-options.ts";
export type { Aggregate, LabelFilter } from "./reading.ts";
export type { CounterRow, GaugeRow, HistogramRow, Report, ReportRow } from "./report.ts";
export { SEMCONV_ATTRIBUTES, type Semconv, semconvOf } from "./semconv.ts";
export type { Labels } from "./series.ts";
export type {
  ExponentialSnapshot,
  HistogramSnapshot,
  MetricSnapshot,
  NumberSnapshot,
} from "./snapshot.ts";
export type { Timeline } from "./timeline.ts";
export type { Totals } from "./totals.ts";
export type { Trend } from "./trend.ts";
