import type { Clock } from "../../core/index.ts";

const KEYS_MAX = 1000;

/** Questions that are not to be asked for a while. Bounded: beyond 1,000 the one that was added first is let go. */
export class Pauses {
  readonly #clock: Clock;
  readonly #until = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(key: string, ms: number): void {
    this.#until.delete(key);
    this.#until.set(key, this.#clock.now() + ms);
    if (this.#until.size <= KEYS_MAX) return;
    for (const first of this.#until.keys()) {
      this.#until.delete(first);
      break;
    }
  }

  has(key: string): boolean {
    const until = this.#until.get(key);
    if (until === undefined) return false;
    if (until > this.#clock.now()) return true;
    this.#until.delete(key);
    return false;
  }
}
