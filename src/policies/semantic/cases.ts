const CASES_MAX = 10_000;

/** What became of a call that a similar question was found for. */
export interface Case {
  readonly similarity: number;
  readonly entry: string;
  readonly served: boolean;
  /** Whether the pair has been counted already. */
  judged: boolean;
}

/** The latest cases by id of the call, for whoever learns later whether the answer was right. Bounded. */
export class Cases {
  readonly #cases = new Map<string, Case>();

  get(callId: string): Case | undefined {
    return this.#cases.get(callId);
  }

  add(callId: string, added: Case): Case {
    this.#cases.set(callId, added);
    if (this.#cases.size > CASES_MAX) {
      for (const oldest of this.#cases.keys()) {
        this.#cases.delete(oldest);
        break;
      }
    }
    return added;
  }

  clear(): void {
    this.#cases.clear();
  }
}
