import type { Call, PromptPart } from "../../core/index.ts";
import { objectOf, objectsIn, textOf } from "./json.ts";

const FIXED_ROLES: readonly unknown[] = ["system", "developer"];

/** The texts of a request: tools, then instructions and messages in their order. */
export function promptParts(call: Call): readonly PromptPart[] | undefined {
  const request = objectOf(call.request);
  const parts: PromptPart[] = [];
  for (const tool of objectsIn(request["tools"])) {
    const { name = tool["name"], description = tool["description"] } = objectOf(tool["function"]);
    parts.push({ of: "fixed", text: `${textOf(name) ?? ""}\n${textOf(description) ?? ""}` });
  }
  addText(parts, "fixed", request["instructions"]);
  const turns = request["messages"] ?? request["input"] ?? request["prompt"];
  if (typeof turns === "string") addText(parts, "turn", turns);
  for (const turn of objectsIn(turns)) {
    const of = FIXED_ROLES.includes(turn["role"]) ? "fixed" : "turn";
    const { content } = turn;
    if (typeof content === "string") addText(parts, of, content);
    else for (const part of objectsIn(content)) addText(parts, of, part["text"]);
  }
  return parts.length === 0 ? undefined : parts;
}

function addText(parts: PromptPart[], of: PromptPart["of"], text: unknown): void {
  if (typeof text === "string" && text !== "") parts.push({ of, text });
}
