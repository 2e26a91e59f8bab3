import type { ByteMeter } from "./exponential-histogram.ts";
import { FINE_MS, type SlotRing, WINDOW_MAX_MS } from "./slot-ring.ts";

/**
 * Bounds what the windows of all histograms hold together. Over the limit the oldest minutes go first, so a report
 * over an hour shows less of it; the last minute, which alerts read, always stays.
 */
export class WindowMemory implements ByteMeter {
  bytes = 0;
  /** How often history was given up. */
  reclaims = 0;
  readonly limit: number;
  #rings: SlotRing<unknown>[] = [];
  #lastSlot = -1;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Rings live as long as the monitor: their number is bounded by the series of its metrics. */
  add(ring: SlotRing<never>): void {
    this.#rings.push(ring as unknown as SlotRing<unknown>);
  }

  /** Called before a slot is made. At most one pass over all rings a slot's length. */
  check(now: number): void {
    if (this.bytes <= this.limit) return;
    const slot = Math.floor(now / FINE_MS);
    if (slot === this.#lastSlot) return;
    this.#lastSlot = slot;
    this.reclaims++;
    const enough = this.limit * 0.75;
    for (let horizon = WINDOW_MAX_MS; horizon >= 60_000 && this.bytes > enough; horizon /= 2) {
      for (const ring of this.#rings) ring.forget(now - horizon);
    }
  }
}
