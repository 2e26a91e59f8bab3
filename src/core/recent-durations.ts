import type { Call } from "./call.ts";

const BUCKETS_PER_DOUBLING = 8;
// From 1 ms to 70 minutes; what is outside counts as the nearest.
const BUCKETS = 22 * BUCKETS_PER_DOUBLING;
const SAMPLES_MAX = 2_000;

/**
 * Quantiles of lately measured durations, at most 5 % off, in a histogram of fixed size. Whenever it holds 2,000 samples all
 * counts are halved, so that what is older counts less.
 */
export class RecentDurations {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;

  /** How many samples count, the halved ones by what is left of them. */
  get samples(): number {
    return this.#total;
  }

  add(ms: number): void {
    if (this.#total >= SAMPLES_MAX) this.#halve();
    const bucket = Math.min(BUCKETS - 1, Math.floor(Math.log2(Math.max(1, ms)) * BUCKETS_PER_DOUBLING));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total++;
  }

  /** The duration that the share `q` of the samples does not exceed; 0 without samples. */
  quantile(q: number): number {
    let left = q * this.#total;
    if (left <= 0) return 0;
    let bucket = 0;
    for (; bucket < BUCKETS - 1; bucket++) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) break;
    }
    return 2 ** ((bucket + 0.5) / BUCKETS_PER_DOUBLING);
  }

  #halve(): void {
    this.#total = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const half = (this.#counts[bucket] ?? 0) / 2;
      this.#counts[bucket] = half;
      this.#total += half;
    }
  }
}

/**
 * The target of a call and the size of its input: calls of one such class can be expected to give their first token after
 * about the same time. Sizes of one class differ by a factor of four at most.
 */
export function latencyClass(call: Call): string {
  return `${call.target}#${Math.floor(Math.log2(call.inputChars + 1) / 2)}`;
}
