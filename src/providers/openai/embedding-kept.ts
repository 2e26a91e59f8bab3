import { asksForBase64, givesFloats } from "./embedding-request.ts";
import { packedVector, vectorNumbers } from "./embedding-vector.ts";
import { isObject, type JsonObject, objectsIn, parseJson } from "./json.ts";

/**
 * The text of an embeddings body as it is kept: vectors of floats packed, all else as it came. `undefined` when a
 * vector is not what the request asks for.
 */
export function keptEmbeddings(request: JsonObject, text: string): string | undefined {
  if (!givesFloats(request)) return text;
  return withVectors(text, packedVector);
}

/** The text of a kept body in the format that the request asks for. */
export function givenEmbeddings(request: JsonObject, text: string): string | undefined {
  if (!givesFloats(request) || asksForBase64(request)) return text;
  return withVectors(text, vectorNumbers);
}

function withVectors(text: string, form: (vector: unknown) => unknown): string | undefined {
  const body = parseJson(text);
  if (!isObject(body)) return undefined;
  const data = objectsIn(body["data"]).map((item) => ({ ...item, embedding: form(item["embedding"]) }));
  if (data.length === 0 || data.some(({ embedding }) => embedding === undefined)) return undefined;
  return JSON.stringify({ ...body, data });
}
