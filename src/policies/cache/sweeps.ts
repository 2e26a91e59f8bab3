import { type LabelMatcher, type LabelParts, matcherOf, partsOf } from "./label-pattern.ts";

const SWEEPS_MAX = 1000;

interface Known {
  readonly number: number;
  readonly pattern: string;
  /** Absent for a pattern that cannot be read, as one of a later version: it takes everything. */
  readonly matches: LabelMatcher | undefined;
}

/**
 * Patterns that were swept, each with its number; numbers only grow. Bounded without forgetting: beyond 1,000 the oldest
 * is let go, and from then on everything kept before its number counts as swept.
 */
export class Sweeps {
  readonly #known: Known[] = [];
  /** Everything kept when the count stood below this is swept. */
  #floor: number;
  #latest: number;

  /** `number` is where the count stands. */
  constructor(number: number) {
    this.#floor = number;
    this.#latest = number;
  }

  /** The number of the last pattern. */
  get latest(): number {
    return this.#latest;
  }

  add(pattern: string, number: number): void {
    const before = this.#known.findIndex((known) => known.pattern === pattern);
    if (before >= 0) this.#known.splice(before, 1);
    this.#known.push({ number, pattern, matches: matcherOf(pattern) });
    this.#latest = Math.max(this.#latest, number);
    if (this.#known.length <= SWEEPS_MAX) return;
    const oldest = this.#known.shift();
    if (oldest !== undefined) this.everythingBefore(oldest.number);
  }

  /** Whatever was kept when the count stood below `number` is swept. */
  everythingBefore(number: number): void {
    this.#floor = Math.max(this.#floor, number);
    this.#latest = Math.max(this.#latest, number);
  }

  /** Whether what was kept when the count stood at `since` has been swept after that. */
  sweptSince(since: number, label: string): boolean {
    if (since >= this.#latest) return false;
    if (since < this.#floor) return true;
    let parts: LabelParts | undefined;
    for (let index = this.#known.length - 1; index >= 0; index--) {
      const { number, matches } = this.#known[index] as Known;
      if (number <= since) return false;
      parts ??= partsOf(label);
      if (matches === undefined || matches(parts)) return true;
    }
    return false;
  }
}
