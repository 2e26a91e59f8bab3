import type { Search } from "./search.ts";

/** Those who ask the same at the same time. */
export interface Group {
  readonly first: Search;
  /** What their calls carry, so that nobody joins what another group has asked for. */
  readonly epoch: number;
  /** When the answer was asked for that has been kept, if any: the clock's time. */
  keptFrom: number;
}

interface OpenGroup extends Group {
  calls: number;
}

/**
 * Who asks the same at the same time. One may get what another began to ask for; then only the search of the first tells
 * which invalidations the answer has missed. So who comes after one of those begins another group.
 */
export class Asking {
  readonly #groups = new Map<string, OpenGroup>();
  /** Groups that others have taken the place of, and that still wait. */
  #outdated = 0;
  #epochs = 0;

  begin(search: Search): Group {
    const { key } = search.fingerprint;
    const known = this.#groups.get(key);
    if (known !== undefined && standsFor(known.first, search)) {
      known.calls++;
      return known;
    }
    if (known !== undefined) this.#outdated++;
    const group = {
      first: search,
      epoch: this.#outdated === 0 ? 0 : ++this.#epochs,
      keptFrom: Number.NEGATIVE_INFINITY,
      calls: 1,
    };
    this.#groups.set(key, group);
    return group;
  }

  end(group: Group): void {
    const { key } = group.first.fingerprint;
    if (--(group as OpenGroup).calls > 0) return;
    if (this.#groups.get(key) === group) this.#groups.delete(key);
    else this.#outdated--;
  }
}

/** Whether what `first` has asked for is as good as what `search` would ask for now. */
function standsFor(first: Search, search: Search): boolean {
  return first.standsFor(search.tags) && first.standsFor(first.tags) && first.sawTheSame(search);
}
