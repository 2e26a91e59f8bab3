import { type Clock, type EventBus, OptionError, type Timer } from "../../core/index.ts";
import type { Registry } from "../registry.ts";
import type { Labels } from "../series.ts";
import { Delivery, type NotifyOptions } from "./delivery.ts";
import { EventWatch } from "./event-watch.ts";
import { type Candidate, type Grouping, Groups } from "./groups.ts";
import { markCovered } from "./inhibition.ts";
import { MetricWatch } from "./metric-watch.ts";
import { readRule } from "./read-rule.ts";
import { type ActiveRule, type AlertHandler, type AlertLevel, type AlertRule, levelOf } from "./rule.ts";
import { type Silence, type SilenceOptions, Silences } from "./silences.ts";
import { type AlertTable, factsOf, isCovered, type Tracked } from "./table.ts";

const RULES_MAX = 200;

/** A rule and where it stands. */
export interface AlertStatus {
  readonly id: string;
  readonly family: string;
  /** Name of the metric, or type of the event. */
  readonly metric: string;
  /** `event` for a rule on one. */
  readonly aggregate: string;
  /** The highest of its alerts; the rule's lowest where there are none. */
  readonly level: AlertLevel;
  /**
   * The worst of its alerts; without any, `inactive`, `insufficient` (not enough data to say) or `error` (its metric has no
   * such aggregate).
   */
  readonly state: "inactive" | "pending" | "firing" | "recovering" | "insufficient" | "error";
  readonly runbook: string | undefined;
  readonly alerts: readonly ActiveAlert[];
}

/** An alert that is not inactive. */
export interface ActiveAlert {
  readonly labels: Labels;
  readonly state: "pending" | "firing" | "recovering";
  readonly level: AlertLevel;
  /** As of the last reading that had data. */
  readonly value: number | undefined;
  readonly threshold: number | undefined;
  /** Whether the last reading had enough data. */
  readonly hasData: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly since: number;
  /** Whether a message told of it. */
  readonly notified: boolean;
  /** Why none does, if something keeps it from being told. */
  readonly suppressedBy: "alert" | "silence" | "cooldown" | undefined;
}

type Watch = MetricWatch | EventWatch;

interface Settings {
  readonly everyMs: number;
  /** The clock's time at which the metrics began. */
  readonly startedAt: number;
  readonly grouping: Grouping;
}

/** Alert rules: read against the windows at every tick, and at once where an event tells a state. */
export class Alerts {
  #watches = new Map<string, Watch>();
  #registry: Registry;
  #runtime: { readonly clock: Clock; readonly events: EventBus };
  #settings: Settings;
  #silences: Silences;
  #groups: Groups;
  #delivery: Delivery;
  /** What is still to be told: not before every alert has moved, for whoever hears it may change the rules. */
  #outbox: (() => void)[] = [];
  #flushing = false;
  #added = 0;
  #timer: Timer | undefined;
  #closed = false;

  constructor(runtime: { readonly clock: Clock; readonly events: EventBus }, registry: Registry, settings: Settings) {
    this.#registry = registry;
    this.#runtime = runtime;
    this.#settings = settings;
    this.#silences = new Silences(runtime.clock);
    this.#groups = new Groups(settings.grouping);
    this.#delivery = new Delivery(runtime);
  }

  /** Adds a rule and gives its id. Throws {@link OptionError} for a wrong rule or an id that exists. */
  add(rule: AlertRule): string {
    const active = readRule(rule, this.#registry);
    if (this.#watches.has(active.id)) {
      throw new OptionError("alert.id", active.id, "an id that no other rule has; remove the other one first");
    }
    if (this.#watches.size >= RULES_MAX) throw new OptionError("alert", active.id, `at most ${RULES_MAX} rules`);
    this.#watches.set(active.id, this.#watch(active));
    this.#schedule();
    return active.id;
  }

  /** Takes a rule away; what was told as firing is told as resolved. Says whether it was there. */
  remove(id: string): boolean {
    const watch = this.#watches.get(id);
    if (watch === undefined) return false;
    this.#watches.delete(id);
    if (watch instanceof EventWatch) watch.close();
    watch.table.clear();
    if (this.#watches.size === 0) this.#stop();
    this.#dispatch();
    return true;
  }

  list(): AlertStatus[] {
    return [...this.#watches.values()].map(statusOf);
  }

  /** How many alerts fire or are recovering. */
  get firing(): number {
    let count = 0;
    for (const { table } of this.#watches.values()) {
      for (const { state } of table.alerts.values()) if (state.phase !== "pending") count++;
    }
    return count;
  }

  notify(handler: AlertHandler, options?: NotifyOptions): () => void {
    return this.#delivery.subscribe(handler, options);
  }

  silence(options: SilenceOptions): string {
    return this.#silences.add(options);
  }

  unsilence(id: string): boolean {
    return this.#silences.remove(id);
  }

  silences(): Silence[] {
    return this.#silences.list();
  }

  /** Reads every rule now; with `metric`, only those on it that wait for nothing. */
  evaluate(metric?: string): void {
    if (this.#closed) return;
    const now = this.#runtime.clock.now();
    this.#read((watch) => metric === undefined || readsAtOnce(watch.table.rule, metric), now);
  }

  close(): void {
    this.#closed = true;
    this.#stop();
    for (const watch of this.#watches.values()) if (watch instanceof EventWatch) watch.close();
    this.#delivery.close();
    this.#watches.clear();
    this.#outbox = [];
  }

  #read(isMeant: (watch: Watch) => boolean, now: number): void {
    let read = 0;
    for (const watch of this.#watches.values()) {
      if (!isMeant(watch)) continue;
      watch.evaluate(now);
      read++;
    }
    if (read > 0) this.#dispatch();
  }

  #watch(rule: ActiveRule): Watch {
    const { clock, events } = this.#runtime;
    const journal = { moved: (to: Move, alert: Tracked) => this.#moved(to, alert) };
    if (rule.kind === "event") return new EventWatch(rule, events, { clock, journal, onMove: () => this.#dispatch() });
    const onError = (error: string): void => {
      this.#outbox.push(() => events.emit("alert.rule_failed", undefined, { rule: rule.id, error }));
    };
    const { startedAt, everyMs: tickMs } = this.#settings;
    const number = this.#added++;
    return new MetricWatch(rule, this.#registry, { clock, journal, startedAt, tickMs, number, onError });
  }

  #moved(to: Move, alert: Tracked): void {
    const facts = factsOf(alert);
    this.#outbox.push(() => this.#runtime.events.emit(`alert.${to}`, undefined, facts));
    if (to === "resolved") this.#groups.ended(alert);
  }

  #schedule(): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = this.#runtime.clock.background(this.#settings.everyMs, () => {
      this.#timer = undefined;
      const now = this.#runtime.clock.now();
      if (!this.#closed) this.#read((watch) => watch.isDue(now), now);
      if (this.#watches.size > 0) this.#schedule();
    });
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Tells what is to be told. */
  #dispatch(): void {
    if (this.#closed) return;
    const now = this.#runtime.clock.now();
    markCovered(this.#watches.values(), now);
    const ready: Candidate[] = [];
    const pending: Tracked[] = [];
    for (const { table } of this.#watches.values()) {
      for (const alert of table.alerts.values()) {
        if (alert.state.phase === "pending" && !isCovered(alert, now)) pending.push(alert);
        else if (this.#mayBeTold(table, alert, now)) ready.push({ alert, table });
      }
    }
    const isSilenced = (alert: Tracked): boolean => this.#silences.covering(alert, now) !== undefined;
    for (const message of this.#groups.due({ ready, pending, isSilenced }, now)) {
      this.#outbox.push(() => this.#delivery.send(message));
    }
    this.#flush();
  }

  #mayBeTold(table: AlertTable, alert: Tracked, now: number): boolean {
    if (alert.state.phase !== "firing" || alert.toldRank >= alert.state.rank) return false;
    const [by, cause] = this.#suppression(table, alert, now);
    if (by !== undefined && by !== alert.suppressedBy) {
      const facts = factsOf(alert);
      this.#outbox.push(() => this.#runtime.events.emit("alert.suppressed", undefined, { ...facts, by, cause }));
    }
    alert.suppressedBy = by;
    return by === undefined;
  }

  #suppression(table: AlertTable, alert: Tracked, now: number): [Tracked["suppressedBy"], string | undefined] {
    if (isCovered(alert, now)) return ["alert", alert.coveredBy];
    const silence = this.#silences.covering(alert, now);
    if (silence !== undefined) return ["silence", silence];
    return [table.isCooling(alert, now) ? "cooldown" : undefined, undefined];
  }

  // Whoever hears something may call back: what that adds to the outbox is told after what is there already.
  #flush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    try {
      for (let tell = this.#outbox.shift(); tell !== undefined; tell = this.#outbox.shift()) tell();
    } finally {
      this.#flushing = false;
    }
  }
}

type Move = "pending" | "firing" | "resolved";

function readsAtOnce(rule: ActiveRule, metric: string): boolean {
  return rule.kind === "metric" && rule.subject === metric && rule.forMs === 0;
}

const WORST_FIRST = ["firing", "recovering", "pending"] as const;
const WITHOUT_ALERTS = { sufficient: "inactive", insufficient: "insufficient", error: "error" } as const;

function statusOf({ table, insight }: Watch): AlertStatus {
  const { rule } = table;
  const tracked = [...table.alerts.values()];
  const phase = WORST_FIRST.find((one) => tracked.some(({ state }) => state.phase === one));
  return {
    id: rule.id,
    family: rule.family,
    metric: rule.subject,
    aggregate: rule.kind === "event" ? "event" : rule.conditions[0].query.aggregate,
    level: levelOf(tracked.reduce((rank, { state }) => Math.max(rank, state.rank), rule.rank)),
    state: phase ?? WITHOUT_ALERTS[insight],
    runbook: rule.runbook,
    alerts: tracked.map((alert) => ({
      labels: alert.labels,
      state: alert.state.phase,
      level: levelOf(alert.state.rank),
      value: alert.value,
      threshold: alert.threshold,
      hasData: alert.hasData,
      since: alert.since,
      notified: alert.toldRank > 0,
      suppressedBy: alert.suppressedBy,
    })),
  };
}
