import type { Clock } from "../core/index.ts";

/** A difference of the two clocks that is noise, and not a wall clock that was set. */
const NOISE_MS = 1_000;

/** What turns the monotonic clock's time into that of the wall clock; the same each time unless that one was set. */
export class WallOffset {
  #offset = Number.NaN;

  of(clock: Clock): number {
    const offset = clock.wall() - clock.now();
    if (!(Math.abs(offset - this.#offset) <= NOISE_MS)) this.#offset = offset;
    return this.#offset;
  }
}
