import { WaitClass } from "./wait-class.ts";
import { type Claim, SERVED, WaitEntry } from "./wait-entry.ts";

export type { Claim } from "./wait-entry.ts";

/** A place in a {@link WaitQueue}. */
export interface Waiter<T> {
  readonly item: T;
  /** 0 (first) to 9 (last). */
  readonly level: number;
  /** When it came, as its claim said. */
  readonly since: number;
}

export interface WaitRules {
  /** How long the oldest of a class waits until the class is served as the next more urgent one is; 0 for never. */
  readonly ageingMs: number;
  /** From which wait of its oldest on a class is served newest first; `Infinity` for never. */
  readonly newestFirstMs: number;
}

const LEVELS = 10;
// Two levels make one class of the named priorities, and half the share. Whole numbers, so that ties are ties; multiples
// of 16, so that a class can age into the next one four times.
const STRIDES = Array.from({ length: LEVELS }, (_, level) => (level % 2 === 0 ? 65_536 : 92_688) << (level >> 1));
const CLASS_RATIO = 2;
const NOBODY = "";
const NO_CLAIM: Claim = {};

/**
 * Who waits, and who is next.
 *
 * Between levels service is shared by weight, so that an urgent call goes ahead of a crowd and yet nobody starves: a
 * level gets twice the share of the one two below it (critical : high : normal : low : background = 16 : 8 : 4 : 2 : 1).
 * A level whose oldest has waited long has a greater share, up to half that of the most urgent level that waits.
 *
 * Within a level service is shared between tenants by what theirs has cost, and a tenant's own are served by the
 * earliest due, then by arrival.
 *
 * Adding, taking and removing are O(1) for one tenant and one order, else O(log n).
 * Algorithm: stride scheduling (Waldspurger and Weihl, MIT/LCS/TM-528, 1995); for tenants see {@link WaitClass}.
 */
export class WaitQueue<T> {
  rules: WaitRules;
  readonly #classes: (WaitClass<T> | undefined)[] = new Array(LEVELS).fill(undefined);
  #size = 0;
  #order = 0;
  /** Virtual time of the last service: a level that was empty joins one stride after it and cannot claim its past. */
  #virtual = 0;

  constructor(rules: WaitRules = { ageingMs: 0, newestFirstMs: Number.POSITIVE_INFINITY }) {
    this.rules = rules;
  }

  get size(): number {
    return this.#size;
  }

  add(item: T, level: number, claim: Claim = NO_CLAIM): Waiter<T> {
    const members = this.#classAt(level);
    const entry = new WaitEntry(item, members.lineOf(claim.tenant ?? NOBODY), claim, this.#order++);
    // As if just served: a level that comes back must not overtake more urgent ones that wait.
    if (members.count === 0) members.pass = Math.max(members.pass, this.#virtual);
    members.add(entry);
    this.#size++;
    return entry;
  }

  /** Who is next at the time `now`; stays the same until somebody is taken, removed, joins ahead or has aged. */
  peek(now = 0): T | undefined {
    return this.#nextEntry(this.#nextClass(now), now)?.item;
  }

  /** Takes the next one and charges its tenant what it is expected to cost. */
  take(now = 0): T | undefined {
    const members = this.#nextClass(now);
    const entry = this.#nextEntry(members, now);
    if (members === undefined || entry === undefined) return undefined;
    this.#virtual = members.pass + this.#strideOf(members, now);
    members.pass = this.#virtual;
    members.serve(entry);
    this.#size--;
    return entry.item;
  }

  /** Puts what one that was taken has really cost in place of what its tenant was charged; nothing for any other. */
  settle(waiter: Waiter<T>, cost: number): void {
    const entry = waiter as WaitEntry<T>;
    if (entry.place === SERVED) entry.line.members.settle(entry, cost);
  }

  /** Takes a waiter out, wherever it stands. Says whether it was still there. */
  remove(waiter: Waiter<T>): boolean {
    const entry = waiter as WaitEntry<T>;
    if (!entry.queued) return false;
    this.#classAt(entry.level).remove(entry);
    this.#size--;
    return true;
  }

  /** Who came last of the tenant with most waiting in the least urgent level: the first to go when room must be made. */
  last(): Waiter<T> | undefined {
    for (let level = LEVELS - 1; level >= 0; level--) {
      const last = this.#classes[level]?.last;
      if (last !== undefined) return last;
    }
    return undefined;
  }

  /**
   * Who must make room for a newcomer of `level` and `tenant`: the last of a less urgent level, or of a tenant of its
   * own level that has more waiting than its own would have then. `undefined`: nobody.
   */
  lastBehind(level: number, tenant: string = NOBODY): Waiter<T> | undefined {
    const last = this.last() as WaitEntry<T> | undefined;
    if (last === undefined || last.level > level) return last;
    if (last.level < level) return undefined;
    return last.line.count > this.#classAt(level).countOf(tenant) + 1 ? last : undefined;
  }

  /** The time since when the oldest waits; `undefined` when nobody does. */
  oldestSince(): number | undefined {
    let since: number | undefined;
    for (const members of this.#classes) {
      const oldest = members?.oldest?.since;
      if (oldest !== undefined && (since === undefined || oldest < since)) since = oldest;
    }
    return since;
  }

  /**
   * How many of those who wait are served before a newcomer of `level`, if all cost the same: of its own level all of
   * its tenant and as many of each other one, of other levels by weight.
   */
  aheadOf(level: number, tenant: string = NOBODY, now = 0): number {
    const own = this.#classAt(level);
    const aheadInClass = own.aheadOf(tenant);
    const pass = own.count === 0 ? Math.max(own.pass, this.#virtual) : own.pass;
    const served = pass + (aheadInClass + 1) * this.#strideOf(own, now);
    let ahead = aheadInClass;
    for (const other of this.#classes) {
      if (other === undefined || other === own || other.count === 0) continue;
      const turns = (served - other.pass) / this.#strideOf(other, now);
      // Ties go to the more urgent level.
      const before = other.level < level ? Math.floor(turns) : Math.ceil(turns) - 1;
      ahead += Math.min(other.count, Math.max(0, before));
    }
    return ahead;
  }

  /** How many wait in each level. */
  get counts(): number[] {
    return this.#classes.map((members) => members?.count ?? 0);
  }

  *[Symbol.iterator](): Generator<T> {
    for (const members of this.#classes) if (members !== undefined) yield* members;
  }

  #classAt(level: number): WaitClass<T> {
    this.#classes[level] ??= new WaitClass(level, STRIDES[level] as number);
    return this.#classes[level] as WaitClass<T>;
  }

  // Ties go to the more urgent level, which comes first.
  #nextClass(now: number): WaitClass<T> | undefined {
    let best: WaitClass<T> | undefined;
    let bestTime = Number.POSITIVE_INFINITY;
    for (const members of this.#classes) {
      if (members === undefined || members.count === 0) continue;
      const time = members.pass + this.#strideOf(members, now);
      if (time < bestTime) {
        best = members;
        bestTime = time;
      }
    }
    return best;
  }

  #nextEntry(members: WaitClass<T> | undefined, now: number): WaitEntry<T> | undefined {
    const { newestFirstMs } = this.rules;
    const oldest = members?.oldest;
    if (members === undefined || oldest === undefined) return undefined;
    return members.next(newestFirstMs !== Number.POSITIVE_INFINITY && now - oldest.since >= newestFirstMs);
  }

  // An aged class stays one behind the most urgent, or a crowd that nobody could serve would age into its place.
  #strideOf(members: WaitClass<T>, now: number): number {
    const { ageingMs } = this.rules;
    const { stride, oldest } = members;
    if (ageingMs === 0 || oldest === undefined || now - oldest.since < ageingMs) return stride;
    const aged = stride / CLASS_RATIO ** Math.floor((now - oldest.since) / ageingMs);
    return Math.min(stride, Math.max(aged, this.#leastStride() * CLASS_RATIO));
  }

  #leastStride(): number {
    for (const members of this.#classes) if (members !== undefined && members.count > 0) return members.stride;
    return Number.POSITIVE_INFINITY;
  }
}
