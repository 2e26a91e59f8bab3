import type { Clock, Timer } from "../../core/index.ts";

const IDLE_MS = 5000;
// Between two pieces of work, for whatever else wants to run or to write.
const PAUSE_MS = 20;

/** Keeps a file in order while nobody uses it: a little at a time, and never what keeps the process alive. */
export class Upkeep {
  readonly #clock: Clock;
  readonly #work: () => boolean;
  #timer: Timer | undefined;

  /** `work` does a little and says whether there is more. */
  constructor(clock: Clock, work: () => boolean) {
    this.#clock = clock;
    this.#work = work;
  }

  start(): void {
    if (this.#timer === undefined) this.#after(IDLE_MS);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #after(ms: number): void {
    this.#timer = this.#clock.background(ms, () => this.#after(this.#hasMore() ? PAUSE_MS : IDLE_MS));
  }

  #hasMore(): boolean {
    try {
      return this.#work();
    } catch {
      // Locked, full or damaged: whoever uses the file next sees to that.
      return false;
    }
  }
}
