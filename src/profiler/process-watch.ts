import { performance } from "node:perf_hooks";
import type { Clock, Timer } from "../core/index.ts";
import { watchLoopDelay } from "../system/index.ts";

/** How busy the process is. Each answer is about the time since that question was last asked. */
export interface ProcessSource {
  /** The longest that the event loop was late, in milliseconds. */
  loopDelayMs(): number;
  /** Share of the time that the event loop was at work. */
  utilization(): number;
  close(): void;
}

interface Look {
  readonly from: number;
  to: number;
  busy: boolean;
}

const EVERY_MS = 1_000;
/** The share of less time says nothing. */
const SHARE_MS = EVERY_MS / 2;
const LOOKS_MAX = 1_200;
const DELAY_MS = 100;
const UTILIZATION = 0.7;

export function processSource(): ProcessSource {
  const delay = watchLoopDelay();
  let before = performance.eventLoopUtilization();
  return {
    loopDelayMs: () => (delay.read()?.max ?? 0) * 1000,
    utilization() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, before);
      before = now;
      return utilization;
    },
    close: () => delay.close(),
  };
}

/** Remembers for ten minutes, about second by second, whether the own process was what calls waited for. */
export class ProcessWatch {
  #clock: Clock;
  #source: ProcessSource;
  #looks: Look[] = [];
  #current: Look;
  #timer: Timer;

  constructor(clock: Clock, source: ProcessSource) {
    this.#clock = clock;
    this.#source = source;
    this.#current = this.#begin(clock.now());
    this.#timer = this.#next();
  }

  /** Whether the process was busy at any time since `from`, the current second included. */
  wasBusySince(from: number): boolean {
    this.#look();
    return this.#looks.some(({ to, busy }) => busy && to > from);
  }

  close(): void {
    this.#timer.cancel();
    this.#source.close();
  }

  #next(): Timer {
    return this.#clock.background(EVERY_MS, () => {
      this.#timer = this.#next();
      this.#look();
    });
  }

  #begin(now: number): Look {
    const look = { from: now, to: now, busy: false };
    this.#looks.push(look);
    if (this.#looks.length > LOOKS_MAX) this.#looks.shift();
    return look;
  }

  // Calls may end at any time and often: what they ask adds to the current look, and does not end it.
  #look(): void {
    const now = this.#clock.now();
    const look = this.#current;
    if (now === look.to) return;
    look.to = now;
    if (this.#source.loopDelayMs() > DELAY_MS) look.busy = true;
    if (now - look.from < SHARE_MS) return;
    if (this.#source.utilization() > UTILIZATION) look.busy = true;
    this.#current = this.#begin(now);
  }
}
