import { type Call, Keyed, latencyClass, RecentDurations } from "../../core/index.ts";
import type { TimeoutSettings } from "./options.ts";

const CLASSES_MAX = 1_000;
const SAMPLES_MIN = 100;
const QUANTILE = 0.99;
// What was cut off would have taken longer, nobody knows how much; so counted, the limit rises until calls pass again.
const CUT_OFF_COUNTS_AS = 2;

/** How long first tokens have lately taken, by model, credential and input size, and the limit that follows. */
export class FirstTokens {
  readonly #classes = new Keyed<RecentDurations>(
    CLASSES_MAX,
    () => new RecentDurations(),
    () => true,
  );

  limitMs(call: Call, { firstTokenMs, adaptive }: TimeoutSettings): number {
    const seen = this.#classes.peek(latencyClass(call));
    if (adaptive === undefined || seen === undefined || seen.samples < SAMPLES_MIN) return firstTokenMs;
    return Math.min(firstTokenMs, Math.max(adaptive.minMs, adaptive.times * seen.quantile(QUANTILE)));
  }

  came(call: Call, afterMs: number): void {
    this.#classes.get(latencyClass(call)).add(afterMs);
  }

  wasCutOff(call: Call, afterMs: number): void {
    this.came(call, afterMs * CUT_OFF_COUNTS_AS);
  }
}
