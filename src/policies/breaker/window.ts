const BUCKETS = 10;

export interface WindowRates {
  readonly samples: number;
  /** Of the samples, 0 to 1. */
  readonly failureRate: number;
  readonly slowCallRate: number;
}

/**
 * Results of the last `windowMs`, in ten buckets. Elapsed buckets are expired before every read, so
 * what happened before an idle time does not count after it.
 */
export class OutcomeWindow {
  readonly #bucketMs: number;
  readonly #samples = new Uint32Array(BUCKETS);
  readonly #failures = new Uint32Array(BUCKETS);
  readonly #slow = new Uint32Array(BUCKETS);
  /** Number of the bucket that is written to, counted from the clock's origin. */
  #current = 0;
  #sampleCount = 0;
  #failureCount = 0;
  #slowCount = 0;

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  add(now: number, failed: boolean, slow: boolean): void {
    this.#expire(now);
    const index = this.#current % BUCKETS;
    this.#samples[index] = (this.#samples[index] ?? 0) + 1;
    this.#sampleCount++;
    if (failed) {
      this.#failures[index] = (this.#failures[index] ?? 0) + 1;
      this.#failureCount++;
    }
    if (slow) {
      this.#slow[index] = (this.#slow[index] ?? 0) + 1;
      this.#slowCount++;
    }
  }

  read(now: number): WindowRates {
    this.#expire(now);
    const samples = this.#sampleCount;
    if (samples === 0) return { samples, failureRate: 0, slowCallRate: 0 };
    return { samples, failureRate: this.#failureCount / samples, slowCallRate: this.#slowCount / samples };
  }

  clear(): void {
    this.#samples.fill(0);
    this.#failures.fill(0);
    this.#slow.fill(0);
    this.#sampleCount = 0;
    this.#failureCount = 0;
    this.#slowCount = 0;
  }

  #expire(now: number): void {
    const bucket = Math.floor(now / this.#bucketMs);
    const steps = Math.min(bucket - this.#current, BUCKETS);
    for (let step = 1; step <= steps; step++) {
      const index = (this.#current + step) % BUCKETS;
      this.#sampleCount -= this.#samples[index] ?? 0;
      this.#failureCount -= this.#failures[index] ?? 0;
      this.#slowCount -= this.#slow[index] ?? 0;
      this.#samples[index] = 0;
      this.#failures[index] = 0;
      this.#slow[index] = 0;
    }
    this.#current = Math.max(this.#current, bucket);
  }
}
