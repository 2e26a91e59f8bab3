import type { JsonObject } from "./json.ts";

const INPUT_FIELDS = ["messages", "input", "instructions", "prompt", "tools", "functions", "response_format", "text"];

/** What an image, a sound or a file counts for: about 1,500 tokens, whatever the length of its encoding. */
const MEDIA_CHARS = 6_000;
/** A number in the input of an embedding is a token. */
const NUMBER_CHARS = 4;
const DEPTH_MAX = 64;

/** Characters of everything that a request gives the model to read. An estimate, for estimates. */
export function inputSize(request: JsonObject): number {
  let chars = 0;
  for (const field of INPUT_FIELDS) chars += sizeOf(request[field], 0);
  return chars;
}

function sizeOf(value: unknown, depth: number): number {
  if (typeof value === "string") return value.startsWith("data:") ? Math.min(value.length, MEDIA_CHARS) : value.length;
  if (typeof value === "number") return NUMBER_CHARS;
  if (typeof value !== "object" || value === null || depth > DEPTH_MAX) return 0;
  let chars = 0;
  if (Array.isArray(value)) {
    for (const item of value) chars += sizeOf(item, depth + 1);
    return chars;
  }
  // The bare base64 of a sound stands beside its format.
  if ("data" in value && "format" in value) return MEDIA_CHARS;
  for (const [key, member] of Object.entries(value)) chars += key.length + sizeOf(member, depth + 1);
  return chars;
}
