import type { Fault } from "../../core/index.ts";

export interface BudgetSettings {
  readonly capacity: number;
  readonly refillPerSuccess: number;
}

const PROVIDERS_MAX = 1_000;

/**
 * What each provider may be retried: a bucket that starts full, pays for retries and is refilled by successes only, so
 * that an outage ends the retries instead of multiplying the load.
 * Algorithm: gRPC proposal A6 (retry throttling) and Marc Brooker, "Fixing retries with token buckets", 2022.
 */
export class RetryBudget {
  #settings: BudgetSettings;
  // Only providers that have spent something: a full bucket needs no memory.
  #spent = new Map<string, number>();

  constructor(settings: BudgetSettings) {
    this.#settings = settings;
  }

  /** Pays for a retry after `fault`. Says whether the budget had enough. */
  spend(provider: string, fault: Fault): boolean {
    const cost = costOf(fault);
    if (cost === 0) return true;
    const spent = this.#spent.get(provider) ?? 0;
    if (spent + cost > this.#settings.capacity) return false;
    this.#spent.delete(provider);
    this.#spent.set(provider, spent + cost);
    if (this.#spent.size > PROVIDERS_MAX) this.#forgetOldest();
    return true;
  }

  /** Takes back what was paid for a retry after `fault` that was not made. */
  giveBack(provider: string, fault: Fault): void {
    this.#refill(provider, costOf(fault));
  }

  succeeded(provider: string): void {
    this.#refill(provider, this.#settings.refillPerSuccess);
  }

  configure(settings: BudgetSettings): void {
    this.#settings = settings;
    for (const [provider, spent] of this.#spent) this.#spent.set(provider, Math.min(spent, settings.capacity));
  }

  /** What is left, by provider; full ones are not listed. */
  balances(): Record<string, number> {
    const { capacity } = this.#settings;
    return Object.fromEntries([...this.#spent].map(([provider, spent]) => [provider, capacity - spent]));
  }

  #refill(provider: string, amount: number): void {
    const spent = this.#spent.get(provider);
    if (spent === undefined) return;
    const rest = spent - amount;
    if (rest > 0) this.#spent.set(provider, rest);
    else this.#spent.delete(provider);
  }

  #forgetOldest(): void {
    const oldest = this.#spent.keys().next();
    if (oldest.done !== true) this.#spent.delete(oldest.value);
  }
}

// A timeout has used the provider's time as well as ours; a rate limit has its own pace, kept by the limiter.
function costOf(fault: Fault): number {
  if (fault.kind === "rate_limited") return 0;
  return fault.kind === "timeout" ? 2 : 1;
}
