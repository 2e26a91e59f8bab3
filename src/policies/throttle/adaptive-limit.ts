import type { Sample } from "./signal.ts";
import { Slowness } from "./slowness.ts";

export type ChangeReason = "overloaded" | "slow_tokens" | "recovering";

export interface LimitBounds {
  readonly initial: number;
  readonly min: number;
  readonly max: number;
}

const WINDOW_MS = 1_000;
const WINDOW_SAMPLES = 10;
const CUT = 0.8;
const CUT_MOST = 0.5;
const DURATION_WEIGHT = 0.1;
// Vegas: how many calls may queue at the provider, in units of log10(limit).
const QUEUE_LOW = 1.5;
const QUEUE_HIGH = 3.5;
const STEP_UP = 3;
const STEP_DOWN = 0.5;
const REGAIN = 2;
// Having stayed so far down for as many calls' time without tokens becoming this much faster, the load is not ours.
const RETREAT = 0.7;
const RETREAT_CALLS = 2;
const RELIEF = 0.9;

/** A way down that is under way. */
interface Retreat {
  /** The limit at which it began. */
  readonly from: number;
  /** The worst that was seen on it. */
  worst: number;
  /** When it had gone far enough to tell whether it helps. */
  farSince: number | undefined;
}

/**
 * How many calls a provider can work on at once, learned from the time it takes for each output token. What exceeds its
 * capacity slows every token down in proportion, so `inFlight * (1 - best / observed)` calls are queueing there; the
 * limit is kept where that is a few.
 *
 * Algorithm: TCP Vegas (Brakmo and Peterson, 1995) as in Netflix concurrency-limits, on time per output token. A
 * refusal for want of capacity cuts the limit to 0.8 of it, at most once in the time that a call takes, and within that
 * time to what the provider was still working on, but not below a half. After an outage the limit doubles with each
 * window up to 0.8 of where it was (TCP slow start, RFC 5681).
 */
export class AdaptiveLimit {
  bounds: LimitBounds;
  #limit: number;
  readonly #slowness = new Slowness();
  #windowFrom = Number.NEGATIVE_INFINITY;
  #answers = 0;
  #measured = 0;
  #meanDurationMs: number | undefined;
  #cutAt = Number.NEGATIVE_INFINITY;
  #cutFrom = 0;
  /** The way back after cuts is short: up to here the limit doubles as long as nothing queues. */
  #regainTo = 0;
  #grownSinceCut = true;
  #retreat: Retreat | undefined;

  constructor(bounds: LimitBounds) {
    this.bounds = bounds;
    this.#limit = bounds.initial;
  }

  /** Whole calls. */
  get value(): number {
    return Math.floor(this.#limit);
  }

  get meanDurationMs(): number | undefined {
    return this.#meanDurationMs;
  }

  /** An answer came; `atWire` counts the calls that are at the provider. Gives the reason if the limit moved. */
  answered(
    now: number,
    durationMs: number,
    sample: Sample | undefined,
    atWire: () => number,
  ): ChangeReason | undefined {
    const mean = this.#meanDurationMs ?? durationMs;
    this.#meanDurationMs = mean + (durationMs - mean) * DURATION_WEIGHT;
    if (this.#windowFrom === Number.NEGATIVE_INFINITY) this.#windowFrom = now;
    this.#answers++;
    if (sample !== undefined) {
      this.#measured++;
      this.#slowness.add(sample);
    }
    const enough = Math.min(WINDOW_SAMPLES, Math.max(3, this.value));
    if (this.#answers < enough || now - this.#windowFrom < WINDOW_MS) return undefined;
    return this.#closeWindow(now, atWire());
  }

  /**
   * The provider had no capacity for a call sent at `sentAt`, or let it time out. `served` is how many others it was
   * working on when it refused: more than those cannot be its capacity, and the next one would be refused as fast.
   * Says whether the limit was cut.
   */
  overloaded(now: number, sentAt: number, served: number | undefined): boolean {
    const before = this.value;
    if (sentAt > this.#cutAt && now - this.#cutAt >= (this.#meanDurationMs ?? WINDOW_MS)) {
      this.#cutAt = now;
      this.#cutFrom = this.#limit;
      // Cut after cut is one outage, and says nothing of the capacity before it; a cut after growth does.
      if (this.#grownSinceCut) this.#regainTo = this.#limit * CUT;
      this.#grownSinceCut = false;
      this.#retreat = undefined;
      this.#beginWindow(now);
      this.#move(this.#limit * CUT);
    }
    if (served !== undefined) this.#move(Math.max(Math.min(this.#limit, served), this.#cutFrom * CUT_MOST));
    return this.value < before;
  }

  /** Sets the limit, within its bounds. */
  set(limit: number): void {
    this.#move(limit);
  }

  #closeWindow(now: number, atWire: number): ChangeReason | undefined {
    const measured = this.#measured > 0;
    this.#beginWindow(now);
    const slowness = measured ? this.#slowness.read() : 1;
    if (slowness === undefined) return undefined;
    const log = Math.max(1, Math.log10(this.#limit));
    const queue = atWire * (1 - 1 / slowness);
    if (queue > QUEUE_HIGH * log) {
      if (this.#retreatInVain(now, slowness)) return undefined;
      const excess = queue - ((QUEUE_LOW + QUEUE_HIGH) / 2) * log;
      return this.#move(this.#limit - Math.max(log, excess * STEP_DOWN)) ? "slow_tokens" : undefined;
    }
    this.#retreat = undefined;
    // Where the limit is not used, answers say nothing about a higher one.
    if (queue >= QUEUE_LOW * log || 2 * atWire < this.#limit) return undefined;
    this.#grownSinceCut = true;
    if (this.#limit < this.#regainTo) {
      return this.#move(Math.min(this.#regainTo, this.#limit * REGAIN)) ? "recovering" : undefined;
    }
    // What is learned while the limit races upwards would be learned from a provider already too busy.
    const racing = measured && this.#slowness.isKnown && queue <= log;
    const step = racing ? STEP_UP * log : measured ? log : 1;
    return this.#move(this.#limit + step) ? "recovering" : undefined;
  }

  // Fewer calls of ours make tokens faster if it is our calls that make them slow. If not, the provider itself has
  // become slower or others keep it busy, and the limit would fall for nothing.
  #retreatInVain(now: number, slowness: number): boolean {
    this.#retreat ??= { from: this.#limit, worst: slowness, farSince: undefined };
    const retreat = this.#retreat;
    retreat.worst = Math.max(retreat.worst, slowness);
    if (this.#limit > retreat.from * RETREAT) return false;
    retreat.farSince ??= now;
    if (now - retreat.farSince < RETREAT_CALLS * (this.#meanDurationMs ?? 0)) return false;
    if (slowness < retreat.worst * RELIEF) return false;
    this.#slowness.accept(slowness);
    this.#retreat = undefined;
    return true;
  }

  #beginWindow(now: number): void {
    this.#windowFrom = now;
    this.#answers = 0;
    this.#measured = 0;
  }

  #move(limit: number): boolean {
    const before = this.value;
    this.#limit = Math.min(this.bounds.max, Math.max(this.bounds.min, limit));
    return this.value !== before;
  }
}
