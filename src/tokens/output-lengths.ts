const KEPT = 128;
const QUANTILE = 0.8;
/** How many imagined answers of the length expected so far stand beside the real ones while these are few. */
const IMAGINED = 2;
/** Before so many each answer changes what is usual, later every 16th. */
const FEW = 32;
const RECOMPUTE_EVERY = 16;

/**
 * The lengths of the last 128 answers, and what four of five of them do not pass. While there are few it is held near
 * what was expected before the first: two answers of that length are counted among them.
 */
export class OutputLengths {
  readonly #lengths = new Float64Array(KEPT);
  #count = 0;
  #usual: number | undefined;
  #expected: number | undefined;

  /** The usual length; `expected`: what it is taken for without any answer. */
  usual(expected: number): number {
    if (this.#count === 0) return expected;
    if (this.#usual === undefined || (this.#count < FEW && this.#expected !== expected)) {
      this.#usual = this.#compute(expected);
      this.#expected = expected;
    }
    return this.#usual;
  }

  add(length: number): void {
    this.#lengths[this.#count % KEPT] = length;
    this.#count++;
    if (this.#count <= FEW || this.#count % RECOMPUTE_EVERY === 0) this.#usual = undefined;
  }

  #compute(expected: number): number {
    const kept = Math.min(this.#count, KEPT);
    const sorted = new Float64Array(kept + (this.#count < FEW ? IMAGINED : 0)).fill(expected);
    sorted.set(this.#lengths.subarray(0, kept));
    sorted.sort();
    return sorted[Math.floor(QUANTILE * (sorted.length - 1))] as number;
  }
}
