import type { HealthScore } from "./health-score.ts";
import type { Counts, Distribution, KindCounts } from "./measures/index.ts";
import { type Compared, type Comparison, compared, type Measure, merged } from "./measures/index.ts";
import type { Recommendation } from "./recommendations/index.ts";

/** A distribution in a few numbers. A percentile that too few values cannot tell is absent: p95 needs 20, p99 needs 100. */
export interface Spread {
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  readonly p50: number;
  readonly p95?: number;
  readonly p99?: number;
}

/** What the calls of one kind, or all of them, came to. */
export interface KindReport {
  /** All absent of all calls together. */
  readonly op?: string;
  readonly provider?: string;
  readonly model?: string;
  /** In place of the three, in a summary by client or by route. */
  readonly client?: string;
  readonly route?: string;
  readonly calls: number;
  readonly answered: number;
  /** Failed or refused for other reasons than the caller's own mistake. */
  readonly unanswered: number;
  readonly cancelled: number;
  /** Answered from the cache or by a call that was under way. */
  readonly shared: number;
  readonly attempts: number;
  /** Attempts that met a rate limit of the provider. */
  readonly throttled: number;
  readonly timeouts: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** US dollars; absent when nothing had a price. */
  readonly cost?: number;
  readonly saved?: number;
  /** Milliseconds; absent without calls. */
  readonly duration?: Spread;
  /** Milliseconds to the first content of streams. */
  readonly firstChunk?: Spread;
}

/** A measure of one kind of call that got worse for sure. */
export interface Degradation extends Comparison {
  /** All absent when it is so of all calls together. */
  readonly op?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly client?: string;
  readonly route?: string;
}

export interface Summary {
  /** Milliseconds since the Unix epoch. */
  readonly from: number;
  readonly to: number;
  readonly total: KindReport;
  /** By operation, provider and model, or as was asked for; the most calls first. */
  readonly kinds: readonly KindReport[];
  /** What was looked at to find degradations: the stretch of the same length before; absent where nothing is known of it. */
  readonly comparedWith: { readonly from: number; readonly to: number; readonly calls: number } | undefined;
  /** What got worse than in that stretch, beyond chance and by enough to matter. */
  readonly degradations: readonly Degradation[];
  /** As things are at the end; absent in a summary of a log. */
  readonly health?: HealthScore;
  readonly recommendations?: readonly Recommendation[];
}

/** What was counted from `from` to `to`, milliseconds since the Unix epoch. */
export interface Slice {
  readonly from: number;
  readonly to: number;
  readonly counts: Counts;
}

const COMPARED: readonly Measure[] = ["answered", "p95", "firstChunkP95", "throttled", "costPerAnswer"];
const COMPARED_COUNT_MIN = 100;

/** Sums up slices of time, and compares them with those before. */
export function summaryOf(slices: readonly Slice[], before: readonly Slice[]): Summary {
  const totals = { before: totalsOf(before), after: totalsOf(slices) };
  const kinds = new Map(
    [...keysOf(slices)].map((key) => [key, { before: ofKind(before, key), after: ofKind(slices, key) }]),
  );
  const [first, last] = [slices[0], slices.at(-1)];
  const [earliest, latest] = [before[0], before.at(-1)];
  return {
    from: first?.from ?? 0,
    to: last?.to ?? 0,
    total: reportOf(merged(totals.after)),
    kinds: [...kinds.values()].map(({ after }) => reportOf(merged(after))).toSorted((a, b) => b.calls - a.calls),
    comparedWith:
      earliest === undefined || latest === undefined
        ? undefined
        : {
            from: earliest.from,
            to: latest.to,
            calls: totals.before.reduce((sum, { counts }) => sum + counts.calls, 0),
          },
    degradations: [
      ...worseOf(totals),
      // Of a single kind it would say the same again.
      ...(kinds.size < 2 ? [] : [...kinds.values()].flatMap(worseOf)),
    ],
  };
}

function totalsOf(slices: readonly Slice[]): KindCounts[] {
  return slices.map(({ counts }) => counts.total());
}

function keysOf(slices: readonly Slice[]): Set<string> {
  return new Set(slices.flatMap(({ counts }) => [...counts.kinds.keys()]));
}

function ofKind(slices: readonly Slice[], key: string): KindCounts[] {
  return slices.map(({ counts }) => counts.kinds.get(key)).filter((kind) => kind !== undefined);
}

function worseOf(stretches: Compared): Degradation[] {
  if (stretches.before.length === 0) return [];
  const labels = stretches.after[0]?.labels ?? {};
  return compared(COMPARED, stretches, COMPARED_COUNT_MIN)
    .filter(({ verdict }) => verdict === "worse")
    .map((comparison) => ({ ...labels, ...comparison }));
}

function reportOf({ labels, counts, duration, firstChunk }: KindCounts): KindReport {
  const { cost, saved, firstAttempts: _, ...numbers } = counts;
  const [took, first] = [spreadOf(duration), spreadOf(firstChunk)];
  return {
    ...labels,
    ...numbers,
    ...(cost > 0 && { cost }),
    ...(saved > 0 && { saved }),
    ...(took !== undefined && { duration: took }),
    ...(first !== undefined && { firstChunk: first }),
  };
}

const P95_COUNT_MIN = 20;
const P99_COUNT_MIN = 100;

function spreadOf(values: Distribution): Spread | undefined {
  const { count, mean, min, max } = values;
  if (mean === undefined || min === undefined || max === undefined) return undefined;
  const quantile = (q: number): number => values.quantile(q) ?? max;
  return {
    count,
    mean,
    min,
    max,
    p50: quantile(0.5),
    ...(count >= P95_COUNT_MIN && { p95: quantile(0.95) }),
    ...(count >= P99_COUNT_MIN && { p99: quantile(0.99) }),
  };
}
