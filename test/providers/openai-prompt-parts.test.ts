import { describe, expect, it } from "vitest";
import { functionWire } from "../../src/clients/function-wire.ts";
import { openaiWire } from "../../src/providers/openai/index.ts";
import { answering, callOf, virtualRuntime } from "../support/calls.ts";

const { runtime } = virtualRuntime();
const callFor = (request: unknown) => callOf(runtime, answering(runtime, ""), { request });
const partsOf = (request: unknown) => openaiWire.promptParts?.(callFor(request));

describe("the texts of a prompt", () => {
  it("are tools, instructions and turns in their order, for chat", () => {
    const request = {
      messages: [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "text", text: "What is this?" },
            { type: "image_url", image_url: {} },
          ],
        },
        { role: "assistant", content: "A cat." },
        { role: "developer", content: "Now in French." },
        { role: "user", content: "And this?" },
      ],
      tools: [{ type: "function", function: { name: "look", description: "Looks closer." } }],
    };
    expect(partsOf(request)).toEqual([
      { of: "fixed", text: "look\nLooks closer." },
      { of: "fixed", text: "Be brief." },
      { of: "turn", text: "What is this?" },
      { of: "turn", text: "A cat." },
      { of: "fixed", text: "Now in French." },
      { of: "turn", text: "And this?" },
    ]);
  });

  it("are instructions and input for responses, and the prompt for completions", () => {
    expect(partsOf({ instructions: "Be brief.", input: "Hello", tools: [{ type: "function", name: "look" }] })).toEqual(
      [
        { of: "fixed", text: "look\n" },
        { of: "fixed", text: "Be brief." },
        { of: "turn", text: "Hello" },
      ],
    );
    expect(partsOf({ prompt: "Once upon" })).toEqual([{ of: "turn", text: "Once upon" }]);
  });

  it("are not told of a request without any", () => {
    for (const request of [{}, null, "text", { messages: 5 }, { messages: [null, { content: null }], tools: "x" }]) {
      expect(partsOf(request)).toBeUndefined();
    }
  });

  it("are system and input of a function's request", () => {
    const of = (request: unknown) => functionWire.promptParts?.(callFor(request));
    expect(of({ model: "m", system: "Be brief.", input: "Hello" })).toEqual([
      { of: "fixed", text: "Be brief." },
      { of: "turn", text: "Hello" },
    ]);
    expect(of({ model: "m", input: { n: 1 } })).toEqual([{ of: "turn", text: '{"n":1}' }]);
    const cycle: Record<string, unknown> = {};
    cycle["cycle"] = cycle;
    expect(of({ model: "m", input: cycle })).toBeUndefined();
  });
});
