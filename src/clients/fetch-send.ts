import { isUtf8 } from "node:buffer";
import {
  aborted,
  type Call,
  type Clock,
  type Fault,
  type Next,
  type Outcome,
  type RawResponse,
  type ReplyHead,
  streamReply,
  valueReply,
} from "../core/index.ts";
import {
  type RequestReading,
  readConnectionFailure,
  readFailure,
  readLimits,
  readWhole,
  type StreamReader,
  streamReader,
} from "../providers/openai/index.ts";
import { eventStream } from "./fetch-events.ts";

/** Sends the request of `call` to the provider: gives the response, or throws as `fetch` does. */
export type Ask = (call: Call) => Promise<Response>;

/** The end of the line for one call: asks once and reads what comes back. Never throws. */
export function senderOf(reading: RequestReading, ask: Ask, clock: Clock): Next {
  const answerTo = async (call: Call): Promise<Outcome> => {
    try {
      const response = await ask(call);
      if (call.cancellation.cancelled) return dropped(call, response);
      if (!response.ok) return readFailure(await rawOf(response), reading.provider, clock.wall());
      return isEventStream(response, reading)
        ? streamed(call, reading, response)
        : await whole(call, reading, response);
    } catch (error) {
      return thrown(call, error);
    }
  };
  // A host that ignores its signal must not hold up a caller who has left: whichever comes first decides.
  return (call) =>
    new Promise((resolve) => {
      const off = call.cancellation.onCancel((reason) => resolve(aborted(reason)));
      void answerTo(call).then((outcome) => {
        off();
        resolve(outcome);
      });
    });
}

function dropped({ cancellation }: Call, response: Response): Fault {
  response.body?.cancel(cancellation.reason).catch(() => {});
  return aborted(cancellation.reason);
}

function thrown(call: Call, error: unknown): Fault {
  const { cancellation } = call;
  return cancellation.cancelled ? aborted(cancellation.reason) : readConnectionFailure(error);
}

// Some servers send a stream without saying so, or as text or bytes; none sends JSON or a page by those names.
function isEventStream(response: Response, reading: RequestReading): boolean {
  const type = response.headers.get("content-type")?.toLowerCase() ?? "";
  if (response.body === null) return false;
  return type.includes("text/event-stream") || (reading.stream && !/json|html|xml/.test(type));
}

function streamed(call: Call, reading: RequestReading, response: Response): Outcome {
  const head = headOf(response, reading);
  const body = (response.body as ReadableStream<Uint8Array>).getReader();
  const reader = streamReader(reading, head);
  return streamReply(eventStream(call, head, body, call.foreign ? notStoring(reader) : reader), head);
}

function notStoring(reader: StreamReader): StreamReader {
  return {
    read: (event) => reader.read(event),
    usage: () => reader.usage(),
    end: () => ({ ...reader.end(), storable: false }),
  };
}

async function whole({ foreign }: Call, reading: RequestReading, response: Response): Promise<Outcome> {
  const bytes = Buffer.from(await response.arrayBuffer());
  const raw = rawFrom(response, bytes);
  const settlement = readWhole(reading, raw.body.startsWith("\uFEFF") ? { ...raw, body: raw.body.slice(1) } : raw);
  const { fault } = settlement;
  if (fault !== undefined) return { ...fault, response: raw };
  // Text that is not UTF-8 would change on its way through a string: it passes as bytes, and no cache keeps it.
  const isText = isUtf8(bytes);
  const kept = isText && !foreign ? settlement : { ...settlement, storable: false };
  return valueReply(isText ? raw.body : bytes, kept, headOf(response, reading));
}

function headOf(response: Response, reading: RequestReading): ReplyHead {
  const { status, statusText, headers, url } = response;
  return { status, statusText, headers: [...headers], url, limits: readLimits(headers, reading.provider) };
}

async function rawOf(response: Response): Promise<RawResponse> {
  return rawFrom(response, Buffer.from(await response.arrayBuffer()));
}

function rawFrom({ status, statusText, headers, url }: Response, bytes: Buffer): RawResponse {
  return { status, statusText, headers: [...headers], url, body: bytes.toString("utf8") };
}
