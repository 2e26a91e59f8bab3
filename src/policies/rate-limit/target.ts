import type { Fault, QuotaLimit } from "../../core/index.ts";
import { CubicRate } from "./cubic-rate.ts";
import type { Gcra } from "./gcra.ts";
import { Key } from "./key.ts";
import { learnedMeter, MINUTE_MS, PACED_WINDOW_MAX_MS } from "./limits.ts";
import type { Cost, Unit } from "./meter.ts";

const LEARNED_MAX = 8;
const FIRST_BACKOFF_MS = 1_000;
const LONGEST_BACKOFF_MS = 60_000;
/** Whatever a provider says: after a day one call asks again. */
const LONGEST_GATE_MS = 86_400_000;
const KEPT_MS = 60_000;
/** How long a limit that only a refusal told is kept, and by how much it then grows in a second. */
const REFUSAL_BELIEVED_MS = 8_000;
const REFUSAL_SAFETY = 0.95;
const REFUSAL_GROWTH = 1.2;
const OUTPUT_MEMORY = 0.98;

/** What had been taken when a request was sent: tells later what the provider cannot have counted yet. */
export interface Mark extends Cost {
  readonly sentAt: number;
}

const NO_MARK = { requests: 0, tokens: 0, inputTokens: 0, outputTokens: 0 } as const;

/** A limit as a provider tells it. */
export interface Reading {
  readonly unit: Unit;
  readonly windowMs: number;
  readonly limit: number | undefined;
  readonly remaining: number | undefined;
}

interface Learned {
  readonly meter: Gcra;
  told: number;
  /** When the request was sent whose response told last what remains. */
  asOf: number;
  /** When a refusal told it, if nothing else does; then what follows is a guess. */
  refusedAt: number | undefined;
}

/**
 * The provider's side of a limit: one model with one credential. It learns limits from what the provider tells with its
 * answers, and holds the one gate that a "not before" closes for all calls.
 *
 * Of a limit that only refusals tell, 95 % are used for 8 s after each; then it grows by a fifth a second. Where nothing
 * is told, calls go at a {@link CubicRate} from the first refusal on. Both are forgotten after a minute without another.
 */
export class Target extends Key {
  readonly #learned = new Map<string, Learned>();
  readonly #rate: CubicRate;
  #pace: Gcra | undefined;
  #reserved: Record<Unit, number> = { ...NO_MARK };
  #refusals = 0;
  #guesses = false;
  // As if some had been used as expected, so that the first answers do not say too much.
  #outputExpected = 1_000;
  #outputUsed = 1_000;

  constructor(name: string, now: number) {
    super("target", name);
    this.#rate = new CubicRate(now);
  }

  /** The limits that it has learned and that count in windows. */
  get learnedLimits(): QuotaLimit[] {
    return [...this.#learned.values()].map(({ meter: { unit, windowMs, limit } }) => ({ unit, windowMs, limit }));
  }

  /** Notes a request that leaves now. */
  sent(cost: Cost, now: number): Mark {
    const reserved = this.#reserved;
    reserved.requests += cost.requests;
    reserved.tokens += cost.tokens;
    reserved.inputTokens += cost.inputTokens;
    reserved.outputTokens += cost.outputTokens;
    const { requests, tokens, inputTokens, outputTokens } = reserved;
    return { requests, tokens, inputTokens, outputTokens, sentAt: now };
  }

  /** Notes that the provider took a request. */
  accepted(now: number): void {
    this.#refusals = 0;
    this.#rate.accepted(now);
    if (this.#pace !== undefined) {
      if (now - this.gateUntil > KEPT_MS) this.#forgetRate();
      else this.#pace.setLimit(this.#rate.perSecond * 60, now);
    }
    if (this.#guesses) this.#raiseGuesses(now);
  }

  /** What answers have used lately of the output tokens that were expected of them. */
  get outputRatio(): number {
    return this.#outputUsed / this.#outputExpected;
  }

  answered(outputExpected: number, outputUsed: number): void {
    if (outputExpected <= 0) return;
    this.#outputExpected = this.#outputExpected * OUTPUT_MEMORY + outputExpected;
    this.#outputUsed = this.#outputUsed * OUTPUT_MEMORY + outputUsed;
  }

  /**
   * Learns a limit from a response to the request of `mark`; `refused`: it was no answer. Says whether there was
   * something to learn.
   */
  learn(reading: Reading, mark: Mark, refused: boolean, burstMs: number, now: number): boolean {
    const { unit, windowMs, limit, remaining } = reading;
    // Some providers answer 0 or -1 for "unknown".
    if (limit === undefined || limit <= 0) return false;
    const id = `${unit}:${windowMs}`;
    let learned = this.#learned.get(id);
    if (learned === undefined) {
      // A day that is used up closes the gate; what is left of it later nobody tells.
      if (this.#learned.size >= LEARNED_MAX || (refused && windowMs > PACED_WINDOW_MAX_MS)) return false;
      learned = {
        meter: learnedMeter(unit, limit, windowMs, burstMs, now),
        told: limit,
        asOf: 0,
        refusedAt: undefined,
      };
      if (refused) learned.refusedAt = now;
      this.#learned.set(id, learned);
      this.#forgetRate();
    }
    learned.told = limit;
    if (!refused) learned.refusedAt = undefined;
    else if (learned.refusedAt !== undefined) learned.refusedAt = now;
    this.#guesses ||= learned.refusedAt !== undefined;
    learned.meter.setLimit(learned.refusedAt === undefined ? limit : limit * REFUSAL_SAFETY, now);
    // A response that took long tells what remained long ago, and every estimate since adds its error.
    if (remaining !== undefined && remaining >= 0 && mark.sentAt >= learned.asOf) {
      learned.asOf = mark.sentAt;
      // Since the provider counted, its bucket has filled and our later requests have been under way to it.
      const refilled = ((now - mark.sentAt) * limit) / windowMs;
      learned.meter.believe(Math.min(limit, remaining + refilled) - (this.#reserved[unit] - mark[unit]), now);
    }
    return true;
  }

  /** Closes the gate after a rate limit. Returns for how long, or `undefined` if it was closed for as long already. */
  refuse(fault: Fault, mark: Mark, burstMs: number, now: number): number | undefined {
    const isNews = mark.sentAt >= this.gateUntil;
    const until = now + Math.min(LONGEST_GATE_MS, fault.retryAfterMs ?? this.#backoff(isNews));
    if (isNews && this.#learned.size === 0) this.#slowDown(burstMs, now);
    return this.closeGate(until, now);
  }

  /** Closes the gate until then. Returns for how long, or `undefined` if it was closed for as long already. */
  closeGate(until: number, now: number): number | undefined {
    if (until <= this.gateUntil) return undefined;
    this.gateUntil = until;
    return until - now;
  }

  /** Takes over a limit that the provider told to another process. */
  follow({ unit, windowMs, limit }: QuotaLimit, burstMs: number, now: number): void {
    const told = { unit, windowMs, limit, remaining: undefined };
    this.learn(told, { ...NO_MARK, sentAt: now }, false, burstMs, now);
  }

  forget(): void {
    this.#learned.clear();
    this.#listMeters();
  }

  #backoff(isNews: boolean): number {
    if (isNews) this.#refusals++;
    return Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.max(0, this.#refusals - 1));
  }

  #slowDown(burstMs: number, now: number): void {
    this.#rate.refused(now);
    const perMinute = this.#rate.perSecond * 60;
    if (this.#pace === undefined) {
      this.#pace = learnedMeter("requests", perMinute, MINUTE_MS, burstMs, now);
      this.#listMeters();
    } else {
      this.#pace.setLimit(perMinute, now);
    }
  }

  #forgetRate(): void {
    this.#rate.forget();
    this.#pace = undefined;
    this.#listMeters();
  }

  #raiseGuesses(now: number): void {
    this.#guesses = false;
    for (const [id, { meter, told, refusedAt }] of this.#learned) {
      if (refusedAt === undefined) continue;
      if (now - refusedAt > KEPT_MS) {
        this.#learned.delete(id);
        this.#listMeters();
        continue;
      }
      this.#guesses = true;
      const seconds = (now - refusedAt - REFUSAL_BELIEVED_MS) / 1_000;
      if (seconds > 0) meter.setLimit(told * REFUSAL_SAFETY * REFUSAL_GROWTH ** seconds, now);
    }
  }

  #listMeters(): void {
    const learned = [...this.#learned.values()].map(({ meter }) => meter);
    this.meters = this.#pace === undefined ? learned : [...learned, this.#pace];
  }
}
