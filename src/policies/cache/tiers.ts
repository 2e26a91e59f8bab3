import type { Entry, EventMap, MarksChange, Store } from "../../core/index.ts";
import { ByteTier, type TierContext } from "./byte-tier.ts";
import { InvalidationWatch } from "./invalidation-watch.ts";
import { ANY_LABEL, matcherOf } from "./label-pattern.ts";
import { MemoryTier } from "./memory-tier.ts";
import type { CacheTier } from "./options.ts";
import { type Hit, keyMark, keyOfMark, type Search } from "./search.ts";

export type OpenTier = MemoryTier | ByteTier;

export interface TiersContext extends TierContext {
  /** How long an entry in memory is given while invalidations by others may not be told, in milliseconds. */
  readonly maxStaleOnGapMs: () => number;
}

/** All tiers of a cache, fastest first. */
export class Tiers {
  readonly all: readonly OpenTier[];
  readonly watch: InvalidationWatch;
  readonly #context: TiersContext;

  /** Throws whatever a tier throws when it is opened; those before it are closed then. */
  constructor(tiers: readonly CacheTier[], context: TiersContext) {
    this.#context = context;
    this.watch = new InvalidationWatch(context.runtime.clock, context.maxStaleOnGapMs);
    const stores = openAll(tiers, context);
    this.all = tiers.map((tier, index) => {
      const store = stores[index] as Store;
      return store.holds === "entries"
        ? new MemoryTier(tier, store, { ...context, watch: this.watch })
        : new ByteTier(tier, store, context);
    });
    for (const tier of this.bytes) {
      const watched = tier.watch((change) => this.#hear(tier, change));
      if (watched !== undefined) this.watch.add(watched);
    }
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
    const asked = this.bytes.filter((tier) => tier.enabled).map((tier) => tier.prepare(search));
    return asked.length === 0 ? undefined : Promise.all(asked);
  }

  keep(search: Search, entry: Entry): void {
    for (const tier of this.all) {
      if (tier.enabled) tier.keep(search, entry);
      else tier.forgetReplaced(search);
    }
  }

  async invalidate(tags: readonly string[]): Promise<void> {
    this.#context.invalidations.invalidate(tags);
    await this.#tell(this.bytes, (tier) => tier.oweTags(tags));
    this.#report({ tags }, "here");
  }

  async sweep(pattern: string): Promise<void> {
    this.#context.invalidations.sweep(pattern);
    await this.#tell(this.bytes, (tier) => tier.oweSweep(pattern));
    this.#report({ pattern }, "here");
  }

  async invalidateKey(key: string): Promise<void> {
    await this.#forgetKey(key, this.bytes);
    this.#report({ key }, "here");
  }

  async clear(): Promise<void> {
    this.#forgetMemory();
    await this.#tell(this.bytes, (tier) => tier.oweClear());
    this.#report({ everything: true }, "here");
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
    if (index > 0) this.#promote(index, search, hit.entry);
    return hit;
  }

  #promote(index: number, search: Search, entry: Entry): void {
    // What was invalidated after it was found would seem valid in the tiers above.
    if (!search.standsFor(Object.keys(entry.tags))) return;
    for (const above of this.all.slice(0, index)) if (above.enabled) above.promote(search, entry);
  }

  /**
   * Everything is noted at once, and the stores are told from the last to the first: whoever finds nothing in an upper
   * tier that has been told must find nothing in one below, either.
   */
  async #tell(tiers: readonly ByteTier[], owe: (tier: ByteTier) => void): Promise<void> {
    for (const tier of tiers) owe(tier);
    for (const tier of tiers.toReversed()) await tier.pay();
  }

  #forgetMemory(): void {
    this.#context.invalidations.everything();
    for (const tier of this.all) if (tier.holds === "entries") tier.clear();
  }

  /** Others have invalidated something in the store of `teller`. */
  #hear(teller: ByteTier, change: MarksChange): void {
    const { invalidations, runtime } = this.#context;
    if (change.kind === "missed") {
      this.#forgetMemory();
      runtime.events.emit("cache.gap", undefined, { tier: teller.name });
      return;
    }
    // Those that tell of it themselves have been told by whoever did it.
    const others = this.bytes.filter((tier) => tier !== teller && !tier.tells);
    if (change.kind === "tags") {
      this.#hearTags(change.tags, others);
    } else if (change.kind === "sweep") {
      // One of a later version, that cannot be read here, may mean anything.
      const pattern = matcherOf(change.pattern) === undefined ? ANY_LABEL : change.pattern;
      invalidations.sweep(pattern);
      void this.#tell(others, (tier) => tier.oweSweep(pattern));
      this.#report({ pattern }, "elsewhere");
    } else {
      this.#forgetMemory();
      void this.#tell(others, (tier) => tier.oweClear());
      this.#report({ everything: true }, "elsewhere");
    }
  }

  #hearTags(marks: readonly string[], others: readonly ByteTier[]): void {
    const tags = marks.filter((mark) => keyOfMark(mark) === undefined);
    if (tags.length > 0) {
      this.#context.invalidations.invalidate(tags);
      void this.#tell(others, (tier) => tier.oweTags(tags));
      this.#report({ tags }, "elsewhere");
    }
    for (const key of marks.map(keyOfMark)) {
      if (key === undefined) continue;
      void this.#forgetKey(key, others);
      this.#report({ key }, "elsewhere");
    }
  }

  #forgetKey(key: string, tiers: readonly ByteTier[]): Promise<void> {
    this.#context.invalidations.invalidate([keyMark(key)]);
    for (const tier of this.all) if (tier.holds === "entries") tier.delete(key);
    return this.#tell(tiers, (tier) => tier.oweKey(key));
  }

  #report(what: Partial<EventMap["cache.invalidated"]>, by: "here" | "elsewhere"): void {
    const whole = { tags: [], pattern: undefined, key: undefined, everything: false, ...what, by };
    this.#context.runtime.events.emit("cache.invalidated", undefined, whole);
  }
}

function openAll(tiers: readonly CacheTier[], { runtime }: TierContext): readonly Store[] {
  const stores: Store[] = [];
  try {
    for (const tier of tiers) stores.push(tier.open(runtime));
  } catch (error) {
    for (const store of stores) closeQuietly(store);
    throw error;
  }
  return stores;
}

/** What goes wrong here must not hide why. */
function closeQuietly(store: Store): void {
  try {
    void Promise.resolve(store.close?.()).catch(() => {});
  } catch {}
}
