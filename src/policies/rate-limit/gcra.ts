import type { Meter, Unit } from "./meter.ts";

// Rounding of a computed delay must not make a waiter wait a second time for a billionth of a millisecond.
const NEGLIGIBLE_MS = 1e-6;

/**
 * A continuous limit: a level that every call raises and that falls by `limit` per window; a call fits while the level
 * stays within the burst. In any window it lets through no more than the limit plus one burst (or plus the one call
 * that is larger than a burst: that one fits when the level is 0).
 *
 * Corrections may raise the level above the burst, to a debt of at most one window, and that of tokens below 0, to a
 * credit of at most one burst or one call.
 *
 * Algorithm: GCRA, ITU-T I.371 (1996), as a leaky bucket; the level is kept in units rather than in time, which
 * stays exact at millions of units per minute.
 */
export class Gcra implements Meter {
  readonly unit: Unit;
  readonly windowMs: number;
  #limit: number;
  #burstMs: number;
  #burst = 0;
  #level = 0;
  #levelAt: number;
  readonly #since: number;

  /** `burstMs` is how much of the window's units may come at once; never less than 1 unit. */
  constructor(unit: Unit, limit: number, windowMs: number, burstMs: number, now: number) {
    this.unit = unit;
    this.windowMs = windowMs;
    this.#limit = limit;
    this.#burstMs = burstMs;
    this.#levelAt = now;
    this.#since = now;
    this.#sizeBurst();
  }

  get limit(): number {
    return this.#limit;
  }

  delay(amount: number, now: number, ahead = 0): number {
    const excess = this.taken(now) + ahead + Math.min(amount, this.#burst) - this.#burst;
    const ms = (excess * this.windowMs) / this.#limit;
    return ms > NEGLIGIBLE_MS ? ms : 0;
  }

  take(amount: number, now: number): void {
    this.#level = this.taken(now) + Math.min(amount, this.#limit);
    this.#levelAt = now;
  }

  correct(estimate: number, used: number, takenAt: number, now: number): void {
    let change = Math.min(used, this.#limit) - Math.min(estimate, this.#limit);
    // What was taken before this meter existed cannot be given back to it.
    if (takenAt < this.#since) change = Math.max(0, change);
    const level = this.taken(now);
    this.#setLevel(level + change, now, this.#lowest(level, change));
  }

  setLimit(limit: number, now: number): void {
    const level = this.taken(now);
    this.#limit = limit;
    this.#sizeBurst();
    this.#setLevel(level, now);
  }

  setBurst(burstMs: number): void {
    this.#burstMs = burstMs;
    this.#sizeBurst();
  }

  /** Believes whoever knows that only `available` units are left; never raises what is available. */
  clamp(available: number, now: number): void {
    const level = this.#burst - available;
    if (level > this.taken(now)) this.#setLevel(level, now);
  }

  taken(now: number): number {
    const fallen = ((now - this.#levelAt) * this.#limit) / this.windowMs;
    return this.#level <= 0 ? this.#level : Math.max(0, this.#level - fallen);
  }

  #setLevel(level: number, now: number, lowest = 0): void {
    this.#level = Math.min(Math.max(lowest, level), this.#limit);
    this.#levelAt = now;
  }

  // Tokens that were held for nothing while others waited are owed to those; at most one call's or one burst's.
  #lowest(level: number, change: number): number {
    return this.unit === "tokens" ? Math.min(level, -this.#burst, change) : 0;
  }

  #sizeBurst(): void {
    this.#burst = Math.max(1, (this.#limit * this.#burstMs) / this.windowMs);
  }
}
