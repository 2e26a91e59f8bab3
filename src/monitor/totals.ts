import { DEFINITIONS } from "./definitions.ts";
import { has, type LabelFilter } from "./reading.ts";
import type { Registry } from "./registry.ts";
import { CounterSeries, HistogramSeries } from "./series.ts";

/** All calls together. */
export interface Totals {
  /** Calls that ended: answered, failed, cancelled and refused. */
  readonly calls: number;
  readonly answered: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Refused by Breakwater itself. */
  readonly refused: number;
  /** Answers from the cache; part of `answered`, as is `coalesced`. */
  readonly cacheHits: number;
  readonly coalesced: number;
  readonly attempts: number;
  /** Attempts per call that reached the provider; absent when none did. */
  readonly amplification?: number;
  /** Tokens of the provider's answers. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** US dollars; with the option `prices` only. */
  readonly costUsd?: number;
  readonly savedUsd?: number;
}

/** Sums of a metric's series: since the start, or of the last `windowMs`. */
export type Sums = (metric: string, labels?: LabelFilter) => number;

export function lifetimeSums(registry: Registry): Sums {
  return sumsBy(registry, (series) => (series instanceof CounterSeries ? series.total : series.lifetime.sum));
}

export function windowSums(registry: Registry, now: number, windowMs: number): Sums {
  return sumsBy(registry, (series) =>
    series instanceof CounterSeries ? series.within(now, windowMs) : series.sumWithin(now, windowMs),
  );
}

function sumsBy(registry: Registry, sumOf: (series: CounterSeries | HistogramSeries) => number): Sums {
  return (metric, labels = {}) => {
    let sum = 0;
    for (const series of registry.get(metric) ?? []) {
      if (!(series instanceof CounterSeries || series instanceof HistogramSeries)) continue;
      if (has(series.labels, labels)) sum += sumOf(series);
    }
    return sum;
  };
}

export function totalsOf(sum: Sums, priced: boolean): Totals {
  const calls = DEFINITIONS.calls.name;
  const attempts = sum(DEFINITIONS.attempts.name);
  const first = sum(DEFINITIONS.attempts.name, { kind: "first" });
  return {
    calls: sum(calls),
    answered: sum(calls, { outcome: "success" }),
    failed: sum(calls, { outcome: "error" }),
    cancelled: sum(calls, { outcome: "cancelled" }),
    refused: sum(calls, { outcome: "rejected" }),
    cacheHits: sum(calls, { served_by: "cache" }),
    coalesced: sum(calls, { served_by: "coalesced" }),
    attempts,
    ...(first > 0 && { amplification: attempts / first }),
    inputTokens: sum(DEFINITIONS.tokenUsage.name, { token_type: "input" }),
    outputTokens: sum(DEFINITIONS.tokenUsage.name, { token_type: "output" }),
    ...(priced && { costUsd: sum(DEFINITIONS.cost.name), savedUsd: sum(DEFINITIONS.costSaved.name) }),
  };
}
