export type { CpuProfile, CpuSource } from "./cpu-profile.ts";
export type { ProcessSource } from "./process-watch.ts";
export {
  type CapturedProfile,
  PROFILER_DEFAULTS,
  type Profiled,
  type Profiler,
  type ProfilerOptions,
  profiler,
} from "./profiler.ts";
export type { Breakdown, SlowCall } from "./slow-call.ts";
