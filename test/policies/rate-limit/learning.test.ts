import { describe, expect, it } from "vitest";
import { faultOf, type LimitReading } from "../../../src/core/index.ts";
import { costOf } from "../../../src/policies/rate-limit/accounting.ts";
import { CubicRate } from "../../../src/policies/rate-limit/cubic-rate.ts";
import { Target } from "../../../src/policies/rate-limit/target.ts";

const BURST_MS = 1_000;
const request = costOf(1, 0, 0);
const perMinute = (limit: number, remaining?: number): LimitReading => ({
  unit: "requests",
  windowMs: 60_000,
  limit,
  remaining,
  resetMs: undefined,
});
const limitsOf = (target: Target): number[] => target.meters.map(({ limit }) => Math.round(limit));

describe("a target that is told a limit by refusals only", () => {
  it("uses 95 % of it for 8 s, then a fifth more each second, and forgets it after a minute", () => {
    const target = new Target("t", 0);
    const mark = target.sent(request, 0);
    expect(target.learn(perMinute(600, 0), mark, true, BURST_MS, 0)).toBe(true);
    const at = (now: number): number[] => {
      target.accepted(now);
      return limitsOf(target);
    };
    expect(at(8_000)).toEqual([570]);
    expect(at(9_000)).toEqual([684]);
    expect(at(10_000)).toEqual([821]);
    target.learn(perMinute(600, 0), target.sent(request, 10_000), true, BURST_MS, 10_000);
    expect(at(18_000)).toEqual([570]);
    expect(at(22_000)).toEqual([1_182]);
    expect(at(70_001)).toEqual([]);
  });

  it("believes an answer that tells it over all guesses", () => {
    const target = new Target("t", 0);
    target.learn(perMinute(600), target.sent(request, 0), true, BURST_MS, 0);
    target.learn(perMinute(600), target.sent(request, 10), false, BURST_MS, 10);
    target.accepted(60_000);
    expect(limitsOf(target)).toEqual([600]);
    target.learn(perMinute(600, 0), target.sent(request, 60_000), true, BURST_MS, 60_000);
    target.accepted(120_000);
    expect(limitsOf(target)).toEqual([600]);
  });

  it("learns no day from a refusal: the gate is closed until it is over", () => {
    const target = new Target("t", 0);
    const day = { ...perMinute(200, 0), windowMs: 86_400_000 };
    expect(target.learn(day, target.sent(request, 0), true, BURST_MS, 0)).toBe(false);
    expect(limitsOf(target)).toEqual([]);
  });
});

describe("a target that is told nothing", () => {
  const refusal = faultOf({ kind: "rate_limited", error: new Error("429"), retryAfterMs: 100 });

  it("goes at a rate from the first refusal on, and forgets it after a minute without another", () => {
    const target = new Target("t", 0);
    for (let now = 0; now < 10_000; now += 100) target.accepted(now);
    expect(limitsOf(target)).toEqual([]);
    expect(target.refuse(refusal, target.sent(request, 10_000), BURST_MS, 10_000)).toBe(100);
    expect(limitsOf(target)[0]).toBeGreaterThan(0.65 * 600);
    expect(limitsOf(target)[0]).toBeLessThan(0.75 * 600);
    for (let now = 10_100; now < 69_000; now += 100) target.accepted(now);
    expect(limitsOf(target)).toHaveLength(1);
    target.accepted(70_200);
    expect(limitsOf(target)).toEqual([]);
  });

  it("counts refusals of one burst once", () => {
    const target = new Target("t", 0);
    for (let now = 0; now < 10_000; now += 100) target.accepted(now);
    const marks = [0, 1, 2].map((ms) => target.sent(request, 10_000 + ms));
    const [first] = marks.map((mark, index) => {
      target.refuse(refusal, mark, BURST_MS, 10_010 + index);
      return limitsOf(target)[0];
    });
    expect(limitsOf(target)[0]).toBe(first);
  });

  it("is not slowed down where limits are known", () => {
    const target = new Target("t", 0);
    target.learn(perMinute(600), target.sent(request, 0), false, BURST_MS, 0);
    target.refuse(refusal, target.sent(request, 1), BURST_MS, 1);
    expect(limitsOf(target)).toEqual([600]);
  });
});

describe("CubicRate", () => {
  it("cuts to seven tenths, comes back slowly around the old rate, and goes beyond it, but not over twice what is taken", () => {
    const rate = new CubicRate(0);
    let now = 0;
    const take = (perSecond: number, forMs: number): void => {
      for (const end = now + forMs; now < end; now += 1_000 / perSecond) rate.accepted(now);
    };
    take(10, 10_000);
    expect(rate.perSecond).toBe(Number.POSITIVE_INFINITY);
    rate.refused(now);
    expect(rate.perSecond).toBeCloseTo(7, 0);
    take(7, 1_250);
    const plateau = rate.perSecond;
    expect(plateau).toBeGreaterThan(9);
    take(10, 2_000);
    expect(rate.perSecond).toBeLessThan(11);
    take(10, 20_000);
    expect(rate.perSecond).toBeCloseTo(20, 0);
  });

  it("never goes below one request in two seconds", () => {
    const rate = new CubicRate(0);
    for (let now = 0; now < 100_000; now += 5_000) rate.refused(now);
    expect(rate.perSecond).toBe(0.5);
  });
});
