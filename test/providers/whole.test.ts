import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readWhole } from "../../src/providers/openai/index.ts";
import { type Json, type Reading, rawResponse, rows } from "./recordings.ts";

const chat: Reading = { operation: "chat", provider: "openai" };
const responses: Reading = { operation: "responses", provider: "openai" };
const embeddings: Reading = { operation: "embeddings", provider: "openai" };

const readChat = (body: unknown) => readWhole(chat, rawResponse(body));
const completion = (message: object, finish_reason = "stop", more: object = {}) => ({
  model: "m",
  choices: [{ index: 0, message, finish_reason }],
  ...more,
});

function readingOf(row: Json): Reading {
  const path = String(row["path"]);
  const operation = path.endsWith("embeddings") ? "embeddings" : path.endsWith("responses") ? "responses" : "chat";
  return { operation, provider: String(row["provider"]) };
}

describe("every recorded answer", () => {
  it.each(rows("responses.jsonl").map((row, index) => ({ index, provider: row["provider"], row })))(
    "of $provider, row $index, is whole",
    ({ row }) => {
      const body = row["response"] as Json;
      const end = readWhole(readingOf(row), rawResponse(body));
      expect(end).toMatchObject({ fault: undefined, model: body["model"] });
      const usage = body["usage"] as Record<string, number> | null;
      expect((end.usage?.inputTokens ?? 0) + (end.usage?.outputTokens ?? 0)).toBe(usage?.["total_tokens"] ?? 0);
    },
  );

  it("is kept, but for one that is queued, one of an unknown status and a call without arguments", () => {
    const others = rows("responses.jsonl")
      .filter((row) => !readWhole(readingOf(row), rawResponse(row["response"])).storable)
      .map((row) => (row["response"] as Json)["status"]);
    expect(others).toEqual(["complete", "queued", undefined]);
  });
});

describe("what makes an answer one to keep", () => {
  it.each([
    ["text", completion({ content: "x" })],
    ["a refusal", completion({ content: null, refusal: "no" })],
    [
      "a tool call",
      completion({ content: null, tool_calls: [{ function: { name: "f", arguments: "{}" } }] }, "tool_calls"),
    ],
    ["a custom tool call", completion({ tool_calls: [{ type: "custom", custom: { input: "free" } }] }, "tool_calls")],
    ["a function call", completion({ function_call: { name: "f", arguments: "{}" } }, "function_call")],
    [
      "a clean moderation",
      completion({ content: "x" }, "stop", { moderation: { input: { results: [{ flagged: false }] } } }),
    ],
  ])("is %s with a good finish", (_, body) => {
    expect(readChat(body)).toMatchObject({ fault: undefined, storable: true, model: "m" });
  });

  it.each([
    ["a cut answer", completion({ content: "x" }, "length")],
    ["a filtered answer", completion({ content: "x" }, "content_filter")],
    ["an unknown finish", completion({ content: "x" }, "tired")],
    ["no output", completion({ content: "" })],
    ["reasoning alone", completion({ content: null, reasoning: "hm" })],
    ["no choices", { choices: [] }],
    ["arguments that are not JSON", completion({ tool_calls: [{ function: { arguments: "{" } }] }, "tool_calls")],
    [
      "a flagged input",
      completion({ content: "x" }, "stop", { moderation: { input: { results: [{ flagged: true }] } } }),
    ],
    [
      "one choice that was cut",
      {
        choices: [
          { message: { content: "x" }, finish_reason: "stop" },
          { message: { content: "x" }, finish_reason: "length" },
        ],
      },
    ],
  ])("is missing in %s", (_, body) => {
    expect(readChat(body)).toMatchObject({ fault: undefined, storable: false });
  });

  it.each([
    [{ status: "completed", output: [{ type: "message", content: [{ type: "output_text", text: "x" }] }] }, true],
    [{ status: "completed", output: [{ type: "function_call", arguments: "{}" }] }, true],
    [{ status: "completed", output: [{ type: "function_call", arguments: "{" }] }, false],
    [{ status: "completed", output: [{ type: "message", content: [{ type: "output_text", text: "" }] }] }, false],
    [{ status: "completed", output: [{ type: "reasoning", summary: [] }] }, false],
    [{ status: "completed", output: [] }, false],
    [{ status: "queued", output: [] }, false],
    [{ status: "incomplete", output: [{ type: "message", content: [{ text: "x" }] }] }, false],
    [{ status: "completed", output: [{ type: "message", status: "incomplete", content: [{ text: "x" }] }] }, false],
  ])("of the Responses API: %j, %s", (body, storable) => {
    expect(readWhole(responses, rawResponse(body))).toMatchObject({ fault: undefined, storable });
  });

  it.each([
    [{ data: [{ embedding: [0.1] }] }, true],
    [{ data: [{ embedding: "AAAA" }, { embedding: [1] }] }, true],
    [{ data: [{ embedding: [] }] }, false],
    [{ data: [] }, false],
  ])("of embeddings: %j, %s", (body, storable) => {
    expect(readWhole(embeddings, rawResponse(body))).toMatchObject({ fault: undefined, storable });
  });
});

describe("a 200 that is no answer", () => {
  it.each([
    ["an error", { error: { code: 502, message: "Provider returned error" } }, "server_error"],
    ["an error as text", { error: "overloaded" }, "overloaded"],
    ["an error of a choice", { choices: [{ error: { code: 429, message: "x" }, message: {} }] }, "rate_limited"],
    ["an error finish", { choices: [{ finish_reason: "error", message: { content: "x" } }] }, "server_error"],
    ["an error object", { object: "error", message: "x", type: "invalid_request_error" }, "bad_request"],
  ])("with %s is its fault", (_, body, kind) => {
    const end = readChat(body);
    expect(end).toMatchObject({ fault: { kind, error: undefined }, storable: false });
    expect(end.fault?.response?.body).toBe(JSON.stringify(body));
  });

  it("is the fault of a response that failed", () => {
    const body = { status: "failed", output: [], error: { code: "rate_limit_exceeded", message: "x" } };
    expect(readWhole(responses, rawResponse(body)).fault?.kind).toBe("rate_limited");
    expect(readWhole(responses, rawResponse({ ...body, error: null })).fault?.kind).toBe("server_error");
  });

  it.each([
    ["a cut body", '{"choices":[{"mess'],
    ["an empty body", ""],
    ["another shape", { hello: "world" }],
    ["a list", []],
    ["null", "null"],
  ])("%s is malformed", (_, body) => {
    expect(readChat(body).fault).toMatchObject({ kind: "malformed", retryable: true, status: 200 });
  });

  it("is malformed as a page, whatever is on it", () => {
    const page = rawResponse(completion({ content: "x" }), { headers: [["Content-Type", "text/html; charset=utf-8"]] });
    expect(readWhole(chat, page).fault?.kind).toBe("malformed");
  });

  it("may have no content type", () => {
    expect(readWhole(chat, rawResponse(completion({ content: "x" }), { headers: [] })).storable).toBe(true);
  });

  it("never throws", () => {
    fc.assert(
      fc.property(fc.constantFrom(chat, responses, embeddings), fc.oneof(fc.json(), fc.string()), (reading, text) => {
        readWhole(reading, rawResponse(text));
        readWhole(reading, rawResponse(`{"choices":[${text}],"output":[${text}],"data":[${text}],"error":${text}}`));
      }),
    );
  });
});

describe("usage", () => {
  const recorded = readFileSync(join(import.meta.dirname, "../fixtures/usage/openai-shaped.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { file: string; usage: Json; expected: Record<string, number> });

  const usageIn = (usage: unknown) => readChat({ choices: [], usage }).usage;

  it("reads like another project's reader does in every recorded case", () => {
    expect(recorded.length).toBeGreaterThan(100);
    for (const { file, usage, expected } of recorded) {
      const read = usageIn(usage);
      expect(read, file).toMatchObject({
        inputTokens: expected["input_tokens"],
        outputTokens: expected["output_tokens"] ?? 0,
      });
      if (expected["output_reasoning_tokens"]) expect(read?.reasoningTokens).toBe(expected["output_reasoning_tokens"]);
      if (expected["cache_read_tokens"]) expect(read?.cachedInputTokens).toBe(expected["cache_read_tokens"]);
    }
  });

  it.each([
    [
      "xAI: reasoning beside completion",
      {
        prompt_tokens: 12,
        completion_tokens: 2,
        total_tokens: 354,
        completion_tokens_details: { reasoning_tokens: 340 },
      },
      { inputTokens: 12, outputTokens: 342, reasoningTokens: 340 },
    ],
    [
      "Gemini: thoughts in the total only",
      { prompt_tokens: 66, completion_tokens: 6, total_tokens: 100 },
      { inputTokens: 66, outputTokens: 34, reasoningTokens: 28 },
    ],
    [
      "DeepSeek: cache hits",
      { prompt_tokens: 563, completion_tokens: 116, total_tokens: 679, prompt_cache_hit_tokens: 512 },
      { inputTokens: 563, outputTokens: 116, cachedInputTokens: 512 },
    ],
    ["embeddings", { prompt_tokens: 4, total_tokens: 4 }, { inputTokens: 4, outputTokens: 0 }],
    [
      "no details",
      { prompt_tokens: 1, completion_tokens: 2, prompt_tokens_details: null },
      { inputTokens: 1, outputTokens: 2 },
    ],
    ["nothing", {}, undefined],
    ["null", null, undefined],
    ["text", { prompt_tokens: "4" }, undefined],
    ["negative", { prompt_tokens: -1, completion_tokens: Number.NaN }, undefined],
  ])("of %s", (_, usage, expected) => {
    expect(usageIn(usage)).toEqual(expected);
  });

  it("of Groq may stand in a place of its own", () => {
    const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
    expect(readChat({ choices: [], x_groq: { usage } }).usage).toEqual({ inputTokens: 3, outputTokens: 4 });
  });
});
