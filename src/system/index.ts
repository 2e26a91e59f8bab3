export { SYSTEM_DEFINITIONS, type SystemDefinition } from "./definitions.ts";
export type { HeapTrend } from "./heap-floor.ts";
export { type LoopDelay, type LoopDelaySource, watchLoopDelay } from "./loop-delay.ts";
export type { GcEnd, GcType, SystemReading, SystemSource } from "./source.ts";
export {
  SYSTEM_DEFAULTS,
  type SystemMetrics,
  type SystemOptions,
  type SystemRow,
  systemMetrics,
  type Watched,
} from "./system-metrics.ts";
