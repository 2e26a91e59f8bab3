import { OUTSIDE_THE_KEY } from "./identity-fields.ts";
import type { JsonObject } from "./json.ts";

/** One text, or the tokens of one. */
export type EmbeddingInput = string | readonly number[];

const KNOWN: ReadonlySet<string> = new Set(["model", "input", "dimensions", "encoding_format", ...OUTSIDE_THE_KEY]);
const FORMATS: ReadonlySet<unknown> = new Set([undefined, null, "float", "base64"]);

/**
 * Whether the vectors are floats for certain, of which either format can be made from the other. A field that is not
 * known may ask for other numbers, such as `output_dtype`.
 */
export function givesFloats(request: JsonObject): boolean {
  return FORMATS.has(request["encoding_format"]) && Object.keys(request).every((field) => KNOWN.has(field));
}

export function asksForBase64(request: JsonObject): boolean {
  return request["encoding_format"] === "base64";
}

/** The inputs of a request that has several; `undefined` for one, and for what is none of the documented forms. */
export function embeddingInputs({ input }: JsonObject): readonly EmbeddingInput[] | undefined {
  if (!Array.isArray(input) || input.length < 2) return undefined;
  const several = input.every((item) => typeof item === "string") || input.every(isTokens);
  return several ? (input as EmbeddingInput[]) : undefined;
}

/** The input, with an only one as if it had been given without an array. */
export function plainInput(input: unknown): unknown {
  if (!Array.isArray(input) || input.length !== 1) return input;
  const [only] = input;
  return typeof only === "string" || isTokens(only) ? only : input;
}

function isTokens(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "number");
}
