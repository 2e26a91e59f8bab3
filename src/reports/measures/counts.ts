import { PROVIDER_FAULTS } from "../../core/index.ts";
import type { HistogramSnapshot, LabelFilter, Labels, MetricSnapshot, NumberSnapshot } from "../../monitor/index.ts";
import { Distribution } from "./distribution.ts";

interface Source {
  readonly metric: string;
  readonly labels?: LabelFilter;
}

const CALLS = "breakwater.calls";
const ATTEMPTS = "breakwater.attempts";
// What the caller did to itself says nothing of the service.
const UNANSWERED = [...PROVIDER_FAULTS, "rate_limited", "quota_exhausted", "bad_credential", "unknown", "refused"];

/** What is counted, and which series of which counter it is the sum of. */
const SOURCES = {
  /** Calls that ended. */
  calls: { metric: CALLS },
  answered: { metric: CALLS, labels: { outcome: "success" } },
  /** Failed or refused for other reasons than the caller's own mistake. */
  unanswered: { metric: CALLS, labels: { error_type: UNANSWERED } },
  cancelled: { metric: CALLS, labels: { outcome: "cancelled" } },
  /** Answered from the cache or by a call that was under way. */
  shared: { metric: CALLS, labels: { served_by: ["cache", "coalesced"] } },
  /** Requests to the provider. */
  attempts: { metric: ATTEMPTS },
  firstAttempts: { metric: ATTEMPTS, labels: { kind: "first" } },
  /** Those of them that met a rate limit of the provider. */
  throttled: { metric: ATTEMPTS, labels: { error_type: "rate_limited" } },
  timeouts: { metric: "breakwater.timeouts" },
  inputTokens: { metric: "breakwater.tokens", labels: { token_type: "input" } },
  outputTokens: { metric: "breakwater.tokens", labels: { token_type: "output" } },
  /** US dollars. */
  cost: { metric: "breakwater.cost" },
  saved: { metric: "breakwater.cost.saved" },
} as const satisfies Record<string, Source>;

export type CountName = keyof typeof SOURCES;
const COUNT_NAMES = Object.keys(SOURCES) as CountName[];

const DURATION = "breakwater.call.duration";
// As version 1.41 of the GenAI conventions names it, and as they do since.
const FIRST_CHUNK = ["gen_ai.client.operation.time_to_first_chunk", "gen_ai.client.inference.time_to_first_chunk"];

/** Kinds of calls that are told apart; further ones are one, `other`. */
const KINDS_MAX = 24;
const OTHER = "other";

/** What was counted of the calls of one kind: of one operation, provider and model, or of one client. */
export class KindCounts {
  readonly labels: Labels;
  readonly counts: Record<CountName, number>;
  /** Milliseconds of calls as their callers saw them, however they ended. */
  readonly duration = new Distribution();
  /** Milliseconds to the first content of streams. */
  readonly firstChunk = new Distribution();

  constructor(labels: Labels) {
    this.labels = labels;
    this.counts = Object.fromEntries(COUNT_NAMES.map((name) => [name, 0])) as Record<CountName, number>;
  }

  merge(other: KindCounts): void {
    for (const name of COUNT_NAMES) this.counts[name] += other.counts[name];
    this.duration.merge(other.duration);
    this.firstChunk.merge(other.firstChunk);
  }
}

/** Counts by kind of call: since the start, or of a stretch of time. */
export class Counts {
  readonly kinds = new Map<string, KindCounts>();

  /** The counts of the operation, provider and model that the labels name. */
  of({ op = OTHER, provider = OTHER, model = OTHER }: Labels): KindCounts {
    return this.ofKind({ op, provider, model });
  }

  /** The counts of the kind that all of the labels name. */
  ofKind(labels: Labels): KindCounts {
    const key = keyOf(labels);
    const known = this.kinds.get(key);
    if (known !== undefined) return known;
    const rest = Object.fromEntries(Object.keys(labels).map((name) => [name, OTHER]));
    const restKey = keyOf(rest);
    const toldApart = this.kinds.size - Number(this.kinds.has(restKey));
    if (key !== restKey && toldApart >= KINDS_MAX) return this.ofKind(rest);
    const kind = new KindCounts(labels);
    this.kinds.set(key, kind);
    return kind;
  }

  merge(other: Counts): void {
    for (const kind of other.kinds.values()) this.ofKind(kind.labels).merge(kind);
  }

  /** What came after `earlier`, which was a state of these. */
  since(earlier: Counts): Counts {
    const rest = new Counts();
    for (const [key, kind] of this.kinds) {
      const before = earlier.kinds.get(key);
      const now = new KindCounts(kind.labels);
      for (const name of COUNT_NAMES) now.counts[name] = Math.max(0, kind.counts[name] - (before?.counts[name] ?? 0));
      now.duration.merge(before === undefined ? kind.duration : kind.duration.since(before.duration));
      now.firstChunk.merge(before === undefined ? kind.firstChunk : kind.firstChunk.since(before.firstChunk));
      if (now.counts.calls > 0 || now.counts.attempts > 0) rest.kinds.set(key, now);
    }
    return rest;
  }

  /** All kinds together. */
  total(): KindCounts {
    const all = new KindCounts({});
    for (const kind of this.kinds.values()) all.merge(kind);
    return all;
  }
}

function keyOf(labels: Labels): string {
  return JSON.stringify(Object.values(labels));
}

/** What a monitor has counted since its start. */
export function countsOf(metrics: readonly MetricSnapshot[]): Counts {
  const counts = new Counts();
  // In the order in which metrics are defined, calls come first: the kinds that are told apart are those of calls.
  for (const metric of metrics) {
    if (metric.kind === "histogram") addDistribution(counts, metric.name, metric.series);
    else if (metric.kind === "counter") addCounter(counts, metric.name, metric.series);
  }
  return counts;
}

function addCounter(into: Counts, metric: string, series: readonly NumberSnapshot[]): void {
  for (const name of COUNT_NAMES) {
    const source: Source = SOURCES[name];
    if (source.metric !== metric) continue;
    for (const { labels, value } of series) {
      if (has(labels, source.labels ?? {})) into.of(labels).counts[name] += value;
    }
  }
}

function addDistribution(into: Counts, metric: string, series: readonly HistogramSnapshot[]): void {
  if (metric === DURATION) for (const one of series) into.of(one.labels).duration.addSnapshot(one);
  if (FIRST_CHUNK.includes(metric)) for (const one of series) addSeconds(into.of(one.labels).firstChunk, one);
}

// From seconds to milliseconds a value moves by 318.9 buckets: whole ones make it 0.2 % too large.
const MS_PER_SECOND_BINS = Math.round(Math.log2(1000) * 32);

function addSeconds(into: Distribution, one: HistogramSnapshot): void {
  const { exponential } = one;
  const offset = exponential.offset + MS_PER_SECOND_BINS;
  into.addSnapshot({ ...one, sum: one.sum * 1000, exponential: { ...exponential, offset } });
}

function has(labels: Labels, filter: LabelFilter): boolean {
  return Object.entries(filter).every(([key, wanted]) => {
    const value = labels[key];
    return value !== undefined && (typeof wanted === "string" ? wanted === value : wanted.includes(value));
  });
}
