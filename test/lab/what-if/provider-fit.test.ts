import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/core/index.ts";
import type { TracedCall } from "../../../src/lab/index.ts";
import { fitLatency } from "../../../src/lab/what-if/latency-fit.ts";
import { fitProvider, heldOutError, latencyOf } from "../../../src/lab/what-if/provider-fit.ts";

/** Calls to a provider of 300 ms, 0.2 ms an input token and 15 ms an output token, times a log-normal factor. */
function drawn(count: number, { seed = 1, sigma = 0.4, scale = 1, model = "m" } = {}): TracedCall[] {
  const random = seededRandom(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Array.from({ length: count }, (_, index): TracedCall => {
    const inputTokens = Math.round(400 * Math.exp(normal()));
    const outputTokens = 1 + Math.round(100 * Math.exp(normal()));
    const factor = scale * Math.exp(sigma * normal());
    const firstTokenMs = (300 + 0.2 * inputTokens) * factor;
    const providerMs = firstTokenMs + 15 * outputTokens * factor;
    return { at: index * 200, model, inputTokens, outputTokens, providerMs, firstTokenMs };
  });
}

describe("a fitted provider", () => {
  it("has the times that the answers were made of", () => {
    for (const seed of [1, 2, 3]) {
      const { latency } = fitProvider(drawn(3_000, { seed }));
      expect(Math.abs(latency.firstMs / 300 - 1)).toBeLessThan(0.2);
      expect(Math.abs(latency.perInputTokenMs / 0.2 - 1)).toBeLessThan(0.2);
      expect(Math.abs(latency.perOutputTokenMs / 15 - 1)).toBeLessThan(0.1);
    }
  });

  it("tells the times of calls that it was not fitted to, each quantile within a seventh", () => {
    for (const seed of [1, 2, 3]) {
      const calls = drawn(4_000, { seed });
      const error = heldOutError(fitProvider(calls.slice(0, 2_000)), calls.slice(2_000));
      expect(error?.calls).toBe(2_000);
      for (const quantile of error?.quantiles ?? []) expect(Math.abs(quantile.error)).toBeLessThan(0.15);
    }
  });

  it("shows an error when the provider has changed since", () => {
    const before = fitProvider(drawn(1_000));
    const error = heldOutError(before, drawn(1_000, { seed: 2, scale: 2 }));
    for (const quantile of error?.quantiles ?? []) expect(quantile.error).toBeLessThan(-0.4);
  });

  it("tells whether the whole time varies or only that until the first token", () => {
    const random = seededRandom(1);
    const queued = drawn(2_000, { sigma: 0 }).map(({ at, inputTokens = 0, outputTokens = 0 }): TracedCall => {
      const firstMs = (300 + 0.2 * inputTokens) * 8 * random();
      return { at, inputTokens, outputTokens, providerMs: firstMs + 15 * outputTokens };
    });
    expect(fitProvider(queued).latency.varies).toBe("first");
    expect(fitProvider(drawn(2_000, { sigma: 0.6 })).latency.varies).toBe("whole");
  });

  it("is not led astray by a few answers that took very long", () => {
    const calls = drawn(1_000).map((call, index) =>
      index % 50 === 0 ? { ...call, providerMs: (call.providerMs ?? 0) * 100 } : call,
    );
    expect(Math.abs(fitProvider(calls).latency.perOutputTokenMs / 15 - 1)).toBeLessThan(0.25);
  });

  it("keeps models apart that have answers enough", () => {
    const fit = fitProvider([...drawn(300, { model: "fast" }), ...drawn(300, { model: "slow", scale: 5 })]);
    const perToken = (model: string): number => {
      const { perOutputTokenMs, factors } = latencyOf(fit, model);
      return perOutputTokenMs * (factors[50] as number);
    };
    expect(perToken("slow") / perToken("fast")).toBeGreaterThan(4);
    expect(latencyOf(fit, "unheard of")).toBe(fit.latency);
  });

  it("knows when the first token comes", () => {
    expect(Math.abs(fitProvider(drawn(2_000)).firstTokenFactor - 1)).toBeLessThan(0.2);
  });

  it("is assumed where the trace tells no times", () => {
    const calls = drawn(100).map(({ at, inputTokens, outputTokens }) => ({ at, inputTokens, outputTokens }));
    const fit = fitProvider(calls);
    expect(fit).toMatchObject({ latencyFrom: "assumed", answers: 0, failureRate: 0, tokensPerMinute: undefined });
    expect(heldOutError(fit, drawn(100))).toBeUndefined();
  });

  it("fails as often, and takes as much, as the trace shows", () => {
    const calls = drawn(900).map((call, index): TracedCall => {
      if (index % 10 === 0) return { ...call, failures: ["server_error"] };
      return index % 10 === 1 ? { ...call, failures: ["rate_limited"] } : call;
    });
    const fit = fitProvider(calls);
    expect(fit.failureRate).toBeCloseTo(90 / 990, 5);
    // One call in 200 ms.
    expect(fit.requestsPerMinute).toBe(300);
    expect(fit.tokensPerMinute).toBeGreaterThan(100_000);
    expect(fitProvider(drawn(900)).requestsPerMinute).toBeUndefined();
  });
});

it("a fit is finite and above zero, whatever the answers", () => {
  const answer = fc.record({
    inputTokens: fc.nat(200_000),
    outputTokens: fc.nat(20_000),
    ms: fc.double({ min: 0.001, max: 1e7, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(answer, { minLength: 1, maxLength: 50 }), (answers) => {
      const { firstMs, perInputTokenMs, perOutputTokenMs, factors } = fitLatency(answers);
      for (const value of [firstMs, perInputTokenMs, perOutputTokenMs, ...factors]) {
        expect(Number.isFinite(value) && value >= 0).toBe(true);
      }
    }),
    { numRuns: 300 },
  );
});
