import type { Call, Identity } from "../../core/index.ts";
import { givesFloats, plainInput } from "./embedding-request.ts";
import { OUTSIDE_THE_KEY } from "./identity-fields.ts";
import { isFilled, isObject, type JsonObject, objectOf, objectsIn } from "./json.ts";

/** Tools that the caller runs; the provider runs any other, and its results change with time. */
const OWN_TOOLS: ReadonlySet<unknown> = new Set(["function", "custom"]);
/** Models that look into the web by themselves. */
const SEARCHING_MODELS = /:online$|-search-(preview|api)|(^|\/)(sonar|compound)(-|$)/;
const DEPTH_MAX = 64;

/** What makes a request what it is, or the word for why its answer must not be kept. */
export function identityOf(call: Call): Identity {
  const request = objectOf(call.request);
  const bypass = stateIn(request);
  if (bypass !== undefined) return { bypass };
  return { material: call.operation === "embeddings" ? embeddingMaterial(request) : materialOf(request) };
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
  if (Array.isArray(value)) {
    for (const item of value) if (losesDigits(item, depth + 1)) return true;
    return false;
  }
  for (const key of Object.keys(value)) if (losesDigits((value as JsonObject)[key], depth + 1)) return true;
  return false;
}

function materialOf(request: JsonObject): Record<string, unknown> {
  const material: Record<string, unknown> = {};
  for (const field of Object.keys(request)) {
    if (OUTSIDE_THE_KEY.has(field)) continue;
    setField(material, field, NORMAL_FORMS.get(field)?.(request[field]) ?? request[field]);
  }
  return material;
}

// Either format of a vector of floats is kept as the other.
function embeddingMaterial(request: JsonObject): JsonObject {
  const material = materialOf(request);
  material["input"] = plainInput(request["input"]);
  if (givesFloats(request)) delete material["encoding_format"];
  return material;
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
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const ordered = propertiesInOrder((value as JsonObject)[key], depth + 1);
    setField(copy, key, key === "properties" && isObject(ordered) ? { inOrder: Object.entries(ordered) } : ordered);
  }
  return copy;
}

// Assigned, this one name would be lost.
function setField(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== "__proto__") target[name] = value;
  else Object.defineProperty(target, name, { value, enumerable: true });
}
