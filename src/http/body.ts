import { problem } from "./replies.ts";

const BODY_BYTES_MAX = 16_384;

/** The JSON object of a request's body, or the reply that says what is wrong with it. */
export async function readJson(request: Request): Promise<Readonly<Record<string, unknown>> | Response> {
  if (!/^application\/json\b/i.test(request.headers.get("content-type") ?? "")) {
    return problem(415, "NOT_JSON", 'Send a JSON body with the header "content-type: application/json".');
  }
  const text = await readText(request);
  if (text === undefined) return problem(413, "TOO_LARGE", `The body may have ${BODY_BYTES_MAX} bytes.`);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {}
  return problem(400, "BODY_INVALID", "The body is not a JSON object.");
}

async function readText(request: Request): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > BODY_BYTES_MAX) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
