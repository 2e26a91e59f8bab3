import type { Call, Clock, Entry, EventMap, Fingerprint, Reply } from "../../core/index.ts";
import { isWithin, type Limits } from "./freshness.ts";
import type { Invalidations } from "./invalidations.ts";
import type { KnownMarks } from "./tier-marks.ts";

const TAGS_MAX = 32;
const KEY_MARK = "\u0000";

export type MissReason = EventMap["cache.miss"]["reason"];

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
  /** The process's count of invalidations when the search began: what was invalidated later, it must not find or keep. */
  readonly version: number;
  /** How old or stale an answer it takes. */
  limits: Limits;
  /** One of several questions of a call: it does not wait for its turn to ask while others wait for another of them. */
  isPart = false;
  /** Whether something was found that is in order but for its age. */
  outdated = false;
  /** The most telling reason so far. */
  reason: MissReason = "absent";
  /** What a new entry is to carry: the call's tags, and those of an entry that only lacked some of them. */
  tags: readonly string[];
  readonly #invalidations: Invalidations;
  /** By tier, what it told before the provider was asked. */
  #marks: Map<object, KnownMarks> | undefined;

  constructor(call: Call, fingerprint: Fingerprint, invalidations: Invalidations, limits: Limits) {
    this.call = call;
    this.fingerprint = fingerprint;
    this.version = invalidations.now;
    this.limits = limits;
    this.tags = call.scope.tags;
    this.#invalidations = invalidations;
  }

  /** Whether nothing has been invalidated since the search began that concerns an answer to it with `tags`. */
  standsFor(tags: readonly string[]): boolean {
    if (this.#invalidations.now === this.version) return true;
    const marks = [...tags, keyMark(this.fingerprint.key)];
    return this.#invalidations.unchangedSince(this.version, marks, this.call.label);
  }

  /**
   * The reply that `entry` gives to this call. `holds`: the tier it comes from knows of nothing that has made it invalid.
   * Otherwise `undefined`, and `reason` says why.
   */
  judge(entry: Entry, holds: boolean, clock: Clock): Reply | undefined {
    this.reason = this.#objection(entry, holds, clock) ?? "shape";
    if (this.reason !== "shape") return undefined;
    try {
      return this.call.wire.replay(this.call, entry.answer);
    } catch {
      return undefined;
    }
  }

  learn(tier: object, marks: KnownMarks): void {
    this.#marks ??= new Map();
    this.#marks.set(tier, marks);
  }

  /** Whether no tier has told `other` of an invalidation that it had not told this one of. */
  sawTheSame(other: Search): boolean {
    if (this.#marks === undefined || other.#marks === undefined) return true;
    for (const [tier, { generations, sweep }] of other.#marks) {
      const own = this.#marks.get(tier);
      if (own === undefined) continue;
      const differs = (tag: string): boolean =>
        Object.hasOwn(own.generations, tag) && own.generations[tag] !== generations[tag];
      if (own.sweep !== sweep || Object.keys(generations).some(differs)) return false;
    }
    return true;
  }

  /** What a new entry of `tags` carries in `tier`; `undefined` when the tier did not tell before the provider was asked. */
  learnt(tier: object, tags: readonly string[]): KnownMarks | undefined {
    const marks = this.#marks?.get(tier);
    return marks !== undefined && tags.every((tag) => Object.hasOwn(marks.generations, tag)) ? marks : undefined;
  }

  #objection(entry: Entry, holds: boolean, clock: Clock): MissReason | undefined {
    if (entry.check !== this.fingerprint.check) return "mismatch";
    const now = clock.wall();
    if (entry.expiresAt <= now) return "expired";
    const tags = Object.keys(entry.tags);
    if (!holds || !this.standsFor(tags)) return "invalidated";
    const wanted = this.call.scope.tags;
    if (!wanted.every((tag) => Object.hasOwn(entry.tags, tag))) {
      // An invalidation of a tag that it lacks would not reach it.
      this.tags = [...new Set([...wanted, ...tags])].slice(0, TAGS_MAX);
      return "absent";
    }
    if (isWithin(this.limits, entry, now)) return undefined;
    this.outdated = true;
    return entry.freshUntil <= now ? "expired" : "refresh";
  }
}

/** What stands among the tags for the key itself; no tag begins like that. */
export function keyMark(key: string): string {
  return `${KEY_MARK}${key}`;
}

/** The key that `tag` stands for; `undefined` for a tag of a call's. */
export function keyOfMark(tag: string): string | undefined {
  return tag.startsWith(KEY_MARK) ? tag.slice(KEY_MARK.length) : undefined;
}
