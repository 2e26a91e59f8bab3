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
export type * from "./conditions/index.ts";
export { CONDITION_DEFAULTS, processConditions, sampleConditions, watchConditions } from "./conditions/index.ts";
export type * from "./core/index.ts";
export {
  aborted,
  BreakwaterError,
  BudgetExceededError,
  booleanOf,
  broken,
  byteCount,
  Call,
  Cancellation,
  ChunkStream,
  CircuitBreakerOpenError,
  ClosedError,
  createRuntime,
  DEFAULT_SCOPE,
  DeadlineExceededError,
  defaultRuntime,
  durationMs,
  faultOf,
  functionOf,
  integerIn,
  interrupted,
  isBreakwaterError,
  isRefusedError,
  knownKeys,
  MissingPeerError,
  NotCachedError,
  numberIn,
  OptionError,
  oneOf,
  PipelineError,
  PRIORITY_LEVELS,
  pipeline,
  QueueFullError,
  RateLimitError,
  RefusedError,
  RetryBudgetError,
  refusal,
  resolveScope,
  SEVERITIES,
  StoreError,
  StreamInterruptedError,
  seededRandom,
  streamFor,
  streamReply,
  systemClock,
  systemRandom,
  ThrottleError,
  Trace,
  timedOut,
  UpstreamTimeoutError,
  valueReply,
  whole,
} from "./core/index.ts";
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
export type * from "./system/index.ts";
export { SYSTEM_DEFAULTS, systemMetrics } from "./system/index.ts";
export type { TokenCounter } from "./tokens/index.ts";
export * from "./warming/index.ts";
export * from "./wrappers/index.ts";
