const LEVELS = 10;
const SAMPLES_MAX = 400;

/** Which priorities lately came, so that a share of the calls can be refused from the least urgent up. */
export class PriorityShares {
  readonly #counts = new Float64Array(LEVELS);
  #total = 0;

  came(level: number): void {
    if (this.#total >= SAMPLES_MAX) this.#halve();
    this.#counts[level] = (this.#counts[level] ?? 0) + 1;
    this.#total++;
  }

  /** With which chance a call of `level` is among the `share` of all calls that are least urgent. */
  chanceOf(level: number, share: number): number {
    if (share <= 0) return 0;
    const own = this.#counts[level] ?? 0;
    let lessUrgent = 0;
    for (let other = level + 1; other < LEVELS; other++) lessUrgent += this.#counts[other] ?? 0;
    if (own === 0) return lessUrgent >= share * this.#total ? 0 : share;
    return Math.min(1, Math.max(0, (share * this.#total - lessUrgent) / own));
  }

  #halve(): void {
    this.#total = 0;
    for (let level = 0; level < LEVELS; level++) {
      const half = (this.#counts[level] ?? 0) / 2;
      this.#counts[level] = half;
      this.#total += half;
    }
  }
}
