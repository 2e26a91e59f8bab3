import {
  type Call,
  type Chunk,
  type ChunkSource,
  type KeptAnswer,
  nextTurn,
  type Reply,
  type ReplyHead,
  type Settlement,
  streamFor,
  streamReply,
  valueReply,
} from "../../core/index.ts";
import { eventsOf, type Stretch, unpackEvents } from "../packed-events/index.ts";
import { eventData } from "../sse.ts";
import { hasPiece, mergeChunks } from "./chat-merge.ts";
import { splitCompletion } from "./chat-split.ts";
import { givenEmbeddings } from "./embedding-kept.ts";
import { isObject, type JsonObject, objectOf, parseJson } from "./json.ts";
import type { Operation } from "./request.ts";
import { splitResponse } from "./responses-split.ts";
import { streamReader } from "./stream.ts";
import { readWhole } from "./whole.ts";

/** How each kept answer ended, by the whole answer that is in it or was put together from it. */
const settlements = new WeakMap<KeptAnswer, Settlement>();

/** Turns what was kept into a reply of the shape that `call` asks for; `undefined` when it lacks something. */
export function replayKept(call: Call, kept: KeptAnswer): Reply | undefined {
  const operation = call.operation as Operation;
  if (kept.form === "value") return call.stream ? streamOfValue(call, kept, operation) : wholeValue(call, kept);
  return call.stream ? streamOfEvents(call, kept, operation) : wholeOfEvents(call, kept, operation);
}

/** Whether the caller wants a chat stream to end with its usage. */
export function asksForUsage(call: Call): boolean {
  return objectOf(objectOf(call.request)["stream_options"])["include_usage"] === true;
}

/** Whether the caller wants no random padding in the events. */
export function declinesObfuscation(call: Call): boolean {
  return objectOf(objectOf(call.request)["stream_options"])["include_obfuscation"] === false;
}

function wholeValue(call: Call, kept: KeptAnswer): Reply | undefined {
  const text = call.operation === "embeddings" ? givenEmbeddings(objectOf(call.request), kept.text) : kept.text;
  if (text === undefined) return undefined;
  return valueReply(text, settlementOf(call, kept, kept.text), headOf(call, kept), "cache");
}

function wholeOfEvents(call: Call, kept: KeptAnswer, operation: Operation): Reply | undefined {
  const { stretches } = unpackEvents(kept.text);
  const answer = operation === "responses" ? completedResponse(stretches) : completionOf(stretches);
  if (answer === undefined) return undefined;
  const text = JSON.stringify(answer);
  return valueReply(text, settlementOf(call, kept, text), headOf(call, kept, "application/json"), "cache");
}

// It is the last event, or near it.
function completedResponse(stretches: readonly Stretch[]): JsonObject | undefined {
  for (const stretch of stretches.toReversed()) {
    for (let index = stretch.events - 1; index >= 0; index--) {
      const { type, response } = objectOf(payloadOf(stretch.event(index)));
      if (type === "response.completed") return isObject(response) ? response : undefined;
    }
  }
  return undefined;
}

// A whole answer always tells its usage; a stream does when it was asked to.
function completionOf(stretches: readonly Stretch[]): JsonObject | undefined {
  const completion = mergeChunks(stretches.flatMap(payloadsOf).filter(isObject));
  return isObject(completion?.["usage"]) ? completion : undefined;
}

const PROBE = "a text that no provider sends";

/** What the events say; in one where they say a text piece by piece, for there may be tens of thousands. */
function payloadsOf(stretch: Stretch): unknown[] {
  const { text, events } = stretch;
  if (text !== undefined && hasPiece(objectOf(payloadOf(stretch.withText(PROBE))), PROBE)) {
    return [payloadOf(stretch.withText(text))];
  }
  return Array.from({ length: events }, (_, index) => payloadOf(stretch.event(index)));
}

function streamOfValue(call: Call, kept: KeptAnswer, operation: Operation): Reply | undefined {
  if (operation === "embeddings") return undefined;
  const answer = parseJson(kept.text);
  if (!isObject(answer)) return undefined;
  const events = operation === "responses" ? splitResponse(answer) : splitCompletion(answer, asksForUsage(call));
  if (events === undefined) return undefined;
  const head = headOf(call, kept, "text/event-stream; charset=utf-8");
  return replayed(call, head, events, same, settlementOf(call, kept, kept.text));
}

function streamOfEvents(call: Call, kept: KeptAnswer, operation: Operation): Reply | undefined {
  const wanted = operation !== "chat" || asksForUsage(call);
  const packed = unpackEvents(kept.text);
  if (wanted && operation === "chat" && !packed.samples.some(tellsUsage)) return undefined;
  return replayed(call, headOf(call, kept), eventsOf(packed), wanted ? same : withoutUsage);
}

// As a key: within a text the quotation marks would be escaped. Groq has one deeper down too.
function tellsUsage(event: string): boolean {
  return /"usage": ?\{/.test(event) && isObject(objectOf(payloadOf(event))["usage"]);
}

// What is replayed never waits for a network: a long answer would hold up everybody else.
const EVENTS_A_TURN = 256;

function replayed(
  call: Call,
  head: ReplyHead,
  events: Iterable<string>,
  rewrite: (event: string) => string | undefined,
  settlement?: Settlement,
): Reply {
  const reader = streamReader({ operation: call.operation as Operation, provider: call.provider }, head);
  const rest = events[Symbol.iterator]();
  let given = 0;
  const source: ChunkSource = {
    async pull(): Promise<Chunk | Settlement> {
      if (++given % EVENTS_A_TURN === 0) await nextTurn();
      for (let next = rest.next(); next.done !== true; next = rest.next()) {
        const role = reader.read(next.value);
        const value = rewrite(next.value);
        if (value !== undefined) return { role: typeof role === "string" ? role : "other", value };
      }
      return settlement ?? reader.end();
    },
    cancel: () => {},
  };
  return streamReply(streamFor(call, source), head, "cache");
}

function same(event: string): string {
  return event;
}

/** The event without usage that this caller did not ask for; `undefined` when nothing is left of it. */
function withoutUsage(event: string): string | undefined {
  if (!event.includes('"usage"')) return event;
  const chunk = payloadOf(event);
  if (!isObject(chunk)) return event;
  const { choices, usage } = chunk;
  const alone = Array.isArray(choices) && choices.length === 0 && isObject(usage);
  if (alone && !("moderation" in chunk)) return undefined;
  // Usage beside choices is what some providers always send.
  if (usage !== null && !alone) return event;
  const { event: name } = eventData(event);
  const { usage: _, ...told } = chunk;
  return `${name === undefined ? "" : `event: ${name}\n`}data: ${JSON.stringify(told)}\n\n`;
}

function payloadOf(event: string): unknown {
  const { data } = eventData(event);
  return data === undefined ? undefined : parseJson(data);
}

// Memory tiers give the same object again and again: it is read once.
function settlementOf(call: Call, kept: KeptAnswer, body: string): Settlement {
  let settlement = settlements.get(kept);
  if (settlement === undefined) {
    const raw = { ...headOf(call, kept), headers: [], body };
    settlement = readWhole({ operation: call.operation as Operation, provider: call.provider }, raw);
    settlements.set(kept, settlement);
  }
  return settlement;
}

function headOf(call: Call, { head }: KeptAnswer, contentType?: string): ReplyHead {
  const headers = head.headers.filter(([name]) => contentType === undefined || name.toLowerCase() !== "content-type");
  return {
    status: head.status,
    statusText: "",
    headers: contentType === undefined ? headers : [["content-type", contentType], ...headers],
    url: call.endpoint.replace(/#.*$/, ""),
    limits: undefined,
  };
}
