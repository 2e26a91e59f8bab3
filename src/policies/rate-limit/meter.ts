import type { QuotaAmounts, QuotaUnit } from "../../core/index.ts";

/** What is counted. */
export type Unit = QuotaUnit;

/** What one call takes, by unit. */
export type Cost = QuotaAmounts;

/**
 * One limit: so many units per window. Pure bookkeeping: every method is told the clock's time `now`, which never
 * goes back.
 */
export interface Meter {
  readonly unit: Unit;
  readonly windowMs: number;
  readonly limit: number;
  /** It counts what calls use in the mean, not what is reserved for them. */
  readonly guards: boolean;
  /**
   * Milliseconds until `amount` fits, 0 if it fits now; `ahead` is taken first. An amount larger than the limit can
   * ever hold counts as one that fits when nothing else is there, so that nothing waits for ever.
   */
  delay(amount: number, now: number, ahead?: number): number;
  /** Takes `amount` for a call that could have gone since `since`, had only this meter been asked. */
  take(amount: number, now: number, since?: number): void;
  /** Corrects what was taken at `takenAt`: from an estimate to what was really used. */
  correct(estimate: number, used: number, takenAt: number, now: number): void;
  /** Changes the limit; what is taken stays taken. */
  setLimit(limit: number, now: number): void;
  /** What is taken and has not flown off yet. */
  taken(now: number): number;
  /** The share of the limit, 0 to 1, that is not used: of what may come at once, and of what flows. */
  free(now: number): number;
}

/**
 * The least limit that any call which was taken before a raise may have met. What was taken is bounded by the limit of
 * its time, so a correction must not take off more than that.
 */
export class PastLimit {
  #raisedAt = Number.NEGATIVE_INFINITY;
  #limit = Number.POSITIVE_INFINITY;

  /** To be told of every change. */
  changed(from: number, to: number, now: number): void {
    if (to <= from) return;
    this.#raisedAt = now;
    this.#limit = Math.min(this.#limit, from);
  }

  /** How much of `amount` was certainly taken at `takenAt`. */
  bounded(amount: number, takenAt: number, limit: number): number {
    return Math.min(amount, takenAt <= this.#raisedAt ? Math.min(limit, this.#limit) : limit);
  }
}
