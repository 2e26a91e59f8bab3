import type { QuotaAmounts, QuotaUnit } from "../core/index.ts";

/** Over how long calls are counted. */
const MEMORY_MS = 1_000;
/** How far ahead is asked for. */
const AHEAD_MS = 100;
/** Below so many in the last second, nothing is held for calls that may come. */
const RARE = 1.5;
/** How much the latest call says about what the next one takes. */
const MEAN_WEIGHT = 0.1;

/** What this process takes of a key lately, to ask ahead for what it will. */
export class Demand {
  readonly #means: Record<QuotaUnit, number> = { requests: 0, tokens: 0, inputTokens: 0, outputTokens: 0 };
  /** Calls in the last second, earlier ones counting less and less. */
  #calls = 0;
  #at = 0;

  took(amounts: QuotaAmounts, now: number): void {
    this.#calls = this.#callsAt(now) + 1;
    this.#at = now;
    for (const unit of UNITS) {
      const mean = this.#means[unit];
      this.#means[unit] = mean === 0 ? amounts[unit] : mean + (amounts[unit] - mean) * MEAN_WEIGHT;
    }
  }

  /**
   * What the calls of the next moment take, or of the next `leadMs` if what is asked for now can only be used then: at
   * least that of one call, unless calls are rare.
   */
  ahead(unit: QuotaUnit, leadMs: number, now: number): number {
    const calls = this.#callsAt(now);
    return calls < RARE ? 0 : Math.max(1, (calls * Math.max(AHEAD_MS, leadMs)) / MEMORY_MS) * this.#means[unit];
  }

  /** What a call takes. */
  mean(unit: QuotaUnit): number {
    return this.#means[unit];
  }

  /** Units lately taken in a millisecond. */
  perMs(unit: QuotaUnit, now: number): number {
    return (this.#callsAt(now) * this.#means[unit]) / MEMORY_MS;
  }

  #callsAt(now: number): number {
    return this.#calls * Math.exp((this.#at - now) / MEMORY_MS);
  }
}

const UNITS = ["requests", "tokens", "inputTokens", "outputTokens"] as const satisfies readonly QuotaUnit[];
