// Levels are computed in floating point; a shortage this small is none.
const TOLERANCE = 1e-9;

/**
 * A bucket that is refilled all the time: `limit` per `windowMs`, holding at most `capacity`. In any window of
 * length w it lets through at most `capacity + w * limit / windowMs`.
 */
export class TokenBucket {
  readonly limit: number;
  readonly capacity: number;
  readonly #perMs: number;
  #level: number;
  #at: number;

  /** Full at the start, unless `level` says how much it holds. */
  constructor(limit: number, windowMs: number, capacity: number, now: number, level = capacity) {
    this.limit = limit;
    this.capacity = capacity;
    this.#perMs = limit / windowMs;
    this.#level = Math.min(level, capacity);
    this.#at = now;
  }

  level(now: number): number {
    if (now > this.#at) {
      this.#level = Math.min(this.capacity, this.#level + (now - this.#at) * this.#perMs);
      this.#at = now;
    }
    return this.#level;
  }

  /** Milliseconds until `amount` is there; 0: it is; `Infinity`: it never will be. */
  waitFor(amount: number, now: number): number {
    const missing = amount - this.level(now);
    if (missing <= TOLERANCE) return 0;
    return amount > this.capacity ? Number.POSITIVE_INFINITY : missing / this.#perMs;
  }

  /** Takes `amount`, below zero too: a debt is worked off by the refill. A negative amount is given back. */
  take(amount: number, now: number): void {
    this.#level = Math.min(this.capacity, this.level(now) - amount);
  }

  /** Milliseconds until it is full. */
  fullIn(now: number): number {
    return (this.capacity - this.level(now)) / this.#perMs;
  }
}
