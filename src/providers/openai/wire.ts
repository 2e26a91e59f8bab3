import type { Call, KeptAnswer, ReplyHead, Wire } from "../../core/index.ts";
import { contentTextOf } from "./content-text.ts";
import { continuationOf } from "./continuation.ts";
import { embeddingBatch } from "./embedding-batch.ts";
import { keptEmbeddings } from "./embedding-kept.ts";
import { asksForBase64 } from "./embedding-request.ts";
import { identityOf } from "./identity.ts";
import { objectOf } from "./json.ts";
import { keptHead } from "./kept-head.ts";
import { EventRecord } from "./kept-stream.ts";
import { promptBeginning } from "./prompt-beginning.ts";
import { promptParts } from "./prompt-parts.ts";
import { answerTextOf, questionIn } from "./question.ts";
import { asksForUsage, declinesObfuscation, replayKept } from "./replay.ts";

/**
 * What a cache and the coalescer need to know of the OpenAI dialect. Bodies are text: a whole one as it came, a stream
 * as its events, packed. An entry of either form serves callers of both, unless it lacks the usage they ask for.
 */
export const openaiWire: Wire = {
  name: "openai",
  identity: identityOf,
  shape(call) {
    if (call.operation === "embeddings") return asksForBase64(objectOf(call.request)) ? "base64" : "float";
    if (!call.stream) return "whole";
    return `stream${asksForUsage(call) ? "+usage" : ""}${declinesObfuscation(call) ? "-obfuscation" : ""}`;
  },
  record: () => new EventRecord(),
  keep(call, head, body) {
    if ("value" in body) return keptWhole(call, head, body.value);
    const record = new EventRecord();
    for (const chunk of body.chunks) record.add(chunk);
    return record.keep(head);
  },
  replay: replayKept,
  question: questionIn,
  promptBeginning,
  promptParts,
  answerText: answerTextOf,
  split: embeddingBatch,
  contentText: contentTextOf,
  continuation: continuationOf,
};

const { split: _split, continuation: _continuation, ...unchanged } = openaiWire;

/** The same for a request that can only be sent as it is. */
export const openaiWholeWire: Wire = unchanged;

function keptWhole(call: Call, head: ReplyHead, value: unknown): KeptAnswer | undefined {
  if (typeof value !== "string") return undefined;
  const text = call.operation === "embeddings" ? keptEmbeddings(objectOf(call.request), value) : value;
  return text === undefined ? undefined : { form: "value", text, head: keptHead(head) };
}
