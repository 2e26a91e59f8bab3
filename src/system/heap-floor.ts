import { type Point, riseOf, slopeOf } from "./trend.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const POINTS_MIN = 6;
// Standard deviations: it rises for sure, and it no longer does.
const RISES = 2.33;
const RESTS = 1;
/** Less than this within the window is not worth a word. */
const GROWTH_MIN = 16 * 1024 * 1024;
const GROWTH_MIN_SHARE = 0.05;

/** How the memory that no collection can free goes. */
export interface HeapTrend {
  /** Right after the last major collection; `undefined` before the first. */
  readonly floorBytes: number | undefined;
  readonly growing: boolean;
  /** 0 unless `growing`. */
  readonly bytesPerHour: number;
}

/**
 * Tells a heap that grows from one that is merely in use: what is left after a major collection is live, and when that
 * rises for a whole window, something is kept that should not be. Of each minute the least is kept, at most 60 minutes.
 */
export class HeapFloor {
  #windowMs: number;
  #floors: Point[] = [];
  #growing = false;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Takes what a major collection left. Says whether `growing` changed. */
  add(now: number, bytes: number): boolean {
    const minute = Math.floor(now / MINUTE_MS) * MINUTE_MS;
    const last = this.#floors.at(-1);
    if (last?.[0] !== minute) this.#floors.push([minute, bytes]);
    else if (bytes < last[1]) this.#floors[this.#floors.length - 1] = [minute, bytes];
    while ((this.#floors[0]?.[0] ?? now) < now - this.#windowMs) this.#floors.shift();
    const before = this.#growing;
    this.#growing = this.#grows(before);
    return this.#growing !== before;
  }

  get trend(): HeapTrend {
    const slope = this.#growing ? (slopeOf(this.#floors) ?? 0) : 0;
    return { floorBytes: this.#floors.at(-1)?.[1], growing: this.#growing, bytesPerHour: Math.max(0, slope * HOUR_MS) };
  }

  #grows(before: boolean): boolean {
    const [first] = this.#floors;
    const last = this.#floors.at(-1);
    if (first === undefined || last === undefined || this.#floors.length < POINTS_MIN) return false;
    if (before) return riseOf(this.#floors) > RESTS;
    if (last[0] - first[0] < this.#windowMs / 2) return false;
    const growth = (slopeOf(this.#floors) ?? 0) * (last[0] - first[0]);
    return riseOf(this.#floors) > RISES && growth > Math.max(GROWTH_MIN, GROWTH_MIN_SHARE * first[1]);
  }
}
