import type { Call, Clock } from "../core/index.ts";
import { openaiWire, readCredential, readRequest } from "../providers/openai/index.ts";
import { isBoundToAccount } from "./account-bound.ts";
import { isOptimizedFetch } from "./fetch.ts";
import type { FetchInit } from "./fetch-request.ts";
import { senderOf } from "./fetch-send.ts";
import { isForeign } from "./model-target.ts";
import { isOpenAI, type OpenAILike, optionsOfCopy } from "./openai.ts";

/** A request as a client of an SDK would send it. */
interface Sent {
  readonly url: string;
  readonly init: FetchInit;
}

const PATHS: Readonly<Record<string, string>> = {
  chat: "/chat/completions",
  responses: "/responses",
  embeddings: "/embeddings",
};

// A symbol survives the spreads between an SDK's request options and `fetch`, and cannot reach the wire.
const CAPTURE = Symbol("breakwater.capture");

/** An SDK's client that builds requests and sends none. */
interface Builder extends OpenAILike {
  post(path: string, options: object): PromiseLike<unknown>;
}

/**
 * The client that `targetOf` was given, as a place to send calls of other clients to. The SDK itself builds the address
 * and the headers of each request, so that its credentials, organizations and deployments are as it has them.
 */
export class ClientTarget {
  readonly #client: OpenAILike;
  readonly #builder: Builder;

  /** Throws `TypeError`. */
  constructor(client: object) {
    if (!isOpenAI(client) || typeof (client as Partial<Builder>).post !== "function") {
      throw new TypeError("targetOf() takes a client of the OpenAI SDK or one of the same family.");
    }
    if (isOptimizedFetch(client.fetch)) {
      throw new TypeError("This client is optimized already: give targetOf() the client it was made from.");
    }
    this.#client = client;
    this.#builder = client.withOptions({
      ...optionsOfCopy(client),
      maxRetries: 0,
      fetch: capturingFetch,
    }) as Builder;
  }

  get host(): string {
    return URL.parse(this.#client.baseURL)?.host ?? this.#client.baseURL;
  }

  /** The call sent by this client. `undefined`: it cannot be, or the client cannot build it. */
  async call(call: Call, via: string, model: string, sameModel: boolean, clock: Clock): Promise<Call | undefined> {
    const path = PATHS[call.operation];
    const foreign = isForeign(call, model, sameModel);
    if (call.wire.name !== openaiWire.name || path === undefined) return undefined;
    if (foreign && call.operation === "embeddings") return undefined;
    if (isBoundToAccount(call.request as Readonly<Record<string, unknown>>)) return undefined;
    const outline = { model, stream: call.stream };
    const sent = await this.#build(path, outline);
    const url = sent && URL.parse(sent.url);
    if (sent === undefined || url === undefined || url === null) return undefined;
    const headers = new Headers(sent.init.headers);
    headers.delete("content-length");
    const reading = readRequest("POST", url, JSON.stringify(outline), headers);
    if (reading === undefined) return undefined;
    const host = this.#client.fetch;
    const send = senderOf(
      reading,
      (asked) =>
        host(sent.url, {
          ...sent.init,
          headers,
          body: JSON.stringify(asked.request),
          signal: asked.cancellation.signal,
        }),
      clock,
    );
    const { provider, endpoint } = reading;
    return call.with({
      request: { ...(call.request as object), model },
      destination: { provider, endpoint, model, credential: readCredential(headers), send, via, foreign },
    });
  }

  // A key that cannot be had, or an SDK that does not build requests this way.
  #build(path: string, body: object): Promise<Sent | undefined> {
    return new Promise((resolve) => {
      const giveUp = (): void => resolve(undefined);
      try {
        this.#builder.post(path, { body, fetchOptions: { [CAPTURE]: resolve } }).then(giveUp, giveUp);
      } catch {
        giveUp();
      }
    });
  }
}

const capturingFetch: typeof fetch = async (input, init) => {
  const { [CAPTURE]: capture, ...rest } = (init ?? {}) as FetchInit & { [CAPTURE]?: (sent: Sent) => void };
  capture?.({ url: input instanceof Request ? input.url : String(input), init: rest });
  return new Response("{}", { headers: { "content-type": "application/json" } });
};
