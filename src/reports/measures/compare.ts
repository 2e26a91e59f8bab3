import { KindCounts } from "./counts.ts";

/** What is looked at to tell whether things got better or worse. */
export type Measure = "answered" | "p95" | "firstChunkP95" | "throttled" | "costPerAnswer";

interface MeasureRule {
  readonly better: "higher" | "lower";
  /** What is measured; `undefined` where there is nothing to measure. */
  readonly value: (kind: KindCounts) => number | undefined;
  /** How many values it is made of. */
  readonly count: (kind: KindCounts) => number;
  /** A difference that is smaller is none, however sure it is: absolute, or a share of the earlier value. */
  readonly margin: { readonly absolute: number } | { readonly relative: number };
  /** A share of `count`, whose least possible variance is known. */
  readonly isShare: boolean;
}

const QUANTILE_COUNT_MIN = 20;

const MEASURES: Readonly<Record<Measure, MeasureRule>> = {
  answered: {
    better: "higher",
    value: ({ counts: { answered, unanswered } }) => share(answered, answered + unanswered),
    count: ({ counts: { answered, unanswered } }) => answered + unanswered,
    margin: { absolute: 0.005 },
    isShare: true,
  },
  p95: {
    better: "lower",
    value: ({ duration }) => (duration.count < QUANTILE_COUNT_MIN ? undefined : duration.quantile(0.95)),
    count: ({ duration }) => duration.count,
    margin: { relative: 0.1 },
    isShare: false,
  },
  firstChunkP95: {
    better: "lower",
    value: ({ firstChunk }) => (firstChunk.count < QUANTILE_COUNT_MIN ? undefined : firstChunk.quantile(0.95)),
    count: ({ firstChunk }) => firstChunk.count,
    margin: { relative: 0.1 },
    isShare: false,
  },
  throttled: {
    better: "lower",
    value: ({ counts: { throttled, attempts } }) => share(throttled, attempts),
    count: ({ counts: { attempts } }) => attempts,
    margin: { absolute: 0.005 },
    isShare: true,
  },
  costPerAnswer: {
    better: "lower",
    value: ({ counts: { cost, answered } }) => (cost === 0 ? undefined : share(cost, answered)),
    count: ({ counts: { answered } }) => answered,
    margin: { relative: 0.1 },
    isShare: false,
  },
};

export type Verdict = "better" | "worse" | "same" | "too_few";

/** One measure, before and after. */
export interface Comparison {
  readonly measure: Measure;
  readonly before: number | undefined;
  readonly after: number | undefined;
  /** How many values each is made of. */
  readonly n: { readonly before: number; readonly after: number };
  /** `same`: no difference that matters or that is sure; `too_few`: nothing can be told. */
  readonly verdict: Verdict;
}

/** Two stretches of time, each cut into slices. */
export interface Compared {
  readonly before: readonly KindCounts[];
  readonly after: readonly KindCounts[];
}

const SLICES_MIN = 4;
/** In normal deviations: a difference of pure chance passes for sure once in 740 comparisons. */
const SURE = 3;
const COMPARISONS_PER_ERROR = 740;

/**
 * Compares measures before and after by the method of batch means: slices of time stand for single values, since calls
 * that are near in time are alike. Their means differ if Welch's t is beyond what Student's distribution allows for. Law,
 * Simulation Modeling and Analysis, 5th ed., sections 9.5 and 10.2.
 */
export function compared(measures: readonly Measure[], { before, after }: Compared, minCount: number): Comparison[] {
  const [whole, later] = [merged(before), merged(after)];
  return measures.map((measure) => {
    const rule = MEASURES[measure];
    const from = rule.value(whole);
    const to = rule.value(later);
    const n = { before: rule.count(whole), after: rule.count(later) };
    const said = { measure, before: from, after: to, n };
    const a = valuesOf(rule, before);
    const b = valuesOf(rule, after);
    const enough = Math.min(n.before, n.after) >= minCount && Math.min(a.length, b.length) >= SLICES_MIN;
    if (from === undefined || to === undefined || !enough) return { ...said, verdict: "too_few" };
    const difference = to - from;
    if (Math.abs(difference) < marginOf(rule, from) || !isSure(a, b, leastVariances(rule, from, to, n))) {
      return { ...said, verdict: "same" };
    }
    return { ...said, verdict: difference > 0 === (rule.better === "higher") ? "better" : "worse" };
  });
}

/** Several as one. */
export function merged(slices: readonly KindCounts[]): KindCounts {
  const all = new KindCounts(slices[0]?.labels ?? {});
  for (const slice of slices) all.merge(slice);
  return all;
}

function marginOf({ margin }: MeasureRule, from: number): number {
  return "absolute" in margin ? margin.absolute : margin.relative * from;
}

function share(part: number, whole: number): number | undefined {
  return whole === 0 ? undefined : part / whole;
}

// Times and costs by their logarithm: what grows from slice to slice would hide in its own spread.
function valuesOf({ value, isShare }: MeasureRule, slices: readonly KindCounts[]): number[] {
  const values = slices.map(value).filter((one) => one !== undefined);
  return isShare ? values : values.map((one) => Math.log(Math.max(one, Number.EPSILON)));
}

// Slices in which nothing happened vary less than chance does.
function leastVariances({ isShare }: MeasureRule, from: number, to: number, n: Comparison["n"]): [number, number] {
  if (!isShare) return [0, 0];
  const pooled = (from * n.before + to * n.after) / (n.before + n.after);
  const variance = pooled * (1 - pooled);
  return [variance / n.before, variance / n.after];
}

function isSure(a: readonly number[], b: readonly number[], least: readonly [number, number]): boolean {
  const [meanA, varianceA] = momentsOf(a);
  const [meanB, varianceB] = momentsOf(b);
  const [partA, partB] = [Math.max(varianceA / a.length, least[0]), Math.max(varianceB / b.length, least[1])];
  const error = partA + partB;
  if (error === 0) return meanA !== meanB;
  if (isApart(a, b)) return true;
  // Welch (1947) and Satterthwaite (1946).
  const freedom = error ** 2 / (partA ** 2 / (a.length - 1) + partB ** 2 / (b.length - 1));
  return Math.abs(meanB - meanA) / Math.sqrt(error) > studentQuantile(SURE, freedom);
}

/**
 * Whether all of one are above all of the other, and so many that it is as rare by chance: the extreme of the rank test of
 * Mann and Whitney (1947), which no outlier and no growth from slice to slice hides.
 */
function isApart(a: readonly number[], b: readonly number[]): boolean {
  if (Math.min(...a) <= Math.max(...b) && Math.min(...b) <= Math.max(...a)) return false;
  let orders = 1;
  for (let n = 1; n <= b.length; n++) orders = (orders * (a.length + n)) / n;
  return orders >= COMPARISONS_PER_ERROR;
}

function momentsOf(values: readonly number[]): [mean: number, variance: number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)];
}

/**
 * The value of Student's t that is as rare as the normal deviation `z`; Abramowitz and Stegun 26.7.5, which is too low
 * below 3 degrees of freedom: then it is as for 3.
 */
function studentQuantile(z: number, freedom: number): number {
  const v = Math.max(3, freedom);
  const first = (z ** 3 + z) / 4;
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96;
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384;
  return z + first / v + second / v ** 2 + third / v ** 3;
}
