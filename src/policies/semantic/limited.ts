import type { Cancellation, Clock } from "../../core/index.ts";

/** How a piece of work ended: with a value, or with what went wrong: `TIMEOUT` when it took too long, `ABORTED`. */
export type Ended<T> = { readonly value: T } | { readonly error: unknown };

/** Work of the user's that runs for a limited time. */
export interface LimitedWork<T> {
  readonly ms: number;
  /** Gives it up: that of the call that waits for it, or that of the policy when nobody waits. */
  readonly cancellation: Cancellation;
  /** Whether a call waits for it. */
  readonly waits: boolean;
  /** It may throw, reject or never end. Its signal is aborted when it is given up. */
  readonly run: (signal: AbortSignal) => T | Promise<T>;
}

/** How `work` ended. Never rejects. */
export function limited<T>(clock: Clock, { ms, cancellation, waits, run }: LimitedWork<T>): Promise<Ended<T>> {
  if (cancellation.cancelled) return Promise.resolve({ error: "ABORTED" });
  return new Promise((resolve) => {
    const controller = new AbortController();
    const end = (ended: Ended<T>): void => {
      timer.cancel();
      off();
      resolve(ended);
    };
    const giveUp = (why: string): void => {
      end({ error: why });
      controller.abort();
    };
    const late = (): void => giveUp("TIMEOUT");
    const timer = waits ? clock.timer(ms, late) : clock.background(ms, late);
    const off = cancellation.onCancel(() => giveUp("ABORTED"));
    begin(run, controller.signal).then(
      (value) => end({ value }),
      (error: unknown) => end({ error }),
    );
  });
}

// It may throw before it gives a promise.
async function begin<T>(run: (signal: AbortSignal) => T | Promise<T>, signal: AbortSignal): Promise<T> {
  return run(signal);
}
