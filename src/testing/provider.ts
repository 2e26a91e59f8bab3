import type { Random } from "../core/index.ts";
import type { AnswerFacts, AnswerWriter } from "./answer-writer.ts";
import { type Answer, answerTo, embeddingOf } from "./answers.ts";
import { digestOf, logNormal, randomOf } from "./chance.ts";
import { chatWriter } from "./chat-writer.ts";
import { Exchange, type ProviderParts, type ReplySink } from "./exchange.ts";
import { play } from "./playback.ts";
import { PromptCache } from "./prompt-cache.ts";
import { badRequest, faultReply, limitReply, notFound, type PlainReply } from "./provider-errors.ts";
import {
  type FaultFunction,
  type FaultRequest,
  type FaultSpec,
  type ReadFault,
  readFaultChoice,
} from "./provider-faults.ts";
import { ProviderLimits } from "./provider-limits.ts";
import { ProviderLog, type ProviderLogEntry, type ProviderStats } from "./provider-log.ts";
import {
  type LimitOptions,
  type ProviderModelOptions,
  readLimits,
  readProviderOptions,
  type Settings,
} from "./provider-options.ts";
import { type Asked, BadRequest, readRequest, recordOf, tokensOf } from "./provider-request.ts";
import { responsesWriter } from "./responses-writer.ts";
import { SharedDecoder } from "./shared-decoder.ts";
import { sideReply } from "./side-endpoints.ts";
import { type Fetch, fetchThrough } from "./simulated-fetch.ts";

/** A request as the provider gets it. */
export interface ProviderRequest {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const ENDPOINTS = { "/chat/completions": "chat", "/responses": "responses", "/embeddings": "embeddings" } as const;

/**
 * A simulated provider with OpenAI's interface: it admits requests within limits, answers them in time, and fails as
 * told. It has no language model: the text is derived from the prompt, tokens are counted as four characters each,
 * and no policy of a real provider beyond those of the options is modelled. Every figure comes from the options.
 */
export class ProviderModel {
  readonly #settings: Settings;
  readonly #parts: ProviderParts;
  readonly #prompts = new PromptCache();
  #nextIndex = 0;
  #fault: ((request: FaultRequest) => ReadFault | undefined) | undefined;
  /** The provider as a `fetch` function, in the time of its clock. */
  readonly fetch: Fetch;

  /** Throws `OptionError`. */
  constructor(options: ProviderModelOptions = {}) {
    const settings = readProviderOptions(options);
    const { clock } = settings;
    const startedAt = clock.now();
    this.#settings = settings;
    this.#parts = {
      clock,
      startedAt,
      limits: new ProviderLimits(settings, startedAt),
      decoder: new SharedDecoder(clock, settings.decodeCapacity),
      log: new ProviderLog(settings.logSize),
      settle: settings.settle,
    };
    this.fetch = (input, init) => fetchThrough((request, sink) => this.exchange(request, sink), input, init);
  }

  /** The last requests, oldest first. */
  get log(): readonly ProviderLogEntry[] {
    return this.#parts.log.entries;
  }

  stats(): ProviderStats {
    return this.#parts.log.stats(this.#parts.limits.running);
  }

  /** Plays this fault for every request from now on, before any scripted one. Throws `OptionError`. */
  setFault(fault: FaultSpec | FaultFunction): void {
    this.#fault = readFaultChoice("fault", fault);
  }

  clearFault(): void {
    this.#fault = undefined;
  }

  /** Other limits from now on; those not named stay, `undefined` takes one away. Throws `OptionError`. */
  setLimits(limits: LimitOptions): void {
    const { clock, limits: current } = this.#parts;
    current.change(readLimits(limits, current.values), clock.now());
  }

  /** The text that the first choice of an answer to this body has. */
  answerTo(endpoint: "chat" | "responses", body: object): string {
    const answer = answerTo(readRequest(endpoint, recordOf(body)), this.#settings);
    return (answer.choices[0]?.pieces ?? []).join("");
  }

  /** Takes one request; the reply goes to `sink`. `abort` tells that the client went away. */
  exchange(request: ProviderRequest, sink: ReplySink): { abort(): void } {
    const { clock, startedAt } = this.#parts;
    const index = this.#nextIndex++;
    const body = parseBody(request.body);
    const model = typeof body?.["model"] === "string" ? body["model"] : "";
    const at = clock.now() - startedAt;
    const fault = this.#faultFor({
      index,
      at,
      model,
      ...request,
      chance: randomOf(this.#settings.seed, "fault", index)(),
    });
    const priority = recordOf(body?.["metadata"])["priority"];
    const exchange = new Exchange(this.#parts, sink, {
      index,
      at,
      path: request.path,
      model,
      stream: body?.["stream"] === true,
      priority: priority === undefined ? undefined : String(priority),
      status: undefined,
      fault: fault?.kind,
      admitted: false,
      charged: 0,
      promptTokens: 0,
      outputTokens: 0,
      aborted: false,
      endedAt: undefined,
    });
    if (!this.#failAtTheDoor(exchange, fault)) this.#answer(exchange, request, body, fault);
    return exchange;
  }

  #faultFor(request: FaultRequest): ReadFault | undefined {
    return this.#fault?.(request) ?? this.#settings.faults(request);
  }

  /** Plays a fault that happens before the provider looks at the request. Says whether it was one. */
  #failAtTheDoor(exchange: Exchange, fault: ReadFault | undefined): boolean {
    if (fault === undefined) return false;
    const { kind } = fault;
    if (kind === "refused") exchange.break("refused");
    else if (kind === "reset" && fault.afterChunks === undefined) exchange.break("reset");
    else if (kind === "silent" && fault.at === "head") return true;
    else {
      const reply = faultReply(fault, exchange.entry.model, this.#parts.clock.wall());
      if (reply === undefined) return false;
      exchange.reply(this.#withHeaders(reply, exchange));
    }
    return true;
  }

  #answer(
    exchange: Exchange,
    { method, path, body: text }: ProviderRequest,
    body: Readonly<Record<string, unknown>> | undefined,
    fault: ReadFault | undefined,
  ): void {
    const endpoint = Object.entries(ENDPOINTS).find(([suffix]) => path.endsWith(suffix))?.[1];
    const asked =
      endpoint === undefined || method !== "POST"
        ? sideReply(method, path, text, this.#settings.models)
        : this.#read(endpoint, body);
    const refusal = "status" in asked ? asked : this.#admit(exchange, asked);
    if (refusal !== undefined) exchange.reply(this.#withHeaders(refusal, exchange));
    else if ("endpoint" in asked) this.#generate(exchange, asked, fault);
  }

  #read(endpoint: Asked["endpoint"], body: Readonly<Record<string, unknown>> | undefined): Asked | PlainReply {
    try {
      if (body === undefined) throw new BadRequest("We could not parse the JSON body of your request.");
      const asked = readRequest(endpoint, body);
      const { models } = this.#settings;
      if (models === undefined || models.includes(asked.model)) return asked;
      const message = `The model \`${asked.model}\` does not exist or you do not have access to it.`;
      return notFound(message, "model_not_found");
    } catch (error) {
      if (error instanceof BadRequest) return badRequest(error);
      throw error;
    }
  }

  #admit(exchange: Exchange, asked: Asked): PlainReply | undefined {
    const { limits, clock } = this.#parts;
    exchange.entry.promptTokens = asked.promptTokens;
    const reserved = this.#settings.reserveMaxTokens ? (asked.maxTokens ?? 0) : 0;
    const charge = Math.max(reserved, tokensOf(asked.prompt));
    const refusal = limits.admit(charge, clock.now());
    if (refusal !== undefined) return limitReply(refusal, asked.model, this.#settings.concurrencyStatus);
    exchange.admitted(charge);
    return undefined;
  }

  #generate(exchange: Exchange, asked: Asked, fault: ReadFault | undefined): void {
    const { firstToken, perInputTokenMs, perToken, seed } = this.#settings;
    const { clock } = this.#parts;
    const { index } = exchange.entry;
    const random = randomOf(seed, "time", index);
    const cachedTokens = this.#prompts.use(asked.model, asked.prompt, clock.now());
    const startFactor = fault?.kind === "slowStart" ? fault.factor : 1;
    const tokenFactor = fault?.kind === "slowTokens" ? fault.factor : 1;
    const prefillMs = (asked.promptTokens - cachedTokens) * perInputTokenMs;
    const answer = asked.endpoint === "embeddings" ? NO_ANSWER : answerTo(asked, this.#settings, fault);
    const facts: AnswerFacts = {
      id: `${asked.endpoint === "chat" ? "chatcmpl" : "resp"}_${digestOf(seed, "id", index)}${index}`,
      model: asked.model,
      created: Math.floor(clock.wall() / 1000),
      promptTokens: asked.promptTokens,
      cachedTokens,
    };
    // As recorded at OpenAI: what remains is told as of the admission, not as of the answer.
    const limitHeaders = this.#limitHeaders();
    play(exchange, {
      writer: this.#writer(asked, facts, answer, randomOf(seed, "padding", index)),
      answer,
      stream: asked.stream,
      firstTokenMs: (logNormal(firstToken, random) + prefillMs) * startFactor,
      gap: () => logNormal(perToken, random) * tokenFactor,
      headers: () => ({ ...this.#headers(exchange), ...limitHeaders }),
      fault,
    });
  }

  #writer(asked: Asked, facts: AnswerFacts, answer: Answer, random: Random): AnswerWriter {
    if (asked.endpoint === "chat") {
      const pad = this.#settings.obfuscation && asked.obfuscate;
      const padding = (): string =>
        digestOf(random())
          .repeat(2)
          .slice(Math.floor(random() * 15));
      return chatWriter(facts, answer, { includeUsage: asked.includeUsage, padding: pad ? padding : undefined });
    }
    if (asked.endpoint === "responses") return responsesWriter(facts, answer);
    const nothing = (): string => "";
    return {
      whole: () => embeddingsBody(asked, this.#settings.embeddingDimensions),
      opening: nothing,
      step: nothing,
      closing: nothing,
      failure: nothing,
    };
  }

  #withHeaders(reply: PlainReply, exchange: Exchange): PlainReply {
    return { ...reply, headers: { ...this.#headers(exchange), ...this.#limitHeaders(), ...reply.headers } };
  }

  #headers({ entry }: Exchange): Record<string, string> {
    const { clock, startedAt } = this.#parts;
    return {
      "x-request-id": `req_${digestOf(this.#settings.seed, "request", entry.index)}${entry.index}`,
      "openai-processing-ms": String(Math.round(clock.now() - startedAt - entry.at)),
      "openai-version": "2020-10-01",
    };
  }

  #limitHeaders(): Record<string, string> {
    const { clock, limits } = this.#parts;
    return this.#settings.rateLimitHeaders ? limits.headers(clock.now()) : {};
  }
}

/** A simulated provider; see {@link ProviderModel}. Throws `OptionError`. */
export function createProviderModel(options: ProviderModelOptions = {}): ProviderModel {
  return new ProviderModel(options);
}

/** A simulated provider as a `fetch` function, which carries the provider as `provider`. Throws `OptionError`. */
export function simulatedFetch(options: ProviderModelOptions = {}): Fetch & { readonly provider: ProviderModel } {
  const provider = new ProviderModel(options);
  const fetch: Fetch = (input, init) => provider.fetch(input, init);
  return Object.assign(fetch, { provider });
}

const NO_ANSWER: Answer = { choices: [], reasoningTokens: 0, outputTokens: 0, steps: 0 };

function embeddingsBody(asked: Asked, defaultDimensions: number): Record<string, unknown> {
  const data = asked.inputs.map((text, index) => {
    const vector = embeddingOf(asked.model, text, asked.dimensions ?? defaultDimensions);
    const embedding = asked.base64 ? Buffer.from(new Float32Array(vector).buffer).toString("base64") : vector;
    return { object: "embedding", index, embedding };
  });
  const usage = { prompt_tokens: asked.promptTokens, total_tokens: asked.promptTokens };
  return { object: "list", data, model: asked.model, usage };
}

function parseBody(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? recordOf(value) : undefined;
  } catch {
    return undefined;
  }
}
