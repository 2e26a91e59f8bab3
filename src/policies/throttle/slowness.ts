import type { Sample } from "./signal.ts";

export interface SlownessRules {
  /** How many kinds of answers are kept apart. */
  readonly buckets: number;
  /** Samples of one kind that make a reading. */
  readonly countedMin: number;
  /** No more samples than this make a measure, however widely they are spread. */
  readonly memoryMax: number;
  /**
   * How many standard errors are put down to chance rather than held against the provider: a single call may take twice
   * as long as the next one without any load.
   */
  readonly doubt: number;
}

const KEPT_MAX = 64;
const MEMORY_MIN = 48;
// Standard error of a median, in standard deviations by the root of the count.
const MEDIAN_ERROR = 1.25;
// The best is a minimum of averages over as many samples as make their error this share of it: that of single windows
// would be a matter of luck.
const BEST_ERROR = 0.025;
// By so many standard errors the least of many averages is below their mean.
const LUCK = 2;
// A window is read once its median is known this well, in shares of it; one of few calls after so many tries.
const WINDOW_ERROR = 0.04;
const TRIES_MAX = 5;
const SPREAD_WEIGHT = 0.1;

interface Bucket {
  window: number[];
  /** How often the window was found too small. */
  tries: number;
  /** Samples that `average` stands for. */
  seen: number;
  average: number;
  /** A standard deviation of single samples, as a share of their median. */
  spread: number | undefined;
  best: number;
}

interface Reading {
  readonly bucket: Bucket;
  readonly count: number;
  readonly median: number;
  /** About one standard deviation of a single sample. */
  readonly spread: number;
}

/** How slow the provider is beside the best that was seen, each kind of answer compared with itself. */
export class Slowness {
  readonly #rules: SlownessRules;
  readonly #buckets: (Bucket | undefined)[];
  /** The last reading with nothing put down to chance. */
  #undoubted = 1;

  constructor(rules: SlownessRules) {
    this.#rules = rules;
    this.#buckets = new Array(rules.buckets);
  }

  /** True once a best is known that was not learned only just now. */
  get isKnown(): boolean {
    return this.#buckets.some((bucket) => bucket !== undefined && bucket.seen >= MEMORY_MIN);
  }

  add({ bucket, ms }: Sample): void {
    this.#buckets[bucket] ??= {
      window: [],
      tries: 0,
      seen: 0,
      average: 0,
      spread: undefined,
      best: Number.POSITIVE_INFINITY,
    };
    const { window } = this.#buckets[bucket];
    if (window.length < KEPT_MAX) window.push(ms);
  }

  /** 1 for as fast as ever, 2 for half as fast; begins a new window. `undefined` when no bucket has enough samples. */
  read(): number | undefined {
    const known: Reading[] = [];
    const fresh: Reading[] = [];
    for (const bucket of this.#buckets) {
      if (bucket === undefined || bucket.window.length < this.#rules.countedMin) continue;
      const reading = { bucket, count: bucket.window.length, ...summaryOf(bucket.window) };
      const isKnown = this.#knows(bucket);
      if (isKnown && !isSure(reading) && ++bucket.tries < TRIES_MAX) continue;
      bucket.window = [];
      bucket.tries = 0;
      (isKnown ? known : fresh).push(reading);
    }
    for (const reading of known) this.#learn(reading, reading.median);
    const slowness = this.#slownessOf(known);
    // A kind of answer that is new while the provider is slow must not take that for its best.
    for (const reading of fresh) this.#learn(reading, reading.median / (slowness ?? 1));
    return slowness ?? this.#slownessOf(fresh);
  }

  /** Takes what is now for the best there is. */
  accept(): void {
    for (const bucket of this.#buckets) {
      if (bucket === undefined) continue;
      bucket.best *= this.#undoubted;
      bucket.average = bucket.best;
    }
  }

  #learn({ bucket, count, median, spread }: Reading, ms: number): void {
    const learning = !this.#knows(bucket);
    const share = spread / median;
    bucket.spread = bucket.spread === undefined ? share : bucket.spread + (share - bucket.spread) * SPREAD_WEIGHT;
    bucket.seen = Math.min(this.#memoryOf(bucket), bucket.seen + count);
    bucket.average += (ms - bucket.average) * Math.min(1, count / bucket.seen);
    bucket.best = learning ? bucket.average : Math.min(bucket.best, bucket.average);
  }

  #knows(bucket: Bucket): boolean {
    return bucket.seen > 0 && bucket.seen >= this.#memoryOf(bucket);
  }

  #memoryOf({ spread = 0 }: Bucket): number {
    const wanted = ((MEDIAN_ERROR * spread) / BEST_ERROR) ** 2;
    return Math.min(this.#rules.memoryMax, Math.max(MEMORY_MIN, Math.ceil(wanted)));
  }

  #slownessOf(readings: readonly Reading[]): number | undefined {
    if (readings.length === 0) return undefined;
    let weight = 0;
    let sum = 0;
    let variance = 0;
    for (const { bucket, count, median, spread } of readings) {
      weight += count;
      sum += (count * median) / bucket.best;
      // The median is of few samples; the best it is compared with was of few as well, and was the luckiest of many.
      const error = MEDIAN_ERROR * spread * Math.sqrt(1 / count + LUCK ** 2 / bucket.seen);
      variance += ((count * error) / bucket.best) ** 2;
    }
    this.#undoubted = Math.max(1, sum / weight);
    return Math.max(1, (sum - this.#rules.doubt * Math.sqrt(variance)) / weight);
  }
}

function isSure({ count, median, spread }: Reading): boolean {
  return count >= KEPT_MAX || MEDIAN_ERROR * spread <= WINDOW_ERROR * median * Math.sqrt(count);
}

// A standard deviation is about the distance between the quartiles by 1.35: for a normal distribution, which is near
// enough here.
function summaryOf(values: number[]): { readonly median: number; readonly spread: number } {
  const sorted = values.sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] as number;
  return { median: at(0.5), spread: (at(0.75) - at(0.25)) / 1.35 };
}
