const CALLS_KEPT = 1_000;

/**
 * Keeps second tries to a share of the tokens that first tries have lately sent. Whenever 1,000 calls are counted, all counts
 * are halved.
 */
export class HedgeBudget {
  #calls = 0;
  #sent = 0;
  #spent = 0;

  sent(tokens: number): void {
    if (this.#calls >= CALLS_KEPT) {
      this.#calls /= 2;
      this.#sent /= 2;
      this.#spent /= 2;
    }
    this.#calls++;
    this.#sent += tokens;
  }

  /** Pays for a second try. Says whether there was enough. */
  spend(tokens: number, share: number): boolean {
    if (this.#spent + tokens > share * this.#sent) return false;
    this.#spent += tokens;
    return true;
  }

  giveBack(tokens: number): void {
    this.#spent = Math.max(0, this.#spent - tokens);
  }
}
