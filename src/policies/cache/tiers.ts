import type { Entry, Runtime } from "../../core/index.ts";
import { ByteTier } from "./byte-tier.ts";
import { MemoryTier } from "./memory-tier.ts";
import type { CacheTier } from "./options.ts";
import type { Hit, Search } from "./search.ts";
import type { TagVersions } from "./tag-versions.ts";

export type OpenTier = MemoryTier | ByteTier;

/** All tiers of a cache, fastest first. */
export class Tiers {
  readonly all: readonly OpenTier[];
  readonly #versions: TagVersions;

  constructor(tiers: readonly CacheTier[], versions: TagVersions, runtime: Runtime, limitMs: () => number) {
    this.#versions = versions;
    this.all = tiers.map((tier) => {
      const store = tier.open(runtime);
      return store.holds === "entries"
        ? new MemoryTier(tier.name, store, versions, runtime)
        : new ByteTier(tier.name, store, versions, runtime, limitMs);
    });
  }

  get bytes(): readonly ByteTier[] {
    return this.all.filter((tier) => tier.holds === "bytes");
  }

  /** Looks in one tier after another; synchronously as far as they are in the process. */
  find(search: Search, from = 0): Hit | undefined | Promise<Hit | undefined> {
    for (let index = from; index < this.all.length; index++) {
      const tier = this.all[index] as OpenTier;
      if (!tier.enabled) continue;
      if (tier.holds === "bytes") return this.#findFrom(tier, index, search);
      const hit = tier.find(search);
      if (hit !== undefined) return this.#found(tier, index, search, hit);
    }
    return undefined;
  }

  /** Learns what a new entry has to carry; `undefined` when there is nothing to wait for. */
  prepare(search: Search): Promise<unknown> | undefined {
    if (search.call.scope.tags.length === 0) return undefined;
    const asked = this.bytes.filter((tier) => tier.enabled).map((tier) => tier.prepare(search));
    return asked.length === 0 ? undefined : Promise.all(asked);
  }

  keep(search: Search, entry: Entry): void {
    for (const tier of this.all) if (tier.enabled) tier.keep(search, entry);
  }

  async invalidate(tags: readonly string[]): Promise<void> {
    this.#versions.invalidate(tags);
    await Promise.all(this.bytes.map((tier) => tier.invalidate(tags)));
  }

  async clear(): Promise<void> {
    this.#versions.invalidateAll();
    await Promise.all(this.all.map((tier) => tier.clear()));
  }

  async flush(): Promise<void> {
    await Promise.all(this.bytes.map((tier) => tier.flush()));
  }

  async #findFrom(tier: ByteTier, index: number, search: Search): Promise<Hit | undefined> {
    const hit = await tier.find(search);
    return hit === undefined ? this.find(search, index + 1) : this.#found(tier, index, search, hit);
  }

  #found(tier: OpenTier, index: number, search: Search, hit: Hit): Hit {
    tier.hits++;
    // What was invalidated after it was found would seem valid in the tiers above.
    if (this.#versions.unchangedSince(search.version, Object.keys(hit.entry.tags))) {
      for (const above of this.all.slice(0, index)) if (above.enabled) above.promote(search, hit.entry);
    }
    return hit;
  }
}
