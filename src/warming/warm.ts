import { Cancellation, type Clock, errorName, OptionError } from "../core/index.ts";
import { readOptions, type WarmOptions, type WarmSettings } from "./options.ts";
import { Pass, type WarmEnding, type WarmedOptimizer } from "./pass.ts";
import { pause } from "./pauses.ts";
import { newTally, progressOf, type Tally, type WarmProgress } from "./progress.ts";

/** What came of all passes. */
export interface WarmSummary extends Readonly<Tally> {
  readonly passes: number;
  /** How the last pass ended. */
  readonly ended: WarmEnding;
  /** What the source failed with, when it did. */
  readonly error: unknown;
}

/** A warming under way. */
export interface Warming extends AsyncDisposable {
  /** How far the present pass is, or the last one was. */
  progress(): WarmProgress;
  /** Resolves when the last pass has ended; with `interval`, when it is stopped. Never rejects. */
  readonly done: Promise<WarmSummary>;
  /** Takes no more items, aborts the signal of those under way, and resolves when they have ended. */
  stop(): Promise<WarmSummary>;
  /** As `stop`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Fills the cache of `optimizer` with answers that will be wanted. The calls go through its line like any other, at low
 * priority and a few at a time; what is fresh in the cache is not asked for again. Begins in the background, at once.
 *
 * A failure is counted and stops nothing. When the line or the provider says "not now" (breaker, limits, a full queue,
 * 429), everything waits as long as it says, and the item is tried again.
 *
 * Throws `OptionError`, also for an optimizer without a cache.
 */
export function warm<T = never>(optimizer: WarmedOptimizer, options: WarmOptions<T>): Warming {
  if (typeof optimizer?.run !== "function") throw new OptionError("warm.optimizer", optimizer, "an optimizer");
  if (!optimizer.line.policies.some(({ name }) => name === "cache")) {
    throw new OptionError("warm.optimizer", "one without a cache", "an optimizer whose cache is not switched off");
  }
  const warmer = new Warmer(optimizer, readOptions(options), Cancellation.from(options.signal));
  const done = warmer.run();
  const stop = (): Promise<WarmSummary> => {
    warmer.cancel();
    return done;
  };
  return {
    progress: () => warmer.progress(),
    done,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

class Warmer {
  readonly #optimizer: WarmedOptimizer;
  readonly #settings: WarmSettings;
  readonly #cancellation: Cancellation;
  readonly #release: () => void;
  readonly #clock: Clock;
  readonly #all: Tally = newTally();
  #pass: Pass | undefined;

  constructor(
    optimizer: WarmedOptimizer,
    settings: WarmSettings,
    { cancellation, release }: ReturnType<typeof Cancellation.from>,
  ) {
    this.#optimizer = optimizer;
    this.#settings = settings;
    this.#cancellation = cancellation;
    this.#release = release;
    this.#clock = optimizer.line.runtime.clock;
  }

  cancel(): void {
    this.#cancellation.cancel(new DOMException("The warming was stopped.", "AbortError"));
  }

  progress(): WarmProgress {
    return this.#pass?.progress() ?? progressOf(0, newTally(), undefined, 0);
  }

  async run(): Promise<WarmSummary> {
    const { intervalMs, keepAlive } = this.#settings;
    let passes = 0;
    let ended: WarmEnding = "stopped";
    while (!this.#cancellation.cancelled) {
      const pass = new Pass(++passes, this.#optimizer, this.#settings, this.#cancellation, (one) => this.#report(one));
      this.#pass = pass;
      ended = await pass.run();
      this.#add(pass, ended);
      if (intervalMs === undefined || ended === "stopped") break;
      const untilNext = Math.max(0, pass.startedAt + intervalMs - this.#clock.now());
      await pause(this.#clock, untilNext, this.#cancellation, !keepAlive);
    }
    this.#release();
    return { ...this.#all, passes, ended, error: this.#pass?.error };
  }

  #add({ number, tally, startedAt }: Pass, ended: WarmEnding): void {
    for (const [name, count] of Object.entries(tally)) this.#all[name as keyof Tally] += count;
    const durationMs = this.#clock.now() - startedAt;
    const { events } = this.#optimizer.line.runtime;
    events.emit("cache.warmed", undefined, { pass: number, ...tally, durationMs, ended });
  }

  #report(pass: Pass): void {
    const { onProgress } = this.#settings;
    if (onProgress === undefined) return;
    try {
      onProgress(pass.progress());
    } catch (error) {
      const { events } = this.#optimizer.line.runtime;
      events.emit("listener.failed", undefined, { listenerOf: "warm.onProgress", error: errorName(error) });
    }
  }
}
