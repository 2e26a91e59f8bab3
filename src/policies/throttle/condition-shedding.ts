import { type ConditionOptions, type ConditionWatch, watchConditions } from "../../conditions/index.ts";
import type { Random, Runtime } from "../../core/index.ts";
import { PriorityShares } from "./priority-shares.ts";

const STEP = 0.1;
const SHARE_MAX = 0.9;

/**
 * Refuses calls while the own process is in a bad condition, the least urgent first: each sample with a threshold
 * exceeded adds a tenth of the calls, each without one takes a tenth away, up to nine tenths.
 */
export class ConditionShedding {
  readonly #watch: ConditionWatch;
  readonly #random: Random;
  readonly #priorities = new PriorityShares();
  #share = 0;

  constructor(options: ConditionOptions, runtime: Runtime) {
    this.#random = runtime.random;
    this.#watch = watchConditions(
      {
        ...options,
        onSample: (sample) => {
          this.#adjust();
          options.onSample?.(sample);
        },
      },
      runtime,
    );
  }

  /** The share of calls that is refused. */
  get share(): number {
    return this.#share;
  }

  get watch(): ConditionWatch {
    return this.#watch;
  }

  /** Whether a call of this level is to be refused now. */
  refuses(level: number): boolean {
    this.#priorities.came(level);
    return this.#share > 0 && this.#random() < this.#priorities.chanceOf(level, this.#share);
  }

  close(): void {
    this.#watch.close();
  }

  // In tenths, so that what was added is taken away without a rest.
  #adjust(): void {
    const step = this.#watch.exceeded.length > 0 ? STEP : -STEP;
    this.#share = Math.round(Math.min(SHARE_MAX, Math.max(0, this.#share + step)) * 10) / 10;
  }
}
