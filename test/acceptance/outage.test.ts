import { describe, expect, it } from "vitest";
import { createOptimizer, seededRandom } from "../../src/index.ts";
import { simulatedFetch, VirtualClock } from "../../src/testing/index.ts";

const SECOND_MS = 1000;
const CALLS_PER_SECOND = 50;
const OUTAGE = { fromSecond: 30, toSecond: 90 };
/** The default: the longest that the breaker stays open before it tries again. */
const MAX_OPEN_MS = 15_000;

describe("an outage of a minute under 50 calls a second", () => {
  it.each([1, 2, 3, 4, 5])(
    "costs hardly more than one attempt a call and is over soon after (seed %i)",
    { timeout: 120_000 },
    async (seed) => {
      const clock = new VirtualClock();
      const fetch = simulatedFetch({
        clock,
        seed,
        latency: { firstToken: 300, perToken: 5 },
        outputTokens: 20,
        faults: [
          {
            from: OUTAGE.fromSecond * SECOND_MS,
            to: OUTAGE.toSecond * SECOND_MS,
            fault: { kind: "status", status: 500 },
          },
        ],
        logSize: 100_000,
      });
      const optimizer = createOptimizer({
        clock,
        random: seededRandom(seed),
        fetch,
        cache: false,
        environment: {},
      });
      const ends: { readonly startedAt: number; readonly ok: boolean }[] = [];
      const ask = async (n: number): Promise<void> => {
        const startedAt = clock.now();
        const response = await optimizer.fetch("https://api.openai.com/v1/chat/completions", {
          method: "POST",
          headers: { authorization: "Bearer sk-one" },
          body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: `Question ${n}` }] }),
        });
        await response.text();
        ends.push({ startedAt, ok: response.ok });
      };
      for (let n = 0; n < 150 * CALLS_PER_SECOND; n++) {
        void ask(n);
        await clock.advance(SECOND_MS / CALLS_PER_SECOND);
      }
      await clock.advance(60 * SECOND_MS);

      const { log } = fetch.provider;
      const during = ({ at }: { readonly at: number }): boolean =>
        at >= OUTAGE.fromSecond * SECOND_MS && at < OUTAGE.toSecond * SECOND_MS;
      const calls = ends.length;
      expect(calls).toBe(150 * CALLS_PER_SECOND);
      expect(log.length / calls).toBeLessThanOrEqual(1.05);
      expect(log.filter(during).length / (60 * CALLS_PER_SECOND)).toBeLessThanOrEqual(1.05);

      const stateNow = Object.values(optimizer.stats().policies["breaker"] as Record<string, { state: string }>);
      expect(stateNow.map(({ state }) => state)).toEqual(["closed"]);
      const firstWell = ends
        .filter(({ startedAt, ok }) => ok && startedAt >= OUTAGE.toSecond * SECOND_MS)
        .map(({ startedAt }) => startedAt);
      expect(Math.min(...firstWell)).toBeLessThanOrEqual(OUTAGE.toSecond * SECOND_MS + 2 * MAX_OPEN_MS);

      // No burst: in no second after the outage does the provider see more than the calls that arrive.
      const perSecond = new Map<number, number>();
      for (const { at } of log) {
        if (at < OUTAGE.toSecond * SECOND_MS) continue;
        const second = Math.floor(at / SECOND_MS);
        perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
      }
      expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(CALLS_PER_SECOND * 1.2);
      await optimizer.close();
    },
  );
});
