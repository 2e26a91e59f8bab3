import {
  ChunkStream,
  type KeptAnswer,
  nextTurn,
  PLAIN_HEAD,
  type PromptPart,
  type Reply,
  type Settlement,
  streamReply,
  valueReply,
  type Wire,
  whole,
} from "../core/index.ts";
import { usageOf } from "./function-usage.ts";

/** About as much as a provider's prompt cache takes for a beginning. */
const BEGINNING_CHARS = 4_000;

/**
 * The wire of `optimizer.call`: a question is the request without its control fields, an answer is JSON. A value that
 * JSON would change (`undefined`, dates, class instances, functions, NaN, -0) is not kept.
 */
export const functionWire: Wire = {
  name: "function",
  identity(call) {
    const { provider, operation, credential, judge, ...material } = call.request as Record<string, unknown>;
    return { material };
  },
  shape: () => "value",
  keep(_call, head, body) {
    const value = "value" in body ? body.value : body.chunks;
    const text = exactJson(value);
    if (text === undefined) return undefined;
    return { form: "value" in body ? "value" : "events", text, head: { status: head.status, headers: head.headers } };
  },
  replay: (_call, kept) => (kept.form === "value" ? replayedValue(kept) : replayedStream(kept)),
  contentText: (_call, value) => (typeof value === "string" ? value : undefined),
  question(call) {
    const { provider, operation, credential, judge, input, ...context } = call.request as Record<string, unknown>;
    // A vector is of one text and no other.
    if (typeof input !== "string" || operation === "embeddings") return undefined;
    return { text: input, context, turns: 1 };
  },
  promptBeginning(call) {
    const { system, input } = call.request as Record<string, unknown>;
    const text = typeof input === "string" ? input : exactJson(input);
    return text === undefined ? undefined : `${String(system ?? "")}\n${text}`.slice(0, BEGINNING_CHARS);
  },
  promptParts(call) {
    const { system, input } = call.request as Record<string, unknown>;
    const text = typeof input === "string" ? input : exactJson(input);
    if (text === undefined) return undefined;
    const said: PromptPart = { of: "turn", text };
    return typeof system === "string" && system !== "" ? [{ of: "fixed", text: system }, said] : [said];
  },
  answerText(_call, { form, text }) {
    const said: unknown = JSON.parse(text);
    if (form === "value") return typeof said === "string" ? said : text;
    return (said as unknown[]).every((piece) => typeof piece === "string") ? (said as string[]).join("") : text;
  },
};

function replayedValue({ text }: KeptAnswer): Reply {
  const value: unknown = JSON.parse(text);
  return valueReply(value, settled(value), PLAIN_HEAD, "cache");
}

// What is replayed never waits for a network: a long answer would hold up everybody else.
const VALUES_A_TURN = 256;

function replayedStream({ text }: KeptAnswer): Reply {
  const values = JSON.parse(text) as unknown[];
  let at = 0;
  const stream = new ChunkStream({
    async pull() {
      if (at > 0 && at % VALUES_A_TURN === 0) await nextTurn();
      return at < values.length ? { role: "content", value: values[at++] } : settled(values.at(-1));
    },
    cancel: () => {},
  });
  return streamReply(stream, PLAIN_HEAD, "cache");
}

function settled(value: unknown): Settlement {
  return whole({ usage: usageOf(value) });
}

/** The JSON text of a value that comes back from it exactly as it was; `undefined` for any other. */
function exactJson(value: unknown): string | undefined {
  try {
    // First, because it throws on a cycle, which the walk below would follow.
    const text = JSON.stringify(value);
    return survivesJson(value) ? text : undefined;
  } catch {
    return undefined;
  }
}

function survivesJson(value: unknown): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "object":
      return value === null || objectSurvivesJson(value);
    default:
      return false;
  }
}

function objectSurvivesJson(value: object): boolean {
  if (Array.isArray(value)) {
    // By index, because `every` skips holes, which JSON turns into null.
    for (let index = 0; index < value.length; index++) if (!survivesJson(value[index])) return false;
    return true;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype || Object.getOwnPropertySymbols(value).length > 0) return false;
  return Object.values(value).every(survivesJson);
}
