const PERIOD_MS = 10_000;

/**
 * About how much was taken in the last 10 s: what was in this period, and of the one before it the part that the last
 * 10 s still cover.
 */
export class RecentUse {
  #periodEnd: number;
  #before = 0;
  #now = 0;

  constructor(now: number) {
    this.#periodEnd = now + PERIOD_MS;
  }

  add(amount: number, now: number): void {
    if (now >= this.#periodEnd) this.#turn(now);
    this.#now += amount;
  }

  perMs(now: number): number {
    if (now >= this.#periodEnd) this.#turn(now);
    return Math.max(0, this.#now + (this.#before * (this.#periodEnd - now)) / PERIOD_MS) / PERIOD_MS;
  }

  #turn(now: number): void {
    const follows = now < this.#periodEnd + PERIOD_MS;
    this.#before = follows ? this.#now : 0;
    this.#now = 0;
    this.#periodEnd = follows ? this.#periodEnd + PERIOD_MS : now + PERIOD_MS;
  }
}
