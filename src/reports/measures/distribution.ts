import type { ExponentialSnapshot, HistogramSnapshot } from "../../monitor/index.ts";

const SCALE = 5;
const BINS_PER_OCTAVE = 2 ** SCALE;

/**
 * Counts of values in the buckets of the monitor's exponential histograms, as plain arrays: two states of a histogram
 * that only grows can be subtracted, and what is left is the distribution in between. Quantiles are at most 1.1 % off,
 * and so are `min` and `max`.
 */
export class Distribution {
  count = 0;
  sum = 0;
  #zeros = 0;
  #offset = 0;
  #counts: number[] = [];

  /** Adds every value of a histogram. */
  addSnapshot({ count, sum, exponential }: HistogramSnapshot): void {
    this.#combine({ count, sum, ...exponential }, 1);
  }

  /** Adds every value of `other`. */
  merge(other: Distribution): void {
    this.#combine(other.#plain(), 1);
  }

  /** What came after `earlier`, which was a state of this one. */
  since(earlier: Distribution): Distribution {
    const rest = new Distribution();
    rest.merge(this);
    rest.#combine(earlier.#plain(), -1);
    return rest;
  }

  /** Adds one value, which must be a number from 0 on. */
  record(value: number): void {
    const bin = value === 0 ? 0 : Math.ceil(Math.log2(value) * BINS_PER_OCTAVE) - 1;
    const one = value === 0 ? { zeroCount: 1, offset: 0, counts: [] } : { zeroCount: 0, offset: bin, counts: [1] };
    this.#combine({ count: 1, sum: value, ...one }, 1);
  }

  get mean(): number | undefined {
    return this.count === 0 ? undefined : this.sum / this.count;
  }

  get min(): number | undefined {
    if (this.count === 0) return undefined;
    const first = this.#counts.findIndex((count) => count > 0);
    return this.#zeros > 0 || first < 0 ? 0 : edgeOf(this.#offset + first);
  }

  get max(): number | undefined {
    if (this.count === 0) return undefined;
    const last = this.#counts.findLastIndex((count) => count > 0);
    return last < 0 ? 0 : edgeOf(this.#offset + last + 1);
  }

  /** The value below which the share `q` (0 to 1) of all values lies, by nearest rank; `undefined` when empty. */
  quantile(q: number): number | undefined {
    if (this.count === 0) return undefined;
    const rank = Math.max(1, Math.ceil(q * this.count));
    let seen = this.#zeros;
    if (rank <= seen) return 0;
    for (let index = 0; index < this.#counts.length; index++) {
      seen += this.#counts[index] as number;
      if (seen >= rank) return middleOf(this.#offset + index);
    }
    return this.max;
  }

  #plain(): ExponentialSums {
    return {
      count: this.count,
      sum: this.sum,
      zeroCount: this.#zeros,
      offset: this.#offset,
      counts: this.#counts,
    };
  }

  #combine({ count, sum, zeroCount, offset, counts }: ExponentialSums, sign: 1 | -1): void {
    this.count += sign * count;
    this.sum = Math.max(0, this.sum + sign * sum);
    this.#zeros += sign * zeroCount;
    if (counts.length === 0) return;
    this.#cover(offset, offset + counts.length);
    const shift = offset - this.#offset;
    // Loops over indices here and below: a day's summary goes through millions of them.
    const into = this.#counts;
    for (let index = 0; index < counts.length; index++) {
      into[index + shift] = (into[index + shift] as number) + sign * (counts[index] as number);
    }
  }

  /** Makes room for the bins from `start` to before `end`. */
  #cover(start: number, end: number): void {
    const held = this.#counts;
    if (held.length === 0) {
      this.#offset = start;
      this.#counts = new Array<number>(end - start).fill(0);
      return;
    }
    const first = Math.min(this.#offset, start);
    const last = Math.max(this.#offset + held.length, end);
    if (last - first === held.length) return;
    const counts = new Array<number>(last - first).fill(0);
    for (let index = 0; index < held.length; index++) counts[index + this.#offset - first] = held[index] as number;
    this.#offset = first;
    this.#counts = counts;
  }
}

interface ExponentialSums extends Omit<ExponentialSnapshot, "scale"> {
  readonly count: number;
  readonly sum: number;
}

function edgeOf(bin: number): number {
  return 2 ** (bin / BINS_PER_OCTAVE);
}

// The harmonic middle is equally far, relatively, from both ends of the bin.
function middleOf(bin: number): number {
  const [low, high] = [edgeOf(bin), edgeOf(bin + 1)];
  return (2 * low * high) / (low + high);
}
