import type { ByteStore, Call, Entry, MarksChange, Runtime, StoreStats } from "../../core/index.ts";
import type { EntryCodec } from "./envelope.ts";
import type { Watched } from "./invalidation-watch.ts";
import type { Invalidations } from "./invalidations.ts";
import type { CacheTier } from "./options.ts";
import type { Hit, Search } from "./search.ts";
import { TierDebts } from "./tier-debts.ts";
import { TierFailures } from "./tier-failures.ts";
import { TierGuard } from "./tier-guard.ts";
import { type KnownMarks, OwnMarks, SharedMarks, type TierMarks } from "./tier-marks.ts";
import { WriteBehind } from "./write-behind.ts";

/** What the tiers of a cache have in common. */
export interface TierContext {
  readonly codec: EntryCodec;
  readonly invalidations: Invalidations;
  readonly runtime: Runtime;
  /** How long a call waits for a tier outside the process, in milliseconds. */
  readonly limitMs: () => number;
}

/** What a tier had under a key. */
interface Finding {
  /** `TierDebts.paid` from before. */
  readonly paid: number;
  /** Of the tags asked for and of those of the entry. */
  readonly marks: KnownMarks;
  readonly entry: Entry | undefined;
  /** Whether nothing that the tier knows has made the entry invalid. */
  readonly holds: boolean;
}

interface Look {
  readonly version: number;
  readonly finding: Promise<Finding | undefined>;
}

/** A tier outside the process, behind its guard. Nothing here rejects. */
export class ByteTier {
  readonly holds = "bytes";
  readonly name: string;
  enabled = true;
  hits = 0;
  readonly failures: TierFailures;
  readonly writes = new WriteBehind();
  readonly #guard: TierGuard;
  readonly #ttlMs: number;
  readonly #store: ByteStore;
  readonly #context: TierContext;
  readonly #marks: TierMarks;
  readonly #debts: TierDebts;
  /** What is being looked for in this very turn. */
  readonly #looks = new Map<string, Look>();
  /** The last of those that are being written under each key. */
  readonly #writing = new Map<string, Entry>();

  constructor({ name, ttlMs }: CacheTier, store: ByteStore, context: TierContext) {
    const { invalidations, runtime, limitMs } = context;
    this.name = name;
    this.#ttlMs = ttlMs ?? Number.POSITIVE_INFINITY;
    this.#store = store;
    this.#context = context;
    this.#marks = store.marks === undefined ? new OwnMarks(store, invalidations) : new SharedMarks(store.marks);
    this.failures = new TierFailures(name, runtime);
    this.#guard = new TierGuard(name, runtime, this.failures, () => void this.#debts.pay());
    this.#debts = new TierDebts(store, this.#guard, this.writes, runtime, limitMs);
  }

  /** False while it is left alone after failures. */
  get available(): boolean {
    return this.#guard.available;
  }

  get leases(): ByteStore["leases"] {
    return this.#store.leases;
  }

  /** Whether it tells of invalidations by others of its own accord. */
  get tells(): boolean {
    return this.#store.marks?.watch !== undefined;
  }

  /** `undefined` when it tells of nothing. */
  watch(listener: (change: MarksChange) => void): Watched | undefined {
    return this.#store.marks?.watch?.(listener);
  }

  /** The result of `work` on the store; `undefined` when it failed, or took too long, or the store is left alone. */
  operate<T extends object | true>(operation: string, work: () => Promise<T>): Promise<T | undefined> {
    return this.#guard.run(operation, this.#context.limitMs(), work);
  }

  /** Leaves a note under `key`, which is no entry's, for everybody who uses the store. */
  async leaveNote(key: string, ms: number): Promise<void> {
    await this.operate("set", async () => {
      await this.#store.set(key, NOTE, ms);
      return true;
    });
  }

  /** Whether somebody left one; `undefined` when the store does not tell. */
  async hasNote(key: string): Promise<boolean | undefined> {
    const read = await this.operate("get", async () => ({ bytes: await this.#store.get(key) }));
    return read === undefined ? undefined : read.bytes !== undefined;
  }

  /** Whether an entry is on its way into it. */
  isWriting(key: string): boolean {
    return this.#writing.has(key);
  }

  /** Looks for the entry, and learns what a new one is to carry, within one time limit. */
  async find(search: Search): Promise<Hit | undefined> {
    const found = await this.#look(search);
    if (found === undefined) return undefined;
    const { marks, entry, holds, paid } = found;
    search.learn(this, marks);
    if (entry === undefined) return undefined;
    const stillHolds = holds && !this.#debts.concern(search.fingerprint.key, entry, paid);
    const reply = search.judge(entry, stillHolds, this.#context.runtime.clock);
    return reply === undefined ? undefined : { tier: this.name, reply, entry };
  }

  /** Learns what a new entry is to carry without looking for an old one. */
  async prepare(search: Search): Promise<void> {
    const marks = await this.#guard.run("marks", this.#context.limitMs(), () => this.#marks.of(search.call.scope.tags));
    if (marks !== undefined) search.learn(this, marks);
  }

  /** Begins to write `entry`, which nothing invalidated in this process since `search` began. */
  keep(search: Search, entry: Entry): void {
    this.#put(search, entry, () => true);
  }

  /** Begins to write what a lower tier had, unless a newer answer has come meanwhile. */
  promote(search: Search, entry: Entry): void {
    const { call, fingerprint } = search;
    if (this.#writing.has(fingerprint.key)) return;
    this.#put(search, entry, async () => {
      const present = await this.#present(call, fingerprint.key);
      return present === undefined || present.createdAt <= entry.createdAt;
    });
  }

  /** Where another answer was wanted than there is, the old one is not to come back. */
  forgetReplaced({ reason, fingerprint: { key } }: Search): void {
    if (reason !== "refresh") return;
    this.oweKey(key);
    void this.pay();
  }

  /** Notes that the entries of `tags` are invalid here; `pay` tells the store. */
  oweTags(tags: readonly string[]): void {
    // Without marks of its own a tier goes by those of this process, which have changed already.
    if (this.#store.marks !== undefined) this.#debts.oweTags(tags, this.#context.invalidations.now);
  }

  oweSweep(pattern: string): void {
    if (this.#store.marks !== undefined) this.#debts.oweSweep(pattern, this.#context.invalidations.now);
  }

  oweKey(key: string): void {
    this.#debts.oweKey(key, this.#context.invalidations.now);
  }

  oweClear(): void {
    this.#debts.oweClear(this.#context.invalidations.now);
  }

  /** Tells the store what it is owed; one that is down is told when it is back. */
  pay(): Promise<void> {
    return this.#debts.pay();
  }

  async stats(): Promise<StoreStats | undefined> {
    return this.#guard.run(
      "stats",
      this.#context.limitMs(),
      async () => (await this.#store.stats?.()) ?? NOTHING_KNOWN,
    );
  }

  async flush(): Promise<void> {
    await Promise.all([this.writes.settled(), this.#debts.pay()]);
  }

  async close(): Promise<void> {
    this.#debts.close();
    await this.#store.close?.();
  }

  /**
   * One reading serves all who look for the same in the same turn. Nobody later: an invalidation elsewhere may have come
   * between.
   */
  #look({ call, fingerprint: { key } }: Search): Promise<Finding | undefined> {
    const { tags } = call.scope;
    const version = this.#context.invalidations.now;
    const id = tags.length === 0 ? key : `${key}${JSON.stringify(tags)}`;
    const under = this.#looks.get(id);
    if (under?.version === version) return under.finding;
    const finding = this.#guard.run("get", this.#context.limitMs(), () => this.#read(call, key, tags));
    if (under === undefined) queueMicrotask(() => this.#looks.delete(id));
    this.#looks.set(id, { version, finding });
    return finding;
  }

  async #read(call: Call, key: string, tags: readonly string[]): Promise<Finding> {
    const { paid } = this.#debts;
    const { bytes, marks } = await this.#marks.read(key, tags);
    if (bytes === undefined) return { paid, marks, entry: undefined, holds: false };
    const entry = await this.#context.codec.decode(key, call.owner, bytes);
    if (typeof entry === "string") {
      this.#dropUnreadable(key, entry);
      return { paid, marks, entry: undefined, holds: false };
    }
    const own = Object.keys(entry.tags);
    const covered = own.every((tag) => Object.hasOwn(marks.generations, tag));
    const present = covered ? marks : await this.#marks.of(own);
    // What was told first is the older, and the safe one to carry.
    const both = covered
      ? marks
      : { generations: { ...present.generations, ...marks.generations }, sweep: marks.sweep };
    return { paid, marks: both, entry, holds: await this.#marks.holds(entry, present) };
  }

  async #present(call: Call, key: string): Promise<Entry | undefined> {
    const bytes = await this.#store.get(key);
    const entry = bytes === undefined ? undefined : await this.#context.codec.decode(key, call.owner, bytes);
    return typeof entry === "string" ? undefined : entry;
  }

  #put(search: Search, given: Entry, mayWrite: () => boolean | Promise<boolean>): void {
    const { key } = search.fingerprint;
    const { codec, runtime, limitMs } = this.#context;
    const marks = search.learnt(this, Object.keys(given.tags));
    const ttlMs = Math.ceil(Math.min(given.expiresAt - runtime.clock.wall(), this.#ttlMs));
    if (marks === undefined || ttlMs < 1) {
      this.forgetReplaced(search);
      return;
    }
    const entry = carrying(given, marks.generations, this.#marks.sweepOf(marks));
    const write = async (bytes: Uint8Array | undefined): Promise<true> => {
      // A newer one that was begun meanwhile must not be followed by this one.
      if (bytes !== undefined && (await mayWrite()) && this.#writing.get(key) === entry) {
        await this.#store.set(key, bytes, ttlMs);
      }
      return true;
    };
    this.#writing.set(key, entry);
    const over = (): void => {
      if (this.#writing.get(key) === entry) this.#writing.delete(key);
    };
    const begun = this.writes.add(given.answer.text.length, async () => {
      // Before the tier's time begins: a slow compressor is no fault of the tier's.
      const bytes = await codec.encode(key, entry, (error) => this.failures.add("compress", error));
      const written = await this.#guard.run("set", limitMs(), () => write(bytes));
      over();
      if (written !== true) this.forgetReplaced(search);
      return written === true;
    });
    if (begun) return;
    over();
    this.forgetReplaced(search);
  }

  #dropUnreadable(key: string, reason: string): void {
    this.failures.add("decode", reason);
    this.writes.add(0, async () => {
      const deleted = await this.#guard.run("delete", this.#context.limitMs(), async () => {
        await this.#store.delete(key);
        return true;
      });
      return deleted === true;
    });
  }
}

const NOTE = Uint8Array.of(1);
const NOTHING_KNOWN: StoreStats = { entries: undefined, bytes: undefined };

function carrying(entry: Entry, generations: KnownMarks["generations"], sweep: number): Entry {
  const tags = Object.fromEntries(Object.keys(entry.tags).map((tag) => [tag, generations[tag] ?? 0]));
  return { ...entry, tags, sweep };
}
