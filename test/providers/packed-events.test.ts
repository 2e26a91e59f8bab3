import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventPacker, eventsOf, unpackEvents } from "../../src/providers/packed-events/index.ts";
import { EventSplitter } from "../../src/providers/sse.ts";
import { streams } from "./recordings.ts";

function packed(events: readonly string[]): string {
  const packer = new EventPacker();
  for (const event of events) packer.add(event);
  return packer.finish();
}

const unpacked = (text: string) => [...eventsOf(unpackEvents(text))];

/** A chat stream of so many pieces of four characters. */
function chatEvents(pieces: number): string[] {
  const common = { id: "chatcmpl-CMKB4CzjM9AbvNcftqEsFcWBSrZNT", object: "chat.completion.chunk", created: 1759436814 };
  const model = { model: "gpt-4o-2024-08-06", service_tier: "default", system_fingerprint: "fp_cbf1785567" };
  const choice = (delta: object, finish_reason: string | null = null) => [
    { index: 0, delta, logprobs: null, finish_reason },
  ];
  const event = (choices: object[], usage: object | null = null) =>
    `data: ${JSON.stringify({ ...common, ...model, choices, usage })}\n\n`;
  const texts = ["the ", "tide", " is ", "high", ", so", " we\n", 'go "', 'up".'];
  return [
    event(choice({ role: "assistant", content: "", refusal: null })),
    ...Array.from({ length: pieces }, (_, index) => event(choice({ content: texts[(index * 5 + (index >> 3)) % 8] }))),
    event(choice({}, "stop")),
    event([], { prompt_tokens: 14, completion_tokens: pieces, total_tokens: 14 + pieces }),
    "data: [DONE]\n\n",
  ];
}

describe("packed events", () => {
  it.each(streams)("are given again exactly: $name", ({ text }) => {
    const events = new EventSplitter().push(text);
    expect(unpacked(packed(events))).toEqual(events);
  });

  it("are given again exactly, whatever they are", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom('"', "\\", '\\"', "1", "-1.5e3", ":", "\n", "data: "),
    );
    const json = fc.json().map((value) => `data: ${value}\n\n`);
    const like = fc
      .tuple(text, fc.integer())
      .map(([said, number]) => `data: ${JSON.stringify({ id: "the same", said, number })}\n\n`);
    const wild = fc.array(text).map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.array(fc.oneof(json, like, wild), { maxLength: 40 }), (events) => {
        expect(unpacked(packed(events))).toEqual(events);
      }),
      { numRuns: 1000 },
    );
  });

  it("are given again exactly when hardly two are alike", () => {
    const events = Array.from({ length: 300 }, (_, index) => `data: {"${"k".repeat(index)}": ${index}}\n\n`);
    expect(unpacked(packed(events))).toEqual(events);
  });

  it("of a stretch can be joined where they differ in one text", () => {
    const { stretches } = unpackEvents(packed(chatEvents(8)));
    expect(stretches.map(({ events }) => events)).toEqual([1, 8, 1, 1, 1]);
    const [, said] = stretches;
    expect(said?.withText("x")).toBe(said?.event(0).replace(/"content":"[^"]*"/, '"content":"x"'));
    expect(JSON.parse(`"${said?.text}"`)).toHaveLength(32);
  });

  it("count on with a number that counts the events", () => {
    const events = Array.from(
      { length: 1000 },
      (_, index) => `data: {"delta":"word","sequence_number":${index + 3}}\n\n`,
    );
    expect(packed(events).length).toBeLessThan(200);
    expect(unpacked(packed(events))).toEqual(events);
  });

  it.each([750, 20_000])("take little more than the text of the answer: %i pieces", (pieces) => {
    const events = chatEvents(pieces);
    const answer = events.slice(1, -3).map((event) => /"content":"(.*)"\},"logprobs/.exec(event)?.[1]);
    expect(packed(events).length).toBeLessThan(1.6 * (answer.join("").length + 400));
    expect(unpacked(packed(events))).toEqual(events);
  });

  it("tell a text only once that is told again at the end", () => {
    const answer = "Das Wasser steigt, und der Wind dreht nach Westen. ".repeat(40);
    const pieces = answer.match(/.{1,5}/g) ?? [];
    const whole = ["done", "part", "item", "completed"].map(
      (name) => `data: ${JSON.stringify({ name, text: answer })}\n\n`,
    );
    const events = [...pieces.map((delta) => `data: ${JSON.stringify({ delta })}\n\n`), ...whole];
    expect(packed(events).length).toBeLessThan(1.4 * answer.length);
    expect(unpacked(packed(events))).toEqual(events);
  });

  it("say while they come how much they take", () => {
    const packer = new EventPacker();
    for (const event of chatEvents(2000)) packer.add(event);
    expect(packer.size).toBeGreaterThan(0.8 * packer.finish().length);
    expect(packer.size).toBeLessThan(1.5 * packer.finish().length);
  });

  it("are refused when they are damaged", () => {
    const text = packed(chatEvents(4));
    for (const damaged of ["", "data: x\n\n", text.slice(5), `{}${text}`])
      expect(() => unpackEvents(damaged)).toThrow();
  });
});
