import fc from "fast-check";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import type { KeptAnswer, Reply, ReplyHead } from "../../src/core/index.ts";
import { openaiWire } from "../../src/providers/openai/index.ts";
import { eventsOf, unpackEvents } from "../../src/providers/packed-events/index.ts";
import { EventSplitter, eventData } from "../../src/providers/sse.ts";
import { callOf, drain, virtualRuntime } from "../support/calls.ts";
import { type Json, type Reading, rows, stream } from "./recordings.ts";

const { runtime } = virtualRuntime();

type Operation = Reading["operation"];

function call(operation: Operation, request: object) {
  const unused = () => Promise.reject(new Error("not sent"));
  const streams = "stream" in request && request.stream === true;
  return callOf(runtime, unused, { operation, stream: streams, request, wire: openaiWire });
}

const WHOLE = {};
const STREAM = { stream: true };
const WITH_USAGE = { stream: true, stream_options: { include_usage: true } };

function head(contentType: string): ReplyHead {
  const headers: ReplyHead["headers"] = [
    ["content-type", contentType],
    ["x-request-id", "req_1"],
    ["set-cookie", "secret"],
    ["x-ratelimit-limit-requests", "10"],
  ];
  return { status: 200, statusText: "OK", headers, url: "", limits: undefined };
}

function keepWhole(operation: Operation, body: unknown): KeptAnswer {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const kept = openaiWire.keep(call(operation, WHOLE), head("application/json"), { value: text });
  if (kept === undefined) throw new Error("not kept");
  return kept;
}

function keepStream(operation: Operation, text: string): KeptAnswer {
  const chunks = new EventSplitter().push(text);
  const kept = openaiWire.keep(call(operation, STREAM), head("text/event-stream"), { chunks });
  if (kept === undefined) throw new Error("not kept");
  return kept;
}

const replay = (operation: Operation, kept: KeptAnswer, request: object) =>
  openaiWire.replay(call(operation, request), kept);

async function textOf(reply: Reply | undefined): Promise<string> {
  if (reply === undefined) throw new Error("cannot be replayed");
  return reply.body.kind === "value" ? String(reply.body.value) : (await drain(reply.body)).join("");
}

/** The stream without its random padding. */
const unpadded = (text: string) => text.replace(/,"obfuscation":"[A-Za-z0-9]*"/g, "");

const jsonOf = async (reply: Reply | undefined): Promise<Json> => JSON.parse(await textOf(reply));

/** The payloads of a stream, but for `[DONE]`. */
async function payloadsOf(reply: Reply | undefined): Promise<Json[]> {
  return new EventSplitter()
    .push(await textOf(reply))
    .map((event) => eventData(event).data)
    .filter((data) => data !== undefined && data !== "[DONE]")
    .map((data) => JSON.parse(data as string));
}

/** The SDK, whose provider answers with this text. */
function sdk(text: string, contentType = "text/event-stream"): OpenAI {
  const answer = async () => new Response(text, { headers: { "content-type": contentType } });
  return new OpenAI({ apiKey: "k", maxRetries: 0, fetch: answer });
}

const question = { model: "m", messages: [{ role: "user" as const, content: "Hi" }] };
const tools = [{ type: "function" as const, function: { name: "final_result", parameters: { type: "object" } } }];

/** What the SDK makes of a chat stream. */
const finalChat = (text: string) =>
  sdk(text)
    .chat.completions.stream({ ...question, tools })
    .finalChatCompletion();
const finalResponse = (text: string) => sdk(text).responses.stream({ model: "m", input: "Hi" }).finalResponse();

/** Without what stands only in one of the two forms. The SDK forgets usage that is not in the last chunk. */
function essence(completion: object): unknown {
  const { choices, id, model, created, usage, moderation } = completion as unknown as Record<string, unknown>;
  const core = (choices as Json[]).map(({ index, message, finish_reason }) => {
    const { content, refusal, tool_calls } = message as Json;
    const calls = ((tool_calls as Json[] | undefined) ?? []).map(({ id, type, function: called }) => {
      const { name, arguments: args } = called as Json;
      return { id, type: type ?? "function", name, args: args ?? "" };
    });
    return { index, finish_reason, content: content || null, refusal: refusal ?? null, calls };
  });
  return { core, id, model, created, usage: moderation === undefined ? usage : null };
}

const wholeRows = (end: string) => rows("responses.jsonl").filter((row) => String(row["path"]).endsWith(end));

const mergeable = [
  "openai-chat-text",
  "openai-chat-tool",
  "openai-chat-moderation",
  "crusoe-vllm-like",
  "groq-tool",
  "huggingface-novita",
  "openrouter-cached",
  "zai-thinking",
  "xai-text",
  "azure-model-router",
  "mistral-text",
];

describe("what is kept", () => {
  it("of a whole answer is its text and two headers", () => {
    expect(keepWhole("chat", '{ "a": 1.0 }')).toEqual({
      form: "value",
      text: '{ "a": 1.0 }',
      head: {
        status: 200,
        headers: [
          ["content-type", "application/json"],
          ["x-request-id", "req_1"],
        ],
      },
    });
  });

  it("of a stream are its events without comments", () => {
    const { text } = stream("openrouter-cached");
    const kept = keepStream("chat", text);
    expect(kept.form).toBe("events");
    expect(kept.text.length).toBeLessThan(text.length);
    expect([...eventsOf(unpackEvents(kept.text))].join("")).toBe(text.replaceAll(": OPENROUTER PROCESSING\n\n", ""));
  });

  it("is nothing of bytes and of values that are not events", () => {
    const bytes = { value: new Uint8Array(1) };
    expect(openaiWire.keep(call("chat", WHOLE), head("x"), bytes)).toBeUndefined();
    expect(openaiWire.keep(call("chat", STREAM), head("x"), { chunks: [{ a: 1 }] })).toBeUndefined();
    expect(openaiWire.keep(call("chat", STREAM), head("x"), { chunks: [": ping\n\n"] })).toBeUndefined();
  });
});

describe("a whole answer replayed whole", () => {
  it("is byte for byte what came, with the usage of then", async () => {
    const [row] = wholeRows("chat/completions");
    const text = JSON.stringify(row?.["response"], null, 2);
    const reply = replay("chat", keepWhole("chat", text), WHOLE);
    expect(await textOf(reply)).toBe(text);
    expect(reply).toMatchObject({ servedBy: "cache", head: { status: 200 } });
    expect(reply?.settled.value).toMatchObject({ fault: undefined, storable: true, usage: { outputTokens: 7 } });
  });

  it("has the address without what the key has of the headers", () => {
    const unused = () => Promise.reject(new Error("not sent"));
    const endpoint = "https://a.example/v1/chat/completions?api-version=1";
    const asked = { operation: "chat", endpoint: `${endpoint}#headers=x`, request: {}, wire: openaiWire };
    const kept = keepWhole("chat", { choices: [] });
    expect(openaiWire.replay(callOf(runtime, unused, asked), kept)?.head.url).toBe(endpoint);
  });

  it("serves embeddings whole and never as a stream", async () => {
    const body = { object: "list", data: [{ embedding: [0.5] }], usage: { prompt_tokens: 1, total_tokens: 1 } };
    const kept = keepWhole("embeddings", body);
    expect(await jsonOf(replay("embeddings", kept, WHOLE))).toEqual(body);
    expect(replay("embeddings", kept, STREAM)).toBeUndefined();
  });
});

describe("a stream replayed as a stream", () => {
  it.each(mergeable)("%s is event for event what came, for who asks for usage too", async (name) => {
    const { text } = stream(name);
    const reply = replay("chat", keepStream("chat", text), WITH_USAGE);
    expect(await textOf(reply)).toBe(unpadded(text).replace(/^: .*\n\n/gm, ""));
    expect(reply?.settled.value).toMatchObject({ fault: undefined, usage: { inputTokens: expect.any(Number) } });
  });

  it.each(["openai-responses-text", "openai-responses-usage", "deepseek-responses", "lmstudio-responses"])(
    "%s is event for event what came",
    async (name) => {
      const { text } = stream(name);
      const reply = replay("responses", keepStream("responses", text), STREAM);
      expect(await textOf(reply)).toBe(unpadded(text));
      expect(reply?.settled.value).toMatchObject({ fault: undefined, storable: true });
    },
  );

  it("hides the usage from who did not ask for it, and still tells it to the settlement", async () => {
    const reply = replay("chat", keepStream("chat", stream("openai-chat-text").text), STREAM);
    const text = await textOf(reply);
    expect(text).not.toContain('"usage"');
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    expect(reply?.settled.value?.usage).toMatchObject({ inputTokens: 14, outputTokens: 8 });
  });

  it("takes only the usage out of an event that tells something else too", async () => {
    const { text } = stream("openai-chat-moderation");
    const joined = text.replace(/("moderation":.*)"usage":null/, '$1"usage":{"prompt_tokens":1,"completion_tokens":1}');
    const payloads = await payloadsOf(replay("chat", keepStream("chat", joined), STREAM));
    expect(payloads.filter((payload) => "moderation" in payload)).toHaveLength(1);
    expect(payloads.some((payload) => "usage" in payload)).toBe(false);
  });

  it("leaves usage beside choices where it is: the provider always sends it", async () => {
    const { text } = stream("groq-tool");
    expect(await textOf(replay("chat", keepStream("chat", text), STREAM))).toBe(text);
  });

  it("leaves out the padding, and nothing of the caller's that has its name", async () => {
    const kept = keepStream("chat", stream("openai-chat-text").text);
    const payloads = await payloadsOf(replay("chat", kept, WITH_USAGE));
    expect(payloads.some((payload) => "obfuscation" in payload)).toBe(false);
    expect(payloads).toHaveLength(11);
    const own = { type: "response.completed", response: { metadata: { a: "b", obfuscation: "mine" } } };
    const text = `event: response.completed\ndata: ${JSON.stringify(own)}\n\n`;
    expect(await textOf(replay("responses", keepStream("responses", text), STREAM))).toBe(text);
  });

  it("lacks usage that was not recorded", () => {
    const { text } = stream("openai-chat-text");
    const without = text.replaceAll('"usage":null,', "").replace(/data: [^\n]*"usage":\{.*\n\n/, "");
    const kept = keepStream("chat", without);
    expect(replay("chat", kept, STREAM)).toBeDefined();
    expect(replay("chat", kept, WITH_USAGE)).toBeUndefined();
    expect(replay("chat", kept, WHOLE)).toBeUndefined();
  });

  it("does not take usage in another place for the one that is asked for", () => {
    const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
    const choices = [{ index: 0, delta: { content: "a" }, finish_reason: "stop" }];
    const kept = keepStream("chat", `data: ${JSON.stringify({ choices, x_groq: { usage } })}\n\ndata: [DONE]\n\n`);
    expect(replay("chat", kept, STREAM)).toBeDefined();
    expect(replay("chat", kept, WITH_USAGE)).toBeUndefined();
  });

  it("has the roles of the original and stops when the call is cancelled", async () => {
    const asked = call("chat", WITH_USAGE);
    const reply = openaiWire.replay(asked, keepStream("chat", stream("openai-chat-text").text));
    if (reply?.body.kind !== "stream") throw new Error("not a stream");
    const roles = [(await reply.body.next())?.role, (await reply.body.next())?.role];
    expect(roles).toEqual(["preamble", "content"]);
    asked.cancellation.cancel("enough");
    expect(await reply.body.next()).toBeUndefined();
    expect(reply.settled.value?.fault?.kind).toBe("aborted");
    expect(asked.cancellation.listenerCount).toBe(0);
  });
});

describe("a stream replayed whole", () => {
  it.each(mergeable)("%s is what the SDK puts together from it", async (name) => {
    const { text } = stream(name);
    const reply = replay("chat", keepStream("chat", text), WHOLE);
    const merged = await jsonOf(reply);
    const complete = text.includes("[DONE]") ? text : `${text}data: [DONE]\n\n`;
    expect(essence(merged)).toEqual(essence(await finalChat(complete)));
    expect(merged["object"]).toBe("chat.completion");
    expect(reply?.head.headers).toEqual([
      ["content-type", "application/json"],
      ["x-request-id", "req_1"],
    ]);
    expect(reply?.settled.value).toMatchObject({ fault: undefined, storable: true });
    expect(await sdk(JSON.stringify(merged), "application/json").chat.completions.create(question)).toMatchObject(
      merged,
    );
  });

  it("has the reasoning, the log probabilities and what only some providers tell", async () => {
    const logprob = (token: string) => ({ content: [{ token, logprob: -0.1 }], refusal: null });
    const chunk = (delta: object, more: object = {}) =>
      `data: ${JSON.stringify({ id: "c", created: 1, model: "m", choices: [{ index: 0, delta, ...more }] })}\n\n`;
    const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
    const detail = (text: string) => ({ type: "reasoning.text", index: 0, text });
    const text = [
      chunk({ role: "assistant", content: "", refusal: null }),
      chunk({ reasoning: "h", reasoning_details: [detail("h")] }),
      chunk({ reasoning: "m", reasoning_details: [detail("m")] }),
      chunk({ content: "a" }, { logprobs: logprob("a") }),
      chunk({ content: "b" }, { logprobs: logprob("b") }),
      chunk({}, { finish_reason: "stop", native_finish_reason: "end" }),
      `data: ${JSON.stringify({ choices: [], usage, provider: "p" })}\n\n`,
      "data: [DONE]\n\n",
    ].join("");
    expect(await jsonOf(replay("chat", keepStream("chat", text), WHOLE))).toEqual({
      id: "c",
      object: "chat.completion",
      created: 1,
      model: "m",
      provider: "p",
      usage,
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: "ab",
            refusal: null,
            reasoning: "hm",
            reasoning_details: [detail("hm")],
          },
          logprobs: { content: [...logprob("a").content, ...logprob("b").content], refusal: null },
          finish_reason: "stop",
          native_finish_reason: "end",
        },
      ],
    });
  });

  it.each(["openai-responses-text", "openai-responses-usage", "deepseek-responses", "lmstudio-responses"])(
    "%s is the response of its last event",
    async (name) => {
      const { text } = stream(name);
      const last = new EventSplitter().push(text).at(-1) ?? "";
      const { response } = JSON.parse(eventData(last).data ?? "");
      expect(await jsonOf(replay("responses", keepStream("responses", text), WHOLE))).toEqual(response);
    },
  );

  it("is not tried where content comes in parts", () => {
    expect(replay("chat", keepStream("chat", stream("mistral-thinking").text), WHOLE)).toBeUndefined();
  });
});

describe("a whole answer replayed as a stream", () => {
  const chats = wholeRows("chat/completions").map((row, index) => ({
    index,
    provider: row["provider"],
    body: row["response"] as Json,
  }));

  it.each(chats)("of $provider, row $index, is the same to the SDK", async ({ body }) => {
    const reply = replay("chat", keepWhole("chat", body), WITH_USAGE);
    const text = await textOf(reply);
    expect(essence(await finalChat(text))).toEqual(essence(body));
    expect(reply?.head.headers[0]).toEqual(["content-type", "text/event-stream; charset=utf-8"]);
    expect(reply?.settled.value?.usage).toBeDefined();
  });

  // Some providers number the tool calls of whole answers too, or leave out their type.
  it.each(chats)("of $provider, row $index, and put together again is what it was", async ({ body }) => {
    const text = await textOf(replay("chat", keepWhole("chat", body), WITH_USAGE));
    const again = await jsonOf(replay("chat", keepStream("chat", text), WHOLE));
    expect(filled(again)).toEqual(filled(JSON.parse(JSON.stringify(body), likeOpenAI)));
  });

  it("ends with usage only for who asks for it", async () => {
    const kept = keepWhole("chat", chats[0]?.body);
    const without = await payloadsOf(replay("chat", kept, STREAM));
    expect(without.some((payload) => "usage" in payload)).toBe(false);
    const payloads = await payloadsOf(replay("chat", kept, WITH_USAGE));
    expect(payloads.map((payload) => payload["usage"] === null)).toEqual([...payloads.slice(1).map(() => true), false]);
  });

  it("lacks usage that was not told", () => {
    const { usage: _, ...body } = chats[0]?.body ?? {};
    expect(replay("chat", keepWhole("chat", body), WITH_USAGE)).toBeUndefined();
    expect(replay("chat", keepWhole("chat", body), STREAM)).toBeDefined();
  });

  it("has every choice, whatever was said", async () => {
    const text = fc.string({ unit: "grapheme", minLength: 1 });
    const message = fc.oneof(
      text.map((content) => ({ role: "assistant", content, refusal: null })),
      text.map((refusal) => ({ role: "assistant", content: null, refusal })),
      fc.array(text, { minLength: 1, maxLength: 3 }).map((names) => ({
        role: "assistant",
        content: null,
        refusal: null,
        tool_calls: names.map((name, index) => ({
          id: `call_${index}`,
          type: "function",
          function: { name, arguments: JSON.stringify({ name }) },
        })),
      })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 3 }), async (messages) => {
        const body = {
          id: "c",
          object: "chat.completion",
          created: 1,
          model: "m",
          choices: messages.map((said, index) => ({ index, message: said, logprobs: null, finish_reason: "stop" })),
          usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
        };
        const streamed = await textOf(replay("chat", keepWhole("chat", body), WITH_USAGE));
        expect(await jsonOf(replay("chat", keepStream("chat", streamed), WHOLE))).toEqual(body);
      }),
    );
  });

  const responses = wholeRows("/responses")
    .map((row, index) => ({ index, provider: row["provider"], body: row["response"] as Json }))
    .filter(({ body }) => body["status"] === "completed");

  it.each(responses)("of $provider, response $index, is the same to the SDK", async ({ body }) => {
    const reply = replay("responses", keepWhole("responses", body), STREAM);
    const text = await textOf(reply);
    expect(await finalResponse(text)).toMatchObject(body);
    const payloads = await payloadsOf(replay("responses", keepWhole("responses", body), STREAM));
    expect(payloads.map((payload) => payload["sequence_number"])).toEqual(payloads.map((_, index) => index));
    expect(payloads.at(-1)).toMatchObject({ type: "response.completed", response: body });
    expect(reply?.settled.value).toMatchObject({ fault: undefined, storable: true });
  });

  it("tells a response with everything in it", async () => {
    const body = {
      id: "resp_1",
      object: "response",
      created_at: 1,
      status: "completed",
      error: null,
      incomplete_details: null,
      model: "m",
      output: [
        { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "Thinking" }], status: "completed" },
        {
          type: "message",
          id: "msg_1",
          status: "completed",
          role: "assistant",
          content: [
            {
              type: "output_text",
              text: "Hello",
              annotations: [{ type: "file_citation", file_id: "f" }],
              logprobs: [],
            },
            { type: "refusal", refusal: "No" },
          ],
        },
        { type: "function_call", id: "fc_1", call_id: "call_1", name: "f", arguments: "{}", status: "completed" },
        { type: "custom_tool_call", id: "ctc_1", call_id: "call_2", name: "g", input: "free text" },
      ],
      usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
    };
    const text = await textOf(replay("responses", keepWhole("responses", body), STREAM));
    const types = new EventSplitter().push(text).map((event) => eventData(event).event);
    expect(types).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.reasoning_summary_part.added",
      "response.reasoning_summary_text.delta",
      "response.reasoning_summary_text.done",
      "response.reasoning_summary_part.done",
      "response.output_item.done",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.content_part.added",
      "response.refusal.delta",
      "response.refusal.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.output_item.added",
      "response.function_call_arguments.delta",
      "response.function_call_arguments.done",
      "response.output_item.done",
      "response.output_item.added",
      "response.custom_tool_call_input.delta",
      "response.custom_tool_call_input.done",
      "response.output_item.done",
      "response.completed",
    ]);
    expect(await finalResponse(text)).toMatchObject(body);
  });
});

function likeOpenAI(key: string, value: unknown): unknown {
  if (key !== "tool_calls" || !Array.isArray(value)) return value;
  return value.map(({ index: _, ...call }: Json) => ({ type: "function", ...call }));
}

/** Without members that say nothing: absent, null and empty are the same to whoever reads an answer. */
function filled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(filled);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value)
    .filter(([, member]) => member !== null && member !== "" && !(Array.isArray(member) && member.length === 0))
    .map(([key, member]) => [key, filled(member)]);
  return Object.fromEntries(members);
}
