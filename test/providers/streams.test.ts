import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PLAIN_HEAD } from "../../src/core/index.ts";
import { streamReader } from "../../src/providers/openai/index.ts";
import { EventSplitter } from "../../src/providers/sse.ts";
import { type RecordedStream, readAll, stream, streams } from "./recordings.ts";

/** Reads a stream whose bytes arrive in these pieces, as a client does. */
function readBytes({ reading }: RecordedStream, pieces: readonly Uint8Array[]) {
  const decoder = new TextDecoder();
  const splitter = new EventSplitter();
  const events = pieces.flatMap((piece) => splitter.push(decoder.decode(piece, { stream: true })));
  events.push(...splitter.push(decoder.decode()));
  const rest = splitter.flush();
  if (rest !== "") events.push(rest);
  return readAll(streamReader(reading, PLAIN_HEAD), events);
}

function readText({ reading }: Pick<RecordedStream, "reading">, text: string) {
  return readBytes({ name: "", reading, text }, [Buffer.from(text)]);
}

const chat = { reading: { operation: "chat", provider: "openai" } } as const;
const responses = { reading: { operation: "responses", provider: "openai" } } as const;

const event = (data: unknown): string => `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
const delta = (fields: object, finish_reason: string | null = null, index = 0) =>
  event({ id: "c", model: "m", choices: [{ index, delta: fields, finish_reason }] });
const DONE = event("[DONE]");

describe("every recorded stream", () => {
  it.each(streams)("$name reads alike whole, byte by byte and in random pieces", (recorded) => {
    const bytes = Buffer.from(recorded.text);
    const whole = readBytes(recorded, [bytes]);
    expect(
      readBytes(
        recorded,
        [...bytes].map((byte) => Uint8Array.of(byte)),
      ),
    ).toEqual(whole);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: bytes.length }), { maxLength: 40 }), (places) => {
        const bounds = [0, ...places.sort((a, b) => a - b), bytes.length];
        const pieces = bounds.slice(1).map((end, index) => bytes.subarray(bounds[index], end));
        expect(readBytes(recorded, pieces)).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });

  it.each(streams)("$name cut short is never an answer to keep", (recorded) => {
    const splitter = new EventSplitter();
    const events = splitter.push(recorded.text);
    // Without its last event that has data.
    const shorter = events.slice(
      0,
      events.findLastIndex((text) => text.includes("data:")),
    );
    const { end } = readAll(streamReader(recorded.reading, PLAIN_HEAD), shorter);
    expect(end.storable).toBe(false);
  });

  it.each([
    ["openai-chat-text", "gpt-4o-2024-08-06", ["stop"], 14, 8, true],
    ["openai-chat-tool", "gpt-4o-2024-08-06", ["tool_calls"], 398, 10, true],
    ["openai-chat-moderation", "gpt-5-2025-08-07", ["stop"], 13, 11, true],
    ["crusoe-vllm-like", "meta-llama/Llama-3.3-70B-Instruct", ["stop"], 46, 14, true],
    ["groq-tool", "openai/gpt-oss-120b", ["tool_calls"], 304, 49, true],
    ["huggingface-novita", "meta-llama/llama-3.1-8b-instruct", ["stop"], 40, 2, true],
    ["mistral-thinking", "magistral-medium-latest", ["stop"], 10, 232, true],
    ["openrouter-cached", "anthropic/claude-4.6-sonnet-20260217", ["stop"], 254, 5, true],
    ["zai-thinking", "glm-4.7", ["stop"], 13, 564, true],
    ["openai-responses-text", "gpt-4o-2024-08-06", ["completed"], 255, 16, true],
    ["openai-responses-background", "gpt-4o-2024-08-06", ["completed"], 15, 9, true],
    ["deepseek-responses", "deepseek-v4-flash", ["completed"], 90, 15, true],
    ["lmstudio-responses", "gemma-7b-it", ["completed"], 31, 282, true],
    // Their `[DONE]` was stripped: complete, but without the proof that keeping asks for.
    ["azure-model-router", "gpt-5-nano-2025-08-07", ["stop"], 15, 78, false],
    ["mistral-text", "mistral-small-latest", ["stop"], 13, 8, false],
    ["xai-text", "grok-3-mini", ["stop"], 12, 342, false],
  ])("%s ends as it was recorded", (name, model, finishReasons, inputTokens, outputTokens, storable) => {
    const recorded = stream(name);
    const { end } = readText(recorded, recorded.text);
    expect(end).toMatchObject({
      fault: undefined,
      model,
      finishReasons,
      usage: { inputTokens, outputTokens },
      storable,
    });
  });

  it.each([
    ["groq-error-midstream", "bad_request", true],
    ["openrouter-error-midstream", "bad_request", false],
    ["openai-responses-quota-error", "quota_exhausted", false],
  ])("%s ends in its fault", (name, kind, retryable) => {
    const recorded = stream(name);
    const { end } = readText(recorded, recorded.text);
    expect(end).toMatchObject({ fault: { kind, retryable }, storable: false });
  });

  it("tells of a quota before anything is content", () => {
    const recorded = stream("openai-responses-quota-error");
    const { roles } = readText(recorded, recorded.text);
    expect(roles).toEqual(["preamble", "preamble", "quota_exhausted", "quota_exhausted"]);
  });

  it("keeps the usage that came with an error", () => {
    const recorded = stream("openrouter-error-midstream");
    const { end } = readText(recorded, recorded.text);
    expect(end.usage).toMatchObject({ inputTokens: 43, outputTokens: 10 });
  });
});

describe("the roles of chat events", () => {
  it("are preamble, content, other and end", () => {
    const { roles } = readText(chat, stream("openai-chat-tool").text);
    expect(roles).toEqual(["content", "content", "other", "other", "end"]);
    const cached = stream("openrouter-cached");
    expect(readText(cached, cached.text).roles).toEqual([
      "other",
      "other",
      "other",
      "content",
      "other",
      "other",
      "end",
    ]);
    const azure = stream("azure-model-router");
    expect(readText(azure, azure.text).roles.slice(0, 3)).toEqual(["preamble", "preamble", "content"]);
  });

  it.each([
    { content: "x" },
    { refusal: "no" },
    { reasoning: "hm" },
    { reasoning_content: "hm" },
    { tool_calls: [{ index: 0, id: "t", function: { name: "f", arguments: "" } }] },
    { function_call: { name: "f" } },
    { content: [{ type: "thinking", thinking: [] }] },
  ])("say that %j is content", (fields) => {
    expect(readText(chat, delta(fields)).roles).toEqual(["content"]);
  });

  it("say that a role and empty fields are not yet content", () => {
    expect(readText(chat, delta({ role: "assistant", content: "", refusal: null, tool_calls: [] })).roles).toEqual([
      "preamble",
    ]);
  });
});

describe("an event that is not JSON", () => {
  const answer = delta({ content: "x" }, "stop") + DONE;

  it.each([
    ["chat", chat, event("{oops") + answer],
    ["chat, after the role", chat, delta({ role: "assistant", content: "" }) + event("{oops") + answer],
    ["chat, named as usual", chat, `event: message\n${event("{oops")}${answer}`],
    ["responses", responses, event("{oops") + event({ type: "response.completed", response: {} })],
  ])("fails a stream that has said nothing: %s", (_, reading, text) => {
    expect(readText(reading, text).end).toMatchObject({ fault: { kind: "malformed", retryable: true } });
  });

  it.each([
    ["after content", delta({ content: "x" }) + event("{oops") + delta({}, "stop") + DONE],
    ["without data", `data:\n\n${answer}`],
    ["of another name", `event: ping\ndata: alive\n\n${answer}`],
  ])("is passed on %s", (_, text) => {
    expect(readText(chat, text).end).toMatchObject({ fault: undefined, storable: false });
  });
});

describe("what proves a chat stream whole and good", () => {
  const good = delta({ content: "Hello" }) + delta({}, "stop") + DONE;

  it("is a good finish of every choice, some output and [DONE]", () => {
    expect(readText(chat, good).end).toMatchObject({ fault: undefined, storable: true });
  });

  it.each([
    ["no output", delta({}, "stop") + DONE],
    ["reasoning alone", delta({ reasoning: "hm" }) + delta({}, "stop") + DONE],
    ["the length limit", delta({ content: "x" }) + delta({}, "length") + DONE],
    ["a filter", delta({ content: "x" }) + delta({}, "content_filter") + DONE],
    ["no finish", delta({ content: "x" }) + DONE],
    ["one choice unfinished", delta({ content: "x" }, "stop") + delta({ content: "x" }, null, 1) + DONE],
    ["a bad line", delta({ content: "x" }) + event("{oops") + delta({}, "stop") + DONE],
    [
      "arguments that are not JSON",
      delta({ tool_calls: [{ index: 0, function: { name: "f", arguments: '{"a":' } }] }) +
        delta({}, "tool_calls") +
        DONE,
    ],
    [
      "a flagged output",
      `${delta({ content: "x" }, "stop")}${event({ choices: [], moderation: { output: { results: [{ flagged: true }] } } })}${DONE}`,
    ],
    ["nothing but [DONE]", DONE],
    ["no [DONE]", delta({ content: "x" }) + delta({}, "stop")],
  ])("is missing with %s: passed on, but not kept", (_, text) => {
    expect(readText(chat, text).end).toMatchObject({ fault: undefined, storable: false });
  });

  it.each([
    ["an empty stream", ""],
    ["a stream cut before its finish", delta({ content: "x" })],
    ["a stream of comments", ": ping\n\n"],
  ])("%s is interrupted", (_, text) => {
    expect(readText(chat, text).end).toMatchObject({
      fault: { kind: "interrupted", retryable: true },
      storable: false,
    });
  });

  it("tells the usage of a stream that is cut", () => {
    const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
    const { end } = readText(chat, event({ choices: [{ index: 0, delta: { content: "x" } }], usage }));
    expect(end).toMatchObject({ fault: { kind: "interrupted" }, usage: { inputTokens: 5, outputTokens: 2 } });
  });
});

describe("errors inside of a stream", () => {
  it.each([
    [
      event({ error: { message: "Rate limit reached. Please try again in 2s.", code: "rate_limit_exceeded" } }),
      {
        kind: "rate_limited",
        retryAfterMs: 2_000,
      },
    ],
    [event({ error: { message: "overloaded", type: "overloaded_error" } }), { kind: "overloaded" }],
    [event({ error: "something broke" }), { kind: "server_error", retryable: true }],
    [event({ error: { code: 502, message: "Provider returned error" } }), { kind: "server_error", status: 502 }],
    [`event: error\n${event({ message: "x", type: "invalid_request_error" })}`, { kind: "bad_request" }],
    [`event: error\ndata: not json\n\n`, { kind: "server_error" }],
    [delta({ content: "" }, "error"), { kind: "server_error" }],
  ])("%j is a fault", (text, fault) => {
    expect(readText(chat, text + DONE).end).toMatchObject({ fault });
  });

  it.each([
    [{ type: "error", code: "server_error", message: "x", param: null }, { kind: "server_error" }],
    [
      { type: "error", error: { type: "invalid_request_error", code: "context_length_exceeded", message: "x" } },
      { kind: "context_length", retryable: false },
    ],
    [
      { type: "response.failed", response: { error: { code: "rate_limit_exceeded", message: "try again in 20ms" } } },
      { kind: "rate_limited", retryAfterMs: 20 },
    ],
  ])("%j of the Responses API is a fault", (data, fault) => {
    expect(readText(responses, event(data)).end).toMatchObject({ fault });
  });
});

describe("the Responses API", () => {
  it("has roles by what an event says", () => {
    const recorded = stream("openai-responses-background");
    expect(readText(recorded, recorded.text).roles).toEqual([
      ...Array(4).fill("preamble"),
      ...Array(11).fill("content"),
      "end",
    ]);
  });

  it("keeps no response that is incomplete", () => {
    const response = { status: "incomplete", incomplete_details: { reason: "max_output_tokens" }, output: [] };
    const { roles, end } = readText(responses, event({ type: "response.incomplete", response }));
    expect(roles).toEqual(["end"]);
    expect(end).toMatchObject({ fault: undefined, storable: false, finishReasons: ["max_output_tokens"] });
  });

  it("is interrupted without a terminal event, also after [DONE]", () => {
    const text = `${event({ type: "response.output_text.delta", delta: "x" })}${DONE}`;
    expect(readText(responses, text).end).toMatchObject({ fault: { kind: "interrupted" } });
  });
});

describe("a reader", () => {
  it("never throws on arbitrary events", () => {
    fc.assert(
      fc.property(fc.constantFrom(chat, responses), fc.array(fc.oneof(fc.json(), fc.string())), (kind, payloads) => {
        readText(kind, payloads.map(event).join(""));
      }),
    );
  });
});
