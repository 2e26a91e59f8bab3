import { RecentDurations } from "../../core/index.ts";

const SAMPLES_MIN = 50;
// About the last 20 calls, against what was usual in about the last half hour.
const LATELY_WEIGHT = 1 / 16;
const USUAL_MS = 1_800_000;
const LATE_WEIGHT = 1 / 50;
/** How many times what is expected may be late, or how much slower than usual first tokens may lately be. */
const LATE_SHARE_MAX = 3;
const SLOWDOWN_MAX = 2;

/**
 * How soon first tokens come in one class of calls, and whether that is as usual. When everything is slow, a second try
 * only adds to the load; that shows at once in how many calls are late, and lasts until the new pace has become usual.
 */
export class Pace {
  readonly #durations = new RecentDurations();
  /** Natural logarithms of milliseconds. */
  #lately = 0;
  #usually = 0;
  #samples = 0;
  #sampledAt = 0;
  #lateShare = 0;

  /** The time within which the share `q` of first tokens comes; `undefined` while too little is known. */
  delayMs(q: number): number | undefined {
    return this.#samples < SAMPLES_MIN ? undefined : this.#durations.quantile(q);
  }

  /** A first token came, or was given up on, after `ms`. */
  add(ms: number, now: number): void {
    const log = Math.log(Math.max(1, ms));
    this.#durations.add(ms);
    this.#samples++;
    const aged = 1 - Math.exp(-(now - this.#sampledAt) / USUAL_MS);
    this.#lately += (log - this.#lately) * Math.max(1 / this.#samples, LATELY_WEIGHT);
    this.#usually += (log - this.#usually) * Math.max(1 / this.#samples, aged);
    this.#sampledAt = now;
  }

  /** A call has passed its delay, or its first token came before. */
  judged(late: boolean): void {
    this.#lateShare += ((late ? 1 : 0) - this.#lateShare) * LATE_WEIGHT;
  }

  isUsual(q: number): boolean {
    const slowdown = Math.exp(this.#lately - this.#usually);
    return this.#lateShare <= LATE_SHARE_MAX * (1 - q) && slowdown <= SLOWDOWN_MAX;
  }
}
