import { describe, expect, it } from "vitest";
import { type Outcome, pipeline } from "../../../src/core/index.ts";
import { type ThrottleOptions, throttle } from "../../../src/policies/throttle/index.ts";
import { callOf, drain, virtualRuntime } from "../../support/calls.ts";
import { type ServerOptions, SharingServer } from "./sharing-server.ts";

interface Load {
  readonly seed: number;
  readonly stream: boolean;
  readonly callers: number;
  readonly options?: ThrottleOptions;
}

/** Callers that always want one more answer, a throttle, and a server whose capacity may change. */
function simulate({ seed, stream, callers, options = {} }: Load, server: Partial<ServerOptions> = {}) {
  const { clock, runtime } = virtualRuntime(seed);
  const defaults = { capacity: 64, speed: 50, meanTokens: 200, noise: 0.2, rejectBeyond: Number.POSITIVE_INFINITY };
  const provider = new SharingServer(runtime, { ...defaults, ...server });
  const policy = throttle(options, runtime);
  const line = pipeline(policy);
  const caller = async (): Promise<never> => {
    for (;;) {
      const outcome: Outcome = await line.execute(callOf(runtime, provider.send, { stream }));
      if (outcome.ok && outcome.body.kind === "stream") await drain(outcome.body);
      if (!outcome.ok) await new Promise<void>((resolve) => void clock.timer(500, resolve));
    }
  };
  for (let index = 0; index < callers; index++) void caller();
  const limit = (): number => policy.snapshot()["test/m/k"]?.limit ?? Number.NaN;
  return {
    clock,
    policy,
    provider,
    limit,
    /** Lets `seconds` pass: the limit at the end of each of them, and the tokens a second. */
    async watch(seconds: number): Promise<{ limits: number[]; tokensPerSecond: number }> {
      const tokensBefore = provider.tokensOut;
      const limits: number[] = [];
      for (let second = 0; second < seconds; second++) {
        await clock.advance(1_000);
        limits.push(limit());
      }
      return { limits, tokensPerSecond: (provider.tokensOut - tokensBefore) / seconds };
    },
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const runs = [true, false].flatMap((stream) => [1, 2, 3, 4, 5].map((seed) => ({ stream, seed })));

describe.each(runs)("adaptive throttle, stream $stream, seed $seed", ({ stream, seed }) => {
  it("finds the provider's capacity, follows it down and up, and is not misled by longer answers", async () => {
    const run = simulate({ seed, stream, callers: 200 });
    const fixed = simulate({ seed, stream, callers: 200, options: { adaptive: false, initial: 64 } });
    const phase = async (capacity: number, change: Partial<ServerOptions>) => {
      const { rejected } = run.provider;
      run.provider.change({ rejectBeyond: 2 * capacity, ...change });
      fixed.provider.change(change);
      fixed.policy.update({ initial: capacity });
      await run.watch(30);
      await fixed.watch(30);
      const adapted = await run.watch(90);
      const best = await fixed.watch(90);
      expect(mean(adapted.limits) / capacity).toBeGreaterThan(0.85);
      expect(mean(adapted.limits) / capacity).toBeLessThan(1.15);
      expect(adapted.tokensPerSecond / best.tokensPerSecond).toBeGreaterThan(0.95);
      expect(run.provider.rejected - rejected).toBeLessThanOrEqual(10);
      return mean(adapted.limits);
    };
    await phase(64, {});
    await phase(32, { capacity: 32 });
    const short = await phase(64, { capacity: 64 });
    const long = await phase(64, { meanTokens: 600 });
    expect(Math.abs(long / short - 1)).toBeLessThan(0.1);
  });

  it("is near half the capacity 25 s after the drop", async () => {
    const run = simulate({ seed, stream, callers: 200 });
    await run.watch(60);
    run.provider.change({ capacity: 32 });
    await run.watch(15);
    const { limits } = await run.watch(10);
    expect(mean(limits)).toBeGreaterThan(32 * 0.8);
    expect(mean(limits)).toBeLessThan(32 * 1.2);
  });
});

describe("adaptive throttle", () => {
  it("goes down while the provider refuses everybody, and comes back by itself", async () => {
    const run = simulate({ seed: 1, stream: true, callers: 200 });
    await run.watch(60);
    run.provider.change({ rejectBeyond: 0 });
    await run.watch(30);
    expect(run.limit()).toBeLessThan(45);
    run.provider.change({ rejectBeyond: Number.POSITIVE_INFINITY });
    await run.watch(60);
    const { limits } = await run.watch(30);
    expect(mean(limits)).toBeGreaterThan(64 * 0.75);
  });

  it("is refused little by a provider that turns away what exceeds its capacity", async () => {
    const run = simulate({ seed: 1, stream: true, callers: 200 }, { rejectBeyond: 96 });
    await run.watch(60);
    const { finished, rejected } = run.provider;
    run.provider.change({ capacity: 32, rejectBeyond: 48 });
    await run.watch(120);
    const refused = run.provider.rejected - rejected;
    expect(refused / (run.provider.finished - finished + refused)).toBeLessThan(0.1);
  });

  it("does not shrink for a client that uses little of it", async () => {
    const run = simulate({ seed: 1, stream: true, callers: 4 });
    const { limits } = await run.watch(300);
    expect(Math.min(...limits)).toBe(20);
    expect(Math.max(...limits)).toBe(20);
  });

  it("accepts a provider that has become slower for everybody, once going down has not helped", async () => {
    const run = simulate({ seed: 1, stream: true, callers: 200 });
    await run.watch(60);
    run.provider.change({ speed: 25 });
    await run.watch(180);
    const { limits } = await run.watch(60);
    expect(mean(limits)).toBeGreaterThan(64 * 0.75);
    expect(mean(limits)).toBeLessThan(64 * 1.25);
  });
});
