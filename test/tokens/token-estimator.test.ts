import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Call } from "../../src/core/index.ts";
import { TokenEstimator } from "../../src/tokens/index.ts";
import { type CallOptions, callOf, virtualRuntime } from "../support/calls.ts";
import { heldOut, type Method, quantile } from "./recorded-prompts.ts";

const { runtime } = virtualRuntime();

function ask(options: CallOptions = {}): Call {
  return callOf(runtime, async () => Promise.reject(new Error("not to be sent")), options);
}

function teach(estimator: TokenEstimator, times: number, call: Call, inputTokens: number, outputTokens = 10): void {
  for (let n = 0; n < times; n++) estimator.learn(call, { inputTokens, outputTokens });
}

describe("the estimated input", () => {
  it("is a token for four characters of an unknown model, and eight", () => {
    expect(new TokenEstimator().estimate(ask({ inputChars: 400 })).input).toBe(108);
    expect(new TokenEstimator().estimate(ask({ inputChars: 0 })).input).toBe(8);
  });

  it("comes nearer to recorded prompts that it did not learn from than the methods it stands in for", () => {
    const rows = heldOut();
    const medianOf = (method: Method, provider?: string): number =>
      quantile(
        rows.filter((row) => provider === undefined || row.provider === provider).map(({ errors }) => errors[method]),
        0.5,
      );
    expect(rows.length).toBeGreaterThan(70);
    expect(medianOf("estimator")).toBeLessThan(0.15);
    expect(medianOf("estimator")).toBeLessThan(0.6 * medianOf("chars/4"));
    for (const provider of ["openai", "anthropic", "google", "groq", "openrouter"]) {
      expect(medianOf("estimator", provider)).toBeLessThan(medianOf("chars/4", provider));
      expect(medianOf("estimator", provider)).toBeLessThan(medianOf("ratio by model", provider));
    }
  });

  it("learns how many characters a token has, and what stands around them", () => {
    const estimator = new TokenEstimator();
    for (let chars = 100; chars < 3_000; chars += 100) {
      estimator.learn(ask({ inputChars: chars }), { inputTokens: 40 + chars * 0.8, outputTokens: 10 });
    }
    for (const chars of [150, 1_500, 50_000]) {
      const { input } = estimator.estimate(ask({ inputChars: chars }));
      expect(Math.abs(input / (40 + chars * 0.8) - 1)).toBeLessThan(0.1);
    }
  });

  it("tells calls with tools from those without, and one provider and operation from another", () => {
    const estimator = new TokenEstimator();
    const withTools = ask({ request: { input: "hello", tools: [{ name: "weather" }] } });
    teach(estimator, 20, withTools, 600);
    expect(estimator.estimate(withTools).input).toBeGreaterThan(500);
    for (const other of [ask(), ask({ provider: "other" }), ask({ operation: "responses" })]) {
      expect(estimator.estimate(other).input).toBe(108);
    }
  });

  it("learns what a route's prompts take beyond their model's", () => {
    const estimator = new TokenEstimator();
    const heavy = ask({ scope: { route: "scans" } });
    for (let n = 0; n < 60; n++) {
      teach(estimator, 1, ask(), 100);
      teach(estimator, 1, heavy, 300);
    }
    expect(estimator.estimate(heavy).input).toBeGreaterThan(1.3 * estimator.estimate(ask()).input);
    expect(estimator.estimate(ask({ scope: { route: "new" } })).input).toBe(estimator.estimate(ask()).input);
  });

  it("is not carried away by one odd count", () => {
    const estimator = new TokenEstimator();
    teach(estimator, 50, ask(), 100);
    teach(estimator, 1, ask(), 1_000_000);
    expect(estimator.estimate(ask()).input).toBeLessThan(150);
    teach(estimator, 1, ask(), 0);
    expect(estimator.estimate(ask()).input).toBeLessThan(150);
  });

  it("follows a change within some dozens of answers", () => {
    const estimator = new TokenEstimator();
    teach(estimator, 500, ask(), 100);
    teach(estimator, 80, ask(), 200);
    expect(estimator.estimate(ask()).input).toBeGreaterThan(150);
  });

  it("is finite and positive whatever it was taught", () => {
    const lesson = fc.record({
      chars: fc.nat(5_000_000),
      tokens: fc.nat(10_000_000),
      route: fc.constantFrom("a", "b"),
    });
    fc.assert(
      fc.property(fc.array(lesson, { maxLength: 60 }), (lessons) => {
        const estimator = new TokenEstimator();
        for (const { chars, tokens, route } of lessons) {
          const call = ask({ inputChars: chars, scope: { route } });
          estimator.learn(call, { inputTokens: tokens, outputTokens: tokens });
          const { input, output } = estimator.estimate(ask({ inputChars: chars + 1, scope: { route } }));
          expect(Number.isSafeInteger(input) && input > 0).toBe(true);
          expect(output).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("never grows smaller with more text", () => {
    const lesson = fc.record({ chars: fc.nat(20_000), tokens: fc.nat(20_000) });
    fc.assert(
      fc.property(fc.array(lesson, { maxLength: 30 }), (lessons) => {
        const estimator = new TokenEstimator();
        for (const { chars, tokens } of lessons) teach(estimator, 1, ask({ inputChars: chars }), tokens);
        const inputs = [10, 100, 1_000, 10_000].map((inputChars) => estimator.estimate(ask({ inputChars })).input);
        expect(inputs).toEqual(inputs.toSorted((a, b) => a - b));
      }),
    );
  });

  it("forgets the model that has taught nothing for longest", () => {
    const estimator = new TokenEstimator();
    teach(estimator, 20, ask({ model: "first" }), 300);
    const learned = estimator.estimate(ask({ model: "first" })).input;
    expect(learned).toBeGreaterThan(200);
    for (let n = 0; n < 999; n++) teach(estimator, 1, ask({ model: `m${n}` }), 100);
    expect(estimator.estimate(ask({ model: "first" })).input).toBe(learned);
    teach(estimator, 1, ask({ model: "one too many" }), 100);
    expect(estimator.estimate(ask({ model: "first" })).input).toBe(108);
  });
});

describe("the estimated output", () => {
  it("is 512 tokens for an unknown model, and never more than the request allows", () => {
    const estimator = new TokenEstimator();
    expect(estimator.estimate(ask()).output).toBe(512);
    expect(estimator.estimate(ask({ maxOutputTokens: 30 })).output).toBe(30);
  });

  it("is what four of five answers do not pass, of the route where it has answers of its own", () => {
    const estimator = new TokenEstimator();
    const long = ask({ scope: { route: "essay" } });
    const short = ask({ scope: { route: "label" } });
    for (let n = 1; n <= 100; n++) {
      teach(estimator, 1, long, 100, 1_000 + n);
      teach(estimator, 1, short, 100, n);
    }
    expect(estimator.estimate(long).output).toBeGreaterThan(1_075);
    expect(estimator.estimate(long).output).toBeLessThan(1_085);
    expect(estimator.estimate(short).output).toBeGreaterThan(75);
    expect(estimator.estimate(short).output).toBeLessThan(90);
    // A route without answers is taken for its model.
    expect(estimator.estimate(ask({ scope: { route: "new" } })).output).toBeGreaterThan(500);
  });

  it("is not given up for the first short answer", () => {
    const estimator = new TokenEstimator();
    teach(estimator, 1, ask(), 100, 1);
    expect(estimator.estimate(ask()).output).toBe(512);
  });

  it("is nothing for an embedding", () => {
    expect(new TokenEstimator().estimate(ask({ operation: "embeddings" })).output).toBe(0);
  });
});

describe("a counter", () => {
  it("stands in for the estimate of the input where it can count", () => {
    const estimator = new TokenEstimator();
    expect(estimator.estimate(ask(), () => 77)).toEqual({ input: 77, output: 512 });
    expect(estimator.estimate(ask(), () => undefined).input).toBe(108);
  });

  it("that throws, or counts what is no number of tokens, leaves the estimate", () => {
    const estimator = new TokenEstimator();
    const throwing = (): never => {
      throw new Error("broken");
    };
    for (const counter of [throwing, () => Number.NaN, () => -1, () => 1.5, () => Number.POSITIVE_INFINITY]) {
      expect(estimator.estimate(ask(), counter).input).toBe(108);
    }
  });
});
