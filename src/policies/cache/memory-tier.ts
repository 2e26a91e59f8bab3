import type { Entry, EntryStore, Runtime, StoreStats } from "../../core/index.ts";
import type { InvalidationWatch } from "./invalidation-watch.ts";
import type { Invalidations } from "./invalidations.ts";
import type { CacheTier } from "./options.ts";
import type { Hit, Search } from "./search.ts";
import { TierFailures } from "./tier-failures.ts";

/** What a tier inside the process goes by. */
export interface MemoryContext {
  readonly invalidations: Invalidations;
  readonly watch: InvalidationWatch;
  readonly runtime: Runtime;
}

/** A tier inside the process: asked without a single asynchronous step. */
export class MemoryTier {
  readonly holds = "entries";
  readonly name: string;
  enabled = true;
  hits = 0;
  readonly failures: TierFailures;
  readonly #ttlMs: number;
  readonly #store: EntryStore;
  readonly #context: MemoryContext;

  constructor({ name, ttlMs }: CacheTier, store: EntryStore, context: MemoryContext) {
    this.name = name;
    this.failures = new TierFailures(name, context.runtime);
    this.#ttlMs = ttlMs ?? Number.POSITIVE_INFINITY;
    this.#store = store;
    this.#context = context;
  }

  find(search: Search): Hit | undefined {
    const { key } = search.fingerprint;
    const entry = this.#attempt("get", () => this.#store.get(key));
    if (entry === undefined) return undefined;
    const { invalidations, watch, runtime } = this.#context;
    // Nothing is wrong with it; but what made it invalid may not have been told.
    if (!watch.vouchesFor(entry)) return undefined;
    const reply = search.judge(entry, invalidations.holds(entry), runtime.clock);
    if (reply !== undefined) return { tier: this.name, reply, entry };
    if (search.reason === "invalidated") this.delete(key);
    return undefined;
  }

  /** Keeps `entry`, which nothing has invalidated since `search` began. */
  keep(search: Search, entry: Entry): void {
    const { invalidations, runtime } = this.#context;
    const lastAt = runtime.clock.wall() + this.#ttlMs;
    // How long it is fresh stays: other tiers may have it when it is gone here.
    const own = { ...entry, expiresAt: Math.min(entry.expiresAt, lastAt), sweep: invalidations.now };
    this.#attempt("set", () => this.#store.set(search.fingerprint.key, own));
  }

  /** Keeps what a lower tier had, unless a newer answer has come meanwhile. */
  promote(search: Search, entry: Entry): void {
    const present = this.#attempt("get", () => this.#store.get(search.fingerprint.key));
    if (present === undefined || present.createdAt <= entry.createdAt) this.keep(search, entry);
  }

  /** Where another answer was wanted than there is, the old one is not to come back. */
  forgetReplaced({ reason, fingerprint: { key } }: Search): void {
    if (reason === "refresh") this.delete(key);
  }

  delete(key: string): void {
    this.#attempt("delete", () => this.#store.delete(key));
  }

  clear(): void {
    this.#attempt("clear", () => this.#store.clear());
  }

  async stats(): Promise<StoreStats | undefined> {
    return this.#store.stats?.();
  }

  async close(): Promise<void> {
    await this.#store.close?.();
  }

  // The contract says that a store in memory does not throw; one that does must not take the call with it.
  #attempt<T>(operation: string, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.failures.add(operation, error);
      return undefined;
    }
  }
}
