import type { Cluster, ClusterMember } from "./cluster/index.ts";
import { type Call, OptionError, type Runtime } from "./core/index.ts";
import { type BreakerPolicy, breaker } from "./policies/breaker/index.ts";
import { type BudgetPolicy, budget } from "./policies/budget/index.ts";
import { type CachePolicy, cache } from "./policies/cache/index.ts";
import { type CoalescePolicy, coalesce } from "./policies/coalesce/index.ts";
import { type DeadlinePolicy, deadline } from "./policies/deadline/index.ts";
import { type FallbackPolicy, fallback } from "./policies/fallback/index.ts";
import { type HedgePolicy, hedge } from "./policies/hedge/index.ts";
import { type PoolPolicy, pool } from "./policies/pool/index.ts";
import { type RateLimitPolicy, rateLimit } from "./policies/rate-limit/index.ts";
import { type RetryPolicy, retry } from "./policies/retry/index.ts";
import type { SemanticPolicy, SemanticTier } from "./policies/semantic/index.ts";
import { type ThrottlePolicy, throttle } from "./policies/throttle/index.ts";
import { type TimeoutPolicy, timeout } from "./policies/timeout/index.ts";
import type { ResolvedSettings } from "./settings.ts";
import { memory } from "./stores/index.ts";

/** A second try is made only while this share of every limit is free. */
const SPARE_SHARE = 0.2;

/** The policies of an optimizer, outermost first. */
export interface Policies {
  readonly deadline: DeadlinePolicy;
  readonly cache: CachePolicy | undefined;
  readonly semantic: SemanticPolicy | undefined;
  readonly coalesce: CoalescePolicy | undefined;
  readonly pool: PoolPolicy | undefined;
  readonly fallback: FallbackPolicy | undefined;
  readonly retry: RetryPolicy | undefined;
  readonly hedge: HedgePolicy | undefined;
  readonly budget: BudgetPolicy | undefined;
  readonly breaker: BreakerPolicy | undefined;
  readonly throttle: ThrottlePolicy | undefined;
  readonly rateLimit: RateLimitPolicy | undefined;
  readonly timeout: TimeoutPolicy | undefined;
}

type AttemptRing = Pick<Policies, "breaker" | "rateLimit">;

/** Builds what the settings ask for, in the order in which a call passes. */
export function buildPolicies(
  settings: ResolvedSettings,
  semantic: SemanticTier | false | undefined,
  runtime: Runtime,
): Policies {
  const { timeout: timers } = settings;
  const { total = false, ...attemptTimers } = timers ?? {};
  const attemptRing = {
    budget: settings.budget && budget(settings.budget, runtime),
    breaker: settings.breaker && breaker(settings.breaker, runtime),
    throttle: settings.throttle && throttle(settings.throttle, runtime),
    rateLimit: settings.rateLimit && rateLimit(settings.rateLimit, runtime),
    timeout: timers && timeout(attemptTimers, runtime),
  };
  return {
    // Always there: a scope may set a deadline where the options set none.
    deadline: deadline({ total }, runtime),
    cache: settings.cache && cache({ tiers: [memory()], ...settings.cache }, runtime),
    semantic: semanticOf(semantic)?.open(runtime),
    coalesce: settings.coalesce && coalesce(settings.coalesce, runtime),
    pool: settings.pool && pool(settings.pool, runtime),
    fallback: settings.fallback && fallback(settings.fallback, runtime),
    retry: settings.retry && retry(settings.retry, runtime),
    hedge: settings.hedge && hedge({ spare: (call) => canSpare(attemptRing, call), ...settings.hedge }, runtime),
    ...attemptRing,
  };
}

/** Lets the limits and the circuits follow other processes. Throws `OptionError`. */
export function joinCluster(
  given: Cluster | false | undefined,
  { rateLimit: limiter, breaker: circuits }: Policies,
  runtime: Runtime,
): ClusterMember | undefined {
  if (given === undefined || given === false) return undefined;
  if (typeof given !== "object" || given === null || typeof given.open !== "function") {
    throw new OptionError("cluster", given, 'what cluster() of "breakwater/cluster" gives, or false');
  }
  const member = given.open(runtime);
  limiter?.share(member.quotas);
  if (circuits !== undefined) member.shareBreaker(circuits);
  return member;
}

// A provider that is ill is slow, and a second try would only add to it; a quota that is nearly used up has better uses.
function canSpare({ breaker: circuits, rateLimit: limiter }: AttemptRing, call: Call): boolean {
  return (circuits?.isClosed(call) ?? true) && (limiter?.hasRoom(call, SPARE_SHARE) ?? true);
}

/** Applies other settings. What is built once (tiers, a limiter of the user's own) stays; everything else may change. */
export function applySettings(policies: Policies, settings: ResolvedSettings): void {
  const { total = false, ...attemptTimers } = settings.timeout ?? {};
  const { tiers: _tiers, ...cacheTunables } = settings.cache ?? {};
  const { limiter: _limiter, ...limits } = settings.rateLimit ?? {};
  policies.deadline.update({ total });
  policies.cache?.update(cacheTunables);
  policies.coalesce?.update(settings.coalesce ?? {});
  policies.pool?.update(settings.pool ?? {});
  policies.fallback?.update(settings.fallback ?? {});
  policies.retry?.update(settings.retry ?? {});
  policies.hedge?.update(settings.hedge ?? {});
  policies.budget?.update(settings.budget ?? {});
  policies.breaker?.update(settings.breaker ?? {});
  policies.throttle?.update(settings.throttle ?? {});
  policies.rateLimit?.update(limits);
  policies.timeout?.update(attemptTimers);
}

function semanticOf(given: SemanticTier | false | undefined): SemanticTier | undefined {
  if (given === undefined || given === false) return undefined;
  if (typeof given === "object" && given !== null && typeof given.open === "function") return given;
  throw new OptionError("semantic", given, 'what semantic() of "breakwater/semantic" gives, or false');
}
