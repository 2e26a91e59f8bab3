/** How many times the tolerated rate an error rate is that has to be noticed soon. */
const WORSE = 4;

/**
 * Notices that errors have become frequent, however long they were rare: the bound over all observations would take
 * long to say so.
 * Algorithm: CUSUM (Page, 1954) of the likelihood ratio between `4 * rate` and `rate`. At an error rate of `rate` or less
 * there are at least `limit` observations from one false alarm to the next, on average.
 */
export class Drift {
  #level = 1;

  /** Says whether it is time for an alarm; then it begins anew. */
  observe(wrong: boolean, rate: number, limit: number): boolean {
    const worse = Math.min(WORSE * rate, (1 + rate) / 2);
    this.#level = Math.max(1, this.#level) * (wrong ? worse / rate : (1 - worse) / (1 - rate));
    if (this.#level < limit) return false;
    this.#level = 1;
    return true;
  }
}
