import {
  aborted,
  broken,
  type Call,
  type Chunk,
  type ChunkSource,
  type ChunkStream,
  type Fault,
  faultOf,
  type RawResponse,
  type ReplyHead,
  type Settlement,
  streamFor,
} from "../core/index.ts";
import type { StreamReader } from "../providers/openai/index.ts";
import { EventSplitter } from "../providers/sse.ts";

type Bytes = ReadableStreamDefaultReader<Uint8Array>;

const STORY_CHARS_MAX = 1_000_000;

/** The chunks of a server-sent event stream: each is the raw text of one event, and all of them joined are the body. */
export function eventStream(call: Call, head: ReplyHead, body: Bytes, reader: StreamReader): ChunkStream {
  return streamFor(call, new EventSource(call, head, body, reader));
}

class EventSource implements ChunkSource {
  #call: Call;
  #head: ReplyHead;
  #body: Bytes;
  #reader: StreamReader;
  #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #splitter = new EventSplitter();
  /** Split and not yet handed out, from `#at` on. */
  #events: string[] = [];
  #at = 0;
  #closed = false;
  /** The provider's sign that the answer is complete has passed. */
  #ended = false;
  /** The failure that the provider told inside the stream. */
  #told: Fault | undefined;
  /** What has passed while another try is still possible: then the failure must be told again as a whole. */
  #story: string | undefined = "";

  constructor(call: Call, head: ReplyHead, body: Bytes, reader: StreamReader) {
    this.#call = call;
    this.#head = head;
    this.#body = body;
    this.#reader = reader;
  }

  async pull(): Promise<Chunk | Settlement> {
    try {
      while (this.#at === this.#events.length) {
        if (this.#closed) return this.#settlement();
        this.#refill(await this.#body.read());
      }
      const event = this.#events[this.#at++] as string;
      return { role: this.#roleOf(event), value: event };
    } catch (error) {
      return this.#cut(error);
    }
  }

  cancel(reason: Fault): Settlement {
    this.#body.cancel(reason.error).catch(() => {});
    if (this.#ended || this.#told !== undefined) return this.#settlement();
    return broken(reason, this.#reader.usage());
  }

  #refill({ done, value }: { readonly done: boolean; readonly value?: Uint8Array | undefined }): void {
    this.#at = 0;
    if (!done) {
      this.#events = this.#splitter.push(this.#decoder.decode(value, { stream: true }));
      return;
    }
    this.#closed = true;
    this.#events = this.#splitter.push(this.#decoder.decode());
    const rest = this.#splitter.flush();
    if (rest !== "") this.#events.push(rest);
  }

  #roleOf(event: string): Chunk["role"] {
    const read = this.#reader.read(event);
    if (typeof read === "object") this.#told ??= read;
    const role = typeof read === "object" ? "failure" : read;
    if (role === "end") this.#ended = true;
    this.#retell(role, event);
    return role;
  }

  #retell(role: Chunk["role"], event: string): void {
    if (this.#story === undefined) return;
    if (role === "content" || this.#story.length > STORY_CHARS_MAX) this.#story = undefined;
    else this.#story += event;
  }

  #settlement(): Settlement {
    if (this.#told === undefined) return this.#reader.end();
    return broken({ ...this.#told, response: this.#asTold() }, this.#reader.usage());
  }

  /** The stream up to its failure: what the client would have got, should nobody succeed. */
  #asTold(): RawResponse {
    const { status, statusText, headers, url } = this.#head;
    return { status, statusText, headers, url, body: this.#story ?? "" };
  }

  #cut(error: unknown): Settlement {
    if (this.#ended || this.#told !== undefined) return this.#settlement();
    const { cancellation } = this.#call;
    const fault = cancellation.cancelled ? aborted(cancellation.reason) : faultOf({ kind: "interrupted", error });
    return broken(fault, this.#reader.usage());
  }
}
