import { DEFINITIONS } from "./definitions.ts";
import type { Registry } from "./registry.ts";

const TRACKED_MAX = 10_000;

/** Since when the calls of one provider are under way, at most 10,000 of them. */
export class StartTimes {
  #times = new Map<string, number>();

  started(callId: string, now: number): void {
    if (this.#times.size < TRACKED_MAX) this.#times.set(callId, now);
  }

  ended(callId: string): void {
    this.#times.delete(callId);
  }

  /** Of the call that is under way for longest; they come in the order of time. */
  get oldest(): number | undefined {
    return this.#times.values().next().value;
  }
}

/** Since when each provider's calls are under way. */
export class CallsInFlight {
  #registry: Registry;
  #started = new Map<string, StartTimes>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Those of one provider: to be looked up once. */
  of(provider: string): StartTimes {
    let calls = this.#started.get(provider);
    if (calls === undefined) {
      calls = new StartTimes();
      this.#started.set(provider, calls);
    }
    return calls;
  }

  /** Keeps `breakwater.call.oldest_age`. */
  observe(): () => void {
    const ages = this.#registry.gauge(DEFINITIONS.callOldestAge);
    return this.#registry.observed([DEFINITIONS.callOldestAge.name], (now) => {
      for (const [provider, calls] of this.#started) {
        ages.series({ provider }).set((now - (calls.oldest ?? now)) / 1000, now);
      }
    });
  }
}
