import type { Entry } from "../../core/index.ts";

const PAID_MAX = 1000;

/** Which entries an invalidation takes. */
export type Takes = (key: string, entry: Entry) => boolean;

/**
 * Invalidations that a tier has carried out lately: whoever began to read before that may have been told the marks of the
 * time before. Bounded without forgetting: beyond 1,000, who began before the oldest of them finds nothing.
 */
export class PaidDebts {
  /** The last of them, in the order in which they were carried out. */
  readonly #paid: Takes[] = [];
  #count = 0;

  /** How many have been carried out. */
  get count(): number {
    return this.#count;
  }

  add(takes: Takes): void {
    this.#count++;
    this.#paid.push(takes);
    if (this.#paid.length > PAID_MAX) this.#paid.shift();
  }

  /** Whether one that was carried out since there had been `count` of them takes `entry`. */
  concern(key: string, entry: Entry, count: number): boolean {
    const later = this.#count - count;
    return later > this.#paid.length || (later > 0 && this.#paid.slice(-later).some((takes) => takes(key, entry)));
  }
}
