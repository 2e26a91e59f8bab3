import type { Fault, LimitReading } from "../../core/index.ts";
import type { Gcra } from "./gcra.ts";
import { Key } from "./key.ts";
import { learnedMeter, MINUTE_MS } from "./limits.ts";
import type { Cost, Unit } from "./meter.ts";

const LEARNED_MAX = 8;
const FIRST_BACKOFF_MS = 1_000;
const LONGEST_BACKOFF_MS = 60_000;
const ACCEPTED_MEMORY_MS = 10_000;
const PACE_CUT = 0.7;
const SLOWEST_PACE = 60;
/** Per minute: a tenth of a request per second. */
const PACE_STEP = 6;
const PACE_KEPT_MS = 60_000;

/** What had been taken when a request was sent: tells later what the provider cannot have counted yet. */
export interface Mark {
  readonly sentAt: number;
  readonly requests: number;
  readonly tokens: number;
}

/**
 * The provider's side of a limit: one model with one credential. It learns limits from what the provider tells with its
 * answers, and holds the one gate that a "not before" closes for all calls.
 *
 * Where no request limit is known, a gate is followed by a pace: seven tenths of what was accepted before, at least one
 * request per second, growing by a tenth of a request per second with each request that is accepted, forgotten after a minute without another gate.
 */
export class Target extends Key {
  #learned = new Map<string, Gcra>();
  #pace: Gcra | undefined;
  #reserved = { requests: 0, tokens: 0 };
  #backoffs = 0;
  #accepted = 0;
  #acceptedAt = 0;

  constructor(name: string) {
    super("target", name, []);
  }

  /** Notes a request that leaves now. */
  sent(cost: Cost, now: number): Mark {
    this.#reserved.requests += cost.requests;
    this.#reserved.tokens += cost.tokens;
    return { sentAt: now, requests: this.#reserved.requests, tokens: this.#reserved.tokens };
  }

  /** Notes that the provider took a request. */
  accepted(now: number): void {
    this.#backoffs = 0;
    this.#accepted = this.#acceptedLately(now) + 1;
    this.#acceptedAt = now;
    if (this.#pace === undefined) return;
    if (now - this.gateUntil > PACE_KEPT_MS) this.#setPace(undefined);
    else this.#pace.setLimit(this.#pace.limit + PACE_STEP, now);
  }

  /** Learns a limit from a response to the request of `mark`. Says whether there was something to learn. */
  learn(reading: LimitReading, mark: Mark, burstMs: number, now: number): boolean {
    const { unit, windowMs, limit, remaining } = reading;
    // Some providers answer 0 or -1 for "unknown".
    if (limit === undefined || limit <= 0) return false;
    const id = `${unit}:${windowMs}`;
    let meter = this.#learned.get(id);
    if (meter === undefined) {
      if (this.#learned.size >= LEARNED_MAX) return false;
      meter = learnedMeter(unit, limit, windowMs, burstMs, now);
      this.#learned.set(id, meter);
      if (unit === "requests") this.#pace = undefined;
      this.#listMeters();
    } else if (meter.limit !== limit) {
      meter.setLimit(limit, now);
    }
    if (remaining !== undefined && remaining >= 0) {
      // Since the provider counted, its bucket has filled and our later requests have been under way to it.
      const refilled = ((now - mark.sentAt) * limit) / windowMs;
      meter.clamp(Math.min(limit, remaining + refilled) - (this.#reserved[unit] - mark[unit]), now);
    }
    return true;
  }

  /** Closes the gate after a rate limit. Returns for how long, or `undefined` if it was closed for as long already. */
  closeGate(fault: Fault, mark: Mark, paced: boolean, burstMs: number, now: number): number | undefined {
    const isNews = mark.sentAt >= this.gateUntil;
    const until = now + (fault.retryAfterMs ?? this.#backoff(isNews));
    if (isNews && !paced && !this.#learns("requests")) this.#slowDown(burstMs, now);
    if (until <= this.gateUntil) return undefined;
    this.gateUntil = until;
    return until - now;
  }

  forget(): void {
    this.#learned.clear();
    this.#listMeters();
  }

  #learns(unit: Unit): boolean {
    for (const meter of this.#learned.values()) if (meter.unit === unit) return true;
    return false;
  }

  #backoff(isNews: boolean): number {
    if (isNews) this.#backoffs++;
    return Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.max(0, this.#backoffs - 1));
  }

  #slowDown(burstMs: number, now: number): void {
    const perMinute = Math.max(SLOWEST_PACE, (this.#acceptedLately(now) / ACCEPTED_MEMORY_MS) * MINUTE_MS * PACE_CUT);
    if (this.#pace === undefined) this.#setPace(learnedMeter("requests", perMinute, MINUTE_MS, burstMs, now));
    else this.#pace.setLimit(perMinute, now);
  }

  #setPace(pace: Gcra | undefined): void {
    this.#pace = pace;
    this.#listMeters();
  }

  #listMeters(): void {
    this.meters = [...this.#learned.values(), ...(this.#pace === undefined ? [] : [this.#pace])];
  }

  #acceptedLately(now: number): number {
    return this.#accepted * Math.exp((this.#acceptedAt - now) / ACCEPTED_MEMORY_MS);
  }
}
