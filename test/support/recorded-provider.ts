import { createFetch } from "../../src/clients/index.ts";
import { pipeline } from "../../src/core/index.ts";
import { cache, memory } from "../../src/index.ts";
import { streamReader } from "../../src/providers/openai/index.ts";
import { EventSplitter } from "../../src/providers/sse.ts";
import { type RecordedStream, readAll, streams } from "../providers/recordings.ts";

const head = { status: 200, statusText: "", headers: [], url: "", limits: undefined };

export interface Recorded extends RecordedStream {
  readonly events: readonly string[];
  /** The whole of it proves that the answer is complete and good. */
  readonly good: boolean;
}

// What some providers leave out of a recording is put back, so that each is as it came.
export const recorded: readonly Recorded[] = streams.map((one) => {
  const ends = one.reading.operation === "responses" || one.text.includes("[DONE]");
  const text =
    ends || one.name.includes("cut") || one.name.includes("error") ? one.text : `${one.text}data: [DONE]\n\n`;
  const events = new EventSplitter().push(text);
  const { end } = readAll(streamReader(one.reading, head), events);
  return { ...one, text, events, good: end.storable };
});
export const good = recorded.filter((one) => one.good);

/** Whether a part of a stream has its terminal event. An event that is whole but for its blank line counts. */
export function isProven({ reading }: Recorded, part: string): boolean {
  if (reading.operation === "chat") return /^data: ?\[DONE\]/m.test(part);
  const last = part.lastIndexOf('"response.completed"');
  const data = last < 0 ? "" : part.slice(part.lastIndexOf("data:", last) + 5);
  try {
    return JSON.parse(data) !== null;
  } catch {
    return false;
  }
}

type Ending = "closed" | "reset";

/** A cache before a provider that sends these bytes, then closes or breaks off. */
export function answering(bytes: Uint8Array, ending: Ending = "closed", piece = Number.POSITIVE_INFINITY) {
  const answers = cache({ tiers: [memory()] });
  let asked = 0;
  const host = async () => {
    asked++;
    let at = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at < bytes.length) {
          const end = Math.min(bytes.length, at + piece);
          controller.enqueue(bytes.subarray(at, end));
          at = end;
        } else if (ending === "closed") controller.close();
        else controller.error(new TypeError("terminated"));
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  return { answers, fetch: createFetch(pipeline(answers), { fetch: host }), asked: () => asked };
}

export const usage = { include_usage: true };

export function ask(
  send: typeof fetch,
  { reading }: RecordedStream,
  more: object = { stream: true, stream_options: usage },
) {
  const [path, input] =
    reading.operation === "chat" ? ["chat/completions", { messages: [] }] : ["responses", { input: "" }];
  const body = JSON.stringify({ model: "m", ...input, ...more });
  const headers = { authorization: "Bearer k" };
  return send(`https://api.openai.com/v1/${path}`, { method: "POST", headers, body });
}

/** The text up to wherever it ends. */
export async function read(
  response: Response,
  events = Number.POSITIVE_INFINITY,
  pause = async () => {},
): Promise<string> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const parts: Uint8Array[] = [];
  try {
    for (let count = 0; count < events; count++) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      await pause();
    }
    if (parts.length === events) await reader.cancel();
  } catch {}
  return Buffer.concat(parts).toString();
}

/** What is kept of a stream: not its comments and its random padding. */
export const essence = (text: string) => text.replace(/^:.*\n\n/gm, "").replace(/,"obfuscation":"[A-Za-z0-9]*"/g, "");
