import type { Cancellation, Clock } from "../core/index.ts";

// Where a refusal tells no time.
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
// "At once" may be told again and again.
const SHORTEST_PAUSE_MS = 100;

/** Waits, or returns early when cancelled. `background` waits do not keep the process alive. */
export function pause(clock: Clock, ms: number, cancellation: Cancellation, background = false): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock[background ? "background" : "timer"](ms, () => {
      off();
      resolve();
    });
    const off = cancellation.onCancel(() => {
      timer.cancel();
      resolve();
    });
  });
}

/** When the next item may be asked for: a refusal of one holds up all. */
export class Pauses {
  /** The clock's time when something was last not refused. */
  acceptedAt = Number.NEGATIVE_INFINITY;
  readonly #clock: Clock;
  readonly #cancellation: Cancellation;
  #resumeAt = 0;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(clock: Clock, cancellation: Cancellation) {
    this.#clock = clock;
    this.#cancellation = cancellation;
  }

  accepted(): void {
    this.acceptedAt = this.#clock.now();
    this.#pauseMs = FIRST_PAUSE_MS;
  }

  /** Takes note of a refusal; gives the time until there may be another try. */
  refused(retryAfterMs: number | undefined): number {
    const now = this.#clock.now();
    if (retryAfterMs === undefined && now >= this.#resumeAt) {
      this.#resumeAt = now + this.#pauseMs;
      this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
    } else if (retryAfterMs !== undefined) {
      this.#resumeAt = Math.max(this.#resumeAt, now + Math.max(SHORTEST_PAUSE_MS, retryAfterMs));
    }
    return this.#resumeAt - now;
  }

  async wait(): Promise<void> {
    for (;;) {
      const ms = this.#resumeAt - this.#clock.now();
      if (ms <= 0 || this.#cancellation.cancelled) return;
      await pause(this.#clock, ms, this.#cancellation);
    }
  }
}
