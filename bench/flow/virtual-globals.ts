import type { VirtualClock } from "../../src/testing/index.ts";

/**
 * Lets code that was not made for it run in virtual time: the timers and the time of day of the process are those of
 * `clock` while `fn` runs.
 */
export async function inVirtualTime<T>(clock: VirtualClock, fn: () => Promise<T>): Promise<T> {
  const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
  const realNow = Date.now;
  const handleOf = (cancel: () => void) => {
    const handle = { cancel, ref: () => handle, unref: () => handle, hasRef: () => true };
    return handle;
  };
  const clear = (handle: { cancel?: () => void } | undefined): void => handle?.cancel?.();
  const fakes = {
    setTimeout: (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
      const timer = clock.timer(Math.max(1, ms), () => run(...args));
      return handleOf(() => timer.cancel());
    },
    setInterval: (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
      let timer = clock.timer(ms, tick);
      function tick(): void {
        timer = clock.timer(ms, tick);
        run(...args);
      }
      return handleOf(() => timer.cancel());
    },
    clearTimeout: clear,
    clearInterval: clear,
  };
  Object.assign(globalThis, fakes);
  Date.now = () => clock.wall();
  try {
    return await fn();
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval });
    Date.now = realNow;
  }
}
