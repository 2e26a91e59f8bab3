import type { CallFacts, Kind } from "./facts.ts";
import { Group, type Judgement } from "./group.ts";

/** Calls of a template until it is kept apart: prompts that are all different must not crowd out those that are not. */
const CALLS_TO_BE_KEPT = 5;
const CANDIDATES_MAX = 500;
const ALL: Kind = { provider: undefined, model: undefined, route: undefined, template: undefined };

/**
 * Groups of calls by provider, model, route and template; bounded. Those of rare templates are put together under their
 * route, and when there are too many groups the lightest goes into the one above it: no call is lost or counted twice.
 */
export class Groups {
  readonly #kept = new Map<string, Group>();
  /** Of templates that were seen a few times: in order of arrival. */
  readonly #candidates = new Map<string, Group>();
  readonly #max: number;
  readonly #weightOf: (group: Group) => number;

  constructor(max: number, weightOf: (group: Group) => number) {
    this.#max = max;
    this.#weightOf = weightOf;
  }

  get size(): number {
    return this.#kept.size;
  }

  add(call: CallFacts, judgement: Judgement): void {
    const key = keyOf(call);
    const kept = this.#kept.get(key);
    if (kept !== undefined) kept.add(call, judgement);
    else if (call.template === undefined) this.#groupOf(call).add(call, judgement);
    else this.#addToCandidate(key, call, judgement);
  }

  /** Adds all of `other`; what is rare there is put together. */
  merge(other: Groups): void {
    for (const group of other) this.#groupOf(group).merge(group);
    for (const rare of other.#candidates.values()) this.#fold(rare);
  }

  /** Those that are kept apart. */
  *[Symbol.iterator](): Generator<Group> {
    yield* this.#kept.values();
  }

  #addToCandidate(key: string, call: CallFacts, judgement: Judgement): void {
    let candidate = this.#candidates.get(key);
    if (candidate === undefined) {
      candidate = new Group(call);
      if (this.#candidates.size >= CANDIDATES_MAX) this.#foldOldestCandidate();
      this.#candidates.set(key, candidate);
    }
    candidate.add(call, judgement);
    if (candidate.calls < CALLS_TO_BE_KEPT) return;
    this.#candidates.delete(key);
    this.#groupOf(candidate).merge(candidate);
  }

  #foldOldestCandidate(): void {
    for (const [key, oldest] of this.#candidates) {
      this.#candidates.delete(key);
      this.#fold(oldest);
      return;
    }
  }

  #fold(group: Group): void {
    this.#groupOf(aboveOf(group)).merge(group);
  }

  #groupOf(kind: Kind): Group {
    const key = keyOf(kind);
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    if (this.#kept.size >= this.#max) this.#foldLightest();
    const group = new Group(kind);
    this.#kept.set(key, group);
    return group;
  }

  #foldLightest(): void {
    let lightest: Group | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const group of this.#kept.values()) {
      const weight = this.#weightOf(group);
      if (weight >= least || isAll(group)) continue;
      lightest = group;
      least = weight;
    }
    if (lightest === undefined) return;
    this.#kept.delete(keyOf(lightest));
    // There is room for one now.
    this.#fold(lightest);
    if (this.#kept.size >= this.#max) this.#foldLightest();
  }
}

function aboveOf({ provider, model, route, template }: Kind): Kind {
  if (template !== undefined) return { provider, model, route, template: undefined };
  return route === undefined ? ALL : { provider, model, route: undefined, template: undefined };
}

function isAll({ provider, model, route, template }: Kind): boolean {
  return provider === undefined && model === undefined && route === undefined && template === undefined;
}

function keyOf({ provider = "", model = "", route = "", template = "" }: Kind): string {
  return `${provider}\u0000${model}\u0000${route}\u0000${template}`;
}
