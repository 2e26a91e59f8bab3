import { describe, expect, it } from "vitest";
import { type Call, canonical, PLAIN_HEAD, valueReply, whole } from "../../../src/core/index.ts";
import { openaiWire } from "../../../src/providers/openai/index.ts";
import { callOf, virtualRuntime } from "../../support/calls.ts";

const { runtime } = virtualRuntime();

function callWith(operation: string, request: object): Call {
  return callOf(runtime, async () => valueReply("", whole()), { operation, request, wire: openaiWire });
}

const questionIn = (operation: string, request: object) => openaiWire.question?.(callWith(operation, request));
const chat = (messages: unknown, more: object = {}) => questionIn("chat", { model: "m", messages, ...more });
const responses = (input: unknown, more: object = {}) => questionIn("responses", { model: "m", input, ...more });

const SYSTEM = { role: "system", content: "Be short." };
const user = (content: unknown) => ({ role: "user", content });

describe("the question in a request", () => {
  it("is the last message of the user's, and everything else its context", () => {
    expect(chat([SYSTEM, user("Why?")], { temperature: 0 })).toEqual({
      text: "Why?",
      context: { model: "m", temperature: 0, messages: [SYSTEM, { role: "user", content: null }] },
      turns: 1,
    });
    expect(responses("Why?", { instructions: "Be short." })).toEqual({
      text: "Why?",
      context: { model: "m", instructions: "Be short.", input: null },
      turns: 1,
    });
    expect(responses([user([{ type: "input_text", text: "Why?" }])])).toMatchObject({ text: "Why?", turns: 1 });
  });

  it("counts the turns of the user", () => {
    const messages = [user("Why?"), { role: "assistant", content: "Because." }, user("And then?")];
    expect(chat(messages)).toMatchObject({ text: "And then?", turns: 2 });
    expect(chat(messages)?.context).toMatchObject({ messages: [...messages.slice(0, 2), { content: null }] });
  });

  it("is read from parts that are all text", () => {
    const parts = [
      { type: "text", text: "Look:" },
      { type: "text", text: "why?" },
    ];
    expect(chat([user(parts)])?.text).toBe("Look:\nwhy?");
    expect(
      responses([
        user([
          { type: "input_text", text: "a" },
          { type: "input_text", text: "b" },
        ]),
      ])?.text,
    ).toBe("a\nb");
  });

  it("has another context with another system prompt, tool, parameter, name or unknown field", () => {
    const base = canonical(chat([SYSTEM, user("Why?")])?.context);
    const others = [
      chat([{ ...SYSTEM, content: "Be long." }, user("Why?")]),
      chat([user("Why?")]),
      chat([SYSTEM, { ...user("Why?"), name: "ann" }]),
      chat([SYSTEM, user("Why?")], { tools: [{ type: "function", function: { name: "f" } }] }),
      chat([SYSTEM, user("Why?")], { response_format: { type: "json_object" } }),
      chat([SYSTEM, user("Why?")], { seed: 7 }),
      chat([SYSTEM, user("Why?")], { anything_new: true }),
    ];
    const contexts = others.map((question) => canonical(question?.context));
    expect(new Set([base, ...contexts]).size).toBe(others.length + 1);
    expect(canonical(chat([SYSTEM, user("What?")], { stream: true })?.context)).toBe(base);
  });

  it.each<[string, unknown]>([
    ["an empty text", chat([user("")])],
    ["a blank text", chat([user(" \n")])],
    ["no messages", chat([])],
    ["a message of the assistant's at the end", chat([user("Why?"), { role: "assistant", content: "So" }])],
    [
      "an image",
      chat([
        user([
          { type: "text", text: "Why?" },
          { type: "image_url", image_url: { url: "x" } },
        ]),
      ]),
    ],
    ["several choices", chat([user("Why?")], { n: 2 })],
    [
      "the result of a tool at the end",
      chat([user("Why?"), { role: "assistant", tool_calls: [{ id: "1" }] }, { role: "tool", content: "42" }]),
    ],
    [
      "a tool somewhere before",
      chat([user("a"), { role: "assistant", tool_calls: [{}] }, { role: "tool", content: "1" }, user("b")]),
    ],
    ["a hosted tool", responses("Why?", { tools: [{ type: "web_search" }] })],
    ["state at the provider's", responses("Why?", { previous_response_id: "r" })],
    ["the output of a function", responses([user("Why?"), { type: "function_call_output", output: "1" }])],
    ["a file", responses([user([{ type: "input_file", file_id: "f" }])])],
    ["no input", responses(undefined)],
    ["an embedding", questionIn("embeddings", { model: "m", input: "Why?" })],
  ])("is none in a request with %s", (_name, question) => {
    expect(question).toBeUndefined();
  });
});

describe("the text of an answer that was kept", () => {
  const call = callWith("chat", {});
  const textOf = (body: { value: unknown } | { chunks: unknown[] }): string | undefined => {
    const kept = openaiWire.keep(call, PLAIN_HEAD, body);
    return kept && openaiWire.answerText?.(call, kept);
  };
  const whole = (body: object) => textOf({ value: JSON.stringify(body) });
  const streamed = (...events: object[]) =>
    textOf({ chunks: [...events.map((event) => `data: ${JSON.stringify(event)}\n\n`), "data: [DONE]\n\n"] });

  it("is what was said, whole or streamed, in chat and in responses", () => {
    expect(whole({ choices: [{ message: { content: "Hello" } }] })).toBe("Hello");
    expect(whole({ output: [{ content: [{ type: "output_text", text: "Hi" }] }] })).toBe("Hi");
    expect(streamed({ choices: [{ delta: { content: "Hel" } }] }, { choices: [{ delta: { content: "lo" } }] })).toBe(
      "Hello",
    );
    const type = "response.output_text.delta";
    expect(streamed({ type, delta: "H" }, { type, delta: "i" })).toBe("Hi");
  });

  it("is none where nothing was said in words", () => {
    expect(whole({ choices: [{ message: { content: null, tool_calls: [{}] } }] })).toBeUndefined();
    expect(textOf({ value: "no json" })).toBeUndefined();
    expect(streamed({ choices: [{ delta: { tool_calls: [{}] } }] })).toBeUndefined();
  });
});
