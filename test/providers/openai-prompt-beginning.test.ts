import { describe, expect, it } from "vitest";
import { type Call, createRuntime, fingerprintOf } from "../../src/core/index.ts";
import { openaiWire } from "../../src/providers/openai/index.ts";
import { callOf } from "../support/calls.ts";

function beginningOf(request: Record<string, unknown>): string | undefined {
  const call: Call = callOf(createRuntime(), async () => Promise.reject(new Error("not sent")), {
    request,
    wire: openaiWire,
  });
  return openaiWire.promptBeginning?.(call);
}

const system = { role: "system", content: "You are terse." };
const user = (content: unknown) => ({ role: "user", content });

describe("how a prompt begins", () => {
  it("stays the same while a conversation grows", () => {
    const first = beginningOf({ model: "m", messages: [system, user("hello")] });
    const turns = [system, user("hello"), { role: "assistant", content: "Hi." }, user("And now?")];
    expect(beginningOf({ model: "m", messages: turns })).toBe(first);
    expect(beginningOf({ model: "m", messages: [system, user([{ type: "text", text: "hello" }])] })).toBe(first);
  });

  it.each([
    ["the system's message", { messages: [{ role: "system", content: "Be kind." }, user("hello")] }],
    ["the first question", { messages: [system, user("goodbye")] }],
    ["the tools", { messages: [system, user("hello")], tools: [{ type: "function", function: { name: "weather" } }] }],
    ["the instructions", { instructions: "Be kind.", input: "hello" }],
  ])("differs with %s", (_what, request) => {
    expect(beginningOf({ model: "m", ...request })).not.toBe(
      beginningOf({ model: "m", messages: [system, user("hello")] }),
    );
  });

  it("is bounded, can always be named, and is nothing where there is no text", () => {
    const long = "😀".repeat(100_000);
    for (const content of [long, `a${long}`, "\ud83d"]) {
      const beginning = beginningOf({ model: "m", messages: [user(content)] });
      expect(beginning?.length).toBeLessThan(7_000);
      expect(() => fingerprintOf(beginning)).not.toThrow();
    }
    expect(beginningOf({ model: "m", messages: [] })).toBeUndefined();
  });
});
