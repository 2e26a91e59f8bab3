import { describe, expect, it } from "vitest";
import type { EventMap, EventType } from "../../src/core/index.ts";
import { OptionError } from "../../src/core/index.ts";
import { createOptimizer, type OptimizerOptions } from "../../src/index.ts";
import type { Optimizer } from "../../src/optimizer.ts";
import { healthScore, type RecommendationKind, recommend, watchRecommendations } from "../../src/reports/index.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { SAMPLES } from "../monitor/samples.ts";
import { aCall } from "../monitor/support.ts";

interface Rig {
  readonly clock: VirtualClock;
  readonly optimizer: Optimizer;
  /** Tells of something that happened `count` times, evenly within ten minutes. */
  tell<T extends EventType>(type: T, count: number, change?: Partial<EventMap[T]>): void;
}

function rigOf(options: OptimizerOptions = {}): Rig {
  const clock = new VirtualClock();
  const monitor = { defaultAlerts: false, evaluateEvery: "1h" } as const;
  const optimizer = createOptimizer({ cache: false, monitor, ...options, clock, environment: {} });
  const { runtime } = optimizer.line;
  const call = aCall(runtime);
  return {
    clock,
    optimizer,
    tell(type, count, change) {
      const payload = { ...SAMPLES[type], ...change };
      for (let n = 0; n < count; n++) runtime.events.emit(type, call, payload);
    },
  };
}

const attempt = (rig: Rig, count: number, durationMs: number, kind: "first" | "retry" = "first") =>
  rig.tell("attempt.completed", count, { durationMs, kind });

interface Case {
  readonly kind: RecommendationKind;
  readonly options?: OptimizerOptions;
  readonly happen: (rig: Rig) => void;
  /** What happens instead when there is nothing to recommend. */
  readonly otherwise: (rig: Rig) => void;
  readonly change?: object;
}

const CASES: readonly Case[] = [
  {
    kind: "rate_limit_high",
    happen: (rig) => {
      attempt(rig, 300, 900);
      rig.tell("attempt.failed", 20, { errorType: "rate_limited" });
    },
    otherwise: (rig) => {
      attempt(rig, 300, 900);
      rig.tell("attempt.failed", 3, { errorType: "rate_limited" });
    },
    change: { option: "rateLimit.requestsPerMinute", from: undefined, to: 300 },
  },
  {
    kind: "timeout_low",
    options: { timeout: { attempt: "10s" } },
    happen: (rig) => {
      attempt(rig, 300, 9_000);
      rig.tell("timeout.fired", 20, { phase: "attempt" });
    },
    otherwise: (rig) => {
      attempt(rig, 300, 2_000);
      rig.tell("timeout.fired", 20, { phase: "attempt" });
    },
    change: { option: "timeout.attempt", from: 10_000, to: 15_000 },
  },
  {
    kind: "timeout_high",
    options: { timeout: { attempt: "10m" } },
    happen: (rig) => attempt(rig, 300, 12_000),
    otherwise: (rig) => attempt(rig, 300, 300_000),
    change: { option: "timeout.attempt", from: 600_000, to: expect.closeTo(40_000, -3) },
  },
  {
    kind: "retry_useless",
    happen: (rig) => {
      attempt(rig, 1_000, 900);
      attempt(rig, 10, 900, "retry");
      rig.tell("attempt.failed", 240, { kind: "retry", errorType: "server_error" });
    },
    // The provider is down: that retries fail says nothing of them.
    otherwise: (rig) => {
      rig.tell("attempt.failed", 1_000, { kind: "first", errorType: "server_error" });
      rig.tell("attempt.failed", 240, { kind: "retry", errorType: "server_error" });
    },
    change: { option: "retry.attempts", from: 4, to: 3 },
  },
  {
    kind: "retry_few",
    options: { retry: { attempts: 2 } },
    happen: (rig) => {
      rig.tell("call.completed", 300);
      attempt(rig, 30, 900, "retry");
      rig.tell("retry.exhausted", 12, { by: "attempts" });
    },
    otherwise: (rig) => {
      rig.tell("call.completed", 300);
      attempt(rig, 5, 900, "retry");
      rig.tell("attempt.failed", 30, { kind: "retry", errorType: "server_error" });
      rig.tell("retry.exhausted", 12, { by: "attempts" });
    },
    change: { option: "retry.attempts", from: 2, to: 3 },
  },
  {
    kind: "hedge_useless",
    options: { hedge: true },
    happen: (rig) => {
      rig.tell("hedge.ended", 295, { winner: "first" });
      rig.tell("hedge.ended", 5, { winner: "hedge" });
    },
    otherwise: (rig) => {
      rig.tell("hedge.ended", 250, { winner: "first" });
      rig.tell("hedge.ended", 50, { winner: "hedge" });
    },
  },
  {
    kind: "pool_small",
    options: { pool: { concurrency: 10 } },
    happen: (rig) => {
      rig.tell("call.completed", 300, { durationMs: 1_000 });
      rig.tell("pool.dequeued", 300, { waitMs: 500 });
    },
    otherwise: (rig) => {
      rig.tell("call.completed", 300, { durationMs: 1_000 });
      rig.tell("pool.dequeued", 300, { waitMs: 50 });
    },
    change: { option: "pool.concurrency", from: 10, to: 15 },
  },
  {
    kind: "breaker_nervous",
    happen: (rig) => {
      attempt(rig, 300, 900);
      rig.tell("breaker.opened", 5);
    },
    otherwise: (rig) => {
      attempt(rig, 300, 900);
      rig.tell("breaker.opened", 3);
    },
  },
  {
    kind: "prompt_order",
    happen: (rig) =>
      rig.tell("attempt.completed", 300, {
        usage: { inputTokens: 5_000, outputTokens: 100, cachedInputTokens: 100 },
        durationMs: 300_000,
      }),
    otherwise: (rig) =>
      rig.tell("attempt.completed", 300, {
        usage: { inputTokens: 5_000, outputTokens: 100, cachedInputTokens: 4_000 },
        durationMs: 300_000,
      }),
  },
  {
    kind: "series_overflow",
    options: { monitor: { defaultAlerts: false, maxSeries: 10 } },
    happen: ({ optimizer }) => {
      const mine = optimizer.monitor.counter("app.asked");
      for (let n = 0; n < 50; n++) mine.add(1, { question: `q${n}`, team: "a" });
    },
    otherwise: ({ optimizer }) => optimizer.monitor.counter("app.asked").add(1, { team: "a" }),
  },
];

describe("recommendations", () => {
  it.each(CASES)("$kind: raised by its figures, not by others, and cleared when they have passed", async (one) => {
    const rig = rigOf(one.options);
    const told: string[] = [];
    rig.optimizer.on("recommendation.raised", ({ kind }) => void told.push(`raised ${kind}`));
    rig.optimizer.on("recommendation.cleared", ({ kind }) => void told.push(`cleared ${kind}`));
    one.happen(rig);
    await rig.clock.advance(70_000);
    const found = recommend(rig.optimizer).find(({ kind }) => kind === one.kind);
    expect(found?.title).toMatch(/^.+\.$/);
    expect(found?.evidence["n"]).toBeGreaterThan(0);
    expect(found?.undoWhen).not.toBe("");
    if (one.change !== undefined) expect(found?.change).toEqual(one.change);
    const watch = watchRecommendations(rig.optimizer);
    await rig.clock.advance(75 * 60_000);
    expect(told.filter((line) => line.endsWith(one.kind))).toEqual([`raised ${one.kind}`, `cleared ${one.kind}`]);
    expect(watch.list()).toEqual([]);
    watch.close();
    await rig.optimizer.close();

    const other = rigOf(one.options);
    one.otherwise(other);
    await other.clock.advance(70_000);
    expect(recommend(other.optimizer).map(({ kind }) => kind)).not.toContain(one.kind);
    await other.optimizer.close();
  });

  it("are watched no more once somebody who hears of one has closed the watch", async () => {
    const rig = rigOf();
    const watch = watchRecommendations(rig.optimizer);
    const timers = rig.clock.pendingTimers;
    rig.optimizer.on("recommendation.raised", () => watch.close());
    attempt(rig, 300, 900);
    rig.tell("attempt.failed", 20, { errorType: "rate_limited" });
    await rig.clock.advance(11 * 60_000);
    expect(watch.list()).not.toEqual([]);
    expect(rig.clock.pendingTimers).toBe(timers - 1);
    await rig.optimizer.close();
  });

  it("say nothing of few values", async () => {
    const rig = rigOf({ timeout: { attempt: "10s" } });
    attempt(rig, 150, 9_000);
    rig.tell("attempt.failed", 40, { errorType: "rate_limited" });
    rig.tell("timeout.fired", 20, { phase: "attempt" });
    await rig.clock.advance(70_000);
    expect(recommend(rig.optimizer)).toEqual([]);
    expect(recommend(rig.optimizer, { minCount: 100 })).not.toEqual([]);
    await rig.optimizer.close();
  });

  it("name no limit of the process when several models share it", async () => {
    const rig = rigOf();
    attempt(rig, 300, 900);
    const other = aCall(rig.optimizer.line.runtime, "another");
    rig.optimizer.line.runtime.events.emit("attempt.completed", other, SAMPLES["attempt.completed"]);
    rig.tell("attempt.failed", 40, { errorType: "rate_limited" });
    await rig.clock.advance(70_000);
    const [found] = recommend(rig.optimizer);
    expect(found).toMatchObject({ kind: "rate_limit_high" });
    expect(found).not.toHaveProperty("change");
    await rig.optimizer.close();
  });

  it("refuse options that are wrong", async () => {
    const { optimizer } = rigOf();
    for (const options of [{ window: "1m" }, { minCount: 1 }, { limit: 3 }]) {
      expect(() => recommend(optimizer, options as never)).toThrow(OptionError);
    }
    expect(() => watchRecommendations(optimizer, { every: "1s" })).toThrow(OptionError);
    await optimizer.close();
  });
});

describe("the health score", () => {
  it("is 100 when all is well, unknown without calls, and lower the more calls get no answer", async () => {
    const rig = rigOf();
    expect(healthScore(rig.optimizer)).toEqual({ score: undefined, calls: 0, reasons: [] });
    rig.tell("call.completed", 80);
    expect(healthScore(rig.optimizer)).toMatchObject({ score: 100, calls: 80, reasons: [] });
    rig.tell("call.failed", 20, { errorType: "server_error" });
    const lower = healthScore(rig.optimizer);
    expect(lower.score).toBeLessThanOrEqual(50);
    expect(lower.reasons[0]).toMatchObject({ check: "calls", points: 50 });
    rig.tell("call.failed", 200, { errorType: "server_error" });
    expect(healthScore(rig.optimizer).score).toBe(0);
    await rig.optimizer.close();
  });

  it("does not blame the service for its callers' mistakes, and names what else is wrong", async () => {
    const rig = rigOf();
    rig.tell("call.completed", 80);
    rig.tell("call.failed", 80, { errorType: "bad_request" });
    expect(healthScore(rig.optimizer).score).toBe(100);
    rig.tell("breaker.opened", 1);
    attempt(rig, 100, 900);
    rig.tell("attempt.failed", 25, { errorType: "rate_limited", kind: "retry" });
    const checks = healthScore(rig.optimizer).reasons.map(({ check }) => check);
    expect(checks.toSorted()).toEqual(["breaker", "retries", "throttled"]);
    await rig.optimizer.close();
  });

  it("points out of all reasons never add up to more than was lost", async () => {
    const rig = rigOf();
    for (let n = 0; n < 30; n++) rig.tell("breaker.opened", 1, { key: `b${n}` });
    const { score, reasons } = healthScore(rig.optimizer);
    expect(reasons.reduce((sum, { points }) => sum + points, 0)).toBe(100 - (score ?? 0));
    expect(score).toBe(55);
    await rig.optimizer.close();
  });
});
