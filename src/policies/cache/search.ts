import type { Call, Clock, Entry, EventMap, Fingerprint, Reply } from "../../core/index.ts";
import type { TagVersions } from "./tag-versions.ts";

const TAGS_MAX = 32;

export type MissReason = EventMap["cache.miss"]["reason"];

/** Generation of each tag. */
export type Generations = Readonly<Record<string, number>>;

/** What a tier answers a search with. */
export interface Hit {
  readonly tier: string;
  readonly reply: Reply;
  readonly entry: Entry;
}

/** One call's way through the tiers: what it looks for and what it learns. */
export class Search {
  readonly call: Call;
  readonly fingerprint: Fingerprint;
  /** The process's version of all tags when the search began: what was invalidated later, it must not find or keep. */
  readonly version: number;
  /** The most telling reason so far. */
  reason: MissReason = "absent";
  /** What a new entry is to carry: the call's tags, and those of an entry that only lacked some of them. */
  tags: readonly string[];
  readonly #versions: TagVersions;
  /** By tier, the generations of the call's tags before the provider was asked. */
  #generations: Map<object, Generations> | undefined;

  constructor(call: Call, fingerprint: Fingerprint, versions: TagVersions) {
    this.call = call;
    this.fingerprint = fingerprint;
    this.version = versions.now;
    this.tags = call.scope.tags;
    this.#versions = versions;
  }

  /**
   * The reply that `entry` gives to this call. `generations` are its tags' present ones in the tier it comes from.
   * Otherwise `undefined`, and `reason` says why.
   */
  judge(entry: Entry, generations: Generations, clock: Clock): Reply | undefined {
    this.reason = this.#objection(entry, generations, clock) ?? "shape";
    if (this.reason !== "shape") return undefined;
    try {
      return this.call.wire.replay(this.call, entry.answer);
    } catch {
      return undefined;
    }
  }

  learn(tier: object, generations: Generations): void {
    this.#generations ??= new Map();
    this.#generations.set(tier, generations);
  }

  /** What a new entry of `tags` carries in `tier`; `undefined` when the tier did not tell before the provider was asked. */
  generationsIn(tier: object, tags: readonly string[]): Generations | undefined {
    if (tags.length === 0) return {};
    const learnt = this.#generations?.get(tier);
    return learnt !== undefined && tags.every((tag) => Object.hasOwn(learnt, tag)) ? learnt : undefined;
  }

  #objection(entry: Entry, generations: Generations, clock: Clock): MissReason | undefined {
    if (entry.check !== this.fingerprint.check) return "mismatch";
    if (entry.expiresAt <= clock.wall()) return "expired";
    const tags = Object.keys(entry.tags);
    const current = tags.every((tag) => entry.tags[tag] === generations[tag]);
    if (!current || !this.#versions.unchangedSince(this.version, tags)) return "invalidated";
    const wanted = this.call.scope.tags;
    if (wanted.every((tag) => Object.hasOwn(entry.tags, tag))) return undefined;
    // An invalidation of a tag that it lacks would not reach it.
    this.tags = [...new Set([...wanted, ...tags])].slice(0, TAGS_MAX);
    return "absent";
  }
}
