import type { Call, KeptAnswer, Question } from "../../core/index.ts";
import { eventsOf, unpackEvents } from "../packed-events/index.ts";
import { eventData } from "../sse.ts";
import { identityOf } from "./identity.ts";
import { isObject, type JsonObject, objectOf, objectsIn, parseJson } from "./json.ts";

/** Of each operation: where its messages are, and what a part of one that is text is called. */
const MESSAGES: Readonly<Record<string, { readonly field: string; readonly textType: string }>> = {
  chat: { field: "messages", textType: "text" },
  responses: { field: "input", textType: "input_text" },
};
const INSTRUCTING: ReadonlySet<unknown> = new Set(["system", "developer"]);

/**
 * The last message of the user's, when the request ends with one that is nothing but text. Everything else is context:
 * instructions, earlier turns, tools and parameters. A request for several choices, or with anything but plain
 * conversation in it (calls of tools and their results, images), is no question.
 */
export function questionIn(call: Call): Question | undefined {
  const place = MESSAGES[call.operation];
  const identity = identityOf(call);
  if (place === undefined || "bypass" in identity) return undefined;
  const material = objectOf(identity.material);
  if ((material["n"] ?? 1) !== 1) return undefined;
  const given = material[place.field];
  if (typeof given === "string") return questionOf(given, { ...material, [place.field]: null }, 1);
  if (!Array.isArray(given) || !given.every(isConversation)) return undefined;
  const last = objectOf(given.at(-1));
  const text = last["role"] === "user" ? textOf(last["content"], place.textType) : undefined;
  if (text === undefined) return undefined;
  const turns = given.filter(({ role }) => role === "user").length;
  const others = [...given.slice(0, -1), { ...last, content: null }];
  return questionOf(text, { ...material, [place.field]: others }, turns);
}

function questionOf(text: string, context: unknown, turns: number): Question | undefined {
  return text.trim() === "" ? undefined : { text, context, turns };
}

function isConversation(message: unknown): message is JsonObject {
  if (!isObject(message)) return false;
  const { role, type, tool_calls, function_call } = message;
  if (type !== undefined && type !== "message") return false;
  if (role === "assistant") return (tool_calls ?? null) === null && (function_call ?? null) === null;
  return role === "user" || INSTRUCTING.has(role);
}

function textOf(content: unknown, textType: string): string | undefined {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return undefined;
  const texts = content.map((part: unknown) => {
    const { type, text } = objectOf(part);
    return type === textType && typeof text === "string" ? text : undefined;
  });
  return texts.includes(undefined) ? undefined : texts.join("\n");
}

/** What the model said, as plain text; `undefined` when it said something else, such as a call of a tool. */
export function answerTextOf(_call: Call, { form, text }: KeptAnswer): string | undefined {
  const said = form === "value" ? saidInWhole(objectOf(parseJson(text))) : saidInEvents(text);
  return said === "" ? undefined : said;
}

function saidInWhole(body: JsonObject): string {
  const messages = objectsIn(body["choices"]).map(({ message }) => objectOf(message)["content"]);
  const parts = objectsIn(body["output"]).flatMap(({ content }) => objectsIn(content).map((part) => part["text"]));
  return [...messages, ...parts].filter((part) => typeof part === "string").join("");
}

function saidInEvents(text: string): string {
  return [...eventsOf(unpackEvents(text))]
    .map((event) => objectOf(parseJson(eventData(event).data ?? "")))
    .flatMap(({ choices, type, delta }) =>
      type === "response.output_text.delta"
        ? [delta]
        : objectsIn(choices).map((choice) => objectOf(choice["delta"])["content"]),
    )
    .filter((piece) => typeof piece === "string")
    .join("");
}
