const ROWS = 4;
const FIRST_WIDTH = 64;
const COUNT_MAX = 15;
const SAMPLE_FACTOR = 10;

// Odd multipliers, one a row: independent enough, for one 32-bit hash has been mixed already.
const MULTIPLIERS = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f] as const;

/**
 * How often keys were asked for of late, roughly and never too low: a count-min sketch (Cormode, Muthukrishnan 2005)
 * whose counts are halved after every ten additions a key held (TinyLFU: Einziger, Friedman, Manes 2017).
 */
export class FrequencySketch {
  #width = FIRST_WIDTH;
  #counts = new Uint8Array(ROWS * FIRST_WIDTH);
  #additions = 0;

  /** Counts one use of a key; `held` is how many keys are to be told apart. */
  add(hash: number, held: number): void {
    if (held > this.#width) this.#grow();
    for (let row = 0; row < ROWS; row++) {
      const at = this.#at(hash, row);
      const count = this.#counts[at] as number;
      if (count < COUNT_MAX) this.#counts[at] = count + 1;
    }
    if (++this.#additions >= this.#width * SAMPLE_FACTOR) this.#halve();
  }

  /** 0 to 15. */
  usesOf(hash: number): number {
    let least = COUNT_MAX;
    for (let row = 0; row < ROWS; row++) least = Math.min(least, this.#counts[this.#at(hash, row)] as number);
    return least;
  }

  #at(hash: number, row: number): number {
    const mixed = Math.imul(hash, MULTIPLIERS[row] as number);
    return row * this.#width + ((mixed ^ (mixed >>> 15)) & (this.#width - 1));
  }

  #halve(): void {
    for (let at = 0; at < this.#counts.length; at++) this.#counts[at] = (this.#counts[at] as number) >> 1;
    this.#additions >>= 1;
  }

  /** Twice as wide: a key's count is found in both halves, so none is lost. */
  #grow(): void {
    const narrow = this.#counts;
    const counts = new Uint8Array(narrow.length * 2);
    for (let row = 0; row < ROWS; row++) {
      const old = narrow.subarray(row * this.#width, (row + 1) * this.#width);
      counts.set(old, row * this.#width * 2);
      counts.set(old, row * this.#width * 2 + this.#width);
    }
    this.#counts = counts;
    this.#width *= 2;
  }
}
