import { randomInt } from "node:crypto";

const TAGS_MAX = 100_000;
const FIRST_VERSION_MAX = 2 ** 47;

/**
 * What this process knows of invalidations: one counter, and for each tag its value when the tag was last invalidated.
 * An entry that carries these values is valid as long as they are the same.
 *
 * Bounded without forgetting: beyond 100,000 tags the one invalidated longest ago is let go, and from then on every tag
 * that is not listed counts as invalidated when that one was. So some entries are missed, and no stale one is given.
 *
 * The counter starts anywhere: an entry that another process left in a tier without generations of its own must not
 * seem valid here.
 */
export class TagVersions {
  #now = randomInt(FIRST_VERSION_MAX);
  #unlisted = this.#now;
  #clearedAt = this.#now;
  /** In the order of their versions. */
  readonly #listed = new Map<string, number>();

  /** Goes up with every invalidation. */
  get now(): number {
    return this.#now;
  }

  invalidate(tags: readonly string[]): void {
    this.#now++;
    for (const tag of tags) {
      this.#listed.delete(tag);
      this.#listed.set(tag, this.#now);
    }
    for (const [tag, version] of this.#listed) {
      if (this.#listed.size <= TAGS_MAX) break;
      this.#listed.delete(tag);
      this.#unlisted = version;
    }
  }

  invalidateAll(): void {
    this.#now++;
    this.#clearedAt = this.#now;
    this.#unlisted = this.#now;
    this.#listed.clear();
  }

  of(tags: readonly string[]): Readonly<Record<string, number>> {
    return Object.fromEntries(tags.map((tag) => [tag, this.#of(tag)]));
  }

  /** Whether nothing that concerns `tags` has been invalidated since the counter stood at `version`. */
  unchangedSince(version: number, tags: readonly string[]): boolean {
    return this.#clearedAt <= version && tags.every((tag) => this.#of(tag) <= version);
  }

  #of(tag: string): number {
    return this.#listed.get(tag) ?? this.#unlisted;
  }
}
