import { isFilled, isObject, type JsonObject, numberOf, objectOf, objectsIn } from "./json.ts";

type Draft = Record<string, unknown>;

interface ChoiceDraft {
  /** `finish_reason` and whatever else stands beside the delta. */
  readonly fields: Draft;
  readonly message: Draft;
  readonly calls: Map<unknown, Draft>;
}

/** Text that comes in pieces. Other text is told whole each time. */
const PIECEWISE: ReadonlySet<string> = new Set(["content", "refusal", "reasoning", "reasoning_content"]);
const OF_THE_STREAM: ReadonlySet<string> = new Set(["choices", "object", "obfuscation"]);

/**
 * The chat completion that a stream's chunks amount to, as the same request would have got it in one piece.
 * `undefined` where that cannot be said for certain: no chunks, content in parts, sound.
 */
export function mergeChunks(chunks: readonly JsonObject[]): JsonObject | undefined {
  const top: Draft = { id: "", object: "chat.completion", created: 0, model: "", choices: [] };
  const choices = new Map<number, ChoiceDraft>();
  for (const chunk of chunks) {
    assignFilled(top, chunk, OF_THE_STREAM);
    for (const choice of objectsIn(chunk["choices"])) if (!addChoice(choices, choice)) return undefined;
  }
  if (choices.size === 0) return undefined;
  top["choices"] = [...choices].sort(([left], [right]) => left - right).map(([, draft]) => finished(draft));
  return inOrder(top, TOP_ORDER);
}

const TOP_ORDER = ["id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint"];
const CHOICE_ORDER = ["index", "message", "logprobs", "finish_reason"];
const MESSAGE_ORDER = ["role", "content", "refusal"];
const CALL_ORDER = ["id", "type"];

/** The same in an order that does not depend on how it came: these fields, then the others by name. */
function inOrder(draft: Draft, leading: readonly string[]): Draft {
  const others = Object.keys(draft).filter((field) => !leading.includes(field));
  const fields = [...leading.filter((field) => field in draft), ...others.sort()];
  return Object.fromEntries(fields.map((field) => [field, draft[field]]));
}

/** Whether `piece` is in a place where texts come in pieces: the same text in one chunk, and in several, is merged alike. */
export function hasPiece({ choices }: JsonObject, piece: string): boolean {
  const [choice, ...others] = objectsIn(choices);
  if (choice === undefined || others.length > 0) return false;
  const delta = objectOf(choice["delta"]);
  const [call, ...calls] = objectsIn(delta["tool_calls"]);
  if (calls.length === 0 && objectOf(call?.["function"])["arguments"] === piece) return true;
  return Object.entries(delta).some(([field, value]) => PIECEWISE.has(field) && value === piece);
}

const BESIDE_CHOICE: ReadonlySet<string> = new Set(["delta", "logprobs"]);

function addChoice(choices: Map<number, ChoiceDraft>, choice: JsonObject): boolean {
  const index = numberOf(choice["index"] ?? 0);
  let draft = choices.get(index);
  if (draft === undefined) {
    draft = {
      fields: { index, message: undefined, logprobs: null, finish_reason: null },
      message: { role: "assistant", content: null },
      calls: new Map(),
    };
    choices.set(index, draft);
  }
  assignFilled(draft.fields, choice, BESIDE_CHOICE);
  addLogprobs(draft.fields, objectOf(choice["logprobs"]));
  return addDelta(draft, objectOf(choice["delta"]));
}

/** Says whether the delta is one that can be merged. */
function addDelta({ message, calls }: ChoiceDraft, delta: JsonObject): boolean {
  for (const [field, value] of Object.entries(delta)) {
    if (field === "tool_calls") {
      for (const call of objectsIn(value)) addCall(calls, call);
    } else if (field === "function_call" && isObject(value)) {
      message[field] = withCalled(objectOf(message[field]), value);
    } else if (PIECEWISE.has(field) && typeof value === "string") {
      const before = message[field];
      message[field] = typeof before === "string" ? before + value : value;
    } else if (field === "refusal" && value === null) {
      message[field] ??= null;
    } else if ((field === "content" && isFilled(value)) || (field === "audio" && isFilled(value))) {
      return false;
    } else if (Array.isArray(value)) {
      message[field] = joined(message[field], value);
    } else if (isFilled(value)) {
      message[field] = value;
    }
  }
  return true;
}

function addCall(calls: Map<unknown, Draft>, call: JsonObject): void {
  const { index, ...rest } = call;
  const key = index ?? call["id"] ?? calls.size - 1;
  const draft = calls.get(key) ?? {};
  for (const [field, value] of Object.entries(rest)) {
    if (field === "function" || field === "custom") draft[field] = withCalled(objectOf(draft[field]), objectOf(value));
    else if (isFilled(value)) draft[field] = value;
  }
  calls.set(key, draft);
}

// The name comes whole, the arguments of a function and the input of a custom tool in pieces.
function withCalled(before: JsonObject, piece: JsonObject): Draft {
  const called: Draft = { ...before };
  for (const [field, value] of Object.entries(piece)) {
    if (field === "arguments" || field === "input") called[field] = `${called[field] ?? ""}${value ?? ""}`;
    else if (isFilled(value)) called[field] = value;
  }
  return called;
}

/**
 * Appends to the list that an earlier call made, or begins one. Parts with an index are pieces of one another:
 * OpenRouter's `reasoning_details`.
 */
function joined(before: unknown, items: readonly unknown[]): unknown[] {
  const list: unknown[] = Array.isArray(before) ? before : [];
  for (const item of items) {
    const last = list.at(-1);
    const continues =
      isObject(item) &&
      isObject(last) &&
      item["index"] !== undefined &&
      item["index"] === last["index"] &&
      item["type"] === last["type"];
    if (continues) list[list.length - 1] = mergedPart(last, item);
    else list.push(item);
  }
  return list;
}

function mergedPart(before: JsonObject, piece: JsonObject): Draft {
  const merged: Draft = { ...before };
  for (const [field, value] of Object.entries(piece)) {
    const piecewise = field === "text" || field === "summary" || field === "data";
    if (piecewise && typeof merged[field] === "string") merged[field] = `${merged[field]}${value ?? ""}`;
    else if (isFilled(value)) merged[field] = value;
  }
  return merged;
}

function addLogprobs(fields: Draft, logprobs: JsonObject): void {
  for (const [field, value] of Object.entries(logprobs)) {
    const before = objectOf(fields["logprobs"]);
    const tokens = Array.isArray(value) ? joined(before[field], value) : (before[field] ?? value);
    fields["logprobs"] = { ...before, [field]: tokens };
  }
}

// An empty value never replaces one that was told: Azure's first chunk has an empty id and model.
function assignFilled(target: Draft, source: JsonObject, except: ReadonlySet<string>): void {
  for (const [field, value] of Object.entries(source)) {
    if (except.has(field)) continue;
    if (isFilled(value) && value !== 0) target[field] = value;
    else target[field] ??= value;
  }
}

function finished({ fields, message, calls }: ChoiceDraft): Draft {
  const tool_calls = [...calls.values()].map((call) => inOrder(call, CALL_ORDER));
  const said = inOrder({ ...message, ...(calls.size > 0 && { tool_calls }) }, MESSAGE_ORDER);
  return inOrder({ ...fields, message: said }, CHOICE_ORDER);
}
