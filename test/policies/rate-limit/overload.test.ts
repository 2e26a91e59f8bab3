import { describe, expect, it, vi } from "vitest";
import { type Outcome, pipeline, type Runtime } from "../../../src/core/index.ts";
import { type RateLimitOptions, rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { Key } from "../../../src/policies/rate-limit/key.ts";
import { retry } from "../../../src/policies/retry/index.ts";
import { answering, callOf, virtualRuntime } from "../../support/calls.ts";
import { LimitedProvider } from "./provider.ts";

const SEEDS = [1, 2, 3, 4, 5];

/** Keeps `width` callers busy, each asking again as soon as it has its answer. */
function backlog(runtime: Runtime, ask: () => Promise<Outcome>, width: number): { stop(): void } {
  let running = true;
  const work = async (): Promise<void> => {
    while (running) {
      await ask();
      await new Promise<void>((resolve) => void runtime.clock.timer(0, resolve));
    }
  };
  for (let index = 0; index < width; index++) void work();
  return {
    stop() {
      running = false;
    },
  };
}

function world(seed: number, options: RateLimitOptions, provider: ConstructorParameters<typeof LimitedProvider>[1]) {
  const { clock, runtime } = virtualRuntime(seed);
  const simulated = new LimitedProvider(runtime, provider);
  const line = pipeline(retry({}, runtime), rateLimit(options, runtime));
  const ask = (): Promise<Outcome> => {
    const inputChars = Math.round(400 + runtime.random() * 2_400);
    return line.execute(callOf(runtime, simulated.send, { inputChars, maxOutputTokens: 1_024 }));
  };
  return { clock, runtime, simulated, line, ask };
}

describe("rateLimit under five times the load that the provider takes", () => {
  it("uses at least 98 % of the requests and meets no rate limit", async () => {
    for (const seed of SEEDS) {
      const limits = { requestsPerMinute: 600, tokensPerMinute: 10_000_000 };
      const { clock, runtime, simulated, ask } = world(seed, limits, limits);
      const load = backlog(runtime, ask, 100);
      await clock.advance(60_000);
      const before = simulated.accepted;
      await clock.advance(180_000);
      load.stop();
      expect((simulated.accepted - before) / 1_800).toBeGreaterThanOrEqual(0.98);
      expect(simulated.rejected).toBe(0);
    }
  });

  it("uses at least 98 % of the tokens and meets no rate limit", async () => {
    for (const tokensPerMinute of [30_000, 300_000]) {
      for (const seed of SEEDS) {
        const limits = { requestsPerMinute: 6_000, tokensPerMinute };
        const { clock, runtime, simulated, ask } = world(seed, limits, limits);
        const load = backlog(runtime, ask, 100);
        await clock.advance(60_000);
        const before = simulated.tokensAnswered;
        await clock.advance(300_000);
        load.stop();
        expect((simulated.tokensAnswered - before) / (5 * tokensPerMinute)).toBeGreaterThanOrEqual(0.98);
        expect(simulated.rejected).toBe(0);
      }
    }
  });

  it("finds the limits by itself from what the provider tells", async () => {
    for (const seed of SEEDS) {
      const { clock, runtime, simulated, ask } = world(seed, {}, { requestsPerMinute: 600, tokensPerMinute: 300_000 });
      const load = backlog(runtime, ask, 100);
      await clock.advance(60_000);
      const before = { tokens: simulated.tokensAnswered, rejected: simulated.rejected };
      await clock.advance(240_000);
      load.stop();
      expect((simulated.tokensAnswered - before.tokens) / 1_200_000).toBeGreaterThanOrEqual(0.98);
      expect(simulated.rejected).toBe(0);
    }
  });

  it("follows an unannounced halving with at most 10 rate limits, and its end", async () => {
    for (const seed of SEEDS) {
      const limits = { requestsPerMinute: 600, tokensPerMinute: 300_000 };
      const { clock, runtime, simulated, ask } = world(seed, limits, { ...limits, burstMs: 10_000 });
      const load = backlog(runtime, ask, 100);
      await clock.advance(120_000);
      simulated.scaleLimits(0.5);
      await clock.advance(10_000);
      const halved = simulated.tokensAnswered;
      await clock.advance(170_000);
      expect((simulated.tokensAnswered - halved) / (150_000 * (170 / 60))).toBeGreaterThanOrEqual(0.95);
      expect(simulated.rejected).toBeLessThanOrEqual(10);
      simulated.scaleLimits(2);
      await clock.advance(15_000);
      const restored = simulated.tokensAnswered;
      await clock.advance(60_000);
      load.stop();
      expect((simulated.tokensAnswered - restored) / 300_000).toBeGreaterThanOrEqual(0.95);
    }
  });

  it("gets along with a provider that tells nothing: hardly a send is wasted", async () => {
    for (const seed of SEEDS) {
      const provider = { requestsPerMinute: 600, tokensPerMinute: 10_000_000, headers: false, burstMs: 10_000 };
      const { clock, runtime, simulated, ask } = world(seed, {}, provider);
      const load = backlog(runtime, ask, 100);
      await clock.advance(300_000);
      load.stop();
      expect(simulated.rejected / simulated.arrivals.length).toBeLessThan(0.1);
      expect(simulated.accepted / 3_000).toBeGreaterThan(0.7);
    }
  });

  it("sends no herd when a gate opens for 200 callers", async () => {
    for (const seed of SEEDS) {
      const limits = { requestsPerMinute: 600, tokensPerMinute: 10_000_000 };
      const { clock, runtime, simulated, line } = world(
        seed,
        { requestsPerMinute: 600 },
        { ...limits, burstMs: 1_000 },
      );
      simulated.scaleLimits(1 / 600);
      const first = line.execute(callOf(runtime, simulated.send));
      const refused = line.execute(callOf(runtime, simulated.send));
      await clock.advance(10);
      simulated.scaleLimits(600);
      const rest = Array.from({ length: 198 }, () => line.execute(callOf(runtime, simulated.send)));
      await clock.advance(1_000);
      const before = simulated.arrivals.length;
      const outcomes = await clock.run(Promise.all([first, refused, ...rest]));
      const opened = simulated.arrivals[before] ?? Number.NaN;
      const herd = simulated.arrivals.filter((at) => at >= opened && at < opened + 100);
      expect(herd.length).toBeLessThanOrEqual(11);
      expect(outcomes.every((outcome) => outcome.ok)).toBe(true);
      expect(simulated.arrivals.length / 200).toBeLessThanOrEqual(1.05);
    }
  });

  it("hands a long queue from one key to the next in steps, so that the event loop gets its turn", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(rateLimit({ requestsPerMinute: 120, perClient: { requestsPerMinute: 60 } }, runtime));
    const asking = (client: string): Promise<Outcome> =>
      line.execute(callOf(runtime, answering(runtime, "hi"), { scope: { client } }));
    const calls = [...Array(6_000).fill("a"), ...Array(100).keys()].map((client) => asking(String(client)));
    await clock.advance(0);
    const moves = vi.spyOn(Key.prototype, "add");
    let most = 0;
    const setTimer = clock.timer.bind(clock);
    vi.spyOn(clock, "timer").mockImplementation((ms, fn) =>
      setTimer(ms, () => {
        const before = moves.mock.calls.length;
        fn();
        most = Math.max(most, moves.mock.calls.length - before);
      }),
    );
    await clock.advance(10_000);
    expect(moves.mock.calls.length).toBeGreaterThan(5_000);
    expect(most).toBeLessThanOrEqual(2_200);
    await line.close();
    expect((await Promise.all(calls)).filter(({ ok }) => ok).length).toBeGreaterThanOrEqual(20);
  });
});
