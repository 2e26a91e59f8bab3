/**
 * A laboratory, shipped as `breakwater/lab`: what a cache would have saved of the requests you had, what other options
 * would have made of the calls you had, and whether a line keeps its promises.
 *
 * @module
 */
export { png } from "../charts/index.ts";
export type { CacheRequest } from "./cache-trace.ts";
export type { Pricing } from "./pricing.ts";
export {
  type AzureOptions,
  type MooncakeOptions,
  readAzureTrace,
  readJsonTrace,
  readMooncakeTrace,
  TraceError,
} from "./read-traces.ts";
export { formatSimulation, type PlotSimulationOptions, plotSimulation } from "./show-simulation.ts";
export type { TrafficOptions } from "./sim/draw-scenario.ts";
export { FAULT_PRESETS, type FaultPreset, type PresetFault } from "./sim/fault-presets.ts";
export { formatSimulatedRun } from "./sim/format-run.ts";
export { type PresetFetchOptions, presetFetch } from "./sim/preset-fetch.ts";
export type {
  Action,
  AskAction,
  FunctionWork,
  Scenario,
  SimulatedOptimizer,
  SimulatedProviderOptions,
  Violation,
} from "./sim/scenario.ts";
export { shrinkSimulation } from "./sim/shrink.ts";
export { SIMULATE_DEFAULTS, type SimulatedRun, type SimulateOptions, simulate } from "./sim/simulate.ts";
export {
  type CacheSimulation,
  type Savings,
  type SimulateCacheOptions,
  type SimulationRun,
  simulateCache,
} from "./simulate-cache.ts";
export { SYNTHETIC_TRACE_DEFAULTS, type SyntheticTraceOptions, syntheticTrace } from "./synthetic-trace.ts";
export type { HeldOutError, ProviderFit } from "./what-if/provider-fit.ts";
export { readAzureCalls, readBurstGptCalls, readMooncakeCalls, readTracedCalls } from "./what-if/read-calls.ts";
export { type RecordTraceOptions, recordTrace, type TraceRecording } from "./what-if/record-trace.ts";
export { REPLAY_DEFAULTS, type ReplayConfig, type ReplayOptions, type ReplayReport, replay } from "./what-if/replay.ts";
export type { ReplayRun } from "./what-if/replay-run.ts";
export { formatReplay, type PlotReplayOptions, plotReplay } from "./what-if/show-replay.ts";
export type { TracedCall } from "./what-if/traced-call.ts";
