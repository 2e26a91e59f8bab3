import type { AlertFacts, Clock } from "../../core/index.ts";
import type { Labels } from "../series.ts";
import { type ActiveRule, levelOf } from "./rule.ts";
import type { AlertState } from "./state.ts";

const SENT_MAX = 2_000;

/** An alert that is not inactive. */
export interface Tracked {
  readonly rule: ActiveRule;
  /** Tells it from the rule's other ones. */
  readonly key: string;
  readonly labels: Labels;
  /** Milliseconds since the Unix epoch, noted once: the wall clock may jump. */
  readonly since: number;
  state: AlertState;
  value: number | undefined;
  threshold: number | undefined;
  /** Whether the last reading had enough data. */
  hasData: boolean;
  /** The rank at which it was last sent; 0: it was not. */
  toldRank: number;
  /** Until when, by the clock, another alert stands for it, and whose rule that is of. */
  coveredUntil: number;
  coveredBy: string | undefined;
  suppressedBy: "alert" | "silence" | "cooldown" | undefined;
}

/** What is noted of an alert's moves. */
export interface Journal {
  moved(to: "pending" | "firing" | "resolved", alert: Tracked): void;
}

interface Reading {
  readonly labels: Labels;
  readonly value: number | undefined;
  readonly threshold: number | undefined;
  readonly hasData: boolean;
}

interface Sent {
  readonly at: number;
  readonly rank: number;
}

/** The alerts of one rule, by label set. */
export class AlertTable {
  readonly rule: ActiveRule;
  readonly alerts = new Map<string, Tracked>();
  #sent = new Map<string, Sent>();
  #clock: Clock;
  #journal: Journal;

  constructor(rule: ActiveRule, clock: Clock, journal: Journal) {
    this.rule = rule;
    this.#clock = clock;
    this.#journal = journal;
  }

  stateOf(key: string): AlertState | undefined {
    return this.alerts.get(key)?.state;
  }

  /** Notes where a label set stands now. */
  move(key: string, next: AlertState | undefined, { labels, value, threshold, hasData }: Reading): void {
    const before = this.alerts.get(key);
    if (next === undefined) {
      if (before !== undefined) this.#end(before, hasData ? value : undefined);
      return;
    }
    const was = before?.state;
    const alert = before ?? this.#begin(key, labels, next);
    alert.state = next;
    alert.hasData = hasData;
    if (hasData) {
      alert.value = value;
      alert.threshold = threshold;
    }
    if (next.phase === "pending" && was === undefined) this.#journal.moved("pending", alert);
    const isNew = was === undefined || was.phase === "pending";
    if (next.phase === "firing" && (isNew || next.rank > was.rank)) this.#journal.moved("firing", alert);
  }

  /** Ends every alert. */
  clear(): void {
    for (const alert of [...this.alerts.values()]) this.#end(alert, alert.value);
  }

  noteSent(alert: Tracked): void {
    alert.toldRank = alert.state.rank;
    this.#sent.delete(alert.key);
    this.#sent.set(alert.key, { at: this.#clock.now(), rank: alert.toldRank });
    // Labels of events may have any number of values: the oldest are forgotten.
    const [oldest] = this.#sent.keys();
    if (this.#sent.size > SENT_MAX && oldest !== undefined) this.#sent.delete(oldest);
  }

  /** Whether the alert was sent, at this level or a higher one, a short time ago. */
  isCooling({ key, state }: Tracked, now: number): boolean {
    const sent = this.#sent.get(key);
    return sent !== undefined && sent.rank >= state.rank && now - sent.at < this.rule.cooldownMs;
  }

  /** Drops what no cooldown needs any more. */
  forget(now: number): void {
    for (const [key, { at }] of this.#sent) {
      if (!this.alerts.has(key) && now - at >= this.rule.cooldownMs) this.#sent.delete(key);
    }
  }

  #begin(key: string, labels: Labels, state: AlertState): Tracked {
    const alert: Tracked = {
      rule: this.rule,
      key,
      labels,
      since: this.#clock.wall(),
      state,
      value: undefined,
      threshold: undefined,
      hasData: false,
      toldRank: 0,
      coveredUntil: Number.NEGATIVE_INFINITY,
      coveredBy: undefined,
      suppressedBy: undefined,
    };
    this.alerts.set(key, alert);
    return alert;
  }

  #end(alert: Tracked, value: number | undefined): void {
    this.alerts.delete(alert.key);
    alert.value = value;
    if (alert.state.phase !== "pending") this.#journal.moved("resolved", alert);
  }
}

/** Whether another alert stands for it. */
export function isCovered({ coveredUntil }: Tracked, now: number): boolean {
  return now <= coveredUntil;
}

/** What events tell of an alert. */
export function factsOf({ rule, labels, state, value, threshold, since }: Tracked): AlertFacts {
  return { rule: rule.id, level: levelOf(state.rank), labels, value, threshold, since };
}
