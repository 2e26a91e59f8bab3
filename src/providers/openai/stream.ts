import type { Chunk, Fault, ReplyHead, Settlement, Usage } from "../../core/index.ts";
import { ChatStreamReader } from "./chat-stream.ts";
import type { RequestReading } from "./request.ts";
import { ResponsesStreamReader } from "./responses-stream.ts";

/** Reads the events of one stream, in order. */
export interface StreamReader {
  /** The role of the event, given as its raw text; or a fault when it tells of an error. */
  read(event: string): Chunk["role"] | Fault;
  /** How the stream ended that is closed now. Without proof of a complete answer: a fault of kind `interrupted`. */
  end(): Settlement;
  /** The usage that was reported so far, for streams that are cut or aborted. */
  usage(): Usage | undefined;
}

/** A reader for one stream of this operation. */
export function streamReader(
  { operation }: Pick<RequestReading, "operation" | "provider">,
  _head: ReplyHead,
): StreamReader {
  return operation === "responses" ? new ResponsesStreamReader() : new ChatStreamReader();
}
