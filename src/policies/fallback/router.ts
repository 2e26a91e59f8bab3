import {
  broken,
  type Call,
  type Fault,
  Keyed,
  type Next,
  type Outcome,
  type Runtime,
  readToCommit,
  sentWithSlot,
  type Target,
  type Usage,
} from "../../core/index.ts";
import { TokenEstimator } from "../../tokens/index.ts";
import { Affinity } from "./affinity.ts";
import { blamesTarget, goneMs, movesOn } from "./conditions.ts";
import type { FallbackSettings, PlaceSettings } from "./options.ts";
import { Place, type Stay } from "./place.ts";
import type { Candidate, Expected } from "./strategies.ts";
import { type Stop, Tour } from "./tour.ts";

/** How many places are kept apart; idle ones make room for new ones. */
const PLACES_MAX = 1_000;
/** Whatever a provider says: after a day one call asks again. */
const LONGEST_PAUSE_MS = 86_400_000;

/** Why a call went elsewhere: the fault, or what was known before. */
export type MoveReason = Fault["kind"] | "away" | "too_long";

/** The way of calls to targets, and what is known of these. */
export class Router {
  readonly #runtime: Runtime;
  #settings: FallbackSettings;
  readonly places: Keyed<Place>;
  readonly affinity = new Affinity();
  readonly #estimator = new TokenEstimator();
  #closed = false;

  constructor(settings: FallbackSettings, runtime: Runtime) {
    this.#settings = settings;
    this.#runtime = runtime;
    const { clock, events } = runtime;
    this.places = new Keyed(
      PLACES_MAX,
      (key) =>
        new Place(key, {
          left: (call, reason) => events.emit("fallback.left", call, { target: key, reason }),
          returned: (call, awayMs) => events.emit("fallback.returned", call, { target: key, awayMs }),
        }),
      (place) => place.isIdle(clock.now()),
    );
  }

  configure(settings: FallbackSettings): void {
    this.#settings = settings;
  }

  /** Calls under way end where they are. */
  close(): void {
    this.#closed = true;
  }

  async run(call: Call, next: Next): Promise<Outcome> {
    const { clock } = this.#runtime;
    const settings = this.#settings;
    const beginning = settings.affinityMs === undefined ? undefined : this.affinity.nameOf(call);
    const warm = beginning === undefined ? undefined : this.affinity.placeOf(beginning, clock.now());
    const wanted = this.#wanted(call);
    const tour = new Tour(this.#fitting(call, wanted), {
      settings,
      random: this.#runtime.random,
      expected: () => this.#expected(call),
      warmPlace: () => warm,
    });
    let from: Candidate | undefined;
    let fault: Fault | undefined;
    for (let stop = tour.next(clock.now()); stop !== undefined; stop = tour.next(clock.now())) {
      const { place, settings: known } = stop.candidate;
      const stay = place.begin(clock.now(), known.price);
      const asked = await this.#callAt(call, stop);
      if (asked === undefined) {
        stay.cancel();
        call.trace.step(clock.now(), "fallback", "passed over", undefined, place.key);
        continue;
      }
      this.#report(call, wanted, from, stop.candidate, fault);
      const outcome = await this.#ask(asked, place, stay, next);
      if (outcome.ok) {
        if (beginning !== undefined) this.#stick(beginning, stop.candidate);
        return outcome;
      }
      fault = outcome;
      from = stop.candidate;
      const over = this.#closed || call.cancellation.cancelled || clock.now() >= call.deadline;
      if (over || !movesOn(outcome, settings.on)) return outcome;
      // It has waited long without its slot, and in vain.
      const { seat } = call.trace;
      if (seat?.isAway === true && (await seat.take(call)) !== undefined) return outcome;
      tour.failed(stop, outcome);
    }
    return fault ?? next(call);
  }

  #wanted(call: Call): readonly Candidate[] {
    const candidates: Candidate[] = [];
    for (const settings of this.#settings.places) {
      if (settings.when?.(call) === false) continue;
      candidates.push({ settings, place: this.places.get(placeKey(call, settings)) });
    }
    return candidates;
  }

  /** Without those whose window is too small. Where all are, the largest: it is only an estimate. */
  #fitting(call: Call, wanted: readonly Candidate[]): readonly Candidate[] {
    if (wanted.every(({ settings }) => settings.maxInputTokens === undefined)) return wanted;
    const { inputTokens } = this.#expected(call);
    const fitting = wanted.filter((candidate) => inputTokens <= windowOf(candidate));
    if (fitting.length > 0) return fitting;
    const largest = Math.max(...wanted.map(windowOf));
    return wanted.filter((candidate) => windowOf(candidate) === largest);
  }

  #expected(call: Call): Expected {
    const { input, output } = this.#estimator.estimate(call);
    return { inputTokens: input, outputTokens: output };
  }

  async #callAt(call: Call, { candidate, admitBy }: Stop): Promise<Call | undefined> {
    const { target } = candidate.settings;
    const there = target === undefined ? call : await applied(target, call, this.#runtime);
    if (there === undefined) return undefined;
    // Who is kept waiting until the deadline has no time left for the answer.
    const latest = Math.min(admitBy, call.deadline - candidate.place.usualMs);
    return latest < there.admitBy ? there.with({ admitBy: latest }) : there;
  }

  async #ask(call: Call, place: Place, stay: Stay, next: Next): Promise<Outcome> {
    const { clock } = this.#runtime;
    const { pass } = stay;
    const judge = (fault: Fault): void => {
      const now = clock.now();
      if (!this.#settings.on.has(fault.kind)) return;
      if (blamesTarget(fault)) place.health.fail(pass, now, call, fault.kind, this.#settings, goneMs(fault));
      else if (fault.kind === "rate_limited" && fault.retryAfterMs !== undefined) {
        place.health.pause(now + Math.min(LONGEST_PAUSE_MS, fault.retryAfterMs));
      }
    };
    const outcome = await readToCommit("firstContent", call, await sentWithSlot(call, next));
    stay.answered();
    if (!outcome.ok) {
      stay.end(broken(outcome));
      judge(outcome);
      return outcome;
    }
    place.health.succeed(pass, clock.now(), call, this.#settings);
    outcome.settled.subscribe((settlement) => {
      stay.end(settlement);
      if (settlement.fault !== undefined) judge(settlement.fault);
      else this.#learn(call, place, settlement.usage);
    });
    return outcome;
  }

  #learn(call: Call, place: Place, usage: Usage | undefined): void {
    const sentAt = call.trace.attempts.at(-1)?.sentAt;
    if (sentAt !== undefined) place.took(this.#runtime.clock.now() - sentAt);
    if (usage !== undefined) this.#estimator.learn(call, usage);
  }

  #stick(beginning: string, { place }: Candidate): void {
    const { affinityMs } = this.#settings;
    if (affinityMs !== undefined) this.affinity.served(beginning, place.key, this.#runtime.clock.now() + affinityMs);
  }

  #report(
    call: Call,
    wanted: readonly Candidate[],
    from: Candidate | undefined,
    to: Candidate,
    fault: Fault | undefined,
  ): void {
    const { clock, events } = this.#runtime;
    const preferred = from ?? wanted.reduce((best, other) => (rankOf(other) < rankOf(best) ? other : best), to);
    // Between targets of one rank, no room at one is the ordinary course of balancing.
    if (preferred !== to && (rankOf(preferred) !== rankOf(to) || (fault !== undefined && fault.kind !== "refused"))) {
      const reason: MoveReason = fault?.kind ?? (this.#isTooLong(call, preferred) ? "too_long" : "away");
      const detail = `${preferred.place.key} to ${to.place.key}: ${reason}`;
      call.trace.fellBack = true;
      call.trace.step(clock.now(), "fallback", "moved", undefined, detail);
      if (events.wants("fallback.used")) {
        events.emit("fallback.used", call, { from: preferred.place.key, to: to.place.key, reason });
      }
    } else if (to.settings.target !== undefined) {
      call.trace.step(clock.now(), "fallback", "chose", undefined, to.place.key);
    }
  }

  #isTooLong(call: Call, { settings: { maxInputTokens } }: Candidate): boolean {
    return maxInputTokens !== undefined && this.#expected(call).inputTokens > maxInputTokens;
  }
}

// One of the user's making may throw all the same: the call cannot be sent there.
async function applied(target: Target, call: Call, runtime: Runtime): Promise<Call | undefined> {
  try {
    return await target.apply(call, runtime);
  } catch {
    return undefined;
  }
}

function rankOf({ settings }: Candidate): number {
  return settings.rank;
}

function windowOf({ settings }: Candidate): number {
  return settings.maxInputTokens ?? Number.POSITIVE_INFINITY;
}

/** The same for calls that meet the same model at the same target. */
function placeKey(call: Call, { target }: PlaceSettings): string {
  return target === undefined ? call.target : `${target.name}/${target.model ?? call.model}`;
}
