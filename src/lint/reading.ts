import { durationMs } from "../core/index.ts";
import type { OptimizerOptions } from "../optimizer.ts";
import { BREAKER_DEFAULTS } from "../policies/breaker/index.ts";
import type { BudgetOptions } from "../policies/budget/index.ts";
import { CACHE_DEFAULTS } from "../policies/cache/index.ts";
import { POOL_DEFAULTS } from "../policies/pool/index.ts";
import { RATE_LIMIT_DEFAULTS, type RateLimits } from "../policies/rate-limit/index.ts";
import { RETRY_DEFAULTS } from "../policies/retry/index.ts";
import { CLIENT_THROTTLING_DEFAULTS, THROTTLE_DEFAULTS } from "../policies/throttle/index.ts";
import { TIMEOUT_DEFAULTS } from "../policies/timeout/index.ts";
import { type ResolvedSettings, resolveSettings } from "../settings.ts";
import { memory } from "../stores/index.ts";
import { type LintFacts, type ReadFacts, readFacts } from "./facts.ts";

/** The options of `createOptimizer`. */
export type LintOptions = OptimizerOptions;

/** A line as numbers: times in milliseconds, `Infinity` for a limit that is off, `undefined` for a policy that is. */
export interface LineReading {
  readonly facts: ReadFacts;
  readonly pool: { readonly concurrency: number; readonly maxQueue: number } | undefined;
  readonly retry:
    | { readonly attempts: number; readonly baseDelayMs: number; readonly maxDelayMs: number; readonly budget: boolean }
    | undefined;
  readonly breaker:
    | {
        readonly windowMs: number;
        readonly minimumCalls: number;
        readonly probeTimeoutMs: number;
        readonly slowCallMs: number;
      }
    | undefined;
  readonly throttle:
    | {
        readonly max: number;
        /** Over how long accepts are counted; absent where they are not. */
        readonly windowMs: number | undefined;
      }
    | undefined;
  readonly rateLimit:
    | {
        readonly limits: RateLimits;
        readonly perClient: RateLimits;
        readonly perModel: RateLimits;
        readonly burstMs: number;
        readonly exact: boolean;
      }
    | undefined;
  readonly timeout: {
    readonly totalMs: number;
    readonly attemptMs: number;
    readonly firstTokenMs: number;
    readonly idleMs: number;
  };
  readonly cache:
    | {
        readonly ttlMs: number;
        readonly staleWhileRevalidateMs: number;
        readonly negativeTtlMs: number;
        readonly tierTimeoutMs: number;
        readonly leaseMs: number;
        readonly leaseWaitMs: number;
        /** Of all tiers in the process that tell. */
        readonly memoryBytes: number;
      }
    | undefined;
  readonly hedges: boolean;
  readonly budget: BudgetOptions | undefined;
}

const OFF = Number.POSITIVE_INFINITY;

/** Reads the options as `createOptimizer` does. Throws `OptionError`. */
export function readLine(options: LintOptions, facts: LintFacts): LineReading {
  const settings = resolveSettings(options.profile, options, options.environment ?? process.env);
  const { pool, hedge, budget } = settings;
  return {
    facts: readFacts(facts),
    pool: pool && { ...POOL_DEFAULTS, ...given(pool) },
    retry: readRetry(settings),
    breaker: readBreaker(settings),
    throttle: readThrottle(settings),
    rateLimit: readRateLimit(settings),
    timeout: readTimeout(settings),
    cache: readCache(settings),
    hedges: hedge !== undefined,
    budget,
  };
}

function readRetry({ retry }: ResolvedSettings): LineReading["retry"] {
  if (retry === undefined) return undefined;
  const { attempts, baseDelay, maxDelay, budget } = { ...RETRY_DEFAULTS, ...given(retry) };
  return {
    attempts,
    baseDelayMs: durationMs("retry.baseDelay", baseDelay),
    maxDelayMs: durationMs("retry.maxDelay", maxDelay),
    budget: budget !== false,
  };
}

function readBreaker({ breaker }: ResolvedSettings): LineReading["breaker"] {
  if (breaker === undefined) return undefined;
  const { window, minimumCalls, probeTimeout, slowCallDuration } = { ...BREAKER_DEFAULTS, ...given(breaker) };
  return {
    windowMs: durationMs("breaker.window", window),
    minimumCalls,
    probeTimeoutMs: durationMs("breaker.probeTimeout", probeTimeout),
    slowCallMs: slowCallDuration === undefined ? OFF : durationMs("breaker.slowCallDuration", slowCallDuration),
  };
}

function readThrottle({ throttle }: ResolvedSettings): LineReading["throttle"] {
  if (throttle === undefined) return undefined;
  const { max, clientThrottling } = { ...THROTTLE_DEFAULTS, ...given(throttle) };
  if (clientThrottling === false) return { max, windowMs: undefined };
  const { window } = { ...CLIENT_THROTTLING_DEFAULTS, ...(clientThrottling === true ? {} : given(clientThrottling)) };
  return { max, windowMs: durationMs("throttle.clientThrottling.window", window) };
}

function readRateLimit({ rateLimit }: ResolvedSettings): LineReading["rateLimit"] {
  if (rateLimit === undefined || rateLimit.limiter !== undefined) return undefined;
  const { burst, exact, perClient = {}, perModel = {}, ...limits } = { ...RATE_LIMIT_DEFAULTS, ...given(rateLimit) };
  return { limits, perClient, perModel, burstMs: durationMs("rateLimit.burst", burst), exact };
}

function readTimeout({ timeout }: ResolvedSettings): LineReading["timeout"] {
  if (timeout === undefined) return { totalMs: OFF, attemptMs: OFF, firstTokenMs: OFF, idleMs: OFF };
  const { total = false, attempt, firstToken, idle } = { ...TIMEOUT_DEFAULTS, ...given(timeout) };
  const limit = (name: string, value: Parameters<typeof durationMs>[1]): number =>
    value === false ? OFF : durationMs(`timeout.${name}`, value);
  return {
    totalMs: limit("total", total),
    attemptMs: limit("attempt", attempt),
    firstTokenMs: limit("firstToken", firstToken),
    idleMs: limit("idle", idle),
  };
}

function readCache({ cache }: ResolvedSettings): LineReading["cache"] {
  if (cache === undefined) return undefined;
  const { tiers, ...tuning } = cache;
  const told = { ...CACHE_DEFAULTS, ...given(tuning) };
  return {
    ttlMs: durationMs("cache.ttl", told.ttl),
    staleWhileRevalidateMs: durationMs("cache.staleWhileRevalidate", told.staleWhileRevalidate),
    negativeTtlMs: durationMs("cache.negativeTtl", told.negativeTtl),
    tierTimeoutMs: durationMs("cache.tierTimeout", told.tierTimeout),
    leaseMs: told.lease === false ? OFF : durationMs("cache.lease", told.lease),
    leaseWaitMs: durationMs("cache.leaseWait", told.leaseWait),
    memoryBytes: (tiers ?? [memory()]).reduce((sum, { maxBytes = 0 }) => sum + maxBytes, 0),
  };
}

/** The types allow `undefined` for what is not given; the settings have left it out. */
function given<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return options as { [K in keyof T]: Exclude<T[K], undefined> };
}
