/** Bins per octave are 2 to the power of this. */
export const SCALE = 5;
const BINS_PER_OCTAVE = 2 ** SCALE;
// 2^-20 (about 1 µs in seconds) to 2^40: what lies outside is counted in the outermost bin, its exact value in min and max.
const LOWEST = -20 * BINS_PER_OCTAVE;
const HIGHEST = 40 * BINS_PER_OCTAVE - 1;
const NO_BINS = new Uint32Array(0);

/** Counts the bytes that several histograms hold together. */
export interface ByteMeter {
  bytes: number;
}

/**
 * Counts of values in base-2 exponential buckets of scale 5: bin `i` holds values in (2^(i/32), 2^((i+1)/32)],
 * so a quantile is at most 1.09 % off. Count, sum, min and max are exact. Two of them merge without loss.
 *
 * The bins are a dense array over the octaves that occurred: a histogram of similar values is small.
 * Layout: exponential histogram of the OpenTelemetry metrics data model, schema 5 of Prometheus native histograms.
 */
export class ExponentialHistogram {
  count = 0;
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  /** Values that were exactly zero: they have no logarithm. */
  zeros = 0;
  #bins: Uint32Array | Float64Array = NO_BINS;
  #first = 0;
  #wide: boolean;
  #meter: ByteMeter | undefined;

  /** `wide`: for a lifetime of counts, where 32 bits could overflow. */
  constructor(options: { wide?: boolean; meter?: ByteMeter } = {}) {
    this.#wide = options.wide ?? false;
    this.#meter = options.meter;
  }

  /** Adds one value. Refuses (`false`) what is negative, infinite or not a number. */
  record(value: number): boolean {
    if (!isRecordable(value)) return false;
    this.put(value, binOf(value));
    return true;
  }

  /** Adds one value that has been checked, in its bin: for who adds it to several histograms. */
  put(value: number, bin: number): void {
    this.count++;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    if (value === 0) this.zeros++;
    else this.#count(bin);
  }

  /** Adds every value of `other`. */
  merge(other: ExponentialHistogram): void {
    if (other.count === 0) return;
    this.count += other.count;
    this.sum += other.sum;
    this.zeros += other.zeros;
    if (other.min < this.min) this.min = other.min;
    if (other.max > this.max) this.max = other.max;
    const from = other.#bins;
    if (from.length === 0) return;
    this.#cover(other.#first, other.#first + from.length);
    const bins = this.#bins;
    const shift = other.#first - this.#first;
    for (let offset = 0; offset < from.length; offset++) {
      const count = from[offset] as number;
      // Most bins of a short time are empty.
      if (count !== 0) bins[offset + shift] = (bins[offset + shift] as number) + count;
    }
  }

  /** The value below which the share `q` (0 to 1) of all values lies, by nearest rank; `undefined` when empty. */
  quantile(q: number): number | undefined {
    if (this.count === 0) return undefined;
    const rank = Math.max(1, Math.ceil(q * this.count));
    let seen = this.zeros;
    if (rank <= seen) return 0;
    for (let offset = 0; offset < this.#bins.length; offset++) {
      seen += this.#bins[offset] as number;
      if (seen >= rank) return Math.min(this.max, Math.max(this.min, middleOf(this.#first + offset)));
    }
    return this.max;
  }

  get mean(): number | undefined {
    return this.count === 0 ? undefined : this.sum / this.count;
  }

  /** Bins that are not empty, from low to high: index and count. */
  *bins(): Generator<readonly [index: number, count: number]> {
    for (let offset = 0; offset < this.#bins.length; offset++) {
      const count = this.#bins[offset] as number;
      if (count > 0) yield [this.#first + offset, count];
    }
  }

  /** The bins from the first to the last that is not empty. */
  dense(): { readonly offset: number; readonly counts: readonly number[] } {
    // Loops, since an exporter asks every series for this: the methods of typed arrays take twenty times as long.
    const bins = this.#bins;
    let from = 0;
    let to = bins.length;
    while (from < to && bins[from] === 0) from++;
    while (to > from && bins[to - 1] === 0) to--;
    const counts = new Array<number>(to - from);
    for (let index = from; index < to; index++) counts[index - from] = bins[index] as number;
    return { offset: counts.length === 0 ? 0 : this.#first + from, counts };
  }

  get bytes(): number {
    return this.#bins.byteLength;
  }

  #count(bin: number): void {
    let offset = bin - this.#first;
    if (offset < 0 || offset >= this.#bins.length) {
      // By whole octaves, so that a run of rising values does not copy the array each time.
      const octave = Math.floor(bin / BINS_PER_OCTAVE) * BINS_PER_OCTAVE;
      this.#cover(octave, octave + BINS_PER_OCTAVE);
      offset = bin - this.#first;
    }
    this.#bins[offset] = (this.#bins[offset] as number) + 1;
  }

  /** Makes room for the bins from `start` to before `end`. */
  #cover(start: number, end: number): void {
    const empty = this.#bins.length === 0;
    const first = empty ? start : Math.min(this.#first, start);
    const last = empty ? end : Math.max(this.#first + this.#bins.length, end);
    if (last - first === this.#bins.length) return;
    const bins = this.#wide ? new Float64Array(last - first) : new Uint32Array(last - first);
    bins.set(this.#bins, empty ? 0 : this.#first - first);
    if (this.#meter !== undefined) this.#meter.bytes += bins.byteLength - this.#bins.byteLength;
    this.#bins = bins;
    this.#first = first;
  }
}

export function isRecordable(value: number): boolean {
  // Without types a text may come here, and a sum would become one.
  return typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY;
}

/** The bin of a value; of zero, which has none, the lowest. */
export function binOf(value: number): number {
  const bin = Math.ceil(Math.log2(value) * BINS_PER_OCTAVE) - 1;
  return bin < LOWEST ? LOWEST : bin > HIGHEST ? HIGHEST : bin;
}

// The harmonic middle is equally far, relatively, from both ends of the bin.
function middleOf(bin: number): number {
  const low = 2 ** (bin / BINS_PER_OCTAVE);
  const high = 2 ** ((bin + 1) / BINS_PER_OCTAVE);
  return (2 * low * high) / (low + high);
}
