/**
 * Breakwater: resilience middleware for LLM calls.
 *
 * @module
 */
export {
  type CallLease,
  type CallOptions,
  callThrough,
  createFetch,
  type ErrorJudge,
  explainOf,
  type FetchOptions,
  type FunctionContext,
  type FunctionRequest,
  type LeaseOptions,
  refusalOf,
  scoped,
  type TargetOptions,
  targetOf,
  wrapClient,
} from "./clients/index.ts";
export * from "./conditions/index.ts";
export * from "./core/index.ts";
export * from "./lint/index.ts";
export * from "./monitor/index.ts";
export * from "./optimizer.ts";
export * from "./policies/breaker/index.ts";
export * from "./policies/budget/index.ts";
export * from "./policies/cache/index.ts";
export * from "./policies/coalesce/index.ts";
export * from "./policies/cockatiel/index.ts";
export * from "./policies/deadline/index.ts";
export * from "./policies/fallback/index.ts";
export * from "./policies/hedge/index.ts";
export * from "./policies/pool/index.ts";
export * from "./policies/rate-limit/index.ts";
export * from "./policies/retry/index.ts";
export * from "./policies/throttle/index.ts";
export * from "./policies/timeout/index.ts";
export { PROFILE_NAMES, PROFILES, type Profile, type ProfileName } from "./profiles.ts";
export type { CacheSettings, Environment, PolicySettings, TimeoutSettings } from "./settings.ts";
export * from "./stores/index.ts";
export * from "./warming/index.ts";
export * from "./wrappers/index.ts";
