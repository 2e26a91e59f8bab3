import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Gcra } from "../../../src/policies/rate-limit/gcra.ts";
import { MINUTE_MS } from "../../../src/policies/rate-limit/limits.ts";
import type { Meter } from "../../../src/policies/rate-limit/meter.ts";
import { SlidingWindow } from "../../../src/policies/rate-limit/sliding-window.ts";

interface Taken {
  readonly at: number;
  readonly amount: number;
}

/** Offers amounts one after the other; each waits as long as the meter says. */
function admitAll(meter: Meter, offers: readonly (readonly [gapMs: number, amount: number])[]): Taken[] {
  const taken: Taken[] = [];
  let now = 0;
  for (const [gapMs, amount] of offers) {
    now += gapMs;
    for (let delay = meter.delay(amount, now); delay > 0; delay = meter.delay(amount, now)) now += delay;
    meter.take(amount, now);
    taken.push({ at: now, amount });
  }
  return taken;
}

/** The most that any half-open window holds. */
function mostInAnyWindow(taken: readonly Taken[], windowMs: number): number {
  let most = 0;
  let sum = 0;
  let first = 0;
  for (const { at, amount } of taken) {
    sum += amount;
    for (
      let oldest = taken[first];
      oldest !== undefined && oldest.at + windowMs <= at + 1e-6;
      oldest = taken[++first]
    ) {
      sum -= oldest.amount;
    }
    most = Math.max(most, sum);
  }
  return most;
}

const gaps = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 90_000 }));
const offers = fc.array(fc.tuple(gaps, fc.constant(1)), { minLength: 1, maxLength: 400 });

describe("Gcra", () => {
  it("never lets more than the limit and its burst through in any window, whatever arrives when", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 60_000 }),
        offers,
        (limit, burst, all) => {
          const taken = admitAll(new Gcra("requests", limit, MINUTE_MS, burst, 0), all);
          expect(mostInAnyWindow(taken, MINUTE_MS)).toBeLessThanOrEqual(limit * (1 + burst / MINUTE_MS) + 1e-6);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("lets amounts larger than a burst through one at a time, so that no window holds more than one of them too many", () => {
    const amounts = fc.array(fc.tuple(gaps, fc.integer({ min: 1, max: 2_000 })), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 }), amounts, (limit, all) => {
        const taken = admitAll(new Gcra("tokens", limit, MINUTE_MS, 1_000, 0), all).map(({ at, amount }) => ({
          at,
          amount: Math.min(amount, limit),
        }));
        const largest = Math.max(limit / 60, 1, ...taken.map(({ amount }) => amount));
        expect(mostInAnyWindow(taken, MINUTE_MS)).toBeLessThanOrEqual(limit + largest + 1e-6);
      }),
    );
  });

  it("uses the whole limit under backlog", () => {
    for (const limit of [1, 7, 60, 500, 10_000]) {
      const offers = Array.from({ length: limit * 10 }, () => [0, 1] as const);
      const last = admitAll(new Gcra("requests", limit, MINUTE_MS, 1_000, 0), offers).at(-1);
      expect(last?.at).toBeLessThanOrEqual(10 * MINUTE_MS);
    }
  });

  it("stays exact with ten million tokens a minute", () => {
    const meter = new Gcra("tokens", 10_000_000, MINUTE_MS, 1_000, 1e12);
    let now = 1e12;
    let taken = 0;
    while (now < 1e12 + MINUTE_MS) {
      now += meter.delay(997, now);
      meter.take(997, now);
      taken += 997;
    }
    expect(taken).toBeGreaterThan(10_000_000);
    expect(taken).toBeLessThanOrEqual((10_000_000 * 61) / 60 + 997);
  });

  it("gives back what was not used and takes what was used beyond the estimate, up to one window", () => {
    const meter = new Gcra("tokens", 6_000, MINUTE_MS, 1_000, 0);
    meter.take(100, 0);
    meter.correct(100, 40, 0, 0);
    expect(meter.taken(0)).toBe(40);
    meter.correct(40, 1_000_000, 0, 0);
    expect(meter.taken(0)).toBe(6_000);
    expect(meter.delay(1, 0)).toBeLessThanOrEqual(MINUTE_MS);
  });

  it("owes tokens that were held for nothing to the next calls, at most one call's or one burst's", () => {
    const meter = new Gcra("tokens", 6_000, MINUTE_MS, 1_000, 0);
    meter.take(900, 0);
    for (let index = 0; index < 5; index++) meter.correct(900, 100, 0, 9_000);
    expect(meter.taken(9_000)).toBe(-800);
    meter.correct(80, 0, 0, 9_000);
    expect(meter.taken(9_000)).toBe(-800);
    const requests = new Gcra("requests", 600, MINUTE_MS, 1_000, 0);
    requests.correct(1, 0, 0, 0);
    expect(requests.taken(0)).toBe(0);
  });

  it("gives nothing back that it has not taken", () => {
    const meter = new Gcra("tokens", 6_000, MINUTE_MS, 1_000, 1_000);
    meter.take(90, 1_000);
    meter.correct(500, 0, 999, 1_000);
    expect(meter.taken(1_000)).toBe(90);
  });

  it("believes a smaller rest at once, and forgives a debt by a fifth of it per second", () => {
    const meter = new Gcra("requests", 600, MINUTE_MS, 1_000, 0);
    meter.believe(2, 0);
    expect(meter.delay(3, 0)).toBeCloseTo(100);
    meter.believe(500, 0);
    expect(meter.delay(3, 0)).toBeCloseTo(100);
    meter.believe(-290, 0);
    expect(meter.taken(0)).toBe(300);
    meter.believe(500, 1_000);
    expect(meter.taken(1_000)).toBeCloseTo(290 - (290 - 10) / 5);
    meter.believe(500, 6_000);
    expect(meter.taken(6_000)).toBeCloseTo(10);
  });

  it("takes nothing off that it never took when the limit was raised in between", () => {
    const meter = new Gcra("tokens", 1_000, MINUTE_MS, 1_000, 0);
    meter.take(5_000, 0);
    meter.setLimit(10_000, 0);
    meter.correct(5_000, 4_000, 0, 0);
    expect(meter.taken(0)).toBe(4_000);
    const window = new SlidingWindow("tokens", 1_000, MINUTE_MS);
    window.take(5_000, 0);
    window.setLimit(10_000, 0);
    window.correct(5_000, 4_000, 0, 0);
    expect(window.taken(0)).toBe(4_000);
  });

  it("makes good what flowed off while a call waited for another limit, and nothing else", () => {
    const meter = new Gcra("requests", 60, MINUTE_MS, 1_000, 0);
    meter.spares = true;
    meter.take(1, 0);
    meter.take(1, 4_000, 2_000);
    expect(meter.taken(4_000)).toBe(-1);
    const paced = new Gcra("requests", 60, MINUTE_MS, 1_000, 0);
    paced.take(1, 0);
    paced.take(1, 4_000, 2_000);
    expect(paced.taken(4_000)).toBe(1);
  });
});

describe("SlidingWindow", () => {
  it("never lets more than the limit through in any window, whatever arrives when", () => {
    const amounts = fc.array(fc.tuple(gaps, fc.integer({ min: 1, max: 20 })), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), amounts, (limit, all) => {
        const taken = admitAll(new SlidingWindow("requests", limit, MINUTE_MS), all).map(({ at, amount }) => ({
          at,
          amount: Math.min(amount, limit),
        }));
        expect(mostInAnyWindow(taken, MINUTE_MS)).toBeLessThanOrEqual(limit);
      }),
      { numRuns: 300 },
    );
  });

  it("uses the whole limit under backlog", () => {
    for (const limit of [1, 7, 60, 5_000]) {
      const offers = Array.from({ length: limit * 10 }, () => [0, 1] as const);
      const last = admitAll(new SlidingWindow("requests", limit, MINUTE_MS), offers).at(-1);
      expect(last?.at).toBeLessThanOrEqual(9.02 * MINUTE_MS);
    }
  });

  it("gives back only what is still in the window", () => {
    const meter = new SlidingWindow("tokens", 100, MINUTE_MS);
    meter.take(60, 0);
    meter.take(40, 30_000);
    meter.correct(60, 10, 0, 40_000);
    expect(meter.taken(40_000)).toBe(50);
    meter.correct(40, 0, 30_000, 100_000);
    expect(meter.taken(100_000)).toBe(0);
  });

  it("begins with what may have been taken before, and lets it leave evenly", () => {
    const meter = new SlidingWindow("requests", 120, MINUTE_MS);
    meter.assume(120, 0, 600_000);
    expect(meter.taken(600_000)).toBe(120);
    expect(meter.delay(1, 600_000)).toBeCloseTo(1_000);
    expect(meter.taken(630_000)).toBeCloseTo(60);
    expect(meter.taken(660_000)).toBe(0);
  });

  it("lets its slack more pass", () => {
    const meter = new SlidingWindow("tokens", 100, MINUTE_MS);
    meter.slack = 5;
    meter.take(90, 0);
    expect(meter.delay(15, 0)).toBe(0);
    expect(meter.delay(16, 0)).toBe(60_000);
  });

  it("expects those ahead to go first", () => {
    const meter = new SlidingWindow("requests", 10, MINUTE_MS);
    for (let index = 0; index < 10; index++) meter.take(1, index * 1_000);
    expect(meter.delay(1, 10_000)).toBe(50_000);
    expect(meter.delay(1, 10_000, 3)).toBe(53_000);
    expect(meter.delay(1, 10_000, 10)).toBeGreaterThanOrEqual(110_000);
  });
});
