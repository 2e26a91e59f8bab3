import type { Clock, Random, Timer } from "../../core/index.ts";

interface Due {
  readonly at: number;
  readonly fn: () => void;
  readonly background: boolean;
}

/**
 * Virtual time for a simulation: it goes from one timer to the next, and chance decides which comes first of those that
 * are due at the same instant, as it may happen between any two events of a real process.
 */
export class SeededClock implements Clock {
  readonly #random: Random;
  readonly #startedAt: number;
  #now = 0;
  #due: Due[] = [];

  /** `startedAt` is what `wall()` tells at the start, milliseconds since the Unix epoch. */
  constructor(random: Random, startedAt: number) {
    this.#random = random;
    this.#startedAt = startedAt;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#startedAt + this.#now;
  }

  timer(ms: number, fn: () => void): Timer {
    return this.#add({ at: this.#now + Math.max(0, ms), fn, background: false });
  }

  background(ms: number, fn: () => void): Timer {
    return this.#add({ at: this.#now + Math.max(0, ms), fn, background: true });
  }

  /** Timers that are set and neither fired nor cancelled. */
  get pendingTimers(): number {
    return this.#due.length;
  }

  /** Those of them that would keep a process alive. */
  get awaitedTimers(): number {
    return this.#due.reduce((count, { background }) => count + (background ? 0 : 1), 0);
  }

  /** Fires the next timer and lets every promise settle that can. Says whether there was one. */
  async step(): Promise<boolean> {
    const index = this.#next();
    const due = this.#due[index];
    if (due === undefined) return false;
    this.#remove(index);
    this.#now = due.at;
    due.fn();
    await settlePromises();
    return true;
  }

  #add(due: Due): Timer {
    this.#due.push(due);
    return {
      cancel: () => {
        const index = this.#due.indexOf(due);
        if (index >= 0) this.#remove(index);
      },
    };
  }

  #next(): number {
    let first = Number.POSITIVE_INFINITY;
    let chosen = -1;
    let equals = 0;
    for (let index = 0; index < this.#due.length; index++) {
      const { at } = this.#due[index] as Due;
      if (at > first) continue;
      equals = at < first ? 1 : equals + 1;
      first = at;
      // Each of the equal ones is chosen with the same chance, in one pass.
      if (equals === 1 || this.#random() * equals < 1) chosen = index;
    }
    return chosen;
  }

  #remove(index: number): void {
    const last = this.#due.pop();
    if (last !== undefined && index < this.#due.length) this.#due[index] = last;
  }
}

/** A macrotask comes after every microtask, however long their chain is. */
export function settlePromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
