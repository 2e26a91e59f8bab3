// Rounding of a computed delay must not make a waiter wait a second time for a billionth of a millisecond.
const NEGLIGIBLE_MS = 1e-6;

/**
 * This process's part of a limit while the shared one cannot be asked: so much per millisecond, with a burst.
 * Algorithm: GCRA, ITU-T I.371 (1996), as a leaky bucket.
 */
export class InsuranceBucket {
  #level = 0;
  #levelAt = 0;

  delay(amount: number, perMs: number, burst: number, now: number): number {
    const ms = (this.#levelOf(perMs, now) + Math.min(amount, burst) - burst) / perMs;
    return ms > NEGLIGIBLE_MS ? ms : 0;
  }

  /** `most` bounds the level that this leads to. */
  take(amount: number, perMs: number, now: number, most = Number.POSITIVE_INFINITY): void {
    const level = this.#levelOf(perMs, now);
    this.#level = Math.max(level, Math.min(level + amount, most));
    this.#levelAt = now;
  }

  #levelOf(perMs: number, now: number): number {
    return Math.max(0, this.#level - (now - this.#levelAt) * perMs);
  }
}
