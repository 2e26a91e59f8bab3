import type { Clock, Timer } from "../core/index.ts";
import { DueHeap } from "./due-heap.ts";

/**
 * Time that moves only when told to, so that minutes pass in milliseconds and every run is the same.
 * Timers fire in the order of their times; between two of them all promises that can settle do.
 */
export class VirtualClock implements Clock {
  #now = 0;
  #wallOffset: number;
  #heap = new DueHeap();

  /** `startedAt` is what `wall()` tells at the start, milliseconds since the Unix epoch; default 2026-01-01. */
  constructor(options: { startedAt?: number } = {}) {
    this.#wallOffset = options.startedAt ?? Date.UTC(2026, 0, 1);
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#wallOffset + this.#now;
  }

  /** Moves the wall clock alone, as an operator or NTP would. */
  shiftWall(ms: number): void {
    this.#wallOffset += ms;
  }

  timer(ms: number, fn: () => void): Timer {
    const due = this.#heap.add(this.#now + Math.max(0, ms), fn);
    return { cancel: () => this.#heap.cancel(due) };
  }

  background(ms: number, fn: () => void): Timer {
    return this.timer(ms, fn);
  }

  /** Timers that are set and not cancelled: tests use it to prove that none is left behind. */
  get pendingTimers(): number {
    return this.#heap.size;
  }

  /** Lets `ms` pass, firing every timer on the way. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settlePromises();
    for (;;) {
      const due = this.#heap.peek();
      if (due === undefined || due.at > until) break;
      this.#fire();
      await settlePromises();
    }
    this.#now = until;
  }

  /** Lets time pass until `promise` has settled and gives its result. Throws when nothing is left that could settle it. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let pending = true;
    const done = (): void => {
      pending = false;
    };
    promise.then(done, done);
    await settlePromises();
    while (pending) {
      if (this.#heap.size === 0) {
        await settlePromises();
        if (!pending) break;
        if (this.#heap.size === 0) throw new Error("The promise cannot settle: no timer is left to wait for.");
      }
      this.#fire();
      await settlePromises();
    }
    return promise;
  }

  #fire(): void {
    const due = this.#heap.take();
    if (due === undefined) return;
    this.#now = Math.max(this.#now, due.at);
    due.fn();
  }
}

// A macrotask comes after every microtask, however long their chain is.
function settlePromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
