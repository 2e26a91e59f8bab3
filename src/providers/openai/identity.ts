import type { Call, Identity } from "../../core/index.ts";
import { isFilled, isObject, type JsonObject, objectOf, objectsIn } from "./json.ts";

/** What cannot change the answer. Everything else is in the key, fields that we do not know included. */
const OUTSIDE: ReadonlySet<string> = new Set([
  "stream",
  "stream_options",
  "user",
  "safety_identifier",
  "metadata",
  "store",
  "prompt_cache_key",
  "prompt_cache_retention",
  "prompt_cache_options",
  "service_tier",
]);

/** Tools that the caller runs; the provider runs any other, and its results change with time. */
const OWN_TOOLS: ReadonlySet<unknown> = new Set(["function", "custom"]);
/** Models that look into the web by themselves. */
const SEARCHING_MODELS = /:online$|-search-(preview|api)|(^|\/)(sonar|compound)(-|$)/;
const DEPTH_MAX = 64;

/** What makes a request what it is, or the word for why its answer must not be kept. */
export function identityOf(call: Call): Identity {
  const request = objectOf(call.request);
  const bypass = stateIn(request);
  return bypass === undefined ? { material: materialOf(request) } : { bypass };
}

/** Why the answer depends on more than the request. */
function stateIn(request: JsonObject): string | undefined {
  if (isFilled(request["previous_response_id"]) || isFilled(request["conversation"])) return "stateful";
  if (request["background"] === true) return "background";
  const { prompt } = request;
  if (isObject(prompt) && !isFilled(prompt["version"])) return "unversioned_prompt";
  if (objectsIn(request["input"]).some(({ type }) => type === "item_reference")) return "stateful";
  if (searchesTheWeb(request)) return "web_search";
  if (objectsIn(request["tools"]).some(({ type }) => isFilled(type) && !OWN_TOOLS.has(type))) return "hosted_tools";
  if (isFilled(request["plugins"])) return "hosted_tools";
  if (losesDigits(request, 0)) return "inexact_number";
  return undefined;
}

function searchesTheWeb({ web_search_options, search_parameters, model }: JsonObject): boolean {
  return isFilled(web_search_options) || isFilled(search_parameters) || SEARCHING_MODELS.test(String(model));
}

// Two seeds beyond 2^53 may be the same number here, and are not to a provider.
function losesDigits(value: unknown, depth: number): boolean {
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value);
  if (typeof value !== "object" || value === null || depth > DEPTH_MAX) return false;
  return Object.values(value).some((member) => losesDigits(member, depth + 1));
}

function materialOf(request: JsonObject): JsonObject {
  const entries = Object.entries(request)
    .filter(([field]) => !OUTSIDE.has(field))
    .map(([field, value]) => [field, NORMAL_FORMS.get(field)?.(value) ?? value] as const);
  return Object.fromEntries(entries);
}

const NORMAL_FORMS: ReadonlyMap<string, (value: unknown) => unknown> = new Map([
  ["messages", (messages) => contentsAsText(messages, "text")],
  ["input", (items) => contentsAsText(items, "input_text")],
  ["tools", (value) => propertiesInOrder(value, 0)],
  ["functions", (value) => propertiesInOrder(value, 0)],
  ["response_format", (value) => propertiesInOrder(value, 0)],
  ["text", (value) => propertiesInOrder(value, 0)],
]);

/** A content of one part that is nothing but text is the same as the text. */
function contentsAsText(messages: unknown, textType: string): unknown {
  if (!Array.isArray(messages)) return messages;
  return messages.map((message: unknown) => {
    const text = isObject(message) ? onlyText(message["content"], textType) : undefined;
    return text === undefined ? message : { ...objectOf(message), content: text };
  });
}

function onlyText(content: unknown, textType: string): string | undefined {
  if (!Array.isArray(content) || content.length !== 1) return undefined;
  const part = objectOf(content[0]);
  const { type, text } = part;
  return type === textType && typeof text === "string" && Object.keys(part).length === 2 ? text : undefined;
}

/** Keeps the order of a JSON schema's properties, in which a model writes them; other keys have none. */
function propertiesInOrder(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null || depth > DEPTH_MAX) return value;
  if (Array.isArray(value)) return value.map((item) => propertiesInOrder(item, depth + 1));
  const entries = Object.entries(value).map(([key, member]): [string, unknown] => {
    const ordered = propertiesInOrder(member, depth + 1);
    return [key, key === "properties" && isObject(ordered) ? { inOrder: Object.entries(ordered) } : ordered];
  });
  return Object.fromEntries(entries);
}
