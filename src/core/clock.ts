/** A scheduled callback. `cancel` is idempotent and safe after it has fired. */
export interface Timer {
  cancel(): void;
}

/**
 * The only source of time in the library: policies never read `Date` or set a timer of their own,
 * so the same code runs in real time, in tests and in simulations.
 */
export interface Clock {
  /** Monotonic milliseconds from an arbitrary origin. Never goes back. */
  now(): number;
  /** Milliseconds since the Unix epoch: for what is stored or shown, never for measuring. */
  wall(): number;
  /** Calls `fn` once, `ms` from now. Keeps the process alive until it fires or is cancelled. */
  timer(ms: number, fn: () => void): Timer;
  /** As `timer`, but never keeps the process alive: for work nobody waits for. */
  background(ms: number, fn: () => void): Timer;
}

// Node clamps longer delays to 1 ms; a timer that far away is re-armed instead.
const LONGEST_DELAY_MS = 2 ** 31 - 1;

class SystemTimer implements Timer {
  #handle: NodeJS.Timeout | undefined;

  constructor(ms: number, fn: () => void, keepAlive: boolean) {
    this.#arm(ms, fn, keepAlive);
  }

  cancel(): void {
    if (this.#handle === undefined) return;
    clearTimeout(this.#handle);
    this.#handle = undefined;
  }

  #arm(ms: number, fn: () => void, keepAlive: boolean): void {
    const rest = ms - LONGEST_DELAY_MS;
    this.#handle =
      rest > 0 ? setTimeout(() => this.#arm(rest, fn, keepAlive), LONGEST_DELAY_MS) : setTimeout(fn, Math.max(0, ms));
    if (!keepAlive) this.#handle.unref();
  }
}

/** Real time: `performance.now()` and Node's timers. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  timer: (ms, fn) => new SystemTimer(ms, fn, true),
  background: (ms, fn) => new SystemTimer(ms, fn, false),
};
