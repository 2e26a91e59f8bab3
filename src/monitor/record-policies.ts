import type { Runtime } from "../core/index.ts";
import { DEFINITIONS } from "./definitions.ts";
import { recordBreakers } from "./record-breakers.ts";
import type { Registry } from "./registry.ts";

/**
 * Feeds the metrics of what the policies tell of themselves. `changed` is called when a gauge took a value that an
 * alert need not wait for. Gives back how to stop.
 */
export function recordPolicies(
  runtime: Runtime,
  registry: Registry,
  changed: (metric: string) => void,
): readonly (() => void)[] {
  return [
    ...recordBreakers(runtime, registry, changed),
    ...recordLimits(runtime, registry),
    ...recordPool(runtime, registry),
    ...recordTargets(runtime, registry),
    ...recordCache(runtime, registry),
    ...recordJobs(runtime, registry),
  ];
}

function recordLimits({ clock, events }: Runtime, registry: Registry) {
  const limitWait = registry.histogram(DEFINITIONS.rateLimitWait);
  const limitRejections = registry.counter(DEFINITIONS.rateLimitRejections);
  const remaining = registry.gauge(DEFINITIONS.rateLimitRemaining);
  const gated = registry.counter(DEFINITIONS.rateLimitGated);
  const throttleLimit = registry.gauge(DEFINITIONS.throttleLimit);
  const throttleWait = registry.histogram(DEFINITIONS.throttleWait);
  const throttleRejections = registry.counter(DEFINITIONS.throttleRejections);
  return [
    events.tap("ratelimit.waited", ({ limiter, waitMs }) => {
      limitWait.series({ limiter }).record(waitMs / 1000, clock.now());
    }),
    events.tap("ratelimit.rejected", ({ limiter }) => {
      limitRejections.series({ limiter }).add(1, clock.now());
    }),
    events.tap("ratelimit.observed", ({ key, unit, windowMs, limit, remaining: left }) => {
      if (limit === undefined || left === undefined || limit <= 0) return;
      const window = `${Math.round(windowMs / 1000)}s`;
      remaining.series({ key, unit, window }).set(Math.min(1, Math.max(0, left / limit)), clock.now());
    }),
    events.tap("ratelimit.gated", ({ key }) => {
      gated.series({ key }).add(1, clock.now());
    }),
    events.tap("throttle.changed", ({ key, limit }) => {
      throttleLimit.series({ key }).set(limit, clock.now());
    }),
    events.tap("throttle.waited", ({ key, waitMs }) => {
      throttleWait.series({ key }).record(waitMs / 1000, clock.now());
    }),
    events.tap("throttle.rejected", ({ key }) => {
      throttleRejections.series({ key }).add(1, clock.now());
    }),
  ];
}

function recordPool({ clock, events }: Runtime, registry: Registry) {
  const depths = registry.gauge(DEFINITIONS.poolDepth);
  const waits = registry.histogram(DEFINITIONS.poolWait);
  const rejections = registry.counter(DEFINITIONS.poolRejections);
  return [
    events.tap("pool.queued", ({ depth }) => {
      depths.series().set(depth, clock.now());
    }),
    events.tap("pool.dequeued", ({ depth, waitMs, priority }) => {
      depths.series().set(depth, clock.now());
      waits.series({ priority: String(priority) }).record(waitMs / 1000, clock.now());
    }),
    events.tap("pool.rejected", ({ depth, priority, reason }) => {
      depths.series().set(depth, clock.now());
      rejections.series({ priority: String(priority), reason }).add(1, clock.now());
    }),
  ];
}

function recordTargets({ clock, events }: Runtime, registry: Registry) {
  const fallbacks = registry.counter(DEFINITIONS.fallbacks);
  const away = registry.gauge(DEFINITIONS.fallbackTargetAway);
  const used = registry.gauge(DEFINITIONS.budgetUsed);
  const rejections = registry.counter(DEFINITIONS.budgetRejections);
  const conditions = registry.gauge(DEFINITIONS.conditionExceeded);
  const connected = registry.gauge(DEFINITIONS.clusterConnected);
  return [
    events.tap("fallback.used", ({ from, to, reason }) => {
      fallbacks.series({ from, to, reason }).add(1, clock.now());
    }),
    events.tap("fallback.left", ({ target }) => {
      away.series({ target }).set(1, clock.now());
    }),
    events.tap("fallback.returned", ({ target }) => {
      away.series({ target }).set(0, clock.now());
    }),
    events.tap("budget.updated", ({ scope, name, period, spentDollars, limitDollars }) => {
      // Names of clients may be those of people.
      if (scope !== "client") used.series({ scope, name, period }).set(spentDollars / limitDollars, clock.now());
    }),
    events.tap("budget.rejected", ({ scope }) => {
      rejections.series({ scope }).add(1, clock.now());
    }),
    events.tap("condition.changed", ({ condition, exceeded }) => {
      conditions.series({ condition }).set(exceeded ? 1 : 0, clock.now());
    }),
    events.tap("cluster.lost", () => {
      connected.series().set(0, clock.now());
    }),
    events.tap("cluster.restored", () => {
      connected.series().set(1, clock.now());
    }),
  ];
}

function recordCache({ clock, events }: Runtime, registry: Registry) {
  const failures = registry.counter(DEFINITIONS.cacheTierFailures);
  const disabled = registry.gauge(DEFINITIONS.cacheTierDisabled);
  const evictions = registry.counter(DEFINITIONS.cacheEvictions);
  const stores = registry.counter(DEFINITIONS.cacheStores);
  const storedBytes = registry.counter(DEFINITIONS.cacheStoredBytes);
  const refreshes = registry.counter(DEFINITIONS.cacheRefreshes);
  const similar = registry.counter(DEFINITIONS.semanticLookups);
  return [
    events.tap("cache.tier_failed", ({ tier, operation }) => {
      failures.series({ tier, operation }).add(1, clock.now());
    }),
    events.tap("cache.tier_disabled", ({ tier }) => {
      disabled.series({ tier }).set(1, clock.now());
    }),
    events.tap("cache.tier_recovered", ({ tier }) => {
      disabled.series({ tier }).set(0, clock.now());
    }),
    events.tap("cache.evicted", ({ tier, entries }) => {
      evictions.series({ tier }).add(entries, clock.now());
    }),
    events.tap("cache.stored", ({ bytes }) => {
      stores.series().add(1, clock.now());
      storedBytes.series().add(bytes, clock.now());
    }),
    events.tap("cache.refreshed", ({ reason, ok }) => {
      refreshes.series({ reason, result: ok ? "ok" : "failed" }).add(1, clock.now());
    }),
    events.tap("semantic.hit", () => {
      similar.series({ result: "hit" }).add(1, clock.now());
    }),
    events.tap("semantic.shadow", () => {
      similar.series({ result: "shadow" }).add(1, clock.now());
    }),
    events.tap("semantic.guarded", () => {
      similar.series({ result: "guarded" }).add(1, clock.now());
    }),
  ];
}

function recordJobs({ clock, events }: Runtime, registry: Registry) {
  const jobs = registry.counter(DEFINITIONS.jobs);
  const durations = registry.histogram(DEFINITIONS.jobDuration);
  const waits = registry.histogram(DEFINITIONS.jobWait);
  return [
    events.tap("job.started", ({ waitMs }) => {
      waits.series().record(waitMs / 1000, clock.now());
    }),
    events.tap("job.done", ({ status, durationMs }) => {
      jobs.series({ status }).add(1, clock.now());
      if (durationMs !== undefined) durations.series({ status }).record(durationMs / 1000, clock.now());
    }),
  ];
}
