import { Call, Cancellation, functionOf, knownKeys, type Line } from "../core/index.ts";
import {
  bindsItsBody,
  openaiWholeWire,
  openaiWire,
  type RequestReading,
  readCredential,
  readRequest,
} from "../providers/openai/index.ts";
import { remember } from "./explained.ts";
import {
  type FetchInit,
  type FetchInput,
  type ReadableRequest,
  readFetchRequest,
  withOtherBody,
  withOwnHeaders,
} from "./fetch-request.ts";
import { responseTo, responseToFault } from "./fetch-response.ts";
import { senderOf } from "./fetch-send.ts";
import { withOtherDeployment } from "./model-target.ts";
import { scopeOf } from "./scope.ts";

export interface FetchOptions {
  /** Asks the provider. Default: the global `fetch`, as it is at the time of each call. */
  readonly fetch?: typeof fetch | undefined;
}

const globalFetch: typeof fetch = (input, init) => globalThis.fetch(input, init);

const optimized = new WeakSet<object>();

/** True for a `fetch` that `createFetch` made. */
export function isOptimizedFetch(value: unknown): boolean {
  return typeof value === "function" && optimized.has(value);
}

/**
 * A `fetch` whose model calls go through `line`. Everything it cannot read (other endpoints, forms, streamed
 * request bodies, GET) goes to the host's `fetch` untouched.
 *
 * Responses, errors and streams are the provider's own. A refusal of ours is a response of its status with a JSON
 * error body; see `refusalOf`. Rejects with the reason of the caller's signal, with what the host's `fetch`
 * threw, and with `UpstreamTimeoutError`. Throws `OptionError`.
 */
export function createFetch(line: Line, options: FetchOptions = {}): typeof fetch {
  knownKeys("fetch", options, ["fetch"]);
  const host = options.fetch === undefined ? globalFetch : functionOf("fetch.fetch", options.fetch);
  const { clock } = line.runtime;
  const warnOfStacking = stackingWarning(line);

  const optimizedFetch = async (input: FetchInput, given?: FetchInit): Promise<Response> => {
    const init = withOwnHeaders(given);
    const request = await readFetchRequest(input, init);
    const reading = request && readRequest(request.method, request.url, request.text, request.headers);
    if (reading === undefined) return host(input, init);
    const { headers, signal } = request as ReadableRequest;
    signal?.throwIfAborted();

    const { cancellation, release } = Cancellation.from(signal);
    const call = Call.start(
      {
        ...reading,
        credential: readCredential(headers),
        wire: bindsItsBody(headers) ? openaiWholeWire : openaiWire,
        scope: scopeOf(init),
        cancellation,
        headTimeoutMs: headTimeoutMs(headers),
        clientRetries: clientRetries(headers),
        send: senderOf(
          reading,
          (asked) => host(addressOf(asked, reading, input), sent(asked, reading, request as ReadableRequest, init)),
          clock,
        ),
      },
      clock.now(),
    );
    remember(call);
    warnOfStacking(call);

    const outcome = await line.execute(call);
    if (outcome.ok) {
      outcome.settled.subscribe(release);
      return responseTo(call, outcome);
    }
    release();
    return responseToFault(call, outcome);
  };
  optimized.add(optimizedFetch);
  return optimizedFetch;
}

// At Azure the path names what is asked for too.
function addressOf(asked: Call, { model, endpoint }: RequestReading, input: FetchInput): FetchInput {
  if (asked.endpoint === endpoint) return input;
  return withOtherDeployment(input instanceof Request ? input.url : String(input), model, asked.model);
}

function sent(
  asked: Call,
  { request }: RequestReading,
  given: ReadableRequest,
  init: FetchInit | undefined,
): FetchInit {
  const { signal } = asked.cancellation;
  // The bytes of the caller, unless a policy asks for something else.
  if (asked.request === request) return { ...init, body: given.body, signal };
  return { ...init, method: given.method, ...withOtherBody(given, asked.request), signal };
}

// SDKs of the Stainless family say how long they wait, in whole seconds; 0 is what is left of less than one.
function headTimeoutMs(headers: Headers): number | undefined {
  const seconds = Number(headers.get("x-stainless-timeout"));
  return seconds > 0 ? seconds * 1000 : undefined;
}

function clientRetries(headers: Headers): number {
  const count = Number(headers.get("x-stainless-retry-count"));
  return count > 0 ? count : 0;
}

function stackingWarning({ runtime }: Line): (call: Call) => void {
  let warned = false;
  return (call) => {
    if (warned || call.clientRetries === 0) return;
    warned = true;
    runtime.events.emit("retry.stacked", call, { retryCount: call.clientRetries });
  };
}
