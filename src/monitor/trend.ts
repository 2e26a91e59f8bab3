import { binOf, ExponentialHistogram } from "./exponential-histogram.ts";
import { CounterSeries, type GaugeSeries, HistogramSeries, type Series } from "./series.ts";
import { FINE_MS, FINE_WINDOW_MS, WINDOW_MAX_MS, windowStart } from "./slot-ring.ts";

/** How a series went in the later stretch of time, against one of the same length before. */
export interface Trend {
  /** What is compared: a counter's total, a histogram's p95 (with 100 values or more in both, else its p50), a gauge's mean. */
  readonly of: "total" | "p95" | "p50" | "mean";
  readonly before: number;
  readonly now: number;
  /** `steady`: no difference that is beyond chance and more than a tenth; `too_few`: too few values to tell. */
  readonly direction: "up" | "down" | "steady" | "too_few";
}

const LENGTH_MAX_MS = WINDOW_MAX_MS / 2;
const COUNT_MIN = 20;
const SLOTS_MIN = 5;
const P95_COUNT_MIN = 100;
const RATIO_MIN = 1.1;
/** In normal deviations. */
const SURE = 3;

/** How long the stretches are that a report of `windowMs` compares: its own window, or halves of the hour that is kept. */
export function trendMs(windowMs: number): number {
  return Math.min(windowMs, LENGTH_MAX_MS);
}

/** `undefined` when nothing is known of the time before, such as of a metric that was not there yet. */
export function trendOf(series: Series, now: number, lengthMs: number): Trend | undefined {
  const fine = 2 * lengthMs <= FINE_WINDOW_MS;
  // Slots of a minute begin at whole minutes: then so do the stretches.
  const rounding = fine ? lengthMs : Math.max(lengthMs, FINE_WINDOW_MS + 1);
  const until = windowStart(now - (lengthMs - rounding), rounding);
  const from = until - lengthMs;
  if (series instanceof CounterSeries) return ofCounts(series, from, until, fine);
  if (series instanceof HistogramSeries) return ofValues(series, from, until, fine);
  return ofGauge(series, from, until, now);
}

function ofCounts(series: CounterSeries, from: number, until: number, fine: boolean): Trend {
  const slots = Math.max(2, Math.round((until - from) / (fine ? FINE_MS : 60_000)));
  const [earlier, later] = [new Map<number, number>(), new Map<number, number>()];
  series.visitFrom(from, fine, (value, start) => {
    const into = start < until ? earlier : later;
    const slot = fine ? start : Math.floor(start / 60_000);
    into.set(slot, (into.get(slot) ?? 0) + value);
  });
  const [before, varianceBefore] = sumOf([...earlier.values()], slots);
  const [now, variance] = sumOf([...later.values()], slots);
  // From how much slots differ among themselves: a count may come in lumps, such as tokens or money do.
  const sure = Math.abs(now - before) > SURE * Math.sqrt(varianceBefore + variance);
  const filled = Math.max(earlier.size, later.size) >= SLOTS_MIN;
  return { of: "total", before, now, direction: directionOf(before, now, filled ? COUNT_MIN : 0, sure) };
}

/** The sum of values in so many slots, those that are not given being 0, and the variance of that sum. */
function sumOf(values: readonly number[], slots: number): [sum: number, variance: number] {
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value ** 2, 0);
  return [sum, (slots * Math.max(0, squares - sum ** 2 / slots)) / (slots - 1)];
}

function ofValues(series: HistogramSeries, from: number, until: number, fine: boolean): Trend | undefined {
  const [earlier, later] = [new ExponentialHistogram(), new ExponentialHistogram()];
  series.visitFrom(from, fine, (values, start) => (start < until ? earlier : later).merge(values));
  if (earlier.count === 0 || later.count === 0) return undefined;
  const least = Math.min(earlier.count, later.count);
  const q = least >= P95_COUNT_MIN ? 0.95 : 0.5;
  const before = earlier.quantile(q) ?? 0;
  const now = later.quantile(q) ?? 0;
  return {
    of: q === 0.95 ? "p95" : "p50",
    before,
    now,
    direction: directionOf(before, now, least, differs(earlier, later, before)),
  };
}

/** Whether the shares of values above `bound` differ: the test of two proportions. */
function differs(a: ExponentialHistogram, b: ExponentialHistogram, bound: number): boolean {
  const [above, other] = [aboveIn(a, bound), aboveIn(b, bound)];
  const pooled = (above + other) / (a.count + b.count);
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / a.count + 1 / b.count));
  return Math.abs(above / a.count - other / b.count) > SURE * error;
}

function aboveIn(values: ExponentialHistogram, bound: number): number {
  const bin = bound === 0 ? Number.NEGATIVE_INFINITY : binOf(bound);
  let above = 0;
  for (const [index, count] of values.bins()) if (index > bin) above += count;
  return above;
}

function ofGauge(series: GaugeSeries, from: number, until: number, now: number): Trend | undefined {
  const before = series.between(from, until, now)?.mean;
  const after = series.between(until, Number.POSITIVE_INFINITY, now)?.mean;
  if (before === undefined || after === undefined) return undefined;
  return { of: "mean", before, now: after, direction: directionOf(before, after, COUNT_MIN, true) };
}

function directionOf(before: number, now: number, count: number, sure: boolean): Trend["direction"] {
  if (count < COUNT_MIN) return "too_few";
  const [low, high] = [Math.min(before, now), Math.max(before, now)];
  if (!sure || high <= low * RATIO_MIN) return "steady";
  return now > before ? "up" : "down";
}
