import type { Entry, EntryStore, Runtime, StoreStats } from "../../core/index.ts";
import type { Hit, Search } from "./search.ts";
import type { TagVersions } from "./tag-versions.ts";
import { TierFailures } from "./tier-failures.ts";

/** A tier inside the process: asked without a single asynchronous step. */
export class MemoryTier {
  readonly holds = "entries";
  readonly name: string;
  enabled = true;
  hits = 0;
  readonly failures: TierFailures;
  readonly #store: EntryStore;
  readonly #versions: TagVersions;
  readonly #runtime: Runtime;

  constructor(name: string, store: EntryStore, versions: TagVersions, runtime: Runtime) {
    this.name = name;
    this.failures = new TierFailures(name, runtime);
    this.#store = store;
    this.#versions = versions;
    this.#runtime = runtime;
  }

  find(search: Search): Hit | undefined {
    const { key } = search.fingerprint;
    const entry = this.#attempt("get", () => this.#store.get(key));
    if (entry === undefined) return undefined;
    const reply = search.judge(entry, this.#versions.of(Object.keys(entry.tags)), this.#runtime.clock);
    if (reply !== undefined) return { tier: this.name, reply, entry };
    if (search.reason === "invalidated") this.#attempt("delete", () => this.#store.delete(key));
    return undefined;
  }

  /** Keeps `entry`, whose tags nobody has invalidated since `search` began. */
  keep(search: Search, entry: Entry): void {
    const tags = this.#versions.of(Object.keys(entry.tags));
    this.#attempt("set", () => this.#store.set(search.fingerprint.key, { ...entry, tags }));
  }

  /** Keeps what a lower tier had, unless a newer answer has come meanwhile. */
  promote(search: Search, entry: Entry): void {
    const present = this.#attempt("get", () => this.#store.get(search.fingerprint.key));
    if (present === undefined || present.createdAt <= entry.createdAt) this.keep(search, entry);
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
