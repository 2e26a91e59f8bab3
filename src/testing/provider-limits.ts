import type { LimitValues, Settings } from "./provider-options.ts";
import { TokenBucket } from "./token-bucket.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

type LimitName = "requests per min (RPM)" | "requests per day (RPD)" | "tokens per min (TPM)" | "concurrency";

/** Why a request was not admitted. */
export interface Refusal {
  readonly limitName: LimitName;
  readonly limit: number;
  readonly used: number;
  readonly requested: number;
  /** When the same request would fit; `Infinity`: never. */
  readonly waitMs: number;
}

/** What the provider admits: a bucket each for requests and tokens, and a number of places. */
export class ProviderLimits {
  readonly #burstMs: number;
  readonly #countRejected: boolean;
  #values: LimitValues;
  #requests: TokenBucket | undefined;
  #day: TokenBucket | undefined;
  #tokens: TokenBucket | undefined;
  #running = 0;

  constructor(settings: Settings, now: number) {
    this.#burstMs = settings.burstMs;
    this.#countRejected = settings.countRejected;
    this.#values = settings.limits;
    this.change(settings.limits, now);
  }

  get running(): number {
    return this.#running;
  }

  get values(): LimitValues {
    return this.#values;
  }

  /** Other limits from now on. What a bucket holds stays, as far as the new one can hold it. */
  change(values: LimitValues, now: number): void {
    this.#values = values;
    const share = this.#burstMs / MINUTE_MS;
    this.#requests = minuteBucket(values.requestsPerMinute, share, now, this.#requests);
    this.#tokens = minuteBucket(values.tokensPerMinute, share, now, this.#tokens);
    const perDay = values.requestsPerDay;
    this.#day =
      perDay === undefined ? undefined : new TokenBucket(perDay, DAY_MS, perDay, now, this.#day?.level(now) ?? perDay);
  }

  /** Takes one request and `tokens`, all or nothing. `undefined`: admitted; `release` it when it is over. */
  admit(tokens: number, now: number): Refusal | undefined {
    const refusal = this.#refusal(tokens, now);
    if (refusal === undefined) {
      this.#requests?.take(1, now);
      this.#day?.take(1, now);
      this.#tokens?.take(tokens, now);
      this.#running++;
    } else if (this.#countRejected) {
      for (const bucket of [this.#requests, this.#day]) bucket?.take(Math.min(1, Math.max(0, bucket.level(now))), now);
    }
    return refusal;
  }

  release(): void {
    this.#running--;
  }

  /** Corrects the charge of an admitted request by `tokens`; negative gives back. */
  charge(tokens: number, now: number): void {
    this.#tokens?.take(tokens, now);
  }

  /** The `x-ratelimit-*` headers of OpenAI. `reset` is the time until the bucket is full. */
  headers(now: number): Record<string, string> {
    return { ...bucketHeaders("requests", this.#requests, now), ...bucketHeaders("tokens", this.#tokens, now) };
  }

  #refusal(tokens: number, now: number): Refusal | undefined {
    const { concurrency } = this.#values;
    if (concurrency !== undefined && this.#running >= concurrency)
      return { limitName: "concurrency", limit: concurrency, used: this.#running, requested: 1, waitMs: 0 };
    return (
      shortage("requests per day (RPD)", this.#day, 1, now) ??
      shortage("requests per min (RPM)", this.#requests, 1, now) ??
      shortage("tokens per min (TPM)", this.#tokens, tokens, now)
    );
  }
}

function minuteBucket(limit: number | undefined, share: number, now: number, old: TokenBucket | undefined) {
  if (limit === undefined) return undefined;
  const capacity = Math.max(1, limit * share);
  return new TokenBucket(limit, MINUTE_MS, capacity, now, old?.level(now) ?? capacity);
}

function shortage(limitName: LimitName, bucket: TokenBucket | undefined, amount: number, now: number) {
  if (bucket === undefined) return undefined;
  const waitMs = bucket.waitFor(amount, now);
  if (waitMs === 0) return undefined;
  const used = Math.round(Math.max(0, bucket.limit - bucket.level(now)));
  return { limitName, limit: bucket.limit, used, requested: amount, waitMs };
}

function bucketHeaders(what: string, bucket: TokenBucket | undefined, now: number): Record<string, string> {
  if (bucket === undefined) return {};
  return {
    [`x-ratelimit-limit-${what}`]: String(bucket.limit),
    [`x-ratelimit-remaining-${what}`]: String(Math.max(0, Math.floor(bucket.level(now) + 1e-9))),
    [`x-ratelimit-reset-${what}`]: goDuration(bucket.fullIn(now)),
  };
}

/** A length of time as Go prints it: `0s`, `6ms`, `1.5s`, `6m0s`, `1h0m0.25s`. Rounded up to whole milliseconds. */
export function goDuration(ms: number): string {
  const whole = Math.ceil(ms - 1e-6);
  if (whole <= 0) return "0s";
  if (whole < 1000) return `${whole}ms`;
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor(whole / 60_000) % 60;
  const seconds = (whole % 60_000) / 1000;
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
