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
import { EventSplitter, eventData } from "../sse.ts";
import { mergeChunks } from "./chat-merge.ts";
import { splitCompletion } from "./chat-split.ts";
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

function wholeValue(call: Call, kept: KeptAnswer): Reply {
  return valueReply(kept.text, settlementOf(call, kept, kept.text), headOf(call, kept), "cache");
}

function wholeOfEvents(call: Call, kept: KeptAnswer, operation: Operation): Reply | undefined {
  const payloads = eventsIn(kept.text).map(payloadOf).filter(isObject);
  const answer = operation === "responses" ? completedResponse(payloads) : completionOf(payloads);
  if (answer === undefined) return undefined;
  const text = JSON.stringify(answer);
  return valueReply(text, settlementOf(call, kept, text), headOf(call, kept, "application/json"), "cache");
}

function completedResponse(payloads: readonly JsonObject[]): JsonObject | undefined {
  const response = payloads.find(({ type }) => type === "response.completed")?.["response"];
  return isObject(response) ? response : undefined;
}

// A whole answer always tells its usage; a stream does when it was asked to.
function completionOf(payloads: readonly JsonObject[]): JsonObject | undefined {
  const completion = mergeChunks(payloads);
  return isObject(completion?.["usage"]) ? completion : undefined;
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
  const events = eventsIn(kept.text);
  if (wanted && operation === "chat" && !events.some(tellsUsage)) return undefined;
  const hidden = [...(wanted ? [] : ["usage"]), ...(declinesObfuscation(call) ? ["obfuscation"] : [])];
  const rewrite = hidden.length === 0 ? same : (event: string) => withoutFields(event, hidden);
  return replayed(call, headOf(call, kept), events, rewrite);
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
  events: readonly string[],
  rewrite: (event: string) => string | undefined,
  settlement?: Settlement,
): Reply {
  const reader = streamReader({ operation: call.operation as Operation, provider: call.provider }, head);
  let at = 0;
  const source: ChunkSource = {
    async pull(): Promise<Chunk | Settlement> {
      if (at > 0 && at % EVENTS_A_TURN === 0) await nextTurn();
      while (at < events.length) {
        const event = events[at++] as string;
        const role = reader.read(event);
        const value = rewrite(event);
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

/** The event without what this caller did not ask for; `undefined` when nothing is left of it. */
function withoutFields(event: string, fields: readonly string[]): string | undefined {
  if (!fields.some((field) => event.includes(`"${field}"`))) return event;
  const chunk = payloadOf(event);
  if (!isObject(chunk)) return event;
  const { choices, usage } = chunk;
  const usageAlone = Array.isArray(choices) && choices.length === 0 && isObject(usage);
  const hidesUsage = fields.includes("usage");
  if (hidesUsage && usageAlone && !("moderation" in chunk)) return undefined;
  // Usage beside choices is what some providers always send.
  const dropped = fields.filter((field) => field !== "usage" || usage === null || usageAlone);
  const kept = Object.entries(chunk).filter(([field]) => !dropped.includes(field));
  const { event: name } = eventData(event);
  return `${name === undefined ? "" : `event: ${name}\n`}data: ${JSON.stringify(Object.fromEntries(kept))}\n\n`;
}

function eventsIn(text: string): string[] {
  const splitter = new EventSplitter();
  const events = splitter.push(text);
  const rest = splitter.flush();
  if (rest !== "") events.push(rest);
  return events;
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
