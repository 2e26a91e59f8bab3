import { type Settlement, whole } from "../../core/index.ts";
import { isFilled, isJsonText, isObject, type JsonObject, objectOf, objectsIn, textOf } from "./json.ts";
import { chatUsage } from "./usage.ts";

/** Fields of a message, or of the delta of one, that are an answer. */
export const ANSWER_FIELDS = ["content", "refusal", "tool_calls", "function_call", "audio"] as const;
/** Fields that show how the model gets there. */
export const THOUGHT_FIELDS = ["reasoning", "reasoning_content", "reasoning_details"] as const;

const GOOD_FINISHES: ReadonlySet<unknown> = new Set(["stop", "tool_calls", "function_call"]);

/** Whether a choice ended because the model had said everything. */
export function isGoodFinish(reason: unknown): boolean {
  return GOOD_FINISHES.has(reason);
}

/** How a whole chat completion ended. `undefined`: it is not one. */
export function readChatAnswer(body: JsonObject): Settlement | undefined {
  if (!Array.isArray(body["choices"])) return undefined;
  const choices = objectsIn(body["choices"]);
  return whole({
    storable: choices.length > 0 && choices.every(isGoodChoice) && !isFlagged(body["moderation"]),
    usage: chatUsage(body),
    model: textOf(body["model"]),
    finishReasons: choices.map((choice) => textOf(choice["finish_reason"])).filter((reason) => reason !== undefined),
  });
}

/** True when the moderation that was asked for objects to the input or the output. */
export function isFlagged(moderation: unknown): boolean {
  return Object.values(objectOf(moderation))
    .flatMap((part) => objectsIn(objectOf(part)["results"]))
    .some(({ flagged }) => flagged === true);
}

/** Whether the arguments of a function call can be read. A call that is not of a function has none. */
export function hasGoodArguments(called: unknown): boolean {
  return !isObject(called) || isJsonText(called["arguments"]);
}

function isGoodChoice(choice: JsonObject): boolean {
  const message = objectOf(choice["message"]);
  const calls = objectsIn(message["tool_calls"]);
  return (
    isGoodFinish(choice["finish_reason"]) &&
    ANSWER_FIELDS.some((field) => isFilled(message[field])) &&
    calls.every((call) => hasGoodArguments(call["function"])) &&
    hasGoodArguments(message["function_call"])
  );
}
