import type { Clock } from "../../core/index.ts";
import { AMPLIFICATION } from "../definitions.ts";
import { aggregatesOf } from "../reading.ts";
import type { Registry } from "../registry.ts";
import { ConditionReader, type Sample } from "./condition.ts";
import type { ActiveMetricRule } from "./rule.ts";
import { nextState, type Timing } from "./state.ts";
import { AlertTable, type Journal } from "./table.ts";

/** Whether a rule can tell anything at the moment. */
export type Insight = "sufficient" | "insufficient" | "error";

/** Within this time, and a thirtieth of its window, a rule is read again. */
const READ_EVERY_MAX_MS = 60_000;
const READS_PER_WINDOW = 30;

/** Reads a rule's metric and moves its alerts. */
export class MetricWatch {
  readonly table: AlertTable;
  insight: Insight = "insufficient";
  #rule: ActiveMetricRule;
  #reader: ConditionReader;
  #registry: Registry;
  #timing: Timing;
  #onError: (error: string) => void;
  #readEveryMs: number;
  #tickMs: number;
  #dueAt: number;

  constructor(
    rule: ActiveMetricRule,
    registry: Registry,
    options: {
      clock: Clock;
      journal: Journal;
      startedAt: number;
      tickMs: number;
      /** Rules with the same window and different numbers are not all read at the same tick. */
      number: number;
      onError: (error: string) => void;
    },
  ) {
    const { clock, journal, startedAt, tickMs, number, onError } = options;
    this.table = new AlertTable(rule, clock, journal);
    this.#rule = rule;
    this.#registry = registry;
    this.#reader = new ConditionReader(rule, registry, { startedAt, addedAt: clock.now() });
    const windows = rule.conditions.map(({ query }) => query.windowMs);
    const { rank, forMs, keepMs, noData } = rule;
    this.#timing = { rank, forMs, keepMs, noData, windowMs: Math.max(...windows) };
    this.#onError = onError;
    this.#readEveryMs = Math.min(READ_EVERY_MAX_MS, Math.min(...windows) / READS_PER_WINDOW);
    this.#tickMs = tickMs;
    this.#dueAt = clock.now() + ((number * tickMs) % Math.max(tickMs, this.#readEveryMs));
  }

  get windowMs(): number {
    return this.#timing.windowMs;
  }

  /** Whether enough of the window has changed to read it again. */
  isDue(now: number): boolean {
    return now >= this.#dueAt;
  }

  evaluate(now: number): void {
    // Ticks are a little late now and then: half of one is near enough.
    this.#dueAt = now + this.#readEveryMs - this.#tickMs / 2;
    const mismatch = this.#mismatch();
    if (mismatch !== undefined && this.insight !== "error") this.#onError(mismatch);
    const samples = mismatch === undefined ? this.#reader.read(now) : [];
    this.insight = mismatch !== undefined ? "error" : insightOf(samples);
    const unseen = new Map(this.table.alerts);
    for (const sample of samples) {
      unseen.delete(sample.key);
      this.#move(sample, now);
    }
    // A label set that is gone is a lack of data, not a recovery.
    for (const [key, { labels }] of unseen) this.#move({ key, labels, value: undefined, verdict: undefined }, now);
    this.table.forget(now);
  }

  #move({ key, labels, value, verdict }: Sample, now: number): void {
    const next = nextState(this.#timing, this.table.stateOf(key), verdict, now);
    this.table.move(key, next, { labels, value, threshold: verdict?.threshold, hasData: verdict !== undefined });
  }

  /** A rule may be older than its metric, which then may be of a kind that has no such aggregate. */
  #mismatch(): string | undefined {
    for (const { query, per } of this.#rule.conditions) {
      if (per !== undefined) continue;
      const metric = query.metric === AMPLIFICATION.name ? AMPLIFICATION : this.#registry.get(query.metric);
      if (metric === undefined || aggregatesOf(metric).includes(query.aggregate)) continue;
      return `${query.metric} has no aggregate ${query.aggregate}`;
    }
    return undefined;
  }
}

function insightOf(samples: readonly Sample[]): Insight {
  return samples.some(({ verdict }) => verdict !== undefined) ? "sufficient" : "insufficient";
}
