import type { Runtime } from "../../core/index.ts";
import { TierCircuit } from "./tier-circuit.ts";
import type { TierFailures } from "./tier-failures.ts";

const LATE_MS = 5;

/** Stands before a store that may be slow, down or broken: whatever it does, an operation ends in time. */
export class TierGuard {
  readonly #tier: string;
  readonly #runtime: Runtime;
  readonly #failures: TierFailures;
  readonly #recovered: () => void;
  readonly #circuit = new TierCircuit();

  /** `recovered` runs when the tier answers again after it was left alone. */
  constructor(tier: string, runtime: Runtime, failures: TierFailures, recovered: () => void) {
    this.#tier = tier;
    this.#runtime = runtime;
    this.#failures = failures;
    this.#recovered = recovered;
  }

  /** False while the tier is left alone. */
  get available(): boolean {
    return this.#circuit.closed;
  }

  /**
   * The result of `work`; `undefined` when it failed, took longer than `limitMs`, or the tier is being left alone.
   * Never rejects.
   */
  run<T extends object | true>(operation: string, limitMs: number, work: () => Promise<T>): Promise<T | undefined> {
    const { clock } = this.#runtime;
    const startedAt = clock.now();
    const ticket = this.#circuit.enter(startedAt);
    if (ticket === undefined) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      let over = false;
      const end = (result: T | undefined, error?: unknown): void => {
        if (over) return;
        over = true;
        timer.cancel();
        if (result === undefined) this.#failed(ticket, operation, error);
        else this.#succeeded(ticket);
        resolve(result);
      };
      const expire = (): void => end(undefined, "TIMEOUT");
      let timer = clock.timer(limitMs, () => {
        const lateMs = clock.now() - startedAt - limitMs;
        // A process that was busy for so long has not had the time to look: the answer may be here.
        if (lateMs < LATE_MS) expire();
        else timer = clock.timer(Math.min(lateMs, limitMs), expire);
      });
      begin(work).then(end, (error: unknown) => end(undefined, error));
    });
  }

  #succeeded(ticket: number): void {
    if (!this.#circuit.succeeded(ticket)) return;
    this.#runtime.events.emit("cache.tier_recovered", undefined, { tier: this.#tier });
    this.#recovered();
  }

  #failed(ticket: number, operation: string, error: unknown): void {
    this.#failures.add(operation, error);
    const forMs = this.#circuit.failed(ticket, this.#runtime.clock.now());
    if (forMs !== undefined) this.#runtime.events.emit("cache.tier_disabled", undefined, { tier: this.#tier, forMs });
  }
}

// A store may throw before it gives a promise.
async function begin<T>(work: () => Promise<T>): Promise<T> {
  return work();
}
