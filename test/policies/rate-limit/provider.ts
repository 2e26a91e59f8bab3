import {
  type Call,
  faultOf,
  type LimitReading,
  type Outcome,
  PLAIN_HEAD,
  type Random,
  type Runtime,
  valueReply,
  whole,
} from "../../../src/core/index.ts";

interface Bucket {
  limit: number;
  left: number;
}

/**
 * A provider with real limits: a bucket of requests and one of tokens, each as large as a minute's limit and filled
 * all the time. It charges what a request will use, and tells its limits with every response (`headers`), the one that
 * was met with a refusal (`words`), or not at all.
 */
export class LimitedProvider {
  readonly #runtime: Runtime;
  readonly #random: Random;
  readonly #headers: boolean;
  readonly #words: boolean;
  readonly #requests: Bucket;
  readonly #tokens: Bucket;
  #filledAt = 0;
  latencyMs: number;
  readonly arrivals: number[] = [];
  accepted = 0;
  rejected = 0;
  answered = 0;
  tokensAnswered = 0;

  constructor(
    runtime: Runtime,
    options: {
      requestsPerMinute: number;
      tokensPerMinute: number;
      headers?: boolean;
      words?: boolean;
      latencyMs?: number;
      burstMs?: number;
    },
  ) {
    this.#runtime = runtime;
    this.#random = runtime.random;
    this.#headers = options.headers ?? true;
    this.#words = options.words ?? false;
    this.latencyMs = options.latencyMs ?? 2_000;
    this.#burst = (options.burstMs ?? 60_000) / 60_000;
    this.#requests = { limit: options.requestsPerMinute, left: options.requestsPerMinute * this.#burst };
    this.#tokens = { limit: options.tokensPerMinute, left: options.tokensPerMinute * this.#burst };
  }

  readonly #burst: number;

  /** Multiplies the limits from now on, without a word. */
  scaleLimits(factor: number): void {
    this.#fill();
    for (const bucket of [this.#requests, this.#tokens]) {
      bucket.limit *= factor;
      bucket.left = Math.min(bucket.left, bucket.limit * this.#burst);
    }
  }

  readonly send = async (call: Call): Promise<Outcome> => {
    const { clock } = this.#runtime;
    this.#fill();
    this.arrivals.push(clock.now());
    const inputTokens = Math.round(call.inputChars / 4);
    const outputTokens = Math.min(call.maxOutputTokens ?? 512, Math.round(-200 * Math.log(1 - this.#random())) + 1);
    const charged = inputTokens + outputTokens;
    const missingMs = Math.max(missing(this.#requests, 1), missing(this.#tokens, charged));
    if (missingMs > 0) {
      this.rejected++;
      const details = { kind: "rate_limited", error: new Error("429"), status: 429 } as const;
      const met = missing(this.#requests, 1) > 0 ? "requests" : "tokens";
      const limits = this.#words ? this.#readings([met]) : this.#limits();
      return faultOf({ ...details, retryAfterMs: Math.ceil(missingMs), limits });
    }
    this.accepted++;
    this.#requests.left--;
    this.#tokens.left -= charged;
    const head = { ...PLAIN_HEAD, limits: this.#limits() };
    await new Promise<void>((resolve) => void clock.timer(this.latencyMs * (0.5 + this.#random()), resolve));
    this.answered++;
    this.tokensAnswered += charged;
    return valueReply("hi", whole({ usage: { inputTokens, outputTokens } }), head);
  };

  #limits() {
    return this.#headers ? this.#readings(["requests", "tokens"]) : undefined;
  }

  #readings(units: readonly ("requests" | "tokens")[]): LimitReading[] {
    return units.map((unit) => {
      const { limit, left } = unit === "requests" ? this.#requests : this.#tokens;
      return { unit, windowMs: 60_000, limit, remaining: Math.max(0, Math.floor(left)), resetMs: undefined };
    });
  }

  #fill(): void {
    const now = this.#runtime.clock.now();
    for (const bucket of [this.#requests, this.#tokens]) {
      bucket.left = Math.min(
        bucket.limit * this.#burst,
        bucket.left + ((now - this.#filledAt) * bucket.limit) / 60_000,
      );
    }
    this.#filledAt = now;
  }
}

function missing(bucket: Bucket, amount: number): number {
  return (Math.max(0, amount - bucket.left) * 60_000) / bucket.limit;
}
