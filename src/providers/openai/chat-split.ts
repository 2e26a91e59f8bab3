import { isFilled, isObject, type JsonObject, objectOf, objectsIn } from "./json.ts";
import { textPieces } from "./text-pieces.ts";

/** A message is told in this order; what is not listed goes with the role. */
const TOLD_LATER = ["reasoning", "reasoning_content", "content", "refusal", "tool_calls", "function_call"] as const;

/**
 * The events of the stream in which a whole chat completion might have come: for each choice its role, its message in
 * pieces and its finish, then usage if it is asked for, and `[DONE]`. `undefined`: the usage that is asked for is not known.
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
  const opening = {
    role: "assistant",
    content: typeof said["content"] === "string" ? "" : null,
    ...("refusal" in said && { refusal: null }),
  };
  const deltas: JsonObject[] = [{ ...opening, ...Object.fromEntries(first) }];
  for (const field of TOLD_LATER) {
    if (isFilled(said[field])) deltas.push(...deltasOf(field, said[field], objectOf(logprobs)));
  }
  const chunks: JsonObject[] = deltas.map((delta) => ({
    index,
    delta,
    logprobs: logprobsWith(delta, objectOf(logprobs)),
    finish_reason: null,
  }));
  return [...chunks, { index, delta: {}, logprobs: null, finish_reason, ...beside }];
}

/** What is told of a field, a text in several pieces. */
function deltasOf(field: string, value: unknown, logprobs: JsonObject): JsonObject[] {
  if (field === "tool_calls") return callDeltas(objectsIn(value));
  // Log probabilities stand beside the text that they are of.
  if (typeof value !== "string" || isFilled(logprobs[field])) return [{ [field]: value }];
  return textPieces(value).map((piece) => ({ [field]: piece }));
}

function callDeltas(calls: readonly JsonObject[]): JsonObject[] {
  const deltas: JsonObject[] = [];
  const opening = calls.map((call, index) => {
    const { arguments: args } = objectOf(call["function"]);
    const [first, ...rest] = typeof args === "string" ? textPieces(args) : [];
    for (const piece of rest) deltas.push({ tool_calls: [{ index, function: { arguments: piece } }] });
    const called = rest.length === 0 ? {} : { function: { ...objectOf(call["function"]), arguments: first } };
    // Mistral leaves out the type, without which the SDK takes no call from a stream.
    return { ...call, ...("function" in call && { type: call["type"] ?? "function" }), ...called, index };
  });
  return [{ tool_calls: opening }, ...deltas];
}

// Log probabilities go with the text that they are of.
function logprobsWith(delta: JsonObject, logprobs: JsonObject): JsonObject | null {
  const fields = ["content", "refusal"].filter((field) => isFilled(delta[field]) && isFilled(logprobs[field]));
  if (fields.length === 0) return null;
  return { content: null, refusal: null, ...Object.fromEntries(fields.map((field) => [field, logprobs[field]])) };
}
