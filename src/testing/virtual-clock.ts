import type { Clock, Timer } from "../core/index.ts";

interface Due {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
  cancelled: boolean;
}

/**
 * Time that moves only when told to, so that minutes pass in milliseconds and every run is the same.
 * Timers fire in the order of their times; between two of them all promises that can settle do.
 */
export class VirtualClock implements Clock {
  #now = 0;
  #wallOffset: number;
  #order = 0;
  // A binary heap by time, then by order of creation.
  #heap: Due[] = [];
  #cancelled = 0;

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
    const due: Due = { at: this.#now + Math.max(0, ms), order: this.#order++, fn, cancelled: false };
    this.#push(due);
    return {
      cancel: () => {
        if (due.cancelled) return;
        due.cancelled = true;
        this.#cancelled++;
        if (this.#cancelled > 64 && this.#cancelled > this.#heap.length / 2) this.#compact();
      },
    };
  }

  background(ms: number, fn: () => void): Timer {
    return this.timer(ms, fn);
  }

  /** Timers that are set and not cancelled: tests use it to prove that none is left behind. */
  get pendingTimers(): number {
    return this.#heap.length - this.#heap.filter((due) => due.cancelled).length;
  }

  /** Lets `ms` pass, firing every timer on the way. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settlePromises();
    for (;;) {
      const due = this.#peek();
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
      if (this.#peek() === undefined) {
        await settlePromises();
        if (!pending) break;
        if (this.#peek() === undefined) throw new Error("The promise cannot settle: no timer is left to wait for.");
      }
      this.#fire();
      await settlePromises();
    }
    return promise;
  }

  #fire(): void {
    const due = this.#pop();
    if (due === undefined) return;
    this.#now = Math.max(this.#now, due.at);
    // Counts as gone, so that a later cancel() does not count it twice.
    due.cancelled = true;
    due.fn();
  }

  #peek(): Due | undefined {
    while (this.#heap[0]?.cancelled === true) {
      this.#removeRoot();
      this.#cancelled--;
    }
    return this.#heap[0];
  }

  #pop(): Due | undefined {
    const due = this.#peek();
    if (due !== undefined) this.#removeRoot();
    return due;
  }

  #push(due: Due): void {
    this.#heap.push(due);
    let index = this.#heap.length - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(this.#heap[index] as Due, this.#heap[parent] as Due)) break;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #removeRoot(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #sink(start: number): void {
    let index = start;
    for (;;) {
      const left = 2 * index + 1;
      let least = index;
      for (const child of [left, left + 1]) {
        if (child < this.#heap.length && before(this.#heap[child] as Due, this.#heap[least] as Due)) least = child;
      }
      if (least === index) return;
      this.#swap(index, least);
      index = least;
    }
  }

  #swap(a: number, b: number): void {
    const held = this.#heap[a] as Due;
    this.#heap[a] = this.#heap[b] as Due;
    this.#heap[b] = held;
  }

  #compact(): void {
    this.#heap = this.#heap.filter((due) => !due.cancelled);
    for (let index = (this.#heap.length >> 1) - 1; index >= 0; index--) this.#sink(index);
    this.#cancelled = 0;
  }
}

function before(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

// A macrotask comes after every microtask, however long their chain is.
function settlePromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
