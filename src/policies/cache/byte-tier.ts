import type { ByteStore, Entry, Runtime, StoreStats } from "../../core/index.ts";
import { decodeEntry, encodeEntry } from "./envelope.ts";
import type { Generations, Hit, Search } from "./search.ts";
import type { TagVersions } from "./tag-versions.ts";
import { TierDebts } from "./tier-debts.ts";
import { TierFailures } from "./tier-failures.ts";
import { TierGuard } from "./tier-guard.ts";
import { WriteBehind } from "./write-behind.ts";

/** A tier outside the process, behind its guard. Nothing here rejects. */
export class ByteTier {
  readonly holds = "bytes";
  readonly name: string;
  enabled = true;
  hits = 0;
  readonly failures: TierFailures;
  readonly writes = new WriteBehind();
  readonly #store: ByteStore;
  readonly #versions: TagVersions;
  readonly #runtime: Runtime;
  readonly #limitMs: () => number;
  readonly #guard: TierGuard;
  readonly #debts: TierDebts;

  constructor(name: string, store: ByteStore, versions: TagVersions, runtime: Runtime, limitMs: () => number) {
    this.name = name;
    this.#store = store;
    this.#versions = versions;
    this.#runtime = runtime;
    this.#limitMs = limitMs;
    this.failures = new TierFailures(name, runtime);
    this.#guard = new TierGuard(name, runtime, this.failures, () => void this.#debts.pay());
    this.#debts = new TierDebts(store, this.#guard, this.writes, runtime, limitMs);
  }

  /** False while it is left alone after failures. */
  get available(): boolean {
    return this.#guard.available;
  }

  /** Looks for the entry and learns the generations of the call's tags, within one time limit. */
  async find(search: Search): Promise<Hit | undefined> {
    const { key } = search.fingerprint;
    const { tags } = search.call.scope;
    const read = await this.#guard.run("get", this.#limitMs(), async () => {
      const [bytes, generations] = await Promise.all([this.#store.get(key), this.#generations(tags)]);
      const entry = bytes === undefined ? undefined : decodeEntry(key, bytes);
      const own = entry === undefined ? [] : Object.keys(entry.tags);
      const known = own.every((tag) => Object.hasOwn(generations, tag));
      return { bytes, entry, generations, present: known ? generations : await this.#generations(own) };
    });
    if (read === undefined) return undefined;
    search.learn(this, { ...read.generations, ...read.present });
    if (read.entry === undefined) {
      if (read.bytes !== undefined) this.#dropUnreadable(key);
      return undefined;
    }
    if (this.#debts.concern(Object.keys(read.entry.tags))) {
      search.reason = "invalidated";
      return undefined;
    }
    const reply = search.judge(read.entry, read.present, this.#runtime.clock);
    return reply === undefined ? undefined : { tier: this.name, reply, entry: read.entry };
  }

  /** Learns the generations of the call's tags without looking for an entry. */
  async prepare(search: Search): Promise<void> {
    const generations = await this.#guard.run("generations", this.#limitMs(), async () =>
      this.#generations(search.call.scope.tags),
    );
    if (generations !== undefined) search.learn(this, generations);
  }

  /** Begins to write `entry`, whose tags nobody in this process has invalidated since `search` began. */
  keep(search: Search, entry: Entry): void {
    const tags = Object.keys(entry.tags);
    const generations = search.generationsIn(this, tags);
    const ttlMs = Math.ceil(entry.expiresAt - this.#runtime.clock.wall());
    if (generations === undefined || ttlMs < 1) return;
    const { key } = search.fingerprint;
    const carried = Object.fromEntries(tags.map((tag) => [tag, generations[tag] ?? 0]));
    this.writes.add(entry.answer.text.length, () =>
      this.#write("set", async () => {
        const bytes = encodeEntry(key, { ...entry, tags: carried });
        if (bytes !== undefined) await this.#store.set(key, bytes, ttlMs);
      }),
    );
  }

  /** Begins to write what a lower tier had. */
  promote(search: Search, entry: Entry): void {
    this.keep(search, entry);
  }

  /** Marks the entries of `tags` as stale; a tier that is down is told when it is back. */
  invalidate(tags: readonly string[]): Promise<void> {
    // Without generations of its own a tier holds those of this process, which have changed already.
    return this.#store.invalidate === undefined ? Promise.resolve() : this.#debts.oweTags(tags, this.#versions.now);
  }

  clear(): Promise<void> {
    return this.#debts.oweClear(this.#versions.now);
  }

  async stats(): Promise<StoreStats | undefined> {
    return this.#guard.run("stats", this.#limitMs(), async () => (await this.#store.stats?.()) ?? NOTHING_KNOWN);
  }

  async flush(): Promise<void> {
    await Promise.all([this.writes.settled(), this.#debts.pay()]);
  }

  async close(): Promise<void> {
    this.#debts.close();
    await this.#store.close?.();
  }

  #dropUnreadable(key: string): void {
    this.failures.add("decode", "UNREADABLE");
    this.writes.add(0, () => this.#write("delete", async () => this.#store.delete(key)));
  }

  async #write(operation: string, work: () => Promise<void>): Promise<boolean> {
    const done = await this.#guard.run(operation, this.#limitMs(), async () => {
      await work();
      return true;
    });
    return done === true;
  }

  async #generations(tags: readonly string[]): Promise<Generations> {
    if (tags.length === 0) return {};
    if (this.#store.generations === undefined) return this.#versions.of(tags);
    const generations = await this.#store.generations(tags);
    return Object.fromEntries(tags.map((tag, index) => [tag, generations[index] ?? 0]));
  }
}

const NOTHING_KNOWN: StoreStats = { entries: undefined, bytes: undefined };
