import type { Clock, Timer } from "../core/index.ts";
import { type Due, DueHeap } from "./due-heap.ts";

// Work is summed in floating point; what is due within a nanosecond is due.
const TOLERANCE_MS = 1e-6;

/**
 * The decoding hardware, shared by every running stream: up to `capacity` streams each run at full speed, beyond
 * that all of them run slower by `capacity / streams`. Exact processor sharing: work is measured on a time line of
 * its own that moves at the common speed.
 */
export class SharedDecoder {
  readonly #clock: Clock;
  readonly #capacity: number;
  #heap = new DueHeap();
  #streams = 0;
  #work = 0;
  #measuredAt: number;
  #timer: Timer | undefined;
  #timerFor = 0;

  /** `capacity` is a number of streams; `Infinity`: load never slows anybody. */
  constructor(clock: Clock, capacity: number) {
    this.#clock = clock;
    this.#capacity = capacity;
    this.#measuredAt = clock.now();
  }

  /** Milliseconds of full-speed work that each running stream has been given since the start. */
  now(): number {
    this.#measure();
    return this.#work;
  }

  join(): void {
    this.#changeStreams(1);
  }

  leave(): void {
    this.#changeStreams(-1);
  }

  /** Calls `fn` when the work line has reached `work`. */
  at(work: number, fn: () => void): Due {
    const due = this.#heap.add(work, fn);
    this.#arm();
    return due;
  }

  cancel(due: Due): void {
    this.#heap.cancel(due);
    this.#arm();
  }

  #speed(): number {
    return this.#streams > this.#capacity ? this.#capacity / this.#streams : 1;
  }

  #measure(): void {
    const now = this.#clock.now();
    this.#work += (now - this.#measuredAt) * this.#speed();
    this.#measuredAt = now;
  }

  #changeStreams(by: number): void {
    const before = this.#speed();
    this.#measure();
    this.#streams += by;
    if (this.#speed() !== before) this.#disarm();
    this.#arm();
  }

  // One timer, for the earliest; it is set again only when that one or the speed has changed.
  #arm(): void {
    const next = this.#heap.peek();
    if (next !== undefined && this.#timer !== undefined && this.#timerFor === next.at) return;
    this.#disarm();
    if (next === undefined) return;
    this.#timerFor = next.at;
    this.#timer = this.#clock.timer(Math.max(0, (next.at - this.now()) / this.#speed()), () => this.#fire());
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #fire(): void {
    this.#timer = undefined;
    for (let next = this.#heap.peek(); next !== undefined; next = this.#heap.peek()) {
      if (next.at > this.now() + TOLERANCE_MS) break;
      this.#heap.take();
      // Whoever is called sees that its time has come, whatever the rounding.
      this.#work = Math.max(this.#work, next.at);
      next.fn();
    }
    this.#arm();
  }
}
