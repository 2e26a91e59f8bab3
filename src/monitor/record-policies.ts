import type { Clock, EventBus } from "../core/index.ts";
import { DEFINITIONS } from "./definitions.ts";
import type { Registry } from "./registry.ts";

const BREAKER_STATES = ["closed", "half_open", "open"] as const;
type BreakerState = (typeof BREAKER_STATES)[number];

interface Target {
  readonly provider?: string | undefined;
  readonly model?: string | undefined;
  readonly key: string;
}

/**
 * Feeds the metrics of what the policies tell of themselves. `changed` is called when a gauge took a value that an
 * alert need not wait for. Gives back how to stop.
 */
export function recordPolicies(
  runtime: { readonly clock: Clock; readonly events: EventBus },
  registry: Registry,
  changed: (metric: string) => void,
): readonly (() => void)[] {
  return [
    ...recordBreakers(runtime, registry, changed),
    ...recordLimits(runtime, registry),
    ...recordPool(runtime, registry),
    ...recordCacheTiers(runtime, registry),
    ...recordAlerts(runtime, registry),
  ];
}

type Runtime = { readonly clock: Clock; readonly events: EventBus };

function recordBreakers({ clock, events }: Runtime, registry: Registry, changed: (metric: string) => void) {
  const states = registry.gauge(DEFINITIONS.breakerState);
  const transitions = registry.counter(DEFINITIONS.breakerTransitions);
  const rejections = registry.counter(DEFINITIONS.breakerRejections);

  const show = ({ provider = "unknown", model = "unknown", key }: Target, current: BreakerState): void => {
    for (const state of BREAKER_STATES) {
      states.series({ provider, model, breaker: key, state }).set(state === current ? 1 : 0, clock.now());
    }
  };
  const move = (event: Target, to: BreakerState): void => {
    transitions.series({ breaker: event.key, to }).add(1, clock.now());
    show(event, to);
    changed(DEFINITIONS.breakerState.name);
  };
  return [
    events.on("breaker.opened", (event) => move(event, "open")),
    events.on("breaker.half_opened", (event) => move(event, "half_open")),
    events.on("breaker.closed", (event) => move(event, "closed")),
    events.on("breaker.rejected", ({ provider = "unknown", model = "unknown", key }) => {
      const now = clock.now();
      rejections.series({ breaker: key }).add(1, now);
      // Whoever refuses is still there: its state is good for another while.
      states.series({ provider, model, breaker: key, state: "open" }).add(0, now);
    }),
  ];
}

function recordLimits({ clock, events }: Runtime, registry: Registry) {
  const limitWait = registry.histogram(DEFINITIONS.rateLimitWait);
  const limitRejections = registry.counter(DEFINITIONS.rateLimitRejections);
  const remaining = registry.gauge(DEFINITIONS.rateLimitRemaining);
  const throttleLimit = registry.gauge(DEFINITIONS.throttleLimit);
  const throttleWait = registry.histogram(DEFINITIONS.throttleWait);
  const throttleRejections = registry.counter(DEFINITIONS.throttleRejections);
  return [
    events.on("ratelimit.waited", ({ limiter, waitMs }) => {
      limitWait.series({ limiter }).record(waitMs / 1000, clock.now());
    }),
    events.on("ratelimit.rejected", ({ limiter }) => {
      limitRejections.series({ limiter }).add(1, clock.now());
    }),
    events.on("ratelimit.observed", ({ key, unit, windowMs, limit, remaining: left }) => {
      if (limit === undefined || left === undefined || limit <= 0) return;
      const window = `${Math.round(windowMs / 1000)}s`;
      remaining.series({ key, unit, window }).set(Math.min(1, Math.max(0, left / limit)), clock.now());
    }),
    events.on("throttle.changed", ({ key, limit }) => {
      throttleLimit.series({ key }).set(limit, clock.now());
    }),
    events.on("throttle.waited", ({ key, waitMs }) => {
      throttleWait.series({ key }).record(waitMs / 1000, clock.now());
    }),
    events.on("throttle.rejected", ({ key }) => {
      throttleRejections.series({ key }).add(1, clock.now());
    }),
  ];
}

function recordPool({ clock, events }: Runtime, registry: Registry) {
  const depths = registry.gauge(DEFINITIONS.poolDepth);
  const waits = registry.histogram(DEFINITIONS.poolWait);
  const rejections = registry.counter(DEFINITIONS.poolRejections);
  return [
    events.on("pool.queued", ({ depth }) => {
      depths.series().set(depth, clock.now());
    }),
    events.on("pool.dequeued", ({ depth, waitMs, priority }) => {
      depths.series().set(depth, clock.now());
      waits.series({ priority: String(priority) }).record(waitMs / 1000, clock.now());
    }),
    events.on("pool.rejected", ({ depth, priority, reason }) => {
      depths.series().set(depth, clock.now());
      rejections.series({ priority: String(priority), reason }).add(1, clock.now());
    }),
  ];
}

function recordCacheTiers({ clock, events }: Runtime, registry: Registry) {
  const failures = registry.counter(DEFINITIONS.cacheTierFailures);
  const disabled = registry.gauge(DEFINITIONS.cacheTierDisabled);
  return [
    events.on("cache.tier_failed", ({ tier, operation }) => {
      failures.series({ tier, operation }).add(1, clock.now());
    }),
    events.on("cache.tier_disabled", ({ tier }) => {
      disabled.series({ tier }).set(1, clock.now());
    }),
    events.on("cache.tier_recovered", ({ tier }) => {
      disabled.series({ tier }).set(0, clock.now());
    }),
  ];
}

function recordAlerts({ clock, events }: Runtime, registry: Registry) {
  const alerts = registry.counter(DEFINITIONS.alerts);
  return [
    events.on("alert", ({ rule, level, state }) => {
      alerts.series({ rule, level, state }).add(1, clock.now());
    }),
  ];
}
