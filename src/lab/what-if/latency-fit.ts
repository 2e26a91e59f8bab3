/** One answer whose time is known. */
export interface TimedAnswer {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly ms: number;
}

/** How long answers take: a time until the first token, one for each output token, and a factor by chance. */
export interface LatencyFit {
  readonly firstMs: number;
  readonly perInputTokenMs: number;
  readonly perOutputTokenMs: number;
  /**
   * What the factor multiplies: the whole time, as where several models are mixed, or only that until the first token, as
   * where calls queue for one.
   */
  readonly varies: "whole" | "first";
  /** Real times over those of the formula, at evenly spaced quantiles from 0 to 1. */
  readonly factors: readonly number[];
}

/** How long one answer takes. */
export interface DrawnTime {
  readonly firstMs: number;
  readonly ms: number;
}

const ROUNDS = 30;
/** Residuals beyond this, as logarithms, pull no harder. */
const HUBER = 1;
const DAMPING = 1e-6;
const QUANTILES = 101;
const LEAST_MS = 1e-6;
const LEAST_FACTOR = 0.05;
/** By these a fit is compared with what it was fitted to, on at most so many answers with so many draws each. */
const COMPARED_QUANTILES = [0.5, 0.9, 0.95, 0.99];
const COMPARED_ANSWERS = 2_000;
const DRAWS = 50;

/**
 * Fits the three times to answers in the logarithm of their time, none below 0, by Gauss-Newton with Huber's weights (Huber,
 * 1964): a second too much counts for more in a short answer, and a few slow ones do not move the rest.
 */
export function fitLatency(answers: readonly TimedAnswer[]): LatencyFit {
  const rows = answers.map(({ inputTokens, outputTokens, ms }) => ({
    tokens: [1, inputTokens, outputTokens] as const,
    log: Math.log(Math.max(LEAST_MS, ms)),
  }));
  let times = firstGuess(answers);
  for (let round = 0; round < ROUNDS; round++) {
    const matrix = new Float64Array(9);
    const right = new Float64Array(3);
    for (const { tokens, log } of rows) {
      const expected = timeOf(times, tokens);
      const residual = log - Math.log(expected);
      const weight = Math.min(1, HUBER / Math.max(HUBER, Math.abs(residual)));
      // The unknowns are the logarithms of the three times, which keeps each above 0.
      const slopes = tokens.map((count, index) => (count * (times[index] as number)) / expected);
      for (let row = 0; row < 3; row++) {
        right[row] = (right[row] as number) + weight * (slopes[row] as number) * residual;
        for (let column = 0; column < 3; column++) {
          matrix[row * 3 + column] =
            (matrix[row * 3 + column] as number) + weight * (slopes[row] as number) * (slopes[column] as number);
        }
      }
    }
    for (let row = 0; row < 3; row++) matrix[row * 4] = (matrix[row * 4] as number) * 1.01 + DAMPING;
    const steps = solved(matrix, right);
    times = times.map((time, index) => time * Math.exp(Math.min(1, Math.max(-1, steps[index] as number))));
  }
  const [firstMs, perInputTokenMs, perOutputTokenMs] = times as [number, number, number];
  const fits = (["whole", "first"] as const).map((varies): LatencyFit => {
    const factors = answers.map(({ inputTokens, outputTokens, ms }) => {
      const first = Math.max(LEAST_MS, firstMs + perInputTokenMs * inputTokens);
      const rest = perOutputTokenMs * outputTokens;
      return varies === "whole" ? ms / (first + rest) : Math.max(LEAST_FACTOR, (ms - rest) / first);
    });
    const sorted = factors.toSorted((a, b) => a - b);
    return { firstMs, perInputTokenMs, perOutputTokenMs, varies, factors: quantilesOf(sorted) };
  });
  const [whole, first] = fits as [LatencyFit, LatencyFit];
  return distance(first, answers) < distance(whole, answers) ? first : whole;
}

/** How long an answer takes, by chance: `draw` from 0 to 1. */
export function drawnTime(fit: LatencyFit, inputTokens: number, outputTokens: number, draw: number): DrawnTime {
  const factor = factorAt(fit.factors, draw);
  const firstMs = (fit.firstMs + fit.perInputTokenMs * inputTokens) * factor;
  const restMs = fit.perOutputTokenMs * outputTokens * (fit.varies === "whole" ? factor : 1);
  return { firstMs, ms: firstMs + restMs };
}

/** The times that answers of these sizes take, sorted: each drawn 50 times. */
export function drawnTimes(
  answers: readonly { readonly fit: LatencyFit; readonly inputTokens: number; readonly outputTokens: number }[],
): Float64Array {
  const times = new Float64Array(answers.length * DRAWS);
  for (const [index, { fit, inputTokens, outputTokens }] of answers.entries()) {
    for (let draw = 0; draw < DRAWS; draw++) {
      times[index * DRAWS + draw] = drawnTime(fit, inputTokens, outputTokens, (draw + 0.5) / DRAWS).ms;
    }
  }
  return times.sort();
}

/** Of sorted values. */
export function quantileOf(sorted: Float64Array, share: number): number {
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
}

/** How far the quantiles of drawn times are from the real ones, as logarithms. */
function distance(fit: LatencyFit, answers: readonly TimedAnswer[]): number {
  const step = Math.max(1, Math.floor(answers.length / COMPARED_ANSWERS));
  const some = answers.filter((_, index) => index % step === 0);
  const real = Float64Array.from(some, ({ ms }) => ms).sort();
  const drawn = drawnTimes(some.map((answer) => ({ ...answer, fit })));
  const apart = (share: number): number => Math.abs(Math.log(quantileOf(drawn, share) / quantileOf(real, share)));
  return COMPARED_QUANTILES.reduce((sum, share) => sum + apart(share), 0);
}

function factorAt(factors: readonly number[], draw: number): number {
  const place = draw * (factors.length - 1);
  const below = Math.floor(place);
  const low = factors[below] ?? 1;
  const high = factors[below + 1] ?? low;
  return low + (high - low) * (place - below);
}

function timeOf(times: readonly number[], tokens: readonly number[]): number {
  return tokens.reduce((ms, count, index) => ms + count * (times[index] as number), LEAST_MS);
}

function firstGuess(answers: readonly TimedAnswer[]): number[] {
  const middle = (of: (answer: TimedAnswer) => number): number => medianOf(answers.map(of));
  const ms = Math.max(
    1,
    middle((answer) => answer.ms),
  );
  return [
    ms / 3,
    ms /
      3 /
      Math.max(
        1,
        middle(({ inputTokens }) => inputTokens),
      ) /
      10,
    ms /
      3 /
      Math.max(
        1,
        middle(({ outputTokens }) => outputTokens),
      ),
  ];
}

export function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function quantilesOf(sorted: readonly number[]): number[] {
  const count = Math.min(QUANTILES, sorted.length);
  if (count < 2) return [...sorted];
  return Array.from({ length: count }, (_, index) => {
    const place = (index / (count - 1)) * (sorted.length - 1);
    return sorted[Math.round(place)] as number;
  });
}

/** Solves a symmetric positive definite system of three by elimination. Overwrites both. */
function solved(matrix: Float64Array, right: Float64Array): Float64Array {
  const at = (row: number, column: number): number => matrix[row * 3 + column] as number;
  for (let pivot = 0; pivot < 3; pivot++) {
    for (let row = pivot + 1; row < 3; row++) {
      const factor = at(row, pivot) / at(pivot, pivot);
      for (let column = pivot; column < 3; column++)
        matrix[row * 3 + column] = at(row, column) - factor * at(pivot, column);
      right[row] = (right[row] as number) - factor * (right[pivot] as number);
    }
  }
  for (let row = 2; row >= 0; row--) {
    let value = right[row] as number;
    for (let column = row + 1; column < 3; column++) value -= at(row, column) * (right[column] as number);
    right[row] = value / at(row, row);
  }
  return right;
}
