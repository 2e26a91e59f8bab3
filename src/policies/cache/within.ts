import type { Clock } from "../../core/index.ts";

/** Waits for `work`, at most `ms` long. How it ends is not told: it is given up on, not cancelled. */
export function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.timer(ms, resolve);
    const end = (): void => {
      timer.cancel();
      resolve();
    };
    work.then(end, end);
  });
}
