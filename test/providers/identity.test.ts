import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openaiWire, readRequest } from "../../src/providers/openai/index.ts";
import { callOf, virtualRuntime } from "../support/calls.ts";

const { runtime } = virtualRuntime();
const CHAT = "https://api.openai.com/v1/chat/completions";
const RESPONSES = "https://api.openai.com/v1/responses";

function call(request: object, url = CHAT, credential = "k") {
  const reading = readRequest("POST", new URL(url), JSON.stringify({ model: "m", ...request }));
  if (reading === undefined) throw new Error("not read");
  const unused = () => Promise.reject(new Error("not sent"));
  return callOf(runtime, unused, { ...reading, credential, wire: openaiWire });
}

const keyOf = (request: object, url = CHAT, credential = "k") => call(request, url, credential).fingerprint()?.key;

const messages = [{ role: "user", content: "Hello" }];
const base = { messages, temperature: 0 };

const NOT_IN_KEY: readonly (readonly [field: string, value: unknown])[] = [
  ["stream", true],
  ["stream_options", { include_usage: true }],
  ["user", "u"],
  ["safety_identifier", "s"],
  ["metadata", { a: "b" }],
  ["store", true],
  ["prompt_cache_key", "p"],
  ["prompt_cache_retention", "24h"],
  ["prompt_cache_options", { ttl: 1 }],
  ["service_tier", "flex"],
];

describe("the key of a question", () => {
  it.each(NOT_IN_KEY)("leaves out %s", (field, value) => {
    expect(keyOf({ ...base, [field]: value })).toBe(keyOf(base));
  });

  it.each([
    { model: "other" },
    { messages: [{ role: "user", content: "hello" }] },
    { messages: [{ role: "user", content: "Hello " }] },
    { messages: [...messages, ...messages] },
    { temperature: 1 },
    { temperature: null },
    { n: 2 },
    { seed: 1 },
    { max_tokens: 5 },
    { tools: [{ type: "function", function: { name: "f" } }] },
    { logit_bias: { "50256": -100 } },
    { a_field_of_next_year: true },
    { constructor: 1 },
    { toString: "a" },
  ] as object[])("holds %j", (change) => {
    expect(keyOf({ ...base, ...change })).not.toBe(keyOf(base));
  });

  it("holds a field that is not known by its name and value", () => {
    const known = new Set(["model", ...Object.keys(base)]);
    const field = fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toString", "valueOf"));
    fc.assert(
      fc.property(field, fc.string(), fc.string(), (name, one, other) => {
        fc.pre(one !== other && !known.has(name) && !NOT_IN_KEY.some(([left]) => left === name));
        const [left, right] = [one, other].map((value) => ({ ...base, ...Object.fromEntries([[name, [value]]]) }));
        expect(keyOf(left ?? {})).not.toBe(keyOf(right ?? {}));
      }),
    );
  });

  it("holds the endpoint and who asks", () => {
    const keys = [
      keyOf(base),
      keyOf(base, `${CHAT}?api-version=1`),
      keyOf(base, "https://api.groq.com/openai/v1/chat/completions"),
      keyOf(base, CHAT, "other"),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("knows no order of keys, but for the properties of a schema", () => {
    const tool = (parameters: object) => ({
      ...base,
      tools: [{ type: "function", function: { name: "f", parameters } }],
    });
    const schema = { type: "object", properties: { a: { type: "string" }, b: { type: "number" } } };
    const { type, properties } = schema;
    expect(keyOf(tool({ properties, type }))).toBe(keyOf(tool(schema)));
    expect(keyOf({ temperature: 0, messages })).toBe(keyOf(base));
    const swapped = { type, properties: { b: properties.b, a: properties.a } };
    expect(keyOf(tool(swapped))).not.toBe(keyOf(tool(schema)));
  });

  it("takes one part of text for the text", () => {
    const parts = (...content: object[]) => ({ ...base, messages: [{ role: "user", content }] });
    expect(keyOf(parts({ type: "text", text: "Hello" }))).toBe(keyOf(base));
    expect(keyOf(parts({ type: "text", text: "Hello", cache_control: {} }))).not.toBe(keyOf(base));
    expect(keyOf(parts({ type: "text", text: "Hel" }, { type: "text", text: "lo" }))).not.toBe(keyOf(base));
    const input = (content: unknown) => ({ input: [{ role: "user", content }] });
    expect(keyOf(input([{ type: "input_text", text: "x" }]), RESPONSES)).toBe(keyOf(input("x"), RESPONSES));
  });
});

describe("an answer that depends on more than the request", () => {
  it.each([
    [{ web_search_options: {} }, CHAT, "web_search"],
    [{ search_parameters: { mode: "on" } }, CHAT, "web_search"],
    [{ model: "openai/gpt-5:online" }, CHAT, "web_search"],
    [{ model: "gpt-4o-search-preview" }, CHAT, "web_search"],
    [{ plugins: [{ id: "web" }] }, CHAT, "hosted_tools"],
    [{ tools: [{ type: "web_search" }] }, RESPONSES, "hosted_tools"],
    [{ tools: [{ type: "function" }, { type: "mcp" }] }, RESPONSES, "hosted_tools"],
    [{ tools: [{ type: "image_generation" }] }, RESPONSES, "hosted_tools"],
    [{ previous_response_id: "resp_1" }, RESPONSES, "stateful"],
    [{ conversation: "conv_1" }, RESPONSES, "stateful"],
    [{ input: [{ type: "item_reference", id: "msg_1" }] }, RESPONSES, "stateful"],
    [{ background: true }, RESPONSES, "background"],
    [{ prompt: { id: "pmpt_1" } }, RESPONSES, "unversioned_prompt"],
    [{ model: "sonar-pro" }, CHAT, "web_search"],
    [{ model: "perplexity/sonar" }, CHAT, "web_search"],
    [{ model: "groq/compound-mini" }, CHAT, "web_search"],
    [{ seed: 2 ** 53 }, CHAT, "inexact_number"],
    [{ extra: [{ seed: 2 ** 53 }] }, CHAT, "inexact_number"],
  ])("is not kept: %j", (request, url, bypass) => {
    expect(call(request, url).identity).toEqual({ bypass });
    expect(call(request, url).fingerprint()).toBeUndefined();
  });

  it.each([
    [{ tools: [{ type: "function" }, { type: "custom" }] }, RESPONSES],
    [{ prompt: { id: "pmpt_1", version: "3" } }, RESPONSES],
    [{ previous_response_id: null, conversation: null, background: false }, RESPONSES],
    [{ n: 3 }, CHAT],
  ])("is not suspected: %j", (request, url) => {
    expect(call(request, url).identity).toHaveProperty("material");
  });
});

describe("the shape of an answer", () => {
  const shape = (request: object) => openaiWire.shape(call(request));

  it("is what the framing depends on", () => {
    const shapes = [
      {},
      { stream: true },
      { stream: true, stream_options: { include_usage: true } },
      { stream: true, stream_options: { include_obfuscation: false } },
      { stream: true, stream_options: { include_usage: true, include_obfuscation: false } },
    ].map(shape);
    expect(new Set(shapes).size).toBe(shapes.length);
  });

  it("is the same for what says the same", () => {
    expect(shape({ stream: true, stream_options: { include_usage: false } })).toBe(shape({ stream: true }));
    expect(shape({ stream: false, user: "u" })).toBe(shape({}));
  });
});
