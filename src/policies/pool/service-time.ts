const SAMPLES_MIN = 20;
const WEIGHT = 0.05;

/** How long a slot is held, as a moving average of what lately ended; unknown before 20 samples. */
export class ServiceTime {
  #mean = 0;
  #count = 0;

  add(ms: number): void {
    this.#count++;
    // A plain mean first, so that the first sample does not weigh more than the others.
    this.#mean += (ms - this.#mean) * Math.max(WEIGHT, 1 / this.#count);
  }

  get meanMs(): number | undefined {
    return this.#count < SAMPLES_MIN ? undefined : this.#mean;
  }
}
