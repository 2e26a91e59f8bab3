/**
 * A laboratory, shipped as `breakwater/lab`: what a cache would have saved of the requests you had.
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
export {
  type CacheSimulation,
  type Savings,
  type SimulateCacheOptions,
  type SimulationRun,
  simulateCache,
} from "./simulate-cache.ts";
export { SYNTHETIC_TRACE_DEFAULTS, type SyntheticTraceOptions, syntheticTrace } from "./synthetic-trace.ts";
