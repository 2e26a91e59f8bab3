import { type Query, type Reading, read } from "../reading.ts";
import type { Registry } from "../registry.ts";
import type { Labels } from "../series.ts";
import { WINDOW_MAX_MS } from "../slot-ring.ts";
import { Baseline } from "./baseline.ts";
import { keyOf } from "./label-key.ts";
import { both, type Judgement, judge } from "./limit.ts";
import { LongCounts } from "./long-counts.ts";
import type { ActiveMetricRule, Condition } from "./rule.ts";

/** What a rule makes of one label set. */
export interface Sample {
  readonly key: string;
  readonly labels: Labels;
  /** `undefined`: no data, or not enough. */
  readonly value: number | undefined;
  readonly verdict: Judgement | undefined;
}

/** Reads one rule's conditions, label set by label set. */
export class ConditionReader {
  #rule: ActiveMetricRule;
  #registry: Registry;
  #baseline: Baseline | undefined;
  /** Windows of two lengths are compared only once the longer one has passed: before, both hold the same values. */
  #completeAt: number;
  #long = new Map<Query, LongCounts>();

  /** `startedAt`: when the metrics began; `addedAt`: when the rule did. */
  constructor(
    rule: ActiveMetricRule,
    registry: Registry,
    { startedAt, addedAt }: { startedAt: number; addedAt: number },
  ) {
    this.#rule = rule;
    this.#registry = registry;
    const { baseline } = rule.conditions[0].limit;
    this.#baseline = baseline === undefined ? undefined : new Baseline(baseline.spanMs);
    const windows = rule.conditions.map(({ query }) => query.windowMs);
    for (const { query, per } of rule.conditions) {
      if (query.windowMs <= WINDOW_MAX_MS) continue;
      this.#long.set(query, new LongCounts(registry, query));
      if (per !== undefined) this.#long.set(per, new LongCounts(registry, per));
    }
    // Of what is longer than metrics remember, only the time since the rule was added is known.
    const knownFrom = this.#long.size > 0 ? addedAt : startedAt;
    this.#completeAt = new Set(windows).size > 1 ? knownFrom + Math.max(...windows) : startedAt;
  }

  read(now: number): Sample[] {
    const [first, ...others] = this.#rule.conditions;
    const samples = this.#readings(first, now).map((reading) => this.#judged(first, reading, now));
    if (others.length === 0) return samples;
    return others.reduce((before, other) => this.#joined(before, other, now), samples);
  }

  #judged(condition: Condition, { labels, value, count }: Reading, now: number): Sample {
    const key = keyOf(labels);
    if (value === undefined || Number.isNaN(value) || count < condition.minCount || now < this.#completeAt) {
      return { key, labels, value: undefined, verdict: undefined };
    }
    const median = this.#baseline?.observe(key, value, now);
    return { key, labels, value, verdict: judge(condition.limit, value, median) };
  }

  #joined(samples: readonly Sample[], condition: Condition, now: number): Sample[] {
    const readings = new Map(this.#readings(condition, now).map((reading) => [keyOf(reading.labels), reading]));
    return samples.map((sample) => {
      if (sample.verdict === undefined) return sample;
      const { value, count } = readings.get(sample.key) ?? nothingOf(condition);
      const second =
        value === undefined || count < condition.minCount ? undefined : judge(condition.limit, value, undefined);
      if (second === undefined) return { ...sample, value: undefined, verdict: undefined };
      return { ...sample, verdict: both(sample.verdict, second) };
    });
  }

  #readings({ query, per }: Condition, now: number): Reading[] {
    const readings = this.#read(per === undefined ? query : this.#sized(query), now);
    if (per === undefined) return readings;
    const parts = new Map(readings.map((reading) => [keyOf(reading.labels), reading.value ?? 0]));
    return this.#read(this.#sized(per), now).map(({ labels, value: whole = 0 }) => {
      const part = parts.get(keyOf(labels)) ?? 0;
      return { labels, value: whole > 0 ? part / whole : undefined, count: whole };
    });
  }

  /** Of a gauge its value is divided, of anything else its count. */
  #sized(query: Query): Query {
    return this.#registry.get(query.metric)?.definition.kind === "gauge" ? { ...query, aggregate: "value" } : query;
  }

  #read(query: Query, now: number): Reading[] {
    return this.#long.get(query)?.read(now) ?? read(this.#registry, query, now);
  }
}

// Where nothing was ever counted with these labels, the count is none.
function nothingOf({ query: { aggregate } }: Condition): Omit<Reading, "labels"> {
  return { value: aggregate === "count" || aggregate === "sum" ? 0 : undefined, count: 0 };
}
