import { type Settlement, whole } from "../../core/index.ts";
import { isFlagged } from "./chat-answer.ts";
import { isFilled, isJsonText, type JsonObject, objectOf, objectsIn, textOf } from "./json.ts";
import { readUsage } from "./usage.ts";

/** How a response object ended. `undefined`: it is not one. */
export function readResponsesAnswer(response: JsonObject): Settlement | undefined {
  if (!Array.isArray(response["output"])) return undefined;
  const { status } = response;
  const reason = textOf(objectOf(response["incomplete_details"])["reason"]) ?? textOf(status);
  const output = objectsIn(response["output"]);
  return whole({
    storable:
      status === "completed" &&
      !isFilled(response["incomplete_details"]) &&
      output.every(isGoodItem) &&
      output.some(saysSomething) &&
      !isFlagged(response["moderation"]),
    usage: readUsage(response["usage"]),
    model: textOf(response["model"]),
    finishReasons: reason === undefined ? undefined : [reason],
  });
}

function isGoodItem(item: JsonObject): boolean {
  if (item["status"] === "incomplete" || item["status"] === "failed") return false;
  return item["type"] !== "function_call" || isJsonText(item["arguments"]);
}

function saysSomething(item: JsonObject): boolean {
  if (item["type"] === "reasoning") return false;
  if (item["type"] !== "message") return true;
  return objectsIn(item["content"]).some((part) => isFilled(part["text"]) || isFilled(part["refusal"]));
}
