import type { BreakwaterEvent, Clock, EventType, Listener } from "../core/index.ts";
import type { AlertView, BreakerState, BreakerView, FailureView, SlowCallView } from "./view.ts";

const KEEP_MS = 15 * 60_000;
const FAILURES_MAX = 8;
const SLOW_MAX = 8;
const BREAKERS_MAX = 100;
const CHANGES_MAX = 50;
const RESOLVED_MAX = 5;
const TARGETS_MAX = 1_000;

type On = <T extends EventType>(type: T, listener: Listener<T>) => () => void;
type Target = { readonly provider: string | undefined; readonly model: string | undefined };

/** The last quarter of an hour in events that no metric tells: which calls failed, which were slow, what opened when. */
export class RecentEvents {
  readonly failures: FailureView[] = [];
  readonly resolved: AlertView[] = [];
  #slow: SlowCallView[] = [];
  #breakers = new Map<string, BreakerRecord>();
  #headroom = new Map<string, Map<string, number>>();
  #clock: Clock;
  #stops: readonly (() => void)[];

  constructor(on: On, clock: Clock) {
    this.#clock = clock;
    this.#stops = [
      on("call.failed", (event) => this.#failed(event)),
      on("call.completed", (event) => this.#completed(event)),
      on("breaker.opened", (event) => this.#changed(event, event.key, "open")),
      on("breaker.half_opened", (event) => this.#changed(event, event.key, "half open")),
      on("breaker.closed", (event) => this.#changed(event, event.key, "closed")),
      on("ratelimit.observed", (event) => this.#observed(event)),
      on("alert", (event) => this.#alerted(event)),
    ];
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }

  /** Slowest first. */
  slowCalls(): readonly SlowCallView[] {
    this.#forgetSlow();
    return this.#slow;
  }

  breakers(): readonly BreakerView[] {
    const from = this.#clock.wall() - KEEP_MS;
    return [...this.#breakers].map(([key, { state, since, changes }]) => ({
      key,
      state,
      since,
      changes: changes.filter(([at], index) => at >= from || index === changes.length - 1),
    }));
  }

  /** The worst state of the breakers that a target has. */
  breakerOf(target: Target): BreakerState {
    let worst: BreakerState = "closed";
    for (const { state, provider, model } of this.#breakers.values()) {
      if (provider !== target.provider || model !== target.model || worst === "open") continue;
      if (state !== "closed") worst = state;
    }
    return worst;
  }

  headroomOf(target: Target): number | null {
    const parts = this.#headroom.get(keyOf(target));
    return parts === undefined ? null : Math.min(...parts.values());
  }

  #failed(event: BreakwaterEvent<"call.failed">): void {
    const { provider = "unknown", model = "unknown", errorType: error, status = null, refusedBy = null } = event;
    const isAlike = (other: FailureView): boolean =>
      other.error === error &&
      other.status === status &&
      other.refusedBy === refusedBy &&
      other.provider === provider &&
      other.model === model;
    const known = this.failures.findIndex(isAlike);
    const [before] = known === -1 ? [] : this.failures.splice(known, 1);
    const { ts: at, attempts, durationMs } = event;
    const count = (before?.count ?? 0) + 1;
    this.failures.unshift({
      count,
      at,
      provider,
      model,
      error,
      status,
      refusedBy,
      attempts,
      seconds: durationMs / 1000,
    });
    if (this.failures.length > FAILURES_MAX) this.failures.pop();
  }

  #completed(event: BreakwaterEvent<"call.completed">): void {
    const seconds = event.durationMs / 1000;
    const least = this.#slow.at(-1);
    if (this.#slow.length >= SLOW_MAX && least !== undefined && seconds <= least.seconds) return;
    const { queue, throttle, rateLimit, backoff } = event.waits;
    this.#slow.push({
      at: event.ts,
      provider: event.provider ?? "unknown",
      model: event.model ?? "unknown",
      seconds,
      attempts: event.attempts,
      provide: event.providerMs / 1000,
      queue: queue / 1000,
      throttle: throttle / 1000,
      rateLimit: rateLimit / 1000,
      backoff: backoff / 1000,
    });
    this.#slow.sort((a, b) => b.seconds - a.seconds);
    this.#forgetSlow();
    if (this.#slow.length > SLOW_MAX) this.#slow.pop();
  }

  #forgetSlow(): void {
    const from = this.#clock.wall() - KEEP_MS;
    if (this.#slow.some(({ at }) => at < from)) this.#slow = this.#slow.filter(({ at }) => at >= from);
  }

  #changed(event: Target & { readonly ts: number }, key: string, state: BreakerState): void {
    const old = this.#breakers.get(key);
    this.#breakers.delete(key);
    const changes = [...(old?.changes ?? []), [event.ts, state] as const].slice(-CHANGES_MAX);
    this.#breakers.set(key, { provider: event.provider, model: event.model, state, since: event.ts, changes });
    dropOldest(this.#breakers, BREAKERS_MAX);
  }

  #observed(event: BreakwaterEvent<"ratelimit.observed">): void {
    const { limit, remaining, unit, windowMs } = event;
    if (limit === undefined || remaining === undefined || limit <= 0) return;
    const key = keyOf(event);
    const parts = this.#headroom.get(key) ?? new Map<string, number>();
    parts.set(`${unit} ${windowMs}`, Math.min(1, Math.max(0, remaining / limit)));
    dropOldest(parts, 8);
    this.#headroom.set(key, parts);
    dropOldest(this.#headroom, TARGETS_MAX);
  }

  #alerted(event: BreakwaterEvent<"alert">): void {
    if (event.state !== "resolved") return;
    this.resolved.unshift({
      rule: event.rule,
      level: event.level,
      state: "resolved",
      labels: labelText(event.labels),
      value: event.value ?? null,
      threshold: event.threshold ?? null,
      metric: event.metric,
      aggregate: null,
      isQuiet: false,
      since: event.ts,
    });
    if (this.resolved.length > RESOLVED_MAX) this.resolved.pop();
  }
}

interface BreakerRecord extends Target {
  readonly state: BreakerState;
  readonly since: number;
  readonly changes: readonly (readonly [at: number, state: BreakerState])[];
}

/** Labels as one line. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.values(labels).join(" / ");
}

function keyOf({ provider, model }: Target): string {
  return JSON.stringify([provider, model]);
}

function dropOldest(map: Map<string, unknown>, max: number): void {
  for (const key of map.keys()) {
    if (map.size <= max) return;
    map.delete(key);
  }
}
