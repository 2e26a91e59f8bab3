/** How many processes live, as the server tells. `at` is the server's time, `now` the clock's. */
export class HeadCount {
  readonly #keptMs: number;
  #count: number;
  #countedAt = 0;
  #most: number;
  #mostUntil = Number.NEGATIVE_INFINITY;

  /** `keptMs`: for how long a larger number counts yet in `most`. */
  constructor(expected: number, keptMs: number) {
    this.#count = expected;
    this.#most = expected;
    this.#keptMs = keptMs;
  }

  get count(): number {
    return this.#count;
  }

  /** As of when that is so. */
  get countedAt(): number {
    return this.#countedAt;
  }

  /** The most of late: of those whom the server has forgotten, nobody knows whether they live. */
  most(now: number): number {
    return now < this.#mostUntil ? this.#most : this.#count;
  }

  /** A message; it may have been overtaken by an answer. */
  heard(count: number, at: number, now: number): void {
    if (at >= this.#countedAt) this.#set(count, at, now);
  }

  /**
   * An answer to what was asked when `countedAt` was `askedAt`. If nothing was heard meanwhile it counts even if it
   * seems to be older: another server has taken over then, and its clock is behind.
   */
  answered(count: number, at: number, askedAt: number, now: number): void {
    if (at >= this.#countedAt || this.#countedAt === askedAt) this.#set(count, at, now);
  }

  #set(count: number, at: number, now: number): void {
    if (!(count >= 1)) return;
    const most = this.most(now);
    if (count >= most) {
      this.#mostUntil = Number.NEGATIVE_INFINITY;
    } else if (count < this.#count) {
      this.#most = most;
      this.#mostUntil = now + this.#keptMs;
    }
    this.#count = count;
    this.#countedAt = at;
  }
}
