import { BUCKETS, type Sample } from "./signal.ts";

const KEPT_MAX = 64;
const COUNTED_MIN = 5;
// The best is a minimum of averages over so many samples: that of single windows would be a matter of luck.
const MEMORY_SAMPLES = 48;
// How many standard errors are put down to chance rather than held against the provider: a single call may take twice
// as long as the next one without any load.
const DOUBT = 1;
// Standard error of a median, in standard deviations by the root of the count.
const MEDIAN_ERROR = 1.25;

interface Bucket {
  window: number[];
  seen: number;
  average: number;
  best: number;
}

interface Reading {
  readonly bucket: Bucket;
  readonly count: number;
  readonly median: number;
  /** About one standard deviation of a single sample. */
  readonly spread: number;
}

/** How slow tokens are beside the best that was seen, each bucket compared with itself. */
export class Slowness {
  readonly #buckets: (Bucket | undefined)[] = new Array(BUCKETS);

  /** True once a best is known that was not learned only just now. */
  get isKnown(): boolean {
    return this.#buckets.some((bucket) => bucket !== undefined && bucket.seen >= MEMORY_SAMPLES);
  }

  add({ bucket, msPerToken }: Sample): void {
    this.#buckets[bucket] ??= { window: [], seen: 0, average: 0, best: Number.POSITIVE_INFINITY };
    const { window } = this.#buckets[bucket];
    if (window.length < KEPT_MAX) window.push(msPerToken);
  }

  /** 1 for as fast as ever, 2 for half as fast; begins a new window. `undefined` when no bucket has enough samples. */
  read(): number | undefined {
    const known: Reading[] = [];
    const fresh: Reading[] = [];
    for (const bucket of this.#buckets) {
      if (bucket === undefined || bucket.window.length < COUNTED_MIN) continue;
      const reading = { bucket, count: bucket.window.length, ...summaryOf(bucket.window) };
      bucket.window = [];
      if (bucket.seen < MEMORY_SAMPLES) fresh.push(reading);
      else known.push(reading);
    }
    for (const reading of known) learn(reading, reading.median);
    const slowness = slownessOf(known);
    // A kind of answer that is new while the provider is slow must not take that for its best.
    for (const reading of fresh) learn(reading, reading.median / (slowness ?? 1));
    return slowness ?? slownessOf(fresh);
  }

  /** Takes what is now for the best there is. */
  accept(slowness: number): void {
    for (const bucket of this.#buckets) {
      if (bucket === undefined) continue;
      bucket.best *= slowness;
      bucket.average = bucket.best;
    }
  }
}

function learn({ bucket, count }: Reading, msPerToken: number): void {
  const learning = bucket.seen < MEMORY_SAMPLES;
  bucket.seen = Math.min(MEMORY_SAMPLES, bucket.seen + count);
  bucket.average += (msPerToken - bucket.average) * (count / bucket.seen);
  bucket.best = learning ? bucket.average : Math.min(bucket.best, bucket.average);
}

function slownessOf(readings: readonly Reading[]): number | undefined {
  if (readings.length === 0) return undefined;
  let weight = 0;
  let sum = 0;
  let variance = 0;
  for (const { bucket, count, median, spread } of readings) {
    weight += count;
    sum += (count * median) / bucket.best;
    // The median is of few samples, and the best it is compared with was of few as well.
    const error = MEDIAN_ERROR * spread * Math.sqrt(1 / count + 1 / MEMORY_SAMPLES);
    variance += ((count * error) / bucket.best) ** 2;
  }
  return Math.max(1, (sum - DOUBT * Math.sqrt(variance)) / weight);
}

// A standard deviation is about the distance between the quartiles by 1.35: for a normal distribution, which is near
// enough here.
function summaryOf(values: number[]): { readonly median: number; readonly spread: number } {
  const sorted = values.sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] as number;
  return { median: at(0.5), spread: (at(0.75) - at(0.25)) / 1.35 };
}
