import { aborted, type Call, type ChunkStream, type Fault, isRefusedError, type Reply } from "../core/index.ts";
import { rememberBy } from "./explained.ts";
import { refusalResponse } from "./refusals.ts";
import { thrownFor } from "./thrown.ts";

type Head = Pick<Reply["head"], "status" | "statusText" | "headers" | "url">;
type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

const NULL_BODY_STATUSES: ReadonlySet<number> = new Set([204, 205, 304]);

const encoder = new TextEncoder();

/** The response that `fetch` gives for an answer: as the provider sent it, byte for byte. */
export function responseTo(call: Call, reply: Reply): Response {
  const { head, body } = reply;
  const content = body.kind === "stream" ? byteStream(call, body) : (body.value as string | Uint8Array<ArrayBuffer>);
  return explainable(call, responseOf(head, content));
}

/** What `fetch` gives for a failure: the provider's own response, one that stands for our refusal, or a throw. */
export function responseToFault(call: Call, fault: Fault): Response {
  if (fault.response !== undefined) return explainable(call, responseOf(fault.response, fault.response.body));
  const { error } = fault;
  if (fault.kind === "refused" && isRefusedError(error)) {
    const response = explainable(call, refusalResponse(error));
    rememberBy(error, call);
    return response;
  }
  throw thrownFor(call, fault);
}

function explainable(call: Call, response: Response): Response {
  rememberBy(response, call);
  // An SDK's error does not hold the response, but its headers.
  rememberBy(response.headers, call);
  return response;
}

function responseOf({ status, statusText, headers, url }: Head, content: Body): Response {
  const init = { status, statusText, headers: headers as [string, string][] };
  const response = new Response(NULL_BODY_STATUSES.has(status) ? null : bytesOf(content), init);
  Object.defineProperty(response, "url", { value: url });
  return response;
}

// Given text, `Response` would add a content type that the provider did not send.
function bytesOf(content: Body): Exclude<Body, string> {
  return typeof content === "string" ? encoder.encode(content) : content;
}

function byteStream(call: Call, stream: ChunkStream): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        let chunk = await stream.next();
        // Once the answer is complete, or has failed, its end is awaited even if the reader does not ask for it.
        for (; chunk?.role === "end" || chunk?.role === "failure"; chunk = await stream.next()) {
          enqueue(controller, chunk.value);
        }
        if (chunk !== undefined) enqueue(controller, chunk.value);
        else close(call, controller, stream.settled.value?.fault);
      },
      cancel: (reason) => stream.fail(aborted(reason)),
    },
    // Nothing is read ahead: the reader's pace reaches the provider.
    { highWaterMark: 0 },
  );
}

function enqueue(controller: ReadableStreamDefaultController<Uint8Array>, text: unknown): void {
  controller.enqueue(encoder.encode(text as string));
}

function close(call: Call, controller: ReadableStreamDefaultController<Uint8Array>, fault: Fault | undefined): void {
  // A failure with a response was told inside the stream, and the reader has seen it; any other is a cut.
  if (fault === undefined || fault.response !== undefined) controller.close();
  else controller.error(thrownFor(call, fault));
}
