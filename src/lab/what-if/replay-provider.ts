import { type Clock, type Priority, seededRandom, type Timer } from "../../core/index.ts";
import { drawnTime } from "./latency-fit.ts";
import { latencyOf, type ProviderFit } from "./provider-fit.ts";

/** A call as it is replayed, with everything known. */
export interface ReplayedCall {
  readonly at: number;
  readonly model: string;
  readonly stream: boolean;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly client: string | undefined;
  readonly question: string;
  readonly priority: Priority | undefined;
}

/** What requests took in the end, by model. */
export interface TokensTaken {
  inputTokens: number;
  outputTokens: number;
}

/** An answer that is given piece by piece. */
interface Streaming {
  readonly call: ReplayedCall;
  readonly model: string;
  readonly pieces: number;
  readonly gapMs: number;
  readonly taken: TokensTaken;
  readonly signal: AbortSignal | undefined;
}

const MINUTE_MS = 60_000;
const FAILED_STATUS = 503;
/** A stream gives its answer in so many pieces: enough for clocks of silence and speed. */
const PIECES = 8;
const CHARS_PER_TOKEN = 4;
const ENCODER = new TextEncoder();

/** An amount that flows in all the time; it holds a minute's. */
class Bucket {
  readonly #perMs: number;
  readonly limit: number;
  #level: number;
  #at = 0;

  constructor(perMinute: number) {
    this.limit = perMinute;
    this.#perMs = perMinute / MINUTE_MS;
    this.#level = perMinute;
  }

  level(now: number): number {
    this.#level = Math.min(this.limit, this.#level + (now - this.#at) * this.#perMs);
    this.#at = now;
    return this.#level;
  }

  /** Milliseconds until `amount` is there; more than it holds counts as all of it. */
  waitFor(amount: number, now: number): number {
    return Math.max(0, Math.min(amount, this.limit) - this.level(now)) / this.#perMs;
  }

  take(amount: number, now: number): void {
    this.#level = this.level(now) - amount;
  }
}

/**
 * A provider with OpenAI's interface that behaves as it was fitted. What chance decides of a call depends on the seed, the
 * call and its number of tries alone, so that two configurations meet the same provider.
 */
export class ReplayProvider {
  readonly #calls: readonly ReplayedCall[];
  readonly #fit: ProviderFit;
  readonly #clock: Clock;
  readonly #seed: number;
  readonly #requests: Bucket | undefined;
  readonly #tokens: Bucket | undefined;
  readonly #tries: Uint32Array;
  attempts = 0;
  rateLimited = 0;
  readonly taken = new Map<string, TokensTaken>();

  constructor(calls: readonly ReplayedCall[], fit: ProviderFit, clock: Clock, seed: number) {
    this.#calls = calls;
    this.#fit = fit;
    this.#clock = clock;
    this.#seed = seed;
    const { requestsPerMinute, tokensPerMinute } = fit;
    this.#requests = requestsPerMinute === undefined ? undefined : new Bucket(requestsPerMinute);
    this.#tokens = tokensPerMinute === undefined ? undefined : new Bucket(tokensPerMinute);
    this.#tries = new Uint32Array(calls.length);
  }

  /** How long the first try takes when nobody has to wait. */
  idealMs(index: number): number {
    return this.#draw(index, 1).ms;
  }

  readonly fetch: typeof globalThis.fetch = async (_input, init) => {
    const signal = init?.signal ?? undefined;
    signal?.throwIfAborted();
    const { metadata, model } = JSON.parse(String(init?.body)) as { metadata: { call: string }; model: string };
    const index = Number(metadata.call);
    const call = this.#calls[index] as ReplayedCall;
    const tries = (this.#tries[index] ?? 0) + 1;
    this.#tries[index] = tries;
    this.attempts++;
    const refused = this.#refusal(call);
    if (refused !== undefined) return refused;
    const { ms, firstMs, fails } = this.#draw(index, tries);
    const taken = this.#takenBy(model);
    taken.inputTokens += call.inputTokens;
    if (fails) {
      await this.#pause(firstMs, signal);
      return failure(FAILED_STATUS, "The server had an error.", "server_error", {});
    }
    if (call.stream) {
      const pieces = Math.min(PIECES, call.outputTokens);
      await this.#pause(pieces === 1 ? ms : firstMs, signal);
      const gapMs = pieces === 1 ? 0 : (ms - firstMs) / (pieces - 1);
      const events = this.#events({ call, model, pieces, gapMs, taken, signal });
      return new Response(events, { headers: { ...this.#headers(), "content-type": "text/event-stream" } });
    }
    await this.#pause(ms, signal, (share) => {
      taken.outputTokens += call.outputTokens * share;
    });
    return Response.json(completion(call, model), { headers: this.#headers() });
  };

  #takenBy(model: string): TokensTaken {
    const known = this.taken.get(model);
    if (known !== undefined) return known;
    const none = { inputTokens: 0, outputTokens: 0 };
    this.taken.set(model, none);
    return none;
  }

  // It counts what will be used, which the trace tells; what a real one reserves it does not.
  #refusal({ inputTokens, outputTokens }: ReplayedCall): Response | undefined {
    const now = this.#clock.now();
    const tokens = inputTokens + outputTokens;
    const waitMs = Math.max(this.#requests?.waitFor(1, now) ?? 0, this.#tokens?.waitFor(tokens, now) ?? 0);
    if (waitMs > 0) {
      this.rateLimited++;
      const headers = { ...this.#headers(), "retry-after-ms": String(Math.ceil(waitMs)) };
      return failure(429, "Rate limit reached.", "rate_limit_exceeded", headers);
    }
    this.#requests?.take(1, now);
    this.#tokens?.take(tokens, now);
    return undefined;
  }

  #headers(): Record<string, string> {
    const now = this.#clock.now();
    const of = (name: string, bucket: Bucket | undefined): [string, string][] =>
      bucket === undefined
        ? []
        : [
            [`x-ratelimit-limit-${name}`, String(bucket.limit)],
            [`x-ratelimit-remaining-${name}`, String(Math.max(0, Math.floor(bucket.level(now))))],
          ];
    return Object.fromEntries([...of("requests", this.#requests), ...of("tokens", this.#tokens)]);
  }

  #draw(index: number, tries: number): { ms: number; firstMs: number; fails: boolean } {
    const { model, inputTokens, outputTokens } = this.#calls[index] as ReplayedCall;
    // Multipliers of their own keep neighbouring calls and tries apart.
    const random = seededRandom(this.#seed ^ Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(tries, 0x85ebca6b));
    const latency = latencyOf(this.#fit, model);
    const fails = random() < this.#fit.failureRate;
    const { firstMs, ms } = drawnTime(latency, inputTokens, outputTokens, random());
    return { ms, firstMs: Math.min(ms, firstMs * this.#fit.firstTokenFactor), fails };
  }

  /** `over` is told which share of the time passed before the caller left, 1 when all of it did. */
  #pause(ms: number, signal: AbortSignal | undefined, over?: (share: number) => void): Promise<void> {
    const startedAt = this.#clock.now();
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined;
      const leave = (): void => {
        timer?.cancel();
        over?.(ms <= 0 ? 1 : (this.#clock.now() - startedAt) / ms);
        reject(signal?.reason);
      };
      timer = this.#clock.timer(ms, () => {
        signal?.removeEventListener("abort", leave);
        over?.(1);
        resolve();
      });
      signal?.addEventListener("abort", leave, { once: true });
    });
  }

  #events({ call, model, pieces, gapMs, taken, signal }: Streaming): ReadableStream<Uint8Array> {
    let given = 0;
    return new ReadableStream({
      pull: async (controller) => {
        if (given > 0) {
          await this.#pause(gapMs, signal).catch((error: unknown) => {
            controller.error(error);
            throw error;
          });
        }
        given++;
        taken.outputTokens += call.outputTokens / pieces;
        const content = textOf(call.outputTokens / pieces);
        const last = given === pieces;
        const events = [
          chunk(model, { content }, null),
          ...(last ? [chunk(model, {}, "stop"), usageEvent(call, model), DONE] : []),
        ];
        controller.enqueue(ENCODER.encode(events.join("")));
        if (last) controller.close();
      },
    });
  }
}

const DONE = "data: [DONE]\n\n";
const COMMON = { id: "chatcmpl-replayed", created: 0 } as const;

function textOf(tokens: number): string {
  return "a ".repeat(Math.max(1, Math.round((tokens * CHARS_PER_TOKEN) / 2)));
}

function usageOf({ inputTokens, outputTokens }: ReplayedCall): object {
  return { prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: inputTokens + outputTokens };
}

function completion(call: ReplayedCall, model: string): object {
  const message = { role: "assistant", content: textOf(call.outputTokens) };
  const choices = [{ index: 0, message, finish_reason: "stop" }];
  return { ...COMMON, object: "chat.completion", model, choices, usage: usageOf(call) };
}

function chunk(model: string, delta: object, finishReason: "stop" | null): string {
  const choices = [{ index: 0, delta, finish_reason: finishReason }];
  return `data: ${JSON.stringify({ ...COMMON, object: "chat.completion.chunk", model, choices })}\n\n`;
}

function usageEvent(call: ReplayedCall, model: string): string {
  const event = { ...COMMON, object: "chat.completion.chunk", model, choices: [], usage: usageOf(call) };
  return `data: ${JSON.stringify(event)}\n\n`;
}

function failure(status: number, message: string, type: string, headers: Record<string, string>): Response {
  return Response.json({ error: { message, type, param: null, code: type } }, { status, headers });
}
