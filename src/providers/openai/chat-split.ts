import { isFilled, isObject, type JsonObject, objectOf, objectsIn } from "./json.ts";

/** A message is told in this order; what is not listed goes with the role. */
const TOLD_LATER = ["reasoning", "reasoning_content", "content", "refusal", "tool_calls", "function_call"] as const;

/**
 * The events of the stream in which a whole chat completion might have come: for each choice its role, its message
 * and its finish, then usage if it is asked for, and `[DONE]`. `undefined`: the usage that is asked for is not known.
 */
export function splitCompletion(completion: JsonObject, includeUsage: boolean): string[] | undefined {
  const { choices, usage, object: _, ...rest } = completion;
  if (includeUsage && !isObject(usage)) return undefined;
  const { id, created, model, service_tier, system_fingerprint, ...extras } = rest;
  const common = { id, object: "chat.completion.chunk", created, model, service_tier, system_fingerprint };
  const chunk = (content: JsonObject): string =>
    `data: ${JSON.stringify({ ...common, ...content, ...(includeUsage && !("usage" in content) && { usage: null }) })}\n\n`;
  const events = objectsIn(choices).flatMap((choice) => choiceChunks(choice).map((part) => chunk({ choices: [part] })));
  if (Object.keys(extras).length > 0) events.push(chunk({ choices: [], ...extras }));
  if (includeUsage) events.push(chunk({ choices: [], usage }));
  events.push("data: [DONE]\n\n");
  return events;
}

function choiceChunks(choice: JsonObject): JsonObject[] {
  const { index, message, logprobs, finish_reason, ...beside } = choice;
  const said = objectOf(message);
  const first = Object.entries(said).filter(([field]) => !TOLD_LATER.some((later) => later === field));
  const opening = { role: "assistant", content: typeof said["content"] === "string" ? "" : null, refusal: null };
  const deltas: JsonObject[] = [{ ...opening, ...Object.fromEntries(first) }];
  for (const field of TOLD_LATER) if (isFilled(said[field])) deltas.push({ [field]: deltaOf(field, said[field]) });
  const chunks: JsonObject[] = deltas.map((delta) => ({
    index,
    delta,
    logprobs: logprobsWith(delta, objectOf(logprobs)),
    finish_reason: null,
  }));
  return [...chunks, { index, delta: {}, logprobs: null, finish_reason, ...beside }];
}

// Mistral leaves out the type, without which the SDK takes no call from a stream.
function deltaOf(field: string, value: unknown): unknown {
  if (field !== "tool_calls") return value;
  return objectsIn(value).map((call, index) => ({ ...("function" in call && { type: "function" }), ...call, index }));
}

// Log probabilities go with the text that they are of.
function logprobsWith(delta: JsonObject, logprobs: JsonObject): JsonObject | null {
  const fields = ["content", "refusal"].filter((field) => isFilled(delta[field]) && isFilled(logprobs[field]));
  if (fields.length === 0) return null;
  return { content: null, refusal: null, ...Object.fromEntries(fields.map((field) => [field, logprobs[field]])) };
}
