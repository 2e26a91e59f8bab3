import { randomInt } from "node:crypto";
import type { Entry } from "../../core/index.ts";
import { Sweeps } from "./sweeps.ts";

const TAGS_MAX = 100_000;
const FIRST_VERSION_MAX = 2 ** 47;

/**
 * What this process knows of invalidations, its own and those it was told of: one counter, and for each tag and each
 * pattern its value when that was last invalidated.
 *
 * Bounded without forgetting: beyond 100,000 tags the one invalidated longest ago is let go, and from then on every tag
 * that is not listed counts as invalidated when that one was; patterns likewise. So some entries are missed, and no
 * stale one is given.
 *
 * The counter starts anywhere: an entry that another process left in a tier without marks of its own must not seem
 * valid here.
 */
export class Invalidations {
  readonly #first = randomInt(FIRST_VERSION_MAX);
  #now = this.#first;
  #unlisted = this.#first;
  #everythingAt = this.#first;
  /** In the order of their versions. */
  readonly #tags = new Map<string, number>();
  readonly #sweeps = new Sweeps(this.#first);
  /** Up to which version an entry in memory was looked at, and held. */
  readonly #checked = new WeakMap<Entry, number>();

  /** Goes up with every invalidation. */
  get now(): number {
    return this.#now;
  }

  invalidate(tags: readonly string[]): void {
    this.#now++;
    for (const tag of tags) {
      this.#tags.delete(tag);
      this.#tags.set(tag, this.#now);
    }
    for (const [tag, version] of this.#tags) {
      if (this.#tags.size <= TAGS_MAX) break;
      this.#tags.delete(tag);
      this.#unlisted = version;
    }
  }

  sweep(pattern: string): void {
    this.#sweeps.add(pattern, ++this.#now);
  }

  everything(): void {
    this.#now++;
    this.#everythingAt = this.#now;
    this.#unlisted = this.#now;
    this.#tags.clear();
  }

  /** The version of each tag. */
  of(tags: readonly string[]): Readonly<Record<string, number>> {
    return Object.fromEntries(tags.map((tag) => [tag, this.#of(tag)]));
  }

  /** Whether nothing that concerns an entry of `tags` and `label` has been invalidated since the counter stood at `version`. */
  unchangedSince(version: number, tags: readonly string[], label: string): boolean {
    if (version === this.#now) return true;
    if (this.#everythingAt > version || this.#sweeps.sweptSince(version, label)) return false;
    return tags.every((tag) => this.#of(tag) <= version);
  }

  /** Whether `entry`, whose `sweep` is the counter's value when it was put into the memory of this process, still holds. */
  holds(entry: Entry): boolean {
    if (entry.sweep === this.#now) return true;
    const checked = this.#checked.get(entry) ?? entry.sweep;
    if (checked === this.#now) return true;
    if (!this.unchangedSince(checked, Object.keys(entry.tags), entry.label)) return false;
    this.#checked.set(entry, this.#now);
    return true;
  }

  /** Whether a pattern was swept here that takes what was kept when the counter of some process stood at `sweep`. */
  sweptHere(sweep: number, label: string): boolean {
    // A number of another process says nothing here: the entry may be older than any pattern.
    const isOwn = sweep >= this.#first && sweep <= this.#now;
    return this.#sweeps.sweptSince(isOwn ? sweep : this.#first, label);
  }

  #of(tag: string): number {
    return this.#tags.get(tag) ?? this.#unlisted;
  }
}
