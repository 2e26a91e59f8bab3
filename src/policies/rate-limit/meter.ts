import type { LimitReading } from "../../core/index.ts";

/** What is counted. */
export type Unit = LimitReading["unit"];

/** What one call takes, by unit. */
export type Cost = Readonly<Record<Unit, number>>;

/**
 * One limit: so many units per window. Pure bookkeeping: every method is told the clock's time `now`, which never
 * goes back.
 */
export interface Meter {
  readonly unit: Unit;
  readonly windowMs: number;
  readonly limit: number;
  /**
   * Milliseconds until `amount` fits, 0 if it fits now; `ahead` is taken first. An amount larger than the limit can
   * ever hold counts as one that fits when nothing else is there, so that nothing waits for ever.
   */
  delay(amount: number, now: number, ahead?: number): number;
  take(amount: number, now: number): void;
  /** Corrects what was taken at `takenAt`: from an estimate to what was really used. */
  correct(estimate: number, used: number, takenAt: number, now: number): void;
  /** Changes the limit; what is taken stays taken. */
  setLimit(limit: number, now: number): void;
  /** What is taken and has not flown off yet. */
  taken(now: number): number;
}
