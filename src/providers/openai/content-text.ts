import type { Call } from "../../core/index.ts";
import { eventData } from "../sse.ts";
import { ANSWER_FIELDS } from "./chat-answer.ts";
import { isFilled, isObject, type JsonObject, objectOf, parseJson } from "./json.ts";

/** The data of an event of content, given as its raw text. */
export function contentEvent(event: unknown): JsonObject {
  return typeof event === "string" ? objectOf(parseJson(eventData(event).data ?? "")) : {};
}

/**
 * The text of the answer in one event of content; empty for one that thinks. `undefined` for what is no plain text of one
 * answer: tool calls, refusals, sound, several choices.
 */
export function contentTextOf(call: Call, event: unknown): string | undefined {
  const data = contentEvent(event);
  if (call.operation === "responses") return responsesText(data);
  const choices = data["choices"];
  if (!Array.isArray(choices) || choices.length !== 1 || !isObject(choices[0])) return undefined;
  if ((choices[0]["index"] ?? 0) !== 0) return undefined;
  const delta = objectOf(choices[0]["delta"]);
  const { content } = delta;
  if (ANSWER_FIELDS.some((field) => field !== "content" && isFilled(delta[field]))) return undefined;
  if (!isFilled(content)) return "";
  return typeof content === "string" ? content : undefined;
}

function responsesText({ type, delta }: JsonObject): string | undefined {
  if (type === "response.output_text.delta" && typeof delta === "string") return delta;
  return typeof type === "string" && type.startsWith("response.reasoning") ? "" : undefined;
}
