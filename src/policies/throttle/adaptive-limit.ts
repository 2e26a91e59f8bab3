import { LoadSignal } from "./load-signal.ts";
import { FIRST_TOKEN_BUCKETS, type Sample, TOKEN_BUCKETS } from "./signal.ts";

export type ChangeReason = "overloaded" | "slow_tokens" | "slow_first_token" | "recovering";

export interface LimitBounds {
  readonly initial: number;
  readonly min: number;
  readonly max: number;
}

/** Our calls at the provider. */
export interface Load {
  readonly atWire: number;
  /** Streams of them that have given no content yet. */
  readonly beforeFirstToken: number;
}

const WINDOW_MS = 1_000;
const WINDOW_SAMPLES = 10;
const CUT = 0.8;
const CUT_MOST = 0.5;
const DURATION_WEIGHT = 0.1;
// Vegas: how many calls may queue at the provider, in units of this share of the limit and at least of one call.
const UNIT = 0.03;
const QUEUE_LOW = 1;
const QUEUE_HIGH = 3;
const STEP_UP = 3;
const STEP_DOWN = 0.5;
const REGAIN = 2;
const QUIET_REFUSALS = 2;
// Between these shares of where calls were last found queueing the limit grows slowly.
const NEAR_LOW = 0.7;
const NEAR_HIGH = 1.1;

const TOKEN_RULES = { buckets: TOKEN_BUCKETS, countedMin: 5, memoryMax: 256, doubt: 1 };
// Times to the first token are spread far wider than times per token.
const FIRST_TOKEN_RULES = { buckets: FIRST_TOKEN_BUCKETS, countedMin: 16, memoryMax: 512, doubt: 2 };

/**
 * How many calls a provider can work on at once, learned from the time it takes for each output token and for the first
 * one. What exceeds its capacity makes them later in proportion, so `calls * (1 - best / observed)` calls are queueing
 * there; the limit is kept where that is a few, by whichever of the two signals tells of more.
 *
 * Algorithm: TCP Vegas (Brakmo and Peterson, 1995) as in Netflix concurrency-limits, on times per token. A refusal for
 * want of capacity cuts the limit to 0.8 of it, at most once in the time that a call takes, and within that time to what
 * the provider was still working on, but not below a half. After that the limit doubles with each window up to 0.8 of
 * where it was (TCP slow start, RFC 5681); after an outage, in which the provider refuses though it works on less than
 * half, up to where it was.
 */
export class AdaptiveLimit {
  bounds: LimitBounds;
  readonly token = new LoadSignal(TOKEN_RULES);
  readonly firstToken = new LoadSignal(FIRST_TOKEN_RULES);
  #limit: number;
  #windowFrom = Number.NEGATIVE_INFINITY;
  #answers = 0;
  #meanDurationMs: number | undefined;
  #cutAt = Number.NEGATIVE_INFINITY;
  #cutFrom = 0;
  /** The way back after cuts is short: up to here the limit doubles as long as nothing queues. */
  #regainTo = 0;
  #hasGrown = true;
  /** Where the limit was at the first refusal after growth. */
  #grownTo = 0;
  /** Since when the provider has refused nothing, after it refused while it worked on less than it ever could. */
  #outageQuietSince: number | undefined;
  #refusalMs = 0;
  /** Where calls were last found queueing. */
  #metAt: number | undefined;

  constructor(bounds: LimitBounds) {
    this.bounds = bounds;
    this.#limit = bounds.initial;
  }

  /** Whole calls. */
  get value(): number {
    return Math.floor(this.#limit);
  }

  /** Whether the limit is based on anything but where it began. */
  get isLearned(): boolean {
    return this.#meanDurationMs !== undefined || this.#cutAt !== Number.NEGATIVE_INFINITY;
  }

  /** An answer came; `load` counts what is at the provider. Gives the reason if the limit moved. */
  answered(now: number, durationMs: number, sample: Sample | undefined, load: () => Load): ChangeReason | undefined {
    const mean = this.#meanDurationMs ?? durationMs;
    this.#meanDurationMs = mean + (durationMs - mean) * DURATION_WEIGHT;
    if (this.#windowFrom === Number.NEGATIVE_INFINITY) this.#windowFrom = now;
    this.#answers++;
    this.token.add(sample);
    const enough = Math.min(WINDOW_SAMPLES, Math.max(3, this.value));
    if (this.#answers < enough || now - this.#windowFrom < WINDOW_MS) return undefined;
    return this.#closeWindow(now, load());
  }

  /**
   * The provider had no capacity for a call sent at `sentAt`, or let it time out. `served` is how many others it was
   * working on when it refused: more than those cannot be its capacity, and the next one would be refused as fast.
   * Says whether the limit was cut.
   */
  overloaded(now: number, sentAt: number, served: number | undefined): boolean {
    const before = this.value;
    // Refusal after refusal is one outage, and says nothing of the capacity before it; one after growth does.
    if (this.#hasGrown) {
      this.#grownTo = this.#limit;
      this.#regainTo = this.#limit * CUT;
      this.#hasGrown = false;
    }
    if (sentAt > this.#cutAt && now - this.#cutAt >= (this.#meanDurationMs ?? WINDOW_MS)) this.#cut(now);
    this.#refusalMs = now - sentAt;
    if (served === undefined) return this.value < before;
    if (served < this.#cutFrom * CUT_MOST) {
      this.#outageQuietSince = now;
      this.#regainTo = this.#grownTo;
    }
    this.#move(Math.max(Math.min(this.#limit, served), this.#cutFrom * CUT_MOST));
    return this.value < before;
  }

  /**
   * All of the limit is in use. After an outage that is enough to go on with the way back, once nothing was refused for
   * longer than refusals take: long calls would make it wait for their end. Gives the reason if the limit moved.
   */
  exhausted(now: number, atWire: () => number): ChangeReason | undefined {
    if (this.#outageQuietSince === undefined) return undefined;
    if (now - this.#outageQuietSince < Math.max(WINDOW_MS, QUIET_REFUSALS * this.#refusalMs)) return undefined;
    if (atWire() < this.value) return undefined;
    this.#outageQuietSince = this.#limit < this.#regainTo ? now : undefined;
    if (this.#outageQuietSince === undefined) return undefined;
    this.#hasGrown = true;
    return this.#move(Math.min(this.#regainTo, this.#limit * REGAIN)) ? "recovering" : undefined;
  }

  /** Sets the limit, within its bounds. */
  set(limit: number): void {
    this.#move(limit);
  }

  #cut(now: number): void {
    this.#cutAt = now;
    this.#cutFrom = this.#limit;
    this.token.endRetreat();
    this.firstToken.endRetreat();
    this.#beginWindow(now);
    this.#move(this.#limit * CUT);
  }

  #closeWindow(now: number, { atWire, beforeFirstToken }: Load): ChangeReason | undefined {
    const { token, firstToken } = this;
    const measured = token.measured + firstToken.measured > 0;
    this.#beginWindow(now);
    const tokenRead = token.read();
    const firstTokenRead = firstToken.read();
    if (measured && !tokenRead && !firstTokenRead) return undefined;
    const tokenQueue = token.queueOf(atWire);
    const firstTokenQueue = firstToken.queueOf(beforeFirstToken);
    const unit = Math.max(1, UNIT * this.#limit);
    if (tokenRead && tokenQueue > QUEUE_HIGH * unit && tokenQueue >= firstTokenQueue) {
      return this.#retreat(now, token, tokenQueue, unit) ? "slow_tokens" : undefined;
    }
    if (firstTokenRead && firstTokenQueue > QUEUE_HIGH * unit) {
      return this.#retreat(now, firstToken, firstTokenQueue, unit) ? "slow_first_token" : undefined;
    }
    if (tokenRead) token.endRetreat();
    if (firstTokenRead) firstToken.endRetreat();
    const queue = Math.max(tokenQueue, firstTokenQueue);
    // Where the limit is not used, answers say nothing about a higher one.
    if (queue >= QUEUE_LOW * unit || 2 * atWire < this.#limit) return undefined;
    // Tokens tell of whole answers, the first one of the last moments: enough to race no further.
    const isFree = queue <= unit && firstToken.queueOf(atWire) <= QUEUE_HIGH * unit;
    return this.#grow(measured, isFree, unit) ? "recovering" : undefined;
  }

  #retreat(now: number, signal: LoadSignal, queue: number, unit: number): boolean {
    const from = signal.retreatedInVainFrom(now, this.#limit, this.#meanDurationMs ?? 0);
    if (from !== undefined) {
      this.#regainTo = from;
      this.#metAt = undefined;
      // What is slower for everybody is so in both.
      this.token.accept();
      this.firstToken.accept();
      return false;
    }
    const before = this.#limit;
    const excess = queue - ((QUEUE_LOW + QUEUE_HIGH) / 2) * unit;
    const moved = this.#move(this.#limit - Math.max(unit, excess * STEP_DOWN));
    this.#metAt = before;
    // The way back has met its end.
    this.#regainTo = Math.min(this.#regainTo, this.#limit);
    return moved;
  }

  #grow(measured: boolean, isFree: boolean, unit: number): boolean {
    this.#hasGrown = true;
    if (this.#limit < this.#regainTo) return this.#move(Math.min(this.#regainTo, this.#limit * REGAIN));
    // What is learned while the limit races upwards would be learned from a provider already too busy.
    const racing = measured && this.token.isKnown && isFree && !this.#isNearWhereQueueing;
    return this.#move(this.#limit + (racing ? STEP_UP * unit : measured ? unit : 1));
  }

  get #isNearWhereQueueing(): boolean {
    if (this.#metAt === undefined) return false;
    const share = this.#limit / this.#metAt;
    return share > NEAR_LOW && share < NEAR_HIGH;
  }

  #beginWindow(now: number): void {
    this.#windowFrom = now;
    this.#answers = 0;
    this.token.beginWindow();
    this.firstToken.beginWindow();
  }

  #move(limit: number): boolean {
    const before = this.value;
    this.#limit = Math.min(this.bounds.max, Math.max(this.bounds.min, limit));
    return this.value !== before;
  }
}
