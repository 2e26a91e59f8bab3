import { type Meter, PastLimit, type Unit } from "./meter.ts";
import { RecentUse } from "./recent-use.ts";

// Rounding of a computed delay must not make a waiter wait a second time for a billionth of a millisecond.
const NEGLIGIBLE_MS = 1e-6;
/** How much of what flowed off unused may be made good, as the time in which it flows. */
const SPARED_MS = 20_000;
/** How fast a larger rest is believed: this share of the difference per second. */
const SLEW_PER_SECOND = 0.2;

/**
 * A continuous limit: a level that every call raises and that falls by `limit` per window; a call fits while the level
 * stays within the burst. In any window it lets through no more than the limit plus one burst (or plus the one call
 * that is larger than a burst: that one fits when the level is 0).
 *
 * Corrections may raise the level above the burst, to a debt of at most one window, and that of tokens below 0, to a
 * credit of at most one burst or one call. With `spares`, what flows off while a call waits for another limit is
 * credited to it too: whoever asks for that keeps a `SlidingWindow` beside it.
 *
 * Algorithm: GCRA, ITU-T I.371 (1996), as a leaky bucket; the level is kept in units rather than in time, which
 * stays exact at millions of units per minute.
 */
export class Gcra implements Meter {
  readonly unit: Unit;
  readonly windowMs: number;
  readonly since: number;
  readonly guards = false;
  spares = false;
  #limit: number;
  #burstMs: number;
  #burst = 0;
  #level = 0;
  #levelAt: number;
  #slewedAt: number;
  readonly #pastLimit = new PastLimit();
  readonly #recent: RecentUse;

  /** `burstMs` is how much of the window's units may come at once; never less than 1 unit. */
  constructor(unit: Unit, limit: number, windowMs: number, burstMs: number, now: number) {
    this.unit = unit;
    this.windowMs = windowMs;
    this.#limit = limit;
    this.#burstMs = burstMs;
    this.#levelAt = now;
    this.#slewedAt = now;
    this.since = now;
    this.#recent = new RecentUse(now);
    this.#sizeBurst();
  }

  get limit(): number {
    return this.#limit;
  }

  /** What may come at once. */
  get burst(): number {
    return this.#burst;
  }

  /** The most that can have been taken in the last window. */
  mostTaken(now: number): number {
    const inWindow = Math.min(this.windowMs, now - this.since);
    return Math.min(this.#limit, this.#burst + (inWindow * this.#limit) / this.windowMs);
  }

  delay(amount: number, now: number, ahead = 0): number {
    const excess = this.taken(now) + ahead + Math.min(amount, this.#burst) - this.#burst;
    const ms = (excess * this.windowMs) / this.#limit;
    return ms > NEGLIGIBLE_MS ? ms : 0;
  }

  take(amount: number, now: number, since = now): void {
    const level = this.spares && since < now ? this.#spared(now, since) : this.taken(now);
    this.#level = level + Math.min(amount, this.#limit);
    this.#levelAt = now;
    this.#recent.add(amount, now);
  }

  correct(estimate: number, used: number, takenAt: number, now: number): void {
    let change = Math.min(used, this.#limit) - this.#pastLimit.bounded(estimate, takenAt, this.#limit);
    // What was taken before this meter existed cannot be given back to it.
    if (takenAt < this.since) change = Math.max(0, change);
    const level = this.taken(now);
    this.#recent.add(change, now);
    this.#setLevel(level + change, now, this.#lowest(level, change));
  }

  setLimit(limit: number, now: number): void {
    if (limit === this.#limit) return;
    const level = this.taken(now);
    this.#pastLimit.changed(this.#limit, limit, now);
    this.#limit = limit;
    this.#sizeBurst();
    this.#setLevel(level, now);
  }

  setBurst(burstMs: number): void {
    this.#burstMs = burstMs;
    this.#sizeBurst();
  }

  /**
   * Believes whoever knows how much is left: at once if it is less than expected; if it is more, debts are forgiven
   * little by little, and the pace stays.
   */
  believe(available: number, now: number): void {
    const taken = this.taken(now);
    const told = this.#burst - available;
    if (told > taken) {
      this.#setLevel(told, now, taken);
    } else if (taken > this.#burst) {
      const share = Math.min(1, (SLEW_PER_SECOND * (now - this.#slewedAt)) / 1_000);
      this.#setLevel(taken - (taken - Math.max(told, this.#burst)) * share, now);
    }
    this.#slewedAt = now;
  }

  taken(now: number): number {
    const fallen = ((now - this.#levelAt) * this.#limit) / this.windowMs;
    return this.#level <= 0 ? this.#level : Math.max(0, this.#level - fallen);
  }

  free(now: number): number {
    const atOnce = 1 - Math.max(0, this.taken(now)) / this.#burst;
    const flowing = 1 - (this.#recent.perMs(now) * this.windowMs) / this.#limit;
    return Math.max(0, Math.min(atOnce, flowing));
  }

  #spared(now: number, since: number): number {
    const perMs = this.#limit / this.windowMs;
    const emptyAt = this.#levelAt + Math.max(0, this.#level) / perMs;
    const spared = Math.max(0, now - Math.max(since, emptyAt)) * perMs;
    const level = this.taken(now);
    return Math.min(level, Math.max(level - spared, -SPARED_MS * perMs));
  }

  #setLevel(level: number, now: number, lowest = 0): void {
    this.#level = Math.min(Math.max(lowest, level), this.#limit);
    this.#levelAt = now;
  }

  // Tokens that were held for nothing while others waited are owed to those; at most one call's or one burst's.
  #lowest(level: number, change: number): number {
    return this.unit === "requests" ? 0 : Math.min(level, -this.#burst, change);
  }

  #sizeBurst(): void {
    this.#burst = Math.max(1, (this.#limit * this.#burstMs) / this.windowMs);
  }
}
