import { AMPLIFICATION } from "./definitions.ts";
import { ExponentialHistogram } from "./exponential-histogram.ts";
import { courseValue, type Query as FullQuery, has, joinGauges, type LabelFilter, ofHistogram } from "./reading.ts";
import type { Registry } from "./registry.ts";
import { CounterSeries, GaugeSeries, HistogramSeries, type Labels, type Series } from "./series.ts";
import { FINE_WINDOW_MS } from "./slot-ring.ts";

/** What a metric was, step by step. */
export interface Timeline {
  readonly labels: Labels;
  /** Start of the step in milliseconds since the Unix epoch, and its value; `null` where there was no data. */
  readonly points: readonly (readonly [unixMs: number, value: number | null])[];
}

export interface TimelineQuery extends Omit<FullQuery, "groupBy"> {
  readonly stepMs: number;
  /** One timeline for each value of this label; series without it are left out. */
  readonly by: string | undefined;
}

interface Steps {
  /** Start of the first, in the clock's time. */
  readonly first: number;
  readonly count: number;
  readonly stepMs: number;
  readonly now: number;
}

/** A metric's course over the window; the last step is still running. Without `by` there is exactly one. */
export function timelineOf(
  registry: Registry,
  query: TimelineQuery,
  { now, wallOffset }: { readonly now: number; readonly wallOffset: number },
): Timeline[] {
  registry.refresh(now, query.metric);
  const { stepMs, by, labels: filter = {} } = query;
  const count = Math.round(query.windowMs / stepMs);
  const first = (Math.floor(now / stepMs) - count + 1) * stepMs;
  const steps = { first, count, stepMs, now };
  const derived = query.metric === AMPLIFICATION.name;
  const metric = registry.get(derived ? AMPLIFICATION.of : query.metric);
  const groups = new Map<string, Series[]>();
  if (by === undefined) groups.set("", []);
  for (const series of metric ?? []) {
    const value = by === undefined ? "" : series.labels[by];
    if (value === undefined || !has(series.labels, filter)) continue;
    const group = groups.get(value);
    if (group === undefined) groups.set(value, [series]);
    else group.push(series);
  }
  return [...groups].map(([value, series]) => ({
    labels: by === undefined ? {} : { [by]: value },
    points: valuesOf(series, query, steps).map(
      (one, index) => [Math.round(first + index * stepMs + wallOffset), one ?? null] as const,
    ),
  }));
}

function valuesOf(series: readonly Series[], query: TimelineQuery, steps: Steps): (number | undefined)[] {
  const [one] = series;
  if (one instanceof HistogramSeries) return ofHistograms(series, query, steps);
  if (one instanceof GaugeSeries) return ofGauges(series, query, steps);
  if (query.metric === AMPLIFICATION.name) {
    const whole = sumsOf(series, steps);
    const part = sumsOf(withLabels(series, AMPLIFICATION.per), steps);
    return whole.map((sum, index) => quotient(sum, part[index]));
  }
  const sums = sumsOf(series, steps);
  if (query.aggregate === "rate") return sums.map((sum, index) => sum && sum / elapsedSeconds(index, steps));
  if (query.aggregate !== "ratio") return sums;
  const part = sumsOf(withLabels(series, query.share ?? {}), steps);
  return sums.map((whole, index) => quotient(part[index] ?? 0, whole));
}

function withLabels(series: readonly Series[], labels: LabelFilter): Series[] {
  return series.filter((one) => has(one.labels, labels));
}

function quotient(part: number | undefined, whole: number | undefined): number | undefined {
  return part === undefined || whole === undefined || whole === 0 ? undefined : part / whole;
}

/** What was added in each step; `undefined` before the first of the series was there. */
function sumsOf(series: readonly Series[], { first, count, stepMs }: Steps): (number | undefined)[] {
  const sums = new Array<number>(count).fill(0);
  let bornAt = Number.POSITIVE_INFINITY;
  for (const one of series) {
    if (!(one instanceof CounterSeries)) continue;
    bornAt = Math.min(bornAt, one.bornAt);
    one.visitFrom(first, isFine(stepMs, count), (value, start) => {
      const index = Math.floor((start - first) / stepMs);
      if (index >= 0 && index < count) sums[index] = (sums[index] as number) + value;
    });
  }
  return sums.map((sum, index) => (first + (index + 1) * stepMs <= bornAt ? undefined : sum));
}

function ofHistograms(series: readonly Series[], { aggregate }: TimelineQuery, steps: Steps): (number | undefined)[] {
  const { first, count, stepMs } = steps;
  const merged = new Array<ExponentialHistogram | undefined>(count).fill(undefined);
  for (const one of series) {
    if (!(one instanceof HistogramSeries)) continue;
    one.visitFrom(first, isFine(stepMs, count), (values, start) => {
      const index = Math.floor((start - first) / stepMs);
      if (index < 0 || index >= count) return;
      const into = merged[index] ?? new ExponentialHistogram();
      merged[index] = into;
      into.merge(values);
    });
  }
  return merged.map((values, index) =>
    values === undefined
      ? undefined
      : ofHistogram(values, { aggregate, windowMs: elapsedSeconds(index, steps) * 1000 }).value,
  );
}

function ofGauges(series: readonly Series[], { aggregate }: TimelineQuery, steps: Steps): (number | undefined)[] {
  const { first, count, stepMs, now } = steps;
  return Array.from({ length: count }, (_, index) => {
    const from = first + index * stepMs;
    const values: number[] = [];
    for (const one of series) {
      const value =
        one instanceof GaugeSeries ? courseValue(one.between(from, from + stepMs, now), aggregate) : undefined;
      if (value !== undefined) values.push(value);
    }
    return joinGauges(values, aggregate);
  });
}

function isFine(stepMs: number, count: number): boolean {
  return stepMs * count <= FINE_WINDOW_MS;
}

/** Of the running step, what has passed of it: at least a second, so that its first moments do not look like a peak. */
function elapsedSeconds(index: number, { first, count, stepMs, now }: Steps): number {
  if (index < count - 1) return stepMs / 1000;
  return Math.max(1, (now - first - index * stepMs) / 1000);
}
