const BETA = 0.7;
const SCALE = 0.2;
const SMOOTHING = 0.8;
const LEAST_PER_SECOND = 0.5;
const MEASURED_EVERY_MS = 2_000;

/**
 * A rate for a provider that tells no limit: cut to seven tenths of what it took when it refuses, then grown quickly
 * back, slowly around the rate at which it refused, and faster beyond; never more than twice what it really takes.
 * Requests per second.
 *
 * Algorithm: CUBIC (RFC 9438) as a rate, as in the AWS SDKs' adaptive retry mode (`@smithy/util-retry`,
 * `DefaultRateLimiter`); measured over 2 s rather than 0.5 s and grown half as fast, since models are asked a few times
 * a second, not hundreds.
 */
export class CubicRate {
  #measured = 0;
  #responses = 0;
  #countedSince: number;
  #peak = 0;
  #plateauS = 0;
  #refusedAt = 0;
  #rate = Number.POSITIVE_INFINITY;

  constructor(now: number) {
    this.#countedSince = now;
  }

  /** `Infinity` before the first refusal. */
  get perSecond(): number {
    return this.#rate;
  }

  /** The provider took a request. */
  accepted(now: number): void {
    this.#measure(now);
    if (this.#rate === Number.POSITIVE_INFINITY) return;
    const sinceS = (now - this.#refusedAt) / 1_000;
    this.#set(SCALE * (sinceS - this.#plateauS) ** 3 + this.#peak);
  }

  /** The provider refused one because they come too fast. */
  refused(now: number): void {
    this.#measure(now);
    this.#peak = Math.min(this.#rate, this.#measured);
    this.#plateauS = Math.cbrt((this.#peak * (1 - BETA)) / SCALE);
    this.#refusedAt = now;
    this.#set(this.#peak * BETA);
  }

  /** Knows no rate any more. */
  forget(): void {
    this.#rate = Number.POSITIVE_INFINITY;
  }

  #set(rate: number): void {
    this.#rate = Math.max(LEAST_PER_SECOND, Math.min(rate, 2 * this.#measured));
  }

  #measure(now: number): void {
    this.#responses++;
    const passedMs = now - this.#countedSince;
    if (passedMs < MEASURED_EVERY_MS) return;
    const rate = (this.#responses * 1_000) / passedMs;
    this.#measured = rate * SMOOTHING + this.#measured * (1 - SMOOTHING);
    this.#responses = 0;
    this.#countedSince = now;
  }
}
