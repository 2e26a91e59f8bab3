import type { KeptAnswer, ReplyHead, Wire } from "../../core/index.ts";
import { eventData } from "../sse.ts";
import { identityOf } from "./identity.ts";
import { asksForUsage, declinesObfuscation, replayKept } from "./replay.ts";

const KEPT_HEADERS: ReadonlySet<string> = new Set(["content-type", "x-request-id"]);

/**
 * What a cache and the coalescer need to know of the OpenAI dialect. Bodies are text: a whole one as it came, a stream
 * as a list of raw events. An entry of either form serves callers of both, unless it lacks the usage they ask for.
 */
export const openaiWire: Wire = {
  name: "openai",
  identity: identityOf,
  shape(call) {
    if (!call.stream) return "whole";
    return `stream${asksForUsage(call) ? "+usage" : ""}${declinesObfuscation(call) ? "-obfuscation" : ""}`;
  },
  keep(_call, head, body) {
    if ("value" in body) return typeof body.value === "string" ? kept("value", body.value, head) : undefined;
    if (!body.chunks.every((chunk) => typeof chunk === "string")) return undefined;
    const told = (body.chunks as readonly string[]).filter((event) => eventData(event).data !== undefined);
    return told.length === 0 ? undefined : kept("events", told.join(""), head);
  },
  replay: replayKept,
};

function kept(form: KeptAnswer["form"], text: string, { status, headers }: ReplyHead): KeptAnswer {
  return { form, text, head: { status, headers: headers.filter(([name]) => KEPT_HEADERS.has(name.toLowerCase())) } };
}
