import { RecentDurations } from "../../core/index.ts";

export interface AcceptanceRules {
  /** How many requests may be sent for each that the provider accepts. */
  readonly k: number;
  readonly windowMs: number;
}

/** Calls under way that are older than `minAgeMs`; `sinceRefusal` counts those sent after the last refusal. */
export interface Outlived {
  readonly all: number;
  readonly sinceRefusal: number;
}

interface Slice {
  readonly until: number;
  requests: number;
  accepts: number;
}

const SLICES = 20;
const REQUESTS_MIN = 20;
const SHARE_MAX = 0.9;
// So many accepted in a row: whatever was refused before them is over.
const RECOVERED = 10;
const WINDOW_DURATIONS = 2;
// A call that has been under way for longer than refusals take, times this, has been accepted.
const OUTLIVED = 2;
const WEIGHT = 0.1;

/**
 * How much of what is sent the provider accepts, and the share to refuse here because it would only be refused there:
 * `(requests - k * accepts) / (requests + 1)`, at most 0.9.
 *
 * Algorithm: client-side throttling (Beyer et al., Site Reliability Engineering, 2016, chapter 21), with what long calls
 * ask for: a call counts once it is known whether it was accepted, or when it has been under way for longer than
 * refusals take; the window is at least twice as long as nearly all calls; and ten accepted in a row end the matter,
 * since a window of minutes would go on refusing long after an outage.
 */
export class Acceptance {
  readonly #durations = new RecentDurations();
  #slices: Slice[] = [];
  #requests = 0;
  #accepts = 0;
  #acceptedInRow = 0;
  #lastRefusalAt = Number.NEGATIVE_INFINITY;
  #refusalMs = 0;

  /** The provider accepted a call, whatever came of it. */
  accepted(now: number, rules: AcceptanceRules): void {
    this.#slice(now, rules).accepts++;
    this.#accepts++;
    if (++this.#acceptedInRow >= RECOVERED) this.#recover();
  }

  /** The provider failed, after `tookMs`. */
  refused(now: number, tookMs: number, rules: AcceptanceRules): void {
    this.#slice(now, rules);
    this.#acceptedInRow = 0;
    this.#lastRefusalAt = now;
    this.#refusalMs += (tookMs - this.#refusalMs) * (this.#refusalMs === 0 ? 1 : WEIGHT);
  }

  /** A good answer was complete after `ms`. */
  ended(ms: number): void {
    this.#durations.add(ms);
  }

  /** The share of calls to refuse now. `outlived` is asked only when there is reason to refuse any. */
  share(now: number, rules: AcceptanceRules, outlived: (minAgeMs: number, sentAfter: number) => Outlived): number {
    this.#expire(now, rules);
    if (this.#requests < REQUESTS_MIN || this.#shareOf(0, rules.k) <= 0) return 0;
    const { all, sinceRefusal } = outlived(OUTLIVED * this.#refusalMs, this.#lastRefusalAt);
    if (this.#acceptedInRow + sinceRefusal >= RECOVERED) {
      this.#recover();
      return 0;
    }
    return Math.min(SHARE_MAX, Math.max(0, this.#shareOf(all, rules.k)));
  }

  #shareOf(outlived: number, k: number): number {
    const requests = this.#requests + outlived;
    return (requests - k * (this.#accepts + outlived)) / (requests + 1);
  }

  #slice(now: number, rules: AcceptanceRules): Slice {
    this.#expire(now, rules);
    let slice = this.#slices.at(-1);
    if (slice === undefined || slice.until <= now) {
      slice = { until: now + this.#windowMs(rules) / SLICES, requests: 0, accepts: 0 };
      this.#slices.push(slice);
    }
    slice.requests++;
    this.#requests++;
    return slice;
  }

  #windowMs({ windowMs }: AcceptanceRules): number {
    return Math.max(windowMs, WINDOW_DURATIONS * this.#durations.quantile(0.99));
  }

  #expire(now: number, rules: AcceptanceRules): void {
    const oldest = now - this.#windowMs(rules);
    for (let slice = this.#slices[0]; slice !== undefined && slice.until <= oldest; slice = this.#slices[0]) {
      this.#slices.shift();
      this.#requests -= slice.requests;
      this.#accepts -= slice.accepts;
    }
  }

  #recover(): void {
    this.#slices = [];
    this.#requests = 0;
    this.#accepts = 0;
    this.#acceptedInRow = 0;
  }
}
