/**
 * Tools for tests, shipped as `breakwater/testing`: virtual time, a seeded source of chance, and a simulated provider
 * that can be called over HTTP or as a `fetch` function.
 *
 * @module
 */
export { type Random, seededRandom } from "../core/index.ts";
export {
  type ByteStoreFeatures,
  byteStoreConformance,
  type ConformanceCase,
  entryStoreConformance,
  type StoreHarness,
} from "../stores/conformance/index.ts";
export type { ReplySink } from "./exchange.ts";
export {
  createProviderModel,
  ProviderModel,
  type ProviderRequest,
  simulatedFetch,
} from "./provider.ts";
export type {
  FaultFunction,
  FaultRequest,
  FaultScript,
  FaultSpec,
  FaultWindow,
  ProviderFault,
  ProviderFaultKind,
  RetryHint,
} from "./provider-faults.ts";
export type { ProviderLogEntry, ProviderStats } from "./provider-log.ts";
export {
  type LatencyOptions,
  type LimitOptions,
  PROVIDER_MODEL_DEFAULTS,
  type ProviderModelOptions,
} from "./provider-options.ts";
export type { Fetch } from "./simulated-fetch.ts";
export { type SimulatedProvider, type SimulatedProviderOptions, startSimulatedProvider } from "./simulated-provider.ts";
export { VirtualClock } from "./virtual-clock.ts";
