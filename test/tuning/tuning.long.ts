import { describe, expect, it } from "vitest";
import type { OptimizerOptions } from "../../src/index.ts";
import type { ProviderModelOptions } from "../../src/testing/index.ts";
import { autoTune, type TuningLevel } from "../../src/tuning/index.ts";
import { worldOf } from "../reports/support.ts";

const monitor = { defaultAlerts: false, evaluateEvery: "1h" } as const;

interface Result {
  readonly answered: number;
  readonly p95: number;
  readonly throttled: number;
}

/** The last hour of several, tuned at a level. */
async function lastHour(
  level: TuningLevel,
  hours: number,
  perMinute: number,
  options: OptimizerOptions,
  provider: ProviderModelOptions,
) {
  const { optimizer, traffic } = worldOf({ monitor, ...options }, provider);
  const tuner = autoTune(optimizer, { level });
  await traffic(hours * 60, perMinute);
  const { read } = optimizer.monitor;
  const window = "1h";
  const result: Result = {
    answered: read("breakwater.calls", { aggregate: "ratio", share: { outcome: "success" }, window }) ?? 0,
    p95: read("breakwater.call.duration", { aggregate: "p95", window }) ?? 0,
    throttled: read("breakwater.attempts", { aggregate: "ratio", share: { error_type: "rate_limited" }, window }) ?? 0,
  };
  const history = tuner.history();
  tuner.stop();
  await optimizer.close();
  return { result, history };
}

describe("a line that is set badly", () => {
  it("gets better at level basic: it asks faster than the provider allows", async () => {
    const options = { rateLimit: { learn: false }, retry: { baseDelay: 100 } } as const;
    const provider = { requestsPerMinute: 30, burst: "1s", rateLimitHeaders: false } as const;
    const none = await lastHour("none", 3, 20, options, provider);
    const basic = await lastHour("basic", 3, 20, options, provider);
    expect(none.result.throttled).toBeGreaterThan(0.2);
    expect(basic.result.throttled).toBeLessThan(none.result.throttled / 3);
    expect(basic.result.answered).toBeGreaterThanOrEqual(none.result.answered);
  });

  it("gets better at level advanced: its timeout cuts off good answers", async () => {
    const options = { timeout: { attempt: "3s" }, retry: { attempts: 2 } } as const;
    const basic = await lastHour("basic", 6, 20, options, {});
    const advanced = await lastHour("advanced", 6, 20, options, {});
    expect(basic.result.answered).toBeLessThan(0.9);
    expect(advanced.result.answered).toBeGreaterThan(0.98);
  });

  it("gets better at level aggressive: too few calls run at a time", async () => {
    const options = { pool: { concurrency: 1 } } as const;
    const advanced = await lastHour("advanced", 5, 20, options, {});
    const aggressive = await lastHour("aggressive", 5, 20, options, {});
    expect(aggressive.result.p95).toBeLessThan(advanced.result.p95 / 2);
  });
});

describe("a recommendation that harms", () => {
  it("is taken back: more calls at a time than the provider works on", async () => {
    const options = { pool: { concurrency: 2 }, retry: { attempts: 1 }, throttle: false, breaker: false } as const;
    const provider = { concurrency: 2, concurrencyStatus: 503 } as const;
    const none = await lastHour("none", 3, 40, options, provider);
    const { result, history } = await lastHour("aggressive", 3, 40, options, provider);
    const pool = history.filter(({ kind }) => kind === "pool_small");
    expect(pool.length).toBeGreaterThan(0);
    for (const { state, from } of pool) expect([state, from]).toEqual(["rolled_back", 2]);
    expect(none.result.answered).toBe(1);
    expect(result.answered).toBeGreaterThan(0.8);
  });
});

describe("24 hours of steady traffic", () => {
  it.each([
    ["basic", 0],
    ["advanced", 0],
    ["aggressive", 6],
  ] as const)("at level %s bring at most %i changes, and none that makes it worse", async (level, most) => {
    const provider = {
      faults: ({ chance }: { chance: number }) => (chance < 0.01 ? ("overloaded" as const) : undefined),
    };
    const untouched = await lastHour("none", 24, 10, {}, provider);
    const { result, history } = await lastHour(level, 24, 10, {}, provider);
    expect(history.length).toBeLessThanOrEqual(most);
    expect(result.answered).toBeGreaterThanOrEqual(untouched.result.answered - 0.005);
    expect(result.p95).toBeLessThan(untouched.result.p95 * 1.2);
  });
});
