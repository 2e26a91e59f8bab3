import { describe, expect, it } from "vitest";
import { createOptimizer, seededRandom } from "../../src/index.ts";
import { simulatedFetch, VirtualClock } from "../../src/testing/index.ts";

const CALLS = 10_000;

describe("ten thousand calls, nine of ten aborted at a random moment", () => {
  it("settle at once and leave nothing behind", { timeout: 180_000 }, async () => {
    const clock = new VirtualClock();
    const random = seededRandom(11);
    const fetch = simulatedFetch({
      clock,
      seed: 3,
      latency: { firstToken: 200, perToken: 10 },
      outputTokens: 12,
      concurrency: 100,
      logSize: 1,
      faults: ({ chance }) => (chance < 0.05 ? { kind: "status", status: 500 } : undefined),
    });
    const optimizer = createOptimizer({
      clock,
      random: seededRandom(12),
      fetch,
      pool: { concurrency: 200, maxQueue: CALLS },
      rateLimit: { requestsPerMinute: 30_000, tokensPerMinute: 5_000_000 },
      monitor: false,
      environment: {},
    });
    let settled = 0;
    let late = 0;
    let aborted = 0;
    let answered = 0;

    const one = async (n: number): Promise<void> => {
      const controller = new AbortController();
      const stream = random() < 0.5;
      let abortedAt: number | undefined;
      if (random() < 0.9) {
        clock.timer(random() * 3000, () => {
          abortedAt = clock.now();
          controller.abort();
        });
      }
      try {
        const response = await optimizer.fetch("https://api.openai.com/v1/chat/completions", {
          method: "POST",
          headers: { authorization: `Bearer sk-${n % 3}` },
          body: JSON.stringify({
            model: "gpt-4o-mini",
            messages: [{ role: "user", content: `Question ${n % 5000}` }],
            stream,
          }),
          signal: controller.signal,
        });
        await response.text();
        answered++;
      } catch (error) {
        if ((error as Error).name !== "AbortError") throw error;
        aborted++;
        if (abortedAt !== undefined && clock.now() - abortedAt > 5) late++;
      }
      settled++;
    };

    const calls: Promise<void>[] = [];
    for (let n = 0; n < CALLS; n++) {
      calls.push(one(n));
      if (n % 5 === 0) await clock.advance(1);
    }
    for (let waited = 0; settled < CALLS && waited < 600; waited++) await clock.advance(1000);
    await Promise.all(calls);

    expect(settled).toBe(CALLS);
    expect(late).toBe(0);
    expect(aborted).toBeGreaterThan(CALLS / 3);
    expect(answered).toBeGreaterThan(CALLS / 20);

    await optimizer.cache.flush();
    for (const [resource, balance] of Object.entries(optimizer.ledger())) {
      expect(balance.inFlight, resource).toBeCloseTo(0, 6);
      expect(balance.reserved, resource).toBeCloseTo(balance.settled + balance.refunded, 3);
    }
    const { pool, coalesce } = optimizer.stats().policies as Record<string, Record<string, unknown>>;
    expect(pool).toMatchObject({ running: 0, queued: 0 });
    expect(coalesce).toMatchObject({ flights: 0 });
    expect(fetch.provider.stats().inFlight).toBe(0);
    await optimizer.close();
    expect(clock.pendingTimers).toBe(0);
  });
});
