import type { BudgetLimits } from "./options.ts";
import { type Period, type PeriodKind, periodAt } from "./period.ts";

// Sums of fractions of a cent are not exact.
const NEGLIGIBLE = 1e-9;

/** Whose money it is. */
export type PurseRank = "global" | "client" | "label" | "model" | "credential";

/** What was spent in one day or month. */
class Spending {
  readonly kind: PeriodKind;
  spent = 0;
  /** How many of the shares at which somebody is told have been passed. */
  told = 0;
  #period: Period;

  constructor(kind: PeriodKind, wall: number) {
    this.kind = kind;
    this.#period = periodAt(kind, wall);
  }

  get period(): Period {
    return this.#period;
  }

  /**
   * Begins anew when the period is over. A wall clock that is set back begins nothing; one that had been far ahead must
   * not keep a period of the future open, and what was spent then counts for now.
   */
  turn(wall: number): void {
    const { startsAt, endsAt } = this.#period;
    if (wall >= startsAt - (endsAt - startsAt) && wall < endsAt) return;
    this.#period = periodAt(this.kind, wall);
    if (wall < startsAt) return;
    this.spent = 0;
    this.told = 0;
  }
}

/** A threshold that was just passed. */
export interface Passed {
  readonly period: PeriodKind;
  readonly share: number;
  readonly spent: number;
  readonly limit: number;
}

/** The limit that stops a call. */
export interface Shortage {
  readonly period: PeriodKind;
  readonly limit: number;
  readonly spent: number;
  /** Reserved for calls under way. */
  readonly held: number;
  /** Until there is money again; `undefined`: when calls under way have used less than is held, or never. */
  readonly retryAfterMs: number | undefined;
}

/** What one client, label value, model, credential or the whole process has spent and holds. US dollars. */
export class Purse {
  readonly rank: PurseRank;
  readonly name: string;
  limits: BudgetLimits;
  /** Reserved for calls under way. */
  held = 0;
  readonly day: Spending;
  readonly month: Spending;

  constructor(rank: PurseRank, name: string, limits: BudgetLimits, wall: number) {
    this.rank = rank;
    this.name = name;
    this.limits = limits;
    this.day = new Spending("day", wall);
    this.month = new Spending("month", wall);
  }

  turn(wall: number): void {
    this.day.turn(wall);
    this.month.turn(wall);
  }

  /** What stops a call that is expected to cost `dollars`; of a day and a month the one that lasts longer. */
  shortage(dollars: number, wall: number): Shortage | undefined {
    this.turn(wall);
    let worst: Shortage | undefined;
    for (const { spending, limit } of this.limited()) {
      if (spending.spent + this.held + dollars <= limit + NEGLIGIBLE && spending.spent < limit - NEGLIGIBLE) continue;
      const shortage = { period: spending.kind, limit, spent: spending.spent, held: this.held };
      if (dollars > limit) return { ...shortage, retryAfterMs: undefined };
      const isSpent = spending.spent + dollars > limit + NEGLIGIBLE || spending.spent >= limit - NEGLIGIBLE;
      if (isSpent) worst = { ...shortage, retryAfterMs: spending.period.endsAt - wall };
      else worst ??= { ...shortage, retryAfterMs: undefined };
    }
    return worst;
  }

  /** Adds what was spent, and tells what thresholds it has passed. */
  spend(dollars: number, alertAt: readonly number[], wall: number): Passed[] {
    this.turn(wall);
    this.day.spent += dollars;
    this.month.spent += dollars;
    const passed: Passed[] = [];
    for (const { spending, limit } of this.limited()) {
      for (let share = alertAt[spending.told]; share !== undefined; share = alertAt[spending.told]) {
        if (spending.spent < share * limit - NEGLIGIBLE) break;
        spending.told++;
        passed.push({ period: spending.kind, share, spent: spending.spent, limit });
      }
    }
    return passed;
  }

  /** True when forgetting it changes nothing. */
  isIdle(wall: number): boolean {
    this.turn(wall);
    return this.held < NEGLIGIBLE && this.month.spent === 0 && this.day.spent === 0;
  }

  /** What is limited of it, the day first: the month lasts longer. */
  *limited(): Generator<{ readonly spending: Spending; readonly limit: number }> {
    const { dollarsPerDay, dollarsPerMonth } = this.limits;
    if (dollarsPerDay !== undefined) yield { spending: this.day, limit: dollarsPerDay };
    if (dollarsPerMonth !== undefined) yield { spending: this.month, limit: dollarsPerMonth };
  }
}
