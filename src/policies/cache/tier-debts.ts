import type { ByteStore, Entry, Runtime, Timer } from "../../core/index.ts";
import { ANY_LABEL, type LabelMatcher, matcherOf, partsOf } from "./label-pattern.ts";
import { PaidDebts } from "./paid-debts.ts";
import { keyMark } from "./search.ts";
import type { TierGuard } from "./tier-guard.ts";
import type { WriteBehind } from "./write-behind.ts";

const TAGS_MAX = 10_000;
const TAGS_AT_ONCE = 100;
const PATTERNS_MAX = 1000;
const KEYS_MAX = 10_000;
const RETRY_MS = 1000;
const CLEAR_LIMIT_MS = 5000;

interface OwedPattern {
  readonly version: number;
  readonly matches: LabelMatcher | undefined;
}

/**
 * Invalidations that a tier has not carried out yet, because it is slow or down. Until it has, what it holds of them
 * counts as invalid. Beyond 10,000 tags or keys, or 1,000 patterns, the whole tier is to be cleared instead.
 */
export class TierDebts {
  readonly #store: ByteStore;
  readonly #guard: TierGuard;
  readonly #writes: WriteBehind;
  readonly #runtime: Runtime;
  readonly #limitMs: () => number;
  /** The version at which each tag was invalidated last. */
  readonly #tags = new Map<string, number>();
  readonly #patterns = new Map<string, OwedPattern>();
  /** The version at which each key was invalidated last. */
  readonly #keys = new Map<string, number>();
  readonly #paid = new PaidDebts();
  #clear: number | undefined;
  #paying: Promise<void> | undefined;
  #retry: Timer | undefined;
  #closed = false;

  constructor(store: ByteStore, guard: TierGuard, writes: WriteBehind, runtime: Runtime, limitMs: () => number) {
    this.#store = store;
    this.#guard = guard;
    this.#writes = writes;
    this.#runtime = runtime;
    this.#limitMs = limitMs;
  }

  /** How many invalidations the tier has carried out. */
  get paid(): number {
    return this.#paid.count;
  }

  /** Whether `entry` may be one that was invalidated. `paid` is from before it was read. */
  concern(key: string, entry: Entry, paid: number): boolean {
    if (this.#clear !== undefined || this.#keys.has(key) || this.#paid.concern(key, entry, paid)) return true;
    const { tags, label } = entry;
    if (this.#tags.size > 0 && Object.keys(tags).some((tag) => this.#tags.has(tag))) return true;
    if (this.#patterns.size === 0) return false;
    const parts = partsOf(label);
    return [...this.#patterns.values()].some(({ matches }) => matches === undefined || matches(parts));
  }

  oweTags(tags: readonly string[], version: number): void {
    for (const tag of tags) this.#tags.set(tag, version);
    if (this.#tags.size > TAGS_MAX) this.#oweClearInstead(version);
  }

  oweSweep(pattern: string, version: number): void {
    this.#patterns.set(pattern, { version, matches: matcherOf(pattern) });
    if (this.#patterns.size > PATTERNS_MAX) this.#oweClearInstead(version);
  }

  oweKey(key: string, version: number): void {
    this.#keys.set(key, version);
    if (this.#keys.size > KEYS_MAX) this.#oweClearInstead(version);
  }

  oweClear(version: number): void {
    this.#clear = version;
  }

  /** Carries out what is owed, as far as the tier takes it; what is left is tried again each second. */
  pay(): Promise<void> {
    if (this.#paying === undefined && this.#owes && !this.#closed) this.#paying = this.#payAll();
    return this.#paying ?? Promise.resolve();
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
  }

  get #owes(): boolean {
    return this.#clear !== undefined || this.#tags.size > 0 || this.#patterns.size > 0 || this.#keys.size > 0;
  }

  #oweClearInstead(version: number): void {
    this.#tags.clear();
    this.#patterns.clear();
    this.#keys.clear();
    this.#clear = version;
  }

  async #payAll(): Promise<void> {
    this.#retry?.cancel();
    let paid = true;
    while (paid && this.#owes && !this.#closed) {
      if (this.#clear !== undefined) paid = await this.#payClear(this.#clear);
      else if (this.#tags.size > 0) paid = await this.#payTags();
      else paid = this.#patterns.size > 0 ? await this.#payPattern() : await this.#payKeys();
    }
    if (!paid && !this.#closed) this.#retry = this.#runtime.clock.background(RETRY_MS, () => void this.pay());
    // Here and not a step later: what is owed from now on must find nobody paying.
    this.#paying = undefined;
  }

  async #payTags(): Promise<boolean> {
    const due = [...this.#tags].slice(0, TAGS_AT_ONCE);
    const paid = await this.#carryOut("invalidate", this.#limitMs(), async () =>
      this.#store.marks?.invalidate(due.map(([tag]) => tag)),
    );
    if (!paid) return false;
    const told = new Set(due.map(([tag]) => tag));
    this.#paid.add((_key, { tags }) => Object.keys(tags).some((tag) => told.has(tag)));
    // One that was invalidated again meanwhile is still owed.
    for (const [tag, version] of due) if (this.#tags.get(tag) === version) this.#tags.delete(tag);
    return true;
  }

  async #payPattern(): Promise<boolean> {
    for (const [pattern, { version, matches }] of this.#patterns) {
      const paid = await this.#carryOut("sweep", this.#limitMs(), async () => this.#store.marks?.sweep(pattern));
      if (!paid) return false;
      this.#paid.add((_key, { label }) => matches === undefined || matches(partsOf(label)));
      if (this.#patterns.get(pattern)?.version === version) this.#patterns.delete(pattern);
    }
    return true;
  }

  async #payKeys(): Promise<boolean> {
    // A write under way could land behind the deletion.
    await this.#writes.settled();
    for (const [key, version] of this.#keys) {
      const paid = await this.#carryOut("delete", this.#limitMs(), async () => {
        // Others that hold or ask for the same hear of it so.
        await this.#store.marks?.invalidate([keyMark(key)]);
        await this.#store.delete(key);
      });
      if (!paid) return false;
      this.#paid.add((read) => read === key);
      if (this.#keys.get(key) === version) this.#keys.delete(key);
    }
    return true;
  }

  async #payClear(version: number): Promise<boolean> {
    // A write under way could land behind the clearing.
    await this.#writes.settled();
    const limitMs = Math.max(CLEAR_LIMIT_MS, this.#limitMs());
    const paid = await this.#carryOut("clear", limitMs, async () => {
      await this.#store.clear();
      // What other processes have asked for and will write yet is of the time before.
      await this.#store.marks?.sweep(ANY_LABEL);
    });
    if (!paid) return false;
    this.#paid.add(() => true);
    if (this.#clear === version) this.#clear = undefined;
    return true;
  }

  async #carryOut(operation: string, limitMs: number, work: () => Promise<void>): Promise<boolean> {
    const done = await this.#guard.run(operation, limitMs, async () => {
      await work();
      return true;
    });
    return done === true;
  }
}
