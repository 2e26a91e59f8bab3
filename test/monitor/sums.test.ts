import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createOptimizer, type Optimizer } from "../../src/index.ts";
import type { MetricSnapshot } from "../../src/monitor/index.ts";
import {
  type FaultSpec,
  type ProviderLogEntry,
  seededRandom,
  simulatedFetch,
  VirtualClock,
} from "../../src/testing/index.ts";

const FAULTS: readonly (FaultSpec | undefined)[] = [
  undefined,
  undefined,
  undefined,
  undefined,
  { kind: "overloaded" },
  { kind: "rateLimited", wait: "200ms" },
  { kind: "cut", afterChunks: 2 },
  { kind: "cutWithError", afterChunks: 3 },
  { kind: "reset", afterChunks: 4 },
  { kind: "slowStart", factor: 8 },
  { kind: "silent", at: "head" },
  { kind: "badJson" },
  "errorBeforeContent",
  { kind: "status", status: 400 },
];

const WARM_UP = 120;

interface Ask {
  readonly question: number;
  readonly stream: boolean;
  /** Chunks after which the reader leaves. */
  readonly leavesAfter: number | undefined;
  readonly afterMs: number;
}

async function ask({ fetch, run }: Optimizer, { question, stream, leavesAfter }: Ask): Promise<void> {
  const left = new AbortController();
  try {
    const response = await run({ deadline: "30s" }, () =>
      fetch("https://api.openai.com/v1/chat/completions", {
        method: "POST",
        signal: left.signal,
        headers: { authorization: "Bearer sk-1", "content-type": "application/json" },
        body: JSON.stringify({
          model: "gpt-4o-mini",
          messages: [{ role: "user", content: `Question ${question}` }],
          ...(stream && { stream, stream_options: { include_usage: true } }),
        }),
      }),
    );
    const reader = response.body?.getReader();
    for (let chunks = 0; reader !== undefined; chunks++) {
      if (chunks === leavesAfter) {
        await reader.cancel();
        return;
      }
      if ((await reader.read()).done) return;
    }
  } catch {
    // How it failed is the monitor's to tell.
  }
}

function sumOf(
  metrics: readonly MetricSnapshot[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  let sum = 0;
  for (const { name: other, kind, series } of metrics) {
    if (other !== name) continue;
    for (const one of series) {
      if (Object.entries(labels).some(([key, value]) => one.labels[key] !== value)) continue;
      sum += kind === "histogram" ? (one as { count: number }).count : (one as { value: number }).value;
    }
  }
  return sum;
}

describe("the numbers of a line under retries, second tries, shared and cached answers and readers who leave", () => {
  const asks = fc.array(
    fc.record<Ask>({
      question: fc.nat(12),
      stream: fc.boolean(),
      leavesAfter: fc.option(fc.nat(6), { nil: undefined, freq: 4 }),
      afterMs: fc.nat(400),
    }),
    { minLength: 20, maxLength: 60 },
  );

  it("add up", { timeout: 60_000 }, async () => {
    let hedges = 0;
    await fc.assert(
      fc.asyncProperty(asks, fc.integer(), async (all, seed) => {
        const clock = new VirtualClock();
        const random = seededRandom(seed);
        const fetch = simulatedFetch({
          clock,
          latency: { firstToken: 100, perToken: 5 },
          outputTokens: 8,
          faults: ({ index }) => (index < WARM_UP ? undefined : FAULTS[Math.floor(random() * FAULTS.length)]),
        });
        const optimizer = createOptimizer({
          clock,
          random,
          environment: {},
          fetch: fetch as typeof globalThis.fetch,
          hedge: { quantile: 0.5, minDelay: "50ms", budget: 1, spare: () => true },
          breaker: false,
          throttle: false,
          timeout: { attempt: "5s", firstToken: "2s", idle: "2s", total: "20s" },
          monitor: { prices: { "gpt-4o-mini": { input: 1, output: 1 } } },
        });
        const { events } = optimizer.line.runtime;
        const ends: string[] = [];
        let spent = { inputTokens: 0, outputTokens: 0 };
        for (const type of ["call.completed", "call.failed", "call.cancelled"] as const) {
          events.on(type, ({ callId }) => {
            ends.push(callId ?? "");
          });
        }
        for (const type of ["attempt.completed", "attempt.failed"] as const) {
          events.on(type, ({ usage }) => {
            if (usage === undefined) return;
            spent = {
              inputTokens: spent.inputTokens + usage.inputTokens,
              outputTokens: spent.outputTokens + usage.outputTokens,
            };
          });
        }
        // What is usual must be known before there are second tries.
        const usual = Array.from({ length: WARM_UP }, (_, n) => ({ question: 1_000 + n, stream: true, afterMs: 200 }));
        const done: Promise<void>[] = [];
        const every = [...usual.map((one) => ({ ...one, leavesAfter: undefined })), ...all];
        for (const one of every) {
          done.push(ask(optimizer, one));
          await clock.advance(one.afterMs);
        }
        await clock.run(Promise.all(done));
        await clock.advance(60_000);

        const metrics = optimizer.monitor.metrics();
        const sum = (name: string, labels?: Readonly<Record<string, string>>): number => sumOf(metrics, name, labels);
        expect(new Set(ends).size).toBe(ends.length);
        expect(ends).toHaveLength(every.length);
        expect(sum("breakwater.calls")).toBe(every.length);
        expect(sum("gen_ai.client.operation.duration")).toBe(every.length);
        expect(sum("breakwater.call.duration")).toBe(every.length);
        expect(sum("breakwater.calls.in_flight")).toBe(0);
        const { calls, answered, failed, cancelled, refused, costUsd } = optimizer.monitor.stats();
        expect(answered + failed + cancelled + refused).toBe(calls);
        const { requests } = fetch.provider.stats();
        expect(sum("breakwater.attempts")).toBe(requests);
        expect(sum("breakwater.attempt.duration")).toBe(requests);
        expect(sum("breakwater.tokens", { token_type: "input" })).toBe(spent.inputTokens);
        expect(sum("breakwater.tokens", { token_type: "output" })).toBe(spent.outputTokens);
        expect(costUsd).toBeCloseTo((spent.inputTokens + spent.outputTokens) / 1e6, 9);
        // Whatever the provider told in full is counted, and nothing that it did not take.
        const taken = (isMeant: (entry: ProviderLogEntry) => boolean): number =>
          fetch.provider.log.filter(isMeant).reduce((tokens, { promptTokens }) => tokens + promptTokens, 0);
        expect(spent.inputTokens).toBeGreaterThanOrEqual(
          taken(({ status, fault, aborted }) => status === 200 && fault === undefined && !aborted),
        );
        expect(spent.inputTokens).toBeLessThanOrEqual(taken(({ admitted }) => admitted));
        for (const account of Object.values(optimizer.line.runtime.ledger.balances())) expect(account.inFlight).toBe(0);
        hedges += sum("breakwater.attempts", { kind: "hedge" });
        await optimizer.close();
        expect(events.listenerCount).toBe(0);
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 6 },
    );
    expect(hedges).toBeGreaterThan(0);
  });
});
