import type { Call } from "../../core/index.ts";
import { objectOf, objectsIn, textOf } from "./json.ts";

/** More than the 1,024 tokens from which on OpenAI caches a prompt. */
const PART_CHARS = 6_000;

/**
 * Instructions, tools and messages up to the user's first: what the turns of one conversation, and calls of one template
 * with the same question, have in common. Each part by its length and its first 6,000 characters.
 */
export function promptBeginning(call: Call): string | undefined {
  const request = objectOf(call.request);
  const parts = [textOf(request["instructions"]) ?? ""];
  for (const tool of objectsIn(request["tools"]))
    parts.push(textOf(objectOf(tool["function"])["name"] ?? tool["name"]) ?? "");
  const turns = request["messages"] ?? request["input"];
  if (typeof turns === "string") parts.push(turns);
  for (const turn of objectsIn(turns)) {
    parts.push(...textsOf(turn["content"]));
    if (turn["role"] === "user") break;
  }
  return parts.every((part) => part === "") ? undefined : parts.map(beginningOf).join("\n");
}

function textsOf(content: unknown): string[] {
  if (typeof content === "string") return [content];
  return objectsIn(content).map((part) => textOf(part["text"]) ?? "");
}

function beginningOf(text: string): string {
  return `${text.length}:${text.slice(0, PART_CHARS)}`;
}
