import { randomUUID } from "node:crypto";
import type { Runtime } from "../../core/index.ts";
import { KeyLease, type Visit } from "./key-lease.ts";
import type { CacheSettings } from "./options.ts";
import type { Search } from "./search.ts";
import type { Tiers } from "./tiers.ts";

const NOBODY_TO_WAIT_FOR: Visit = { turn: Promise.resolve("ask"), leave: () => {} };

/**
 * Of several processes that miss the same entry, one asks the provider, and the others wait until its answer is in the
 * tier that they share. Within a process all calls of one key take their turn together. A tier whose leases fail keeps
 * nobody from asking.
 */
export class Leases {
  readonly #tiers: Tiers;
  readonly #settings: () => CacheSettings;
  readonly #runtime: Runtime;
  readonly #byKey = new Map<string, KeyLease>();
  // Not of the runtime's seed: two processes must not take each other for themselves.
  readonly #process = randomUUID();
  #count = 0;

  constructor(tiers: Tiers, settings: () => CacheSettings, runtime: Runtime) {
    this.#tiers = tiers;
    this.#settings = settings;
    this.#runtime = runtime;
  }

  /** Keys that are waited for or asked for now. */
  get size(): number {
    return this.#byKey.size;
  }

  /** `undefined` when there is nobody to wait for. */
  enter(search: Search): Visit | undefined {
    return this.#leaseOf(search)?.enter(search);
  }

  /** For who would rather not ask at all than wait: `undefined` when another process is asking. */
  async tryEnter(search: Search): Promise<Visit | undefined> {
    const lease = this.#leaseOf(search);
    return lease === undefined ? NOBODY_TO_WAIT_FOR : lease.tryEnter();
  }

  /** Lets everybody ask who waits, and gives back what is held. */
  async close(): Promise<void> {
    await Promise.all([...this.#byKey.values()].map((lease) => lease.close()));
  }

  #leaseOf({ fingerprint: { key } }: Search): KeyLease | undefined {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const { leaseMs, leaseWaitMs } = this.#settings();
    if (leaseMs === false) return undefined;
    for (const tier of this.#tiers.all) {
      if (tier.holds !== "bytes" || !tier.enabled || !tier.available || tier.leases === undefined) continue;
      const holder = `${this.#process}/${this.#count++}`;
      const lease = new KeyLease(
        { tier, leases: tier.leases, key, holder, leaseMs, leaseWaitMs },
        this.#runtime,
        () => {
          if (this.#byKey.get(key) === lease) this.#byKey.delete(key);
        },
      );
      this.#byKey.set(key, lease);
      return lease;
    }
    return undefined;
  }
}
