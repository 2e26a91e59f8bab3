const FAILURES_MAX = 3;
const SHORTEST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 2000;

/** Under which conditions an operation began. Its result counts only as long as they hold. */
export type Ticket = number;

/**
 * Whether a tier is asked at all. After three failures in a row it is left alone for 1 s, then one operation tries it;
 * while that fails, for 2 s each. So a dead tier costs at most one wait in a pause, and one that is back is used again
 * within 2 s.
 */
export class TierCircuit {
  #failures = 0;
  /** 0 while closed. */
  #pauseMs = 0;
  #pausedUntil = 0;
  #probing = false;
  #period: Ticket = 0;

  get closed(): boolean {
    return this.#pauseMs === 0;
  }

  /** A ticket for one operation; `undefined` when the tier is to be left alone. */
  enter(now: number): Ticket | undefined {
    if (this.#pauseMs === 0) return this.#period;
    if (this.#probing || now < this.#pausedUntil) return undefined;
    this.#probing = true;
    return this.#period;
  }

  /** Says whether the tier is back with this. */
  succeeded(ticket: Ticket): boolean {
    if (ticket !== this.#period) return false;
    this.#failures = 0;
    if (this.#pauseMs === 0) return false;
    this.#pauseMs = 0;
    this.#probing = false;
    return true;
  }

  /** The pause that begins with this failure, if one does. */
  failed(ticket: Ticket, now: number): number | undefined {
    if (ticket !== this.#period) return undefined;
    if (this.#pauseMs > 0) this.#pauseMs = LONGEST_PAUSE_MS;
    else if (++this.#failures < FAILURES_MAX) return undefined;
    else this.#pauseMs = SHORTEST_PAUSE_MS;
    this.#failures = 0;
    this.#probing = false;
    this.#period++;
    this.#pausedUntil = now + this.#pauseMs;
    return this.#pauseMs;
  }
}
