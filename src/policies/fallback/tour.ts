import type { Fault, Random } from "../../core/index.ts";
import { isForWantOfRoom, isRefusalOfTarget } from "./conditions.ts";
import type { FallbackSettings } from "./options.ts";
import { type Candidate, choose, type Expected, hasRoom, leastLoaded } from "./strategies.ts";

/** Where a call goes next. */
export interface Stop {
  readonly candidate: Candidate;
  /** Until when it makes sense to be kept waiting there. */
  readonly admitBy: number;
  /** Nothing is waited for there: if it has no room, it may be asked again. */
  readonly hurries: boolean;
}

const NEARLY_AS_SOON = 1.5;

interface Hurried {
  readonly candidate: Candidate;
  readonly retryAfterMs: number;
}

/** What a tour needs to know of its surroundings. */
export interface Guide {
  readonly settings: FallbackSettings;
  readonly random: Random;
  expected(): Expected;
  /** The key of the place that has the call's beginning in its prompt cache. */
  warmPlace(): string | undefined;
}

/** One call's way from target to target: each is asked at most once, and once more if it only had no room at once. */
export class Tour {
  readonly #guide: Guide;
  #left: readonly Candidate[];
  /** Those that had no room when nothing was waited for, because others might. */
  #hurried: readonly Hurried[] = [];
  /** So far everybody's circuit was open or budget spent: nothing has been sent, and nobody was merely without room. */
  #nothingSent = true;

  constructor(candidates: readonly Candidate[], guide: Guide) {
    this.#left = candidates;
    this.#guide = guide;
  }

  next(now: number): Stop | undefined {
    const open = this.#left.filter((candidate) => this.#isOpen(candidate, now));
    const rank = Math.min(...open.map(rankOf), ...this.#hurried.map(({ candidate }) => rankOf(candidate)));
    if (rank === Number.POSITIVE_INFINITY) return this.#lastResort();
    const siblings = open.filter((candidate) => rankOf(candidate) === rank);
    const hurried = this.#hurried.filter(({ candidate }) => rankOf(candidate) === rank);
    if (siblings.length > 0) {
      const candidate = this.#choose(siblings);
      this.#left = this.#left.filter((other) => other !== candidate);
      // A probe is not to be tried again where it is, nor to wait there.
      const probes = candidate.place.health.state === "down" && open.length > 1;
      const hurries = siblings.length > 1 || hurried.length > 0 || probes;
      return { candidate, admitBy: hurries ? now : this.#admitBy(rank, open, now), hurries };
    }
    this.#hurried = this.#hurried.filter(({ candidate }) => rankOf(candidate) !== rank);
    return { candidate: soonestWithRoom(hurried), admitBy: this.#admitBy(rank, open, now), hurries: false };
  }

  /** Notes how a stop ended, for the choice of the next. */
  failed({ candidate, hurries }: Stop, fault: Fault): void {
    if (!isRefusalOfTarget(fault) || isForWantOfRoom(fault)) this.#nothingSent = false;
    if (hurries && isForWantOfRoom(fault)) {
      this.#hurried = [...this.#hurried, { candidate, retryAfterMs: fault.retryAfterMs ?? Number.POSITIVE_INFINITY }];
    }
    if (fault.kind === "context_length") this.#onlyLargerThan(candidate);
  }

  #isOpen({ place }: Candidate, now: number): boolean {
    const { settings, random } = this.#guide;
    return place.health.isOpen(now, place.inFlight === 0, settings, random);
  }

  #choose(siblings: readonly Candidate[]): Candidate {
    const { settings, random } = this.#guide;
    if (siblings.length > 1 && settings.affinityMs !== undefined) {
      const warm = this.#guide.warmPlace();
      const known = siblings.find(({ place }) => place.key === warm);
      if (known !== undefined && hasRoom(known, siblings)) return known;
    }
    return choose(settings.strategy, siblings, () => this.#guide.expected(), random);
  }

  #admitBy(rank: number, open: readonly Candidate[], now: number): number {
    const isFurther = (candidate: Candidate): boolean => rankOf(candidate) > rank;
    const others = open.some(isFurther) || this.#hurried.some(({ candidate }) => isFurther(candidate));
    return others ? now + this.#guide.settings.maxWaitMs : Number.POSITIVE_INFINITY;
  }

  // When all are away the one that may be back first is better than none; but a call that has been sent, or for which one
  // that works has no room, must not add to the load of those that are down.
  #lastResort(): Stop | undefined {
    if (this.#left.length === 0 || !this.#nothingSent) return undefined;
    const candidate = this.#left.reduce((best, other) =>
      other.place.health.readyAt < best.place.health.readyAt ? other : best,
    );
    this.#left = this.#left.filter((other) => other !== candidate);
    return { candidate, admitBy: Number.POSITIVE_INFINITY, hurries: false };
  }

  #onlyLargerThan({ settings }: Candidate): void {
    const window = settings.maxInputTokens ?? this.#guide.expected().inputTokens;
    const isLarger = ({ settings: { maxInputTokens } }: Candidate): boolean =>
      maxInputTokens !== undefined && maxInputTokens > window;
    this.#left = this.#left.filter(isLarger);
    this.#hurried = this.#hurried.filter(({ candidate }) => isLarger(candidate));
  }
}

// Those that are refused together are told the same: the first would have all of them.
function soonestWithRoom(hurried: readonly Hurried[]): Candidate {
  const soonest = Math.min(...hurried.map(({ retryAfterMs }) => retryAfterMs));
  const soon = hurried.filter(({ retryAfterMs }) => retryAfterMs <= soonest * NEARLY_AS_SOON);
  return leastLoaded(soon.map(({ candidate }) => candidate));
}

function rankOf({ settings }: Candidate): number {
  return settings.rank;
}
