import type { Search } from "./search.ts";

interface Group {
  readonly first: Search;
  calls: number;
}

/**
 * Who asks the same at the same time. One may get what another began to ask for; then only the search of the first tells
 * which invalidations the answer has missed.
 */
export class Asking {
  readonly #groups = new Map<string, Group>();

  /** The search of the first of those who ask now. */
  begin(search: Search): Search {
    const { key } = search.fingerprint;
    const group = this.#groups.get(key) ?? { first: search, calls: 0 };
    group.calls++;
    this.#groups.set(key, group);
    return group.first;
  }

  end(search: Search): void {
    const { key } = search.fingerprint;
    const group = this.#groups.get(key);
    if (group !== undefined && --group.calls === 0) this.#groups.delete(key);
  }
}
