import type { ByteStore, Entry, Marks, StoreMarks } from "../../core/index.ts";
import type { Invalidations } from "./invalidations.ts";
import { Sweeps } from "./sweeps.ts";

/** What a tier told of invalidations at one moment. */
export interface KnownMarks {
  /** By tag. */
  readonly generations: Readonly<Record<string, number>>;
  /** How many patterns have been swept; 0 where the tier does not count them. */
  readonly sweep: number;
}

export interface TierReading {
  readonly bytes: Uint8Array | undefined;
  readonly marks: KnownMarks;
}

/** What makes the entries of a tier invalid. */
export interface TierMarks {
  /** A value and the marks of `tags`. */
  read(key: string, tags: readonly string[]): Promise<TierReading>;
  of(tags: readonly string[]): Promise<KnownMarks>;
  /** Whether `entry` has outlived every invalidation up to `marks`, which are of all its tags. */
  holds(entry: Entry, marks: KnownMarks): Promise<boolean>;
  /** What an entry is to carry as `Entry.sweep` whose search was told `marks`, and that nothing has invalidated since. */
  sweepOf(marks: KnownMarks): number;
}

/** For a tier that counts nothing: what this process knows. */
export class OwnMarks implements TierMarks {
  readonly #store: ByteStore;
  readonly #invalidations: Invalidations;

  constructor(store: ByteStore, invalidations: Invalidations) {
    this.#store = store;
    this.#invalidations = invalidations;
  }

  async read(key: string, tags: readonly string[]): Promise<TierReading> {
    const bytes = await this.#store.get(key);
    return { bytes, marks: this.#now(tags) };
  }

  async of(tags: readonly string[]): Promise<KnownMarks> {
    return this.#now(tags);
  }

  async holds(entry: Entry, marks: KnownMarks): Promise<boolean> {
    return sameGenerations(entry, marks) && !this.#invalidations.sweptHere(entry.sweep, entry.label);
  }

  sweepOf(): number {
    return this.#invalidations.now;
  }

  #now(tags: readonly string[]): KnownMarks {
    return { generations: this.#invalidations.of(tags), sweep: 0 };
  }
}

/** For a tier with marks of its own, which many processes share. */
export class SharedMarks implements TierMarks {
  readonly #marks: StoreMarks;
  readonly #sweeps = new Sweeps(0);
  #learning: Promise<void> | undefined;

  constructor(marks: StoreMarks) {
    this.#marks = marks;
  }

  async read(key: string, tags: readonly string[]): Promise<TierReading> {
    const { bytes, marks } = await this.#marks.read(key, tags);
    return { bytes, marks: byTag(tags, marks) };
  }

  async of(tags: readonly string[]): Promise<KnownMarks> {
    return byTag(tags, await this.#marks.marks(tags));
  }

  async holds(entry: Entry, marks: KnownMarks): Promise<boolean> {
    // Counts only grow: one from ahead is not of this store.
    if (entry.sweep > marks.sweep || !sameGenerations(entry, marks)) return false;
    if (entry.sweep === marks.sweep) return true;
    while (this.#sweeps.latest < marks.sweep) {
      this.#learning ??= this.#learn(marks.sweep).finally(() => {
        this.#learning = undefined;
      });
      await this.#learning;
    }
    return !this.#sweeps.sweptSince(entry.sweep, entry.label);
  }

  sweepOf({ sweep }: KnownMarks): number {
    return sweep;
  }

  /** Asks for the patterns that are not known yet, up to `sweep` at least. */
  async #learn(sweep: number): Promise<void> {
    const after = this.#sweeps.latest;
    const { sweeps, complete } = await this.#marks.sweepsSince(after);
    if (!complete) this.#sweeps.everythingBefore(Math.max(after + 1, (sweeps[0]?.number ?? sweep + 1) - 1));
    for (const { number, pattern } of sweeps) this.#sweeps.add(pattern, number);
    if (this.#sweeps.latest < sweep) this.#sweeps.everythingBefore(sweep);
  }
}

function sameGenerations({ tags }: Entry, { generations }: KnownMarks): boolean {
  return Object.keys(tags).every((tag) => tags[tag] === generations[tag]);
}

function byTag(tags: readonly string[], { generations, sweep }: Marks): KnownMarks {
  return { generations: Object.fromEntries(tags.map((tag, index) => [tag, generations[index] ?? 0])), sweep };
}
