export { type ActiveAlert, type AlertStatus, Alerts } from "./alerts.ts";
export type { NotifyOptions } from "./delivery.ts";
export { GROUPING_DEFAULTS, type GroupingOptions, readGrouping } from "./groups.ts";
export { readHandlers } from "./read-rule.ts";
export {
  ALERT_DEFAULTS,
  type Alert,
  type AlertHandler,
  type AlertLevel,
  type AlertRule,
  type BaselineThreshold,
  type EventRule,
  type LevelThresholds,
  type MetricRule,
  type SecondCondition,
} from "./rule.ts";
export type { Silence, SilenceOptions } from "./silences.ts";
