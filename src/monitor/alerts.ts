import { type Clock, type EventBus, OptionError, type Timer } from "../core/index.ts";
import { type ActiveRule, type Alert, type AlertLevel, type AlertRule, readRule } from "./alert-rule.ts";
import { AlertSender } from "./alert-sender.ts";
import { type AlertState, nextState } from "./alert-state.ts";
import { AMPLIFICATION } from "./definitions.ts";
import { rounded } from "./numbers.ts";
import { type Reading, read } from "./reading.ts";
import type { Registry } from "./registry.ts";
import type { Labels } from "./series.ts";

const RULES_MAX = 200;

/** A rule and where it stands. */
export interface AlertStatus {
  readonly id: string;
  readonly metric: string;
  readonly aggregate: string;
  readonly level: AlertLevel;
  /** The worst of its alerts. */
  readonly state: "inactive" | "pending" | "firing";
  /** Those that are not inactive. `since` is in milliseconds since the Unix epoch. */
  readonly alerts: readonly {
    readonly labels: Labels;
    readonly state: "pending" | "firing";
    readonly value: number | undefined;
    readonly since: number;
  }[];
}

interface Tracked {
  readonly labels: Labels;
  state: AlertState;
  value: number | undefined;
  /** Milliseconds since the Unix epoch, noted once: the wall clock may jump. */
  readonly since: number;
  notified: boolean;
}

interface Entry {
  readonly rule: ActiveRule;
  readonly tracked: Map<string, Tracked>;
  /** When the alert of a label set was last sent: it is quiet until the cooldown has passed. */
  readonly sentAt: Map<string, number>;
}

/** Alert rules: read against the windows at every tick, and at once where an event tells a state. */
export class Alerts {
  #entries = new Map<string, Entry>();
  #registry: Registry;
  #clock: Clock;
  #sender: AlertSender;
  #everyMs: number;
  #timer: Timer | undefined;
  #closed = false;

  constructor(runtime: { readonly clock: Clock; readonly events: EventBus }, registry: Registry, everyMs: number) {
    this.#registry = registry;
    this.#clock = runtime.clock;
    this.#sender = new AlertSender(runtime);
    this.#everyMs = everyMs;
  }

  /** Adds a rule and gives its id. Throws {@link OptionError} for a wrong rule or an id that exists. */
  add(rule: AlertRule): string {
    const active = readRule(rule, this.#registry);
    if (this.#entries.has(active.id)) {
      throw new OptionError("alert.id", active.id, "an id that no other rule has; remove the other one first");
    }
    if (this.#entries.size >= RULES_MAX) throw new OptionError("alert", active.id, `at most ${RULES_MAX} rules`);
    this.#entries.set(active.id, { rule: active, tracked: new Map(), sentAt: new Map() });
    this.#schedule();
    return active.id;
  }

  /** Takes a rule away; what it had sent as firing is sent as resolved. Says whether it was there. */
  remove(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    for (const tracked of entry.tracked.values()) this.#resolve(entry.rule, tracked);
    if (this.#entries.size === 0) this.#stop();
    return true;
  }

  list(): AlertStatus[] {
    return [...this.#entries.values()].map(({ rule, tracked }) => {
      const alerts = [...tracked.values()].map(({ labels, state, value, since }) => ({
        labels,
        state: state.phase,
        value,
        since,
      }));
      const state = alerts.some((alert) => alert.state === "firing")
        ? "firing"
        : alerts.length > 0
          ? "pending"
          : "inactive";
      const { metric, aggregate } = rule.query;
      return { id: rule.id, metric, aggregate, level: rule.level, state, alerts };
    });
  }

  /** Reads every rule now; with `metric`, only those on it that wait for nothing. */
  evaluate(metric?: string): void {
    if (this.#closed) return;
    const now = this.#clock.now();
    for (const entry of this.#entries.values()) {
      if (metric === undefined || (entry.rule.query.metric === metric && entry.rule.forMs === 0)) {
        this.#evaluate(entry, now);
      }
    }
  }

  close(): void {
    this.#closed = true;
    this.#stop();
    this.#sender.close();
    this.#entries.clear();
  }

  #schedule(): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = this.#clock.background(this.#everyMs, () => {
      this.#timer = undefined;
      this.evaluate();
      if (this.#entries.size > 0) this.#schedule();
    });
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #evaluate(entry: Entry, now: number): void {
    const { rule, tracked, sentAt } = entry;
    // A handler may have taken the rule away, or closed everything.
    const gone = (): boolean => this.#entries.get(rule.id) !== entry;
    const unseen = new Map(tracked);
    for (const reading of read(this.#registry, rule.query, now)) {
      const key = JSON.stringify(Object.values(reading.labels));
      if (gone()) return;
      unseen.delete(key);
      this.#move(rule, { tracked, sentAt }, key, reading, now);
    }
    // A label set that is gone is a lack of data, not a recovery.
    for (const [key, { labels }] of unseen) {
      if (gone()) return;
      this.#move(rule, { tracked, sentAt }, key, { labels, value: undefined, count: 0 }, now);
    }
    for (const [key, at] of sentAt) if (!tracked.has(key) && now - at >= rule.cooldownMs) sentAt.delete(key);
  }

  #move(rule: ActiveRule, entry: Omit<Entry, "rule">, key: string, reading: Reading, now: number): void {
    const before = entry.tracked.get(key);
    const value = reading.count < rule.minCount ? undefined : reading.value;
    const state = nextState(rule, before?.state, value, now);
    if (state === undefined) {
      if (before === undefined) return;
      entry.tracked.delete(key);
      before.value = value;
      this.#resolve(rule, before);
      return;
    }
    const after = before ?? { labels: reading.labels, state, value, since: this.#clock.wall(), notified: false };
    after.state = state;
    if (value !== undefined) after.value = value;
    entry.tracked.set(key, after);
    if (state.phase !== "firing" || after.notified) return;
    const last = entry.sentAt.get(key);
    if (last !== undefined && now - last < rule.cooldownMs) return;
    // Noted before it is sent: a handler may look at the list, or remove the rule.
    after.notified = true;
    entry.sentAt.set(key, now);
    this.#sender.send(alertOf(rule, after, "firing"), rule.handlers);
  }

  #resolve(rule: ActiveRule, tracked: Tracked): void {
    if (!tracked.notified) return;
    tracked.notified = false;
    this.#sender.send(alertOf(rule, tracked, "resolved"), rule.handlers);
  }
}

function alertOf(rule: ActiveRule, { labels, value, since }: Tracked, state: Alert["state"]): Alert {
  const { metric } = rule.query;
  const message = rule.message ?? messageOf(rule, labels, value, state);
  return { rule: rule.id, state, level: rule.level, metric, labels, value, threshold: rule.threshold, since, message };
}

function messageOf(
  { query, direction, threshold, clear }: ActiveRule,
  labels: Labels,
  value: number | undefined,
  state: Alert["state"],
): string {
  const where = Object.entries(labels).map(([key, text]) => `${key}=${text}`);
  const suffix = where.length === 0 ? "" : ` (${where.join(", ")})`;
  const what = query.metric === AMPLIFICATION.name ? query.metric : `${query.aggregate} of ${query.metric}`;
  const is = value === undefined ? "has no data" : `is ${rounded(value)}`;
  const end = state === "firing" ? `${direction} ${rounded(threshold)}` : `no longer ${direction} ${rounded(clear)}`;
  return `${what} ${is} over ${query.windowMs / 1000} s, ${end}${suffix}.`;
}
