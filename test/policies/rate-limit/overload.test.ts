import { describe, expect, it, vi } from "vitest";
import { median } from "../../../bench/measure.ts";
import { type Call, type Outcome, pipeline, type Runtime } from "../../../src/core/index.ts";
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

/** The most that any half-open minute holds. */
function mostInAMinute(taken: readonly { readonly at: number; readonly amount: number }[]): number {
  let [most, sum, first] = [0, 0, 0];
  for (const { at, amount } of taken) {
    sum += amount;
    for (let oldest = taken[first]; oldest !== undefined && oldest.at + 60_000 <= at + 1e-6; oldest = taken[++first]) {
      sum -= oldest.amount;
    }
    most = Math.max(most, sum);
  }
  return most;
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

  it("finds its way through a halving that nobody tells, by the words of refusals or by the rate alone", async () => {
    const runs = [true, false].flatMap((words) => SEEDS.map((seed) => ({ words, seed })));
    for (const { words, seed } of runs) {
      const limits = { requestsPerMinute: 600, tokensPerMinute: 300_000 };
      const told = { headers: false, words, burstMs: 10_000 };
      const { clock, runtime, simulated, ask } = world(seed, limits, { ...limits, ...told });
      const load = backlog(runtime, ask, 100);
      await clock.advance(60_000);
      simulated.scaleLimits(0.5);
      await clock.advance(10_000);
      const halved = simulated.tokensAnswered;
      await clock.advance(170_000);
      expect((simulated.tokensAnswered - halved) / (150_000 * (170 / 60))).toBeGreaterThanOrEqual(0.95);
      expect(simulated.rejected).toBeLessThanOrEqual(60);
      simulated.scaleLimits(2);
      await clock.advance(17_000);
      const restored = simulated.tokensAnswered;
      await clock.advance(60_000);
      load.stop();
      expect((simulated.tokensAnswered - restored) / 300_000).toBeGreaterThanOrEqual(0.95);
    }
  });

  it("uses at least 95 % of the one that binds when two tiny limits bind in turns", async () => {
    const cases: RateLimitOptions[] = [
      { requestsPerMinute: 30, tokensPerMinute: 30 * 700 },
      { requestsPerMinute: 30, tokensPerMinute: 36 * 700 },
      { requestsPerMinute: 36, perModel: { tokensPerMinute: 30 * 700 } },
      { tokensPerMinute: 60 * 700, perClient: { requestsPerMinute: 60 } },
      { requestsPerMinute: 60, perClient: { inputTokensPerMinute: 60 * 700 } },
    ];
    for (const options of cases) {
      const used: number[] = [];
      for (const seed of SEEDS) {
        const { clock, runtime } = virtualRuntime(seed);
        const line = pipeline(rateLimit(options, runtime));
        const sent: { at: number; tokens: number }[] = [];
        const ask = (): Promise<Outcome> => {
          const inputTokens = Math.round(350 + runtime.random() * 700);
          const send = (): Promise<Outcome> => {
            sent.push({ at: clock.now(), tokens: inputTokens });
            return answering(runtime, "hi", 500, { inputTokens, outputTokens: 0 })(call);
          };
          // The overhead that the estimator adds is part of the prompt.
          const call = callOf(runtime, send, {
            inputChars: (inputTokens - 8) * 4,
            maxOutputTokens: 0,
            scope: { client: "a" },
          });
          return line.execute(call);
        };
        const load = backlog(runtime, ask, 40);
        await clock.advance(660_000);
        load.stop();
        const steady = sent.filter(({ at }) => at >= 60_000);
        const binding = { requests: options.requestsPerMinute ?? options.perClient?.requestsPerMinute ?? 0 };
        const tokensPerMinute =
          options.tokensPerMinute ?? options.perModel?.tokensPerMinute ?? options.perClient?.inputTokensPerMinute ?? 0;
        const tokens = steady.reduce((sum, call) => sum + call.tokens, 0);
        used.push(Math.max(steady.length / (10 * binding.requests), tokens / (10 * tokensPerMinute)));
        expect(mostInAMinute(sent.map(({ at }) => ({ at, amount: 1 })))).toBeLessThanOrEqual(binding.requests);
        await line.close();
      }
      expect(median(used)).toBeGreaterThanOrEqual(0.95);
    }
  });

  it("lets no more than a token limit through in any minute, however many come at once", async () => {
    for (const seed of SEEDS) {
      const { clock, runtime } = virtualRuntime(seed);
      const tokensPerMinute = 20 * 600;
      const line = pipeline(rateLimit({ tokensPerMinute }, runtime));
      const sent: { at: number; amount: number }[] = [];
      const calls = Array.from({ length: 1_000 }, (_, index) => {
        const tokens = Math.round(300 + runtime.random() * 600);
        const usage = { inputTokens: tokens - 50, outputTokens: 50 };
        const send = (call: Call): Promise<Outcome> => {
          sent.push({ at: clock.now(), amount: tokens });
          return answering(runtime, "hi", 1_000, usage)(call);
        };
        const scope = index === 0 ? { deadline: "1500ms" as const } : {};
        return line.execute(callOf(runtime, send, { inputChars: (tokens - 58) * 4, maxOutputTokens: 50, scope }));
      });
      await clock.advance(600_000);
      expect(await calls[0]).toMatchObject({ ok: true });
      expect(mostInAMinute(sent)).toBeLessThanOrEqual(1.02 * tokensPerMinute);
      expect(sent.reduce((sum, { amount }) => sum + amount, 0)).toBeGreaterThanOrEqual(0.98 * 10 * tokensPerMinute);
      await line.close();
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
