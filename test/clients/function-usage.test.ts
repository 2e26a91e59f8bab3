import { describe, expect, it } from "vitest";
import { createOptimizer } from "../../src/index.ts";

const whole = { inputTokens: 100, outputTokens: 20, cachedInputTokens: 60, reasoningTokens: 5 };

describe("the usage that a function's result tells", () => {
  it.each([
    ["camel case", whole],
    [
      "chat completions",
      {
        prompt_tokens: 100,
        completion_tokens: 20,
        prompt_tokens_details: { cached_tokens: 60 },
        completion_tokens_details: { reasoning_tokens: 5 },
      },
    ],
    [
      "responses",
      {
        input_tokens: 100,
        output_tokens: 20,
        input_tokens_details: { cached_tokens: 60 },
        output_tokens_details: { reasoning_tokens: 5 },
      },
    ],
  ])("is read with its cached and reasoning tokens: %s", async (_name, usage) => {
    const optimizer = createOptimizer({ environment: {} });
    const told: unknown[] = [];
    optimizer.on("call.completed", (event) => told.push(event.usage));
    await optimizer.call({ model: "m", input: "question" }, async () => ({ text: "answer", usage }));
    expect(told).toEqual([whole]);
    await optimizer.close();
  });

  it("goes without what is malformed", async () => {
    const optimizer = createOptimizer({ environment: {} });
    const told: unknown[] = [];
    optimizer.on("call.completed", (event) => told.push(event.usage));
    const usage = { inputTokens: 10, cachedInputTokens: -1, reasoningTokens: Number.NaN, output_tokens_details: null };
    await optimizer.call({ model: "m", input: "question" }, async () => ({ usage }));
    expect(told).toEqual([{ inputTokens: 10, outputTokens: 0 }]);
    await optimizer.close();
  });
});
