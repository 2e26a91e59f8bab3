const BUCKETS = 10;

/**
 * Successes and failures of the last `windowMs`, in ten buckets. Elapsed buckets are expired before every read, so
 * what happened before an idle time does not count after it.
 */
export class OutcomeWindow {
  readonly #bucketMs: number;
  readonly #successes = new Uint32Array(BUCKETS);
  readonly #failures = new Uint32Array(BUCKETS);
  /** Number of the bucket that is written to, counted from the clock's origin. */
  #current = 0;
  #successCount = 0;
  #failureCount = 0;

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  add(now: number, failed: boolean): void {
    this.#expire(now);
    const index = this.#current % BUCKETS;
    const counts = failed ? this.#failures : this.#successes;
    counts[index] = (counts[index] ?? 0) + 1;
    if (failed) this.#failureCount++;
    else this.#successCount++;
  }

  read(now: number): { readonly samples: number; readonly failureRate: number } {
    this.#expire(now);
    const samples = this.#successCount + this.#failureCount;
    return { samples, failureRate: samples === 0 ? 0 : this.#failureCount / samples };
  }

  clear(): void {
    this.#successes.fill(0);
    this.#failures.fill(0);
    this.#successCount = 0;
    this.#failureCount = 0;
  }

  #expire(now: number): void {
    const bucket = Math.floor(now / this.#bucketMs);
    const steps = Math.min(bucket - this.#current, BUCKETS);
    for (let step = 1; step <= steps; step++) {
      const index = (this.#current + step) % BUCKETS;
      this.#successCount -= this.#successes[index] ?? 0;
      this.#failureCount -= this.#failures[index] ?? 0;
      this.#successes[index] = 0;
      this.#failures[index] = 0;
    }
    this.#current = Math.max(this.#current, bucket);
  }
}
