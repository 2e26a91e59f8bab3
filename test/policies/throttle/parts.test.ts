import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Acceptance } from "../../../src/policies/throttle/acceptance.ts";
import { AdaptiveLimit } from "../../../src/policies/throttle/adaptive-limit.ts";
import { PriorityShares } from "../../../src/policies/throttle/priority-shares.ts";
import { sentAfter } from "../../../src/policies/throttle/signal.ts";
import { answering, callOf, virtualRuntime } from "../../support/calls.ts";

const RULES = { k: 2, windowMs: 120_000 };
const nobody = () => ({ all: 0, sinceRefusal: 0 });

function refusals(acceptance: Acceptance, count: number, from = 0): void {
  for (let index = 0; index < count; index++) acceptance.refused(from + index, 10, RULES);
}

describe("acceptance", () => {
  it("refuses nothing before 20 calls are known, and at most nine tenths", () => {
    const acceptance = new Acceptance();
    refusals(acceptance, 19);
    expect(acceptance.share(100, RULES, nobody)).toBe(0);
    refusals(acceptance, 200, 100);
    expect(acceptance.share(400, RULES, nobody)).toBe(0.9);
  });

  it("refuses nothing while more than every second call is accepted", () => {
    const acceptance = new Acceptance();
    for (let index = 0; index < 60; index++) {
      if (index % 2 === 0) acceptance.accepted(index, RULES);
      else acceptance.refused(index, 10, RULES);
    }
    expect(acceptance.share(100, RULES, nobody)).toBe(0);
    refusals(acceptance, 60, 100);
    expect(acceptance.share(200, RULES, nobody)).toBeCloseTo((120 - 60) / 121, 5);
  });

  it("takes calls that have outlived a refusal for accepted", () => {
    const acceptance = new Acceptance();
    refusals(acceptance, 40);
    expect(acceptance.share(100, RULES, () => ({ all: 40, sinceRefusal: 5 }))).toBe(0);
    expect(acceptance.share(100, RULES, () => ({ all: 20, sinceRefusal: 5 }))).toBeCloseTo(20 / 61, 5);
  });

  it("forgets an outage once ten calls in a row were accepted", () => {
    const acceptance = new Acceptance();
    refusals(acceptance, 500);
    for (let index = 0; index < 9; index++) acceptance.accepted(1_000, RULES);
    expect(acceptance.share(1_000, RULES, nobody)).toBeGreaterThan(0.8);
    acceptance.accepted(1_000, RULES);
    expect(acceptance.share(1_000, RULES, nobody)).toBe(0);
  });

  it("forgets what is older than its window, which is twice as long as calls take", () => {
    const acceptance = new Acceptance();
    refusals(acceptance, 100);
    expect(acceptance.share(119_000, RULES, nobody)).toBe(0.9);
    expect(acceptance.share(127_000, RULES, nobody)).toBe(0);
    for (let index = 0; index < 100; index++) acceptance.ended(90_000);
    refusals(acceptance, 100, 200_000);
    expect(acceptance.share(360_000, RULES, nobody)).toBe(0.9);
    expect(acceptance.share(400_000, RULES, nobody)).toBe(0);
  });
});

describe("shares by priority", () => {
  it("are taken from the least urgent up", () => {
    const shares = new PriorityShares();
    for (let index = 0; index < 100; index++) for (const level of [3, 5, 7, 9]) shares.came(level);
    expect([3, 5, 7, 9].map((level) => shares.chanceOf(level, 0.25))).toEqual([0, 0, 0, 1]);
    const chances = [3, 5, 7, 9].map((level) => shares.chanceOf(level, 0.6));
    expect(chances).toEqual([0, expect.closeTo(0.4, 5), 1, 1]);
  });

  it("come to the wanted share of all calls, whatever the mix", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(200), { minLength: 10, maxLength: 10 }).filter((counts) => counts.some((count) => count > 0)),
        fc.double({ min: 0, max: 0.9, noNaN: true }),
        (counts, share) => {
          const shares = new PriorityShares();
          const levels = counts.flatMap((count, level) => new Array<number>(Math.min(count, 39)).fill(level));
          for (const level of levels) shares.came(level);
          const refused = levels.reduce((sum, level) => sum + shares.chanceOf(level, share), 0);
          expect(refused / levels.length).toBeCloseTo(share, 6);
        },
      ),
    );
  });
});

describe("the adaptive limit", () => {
  it("stays within its bounds, whatever happens", () => {
    const step = fc.record({
      kind: fc.constantFrom("answer", "overloaded", "timeout", "exhausted"),
      waitMs: fc.integer({ min: 0, max: 3_000 }),
      ms: fc.integer({ min: 1, max: 60_000 }),
      count: fc.integer({ min: 0, max: 200 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const limit = new AdaptiveLimit({ initial: 20, min: 3, max: 50 });
        let now = 0;
        for (const { kind, waitMs, ms, count } of steps) {
          now += waitMs;
          const sample = { bucket: 0, ms };
          if (kind === "answer") {
            limit.firstToken.add(sample);
            limit.answered(now, ms, sample, () => ({
              atWire: count,
              beforeFirstToken: count,
            }));
          } else if (kind === "exhausted") limit.exhausted(now, () => count);
          else limit.overloaded(now, now - ms, kind === "timeout" ? undefined : count);
          expect(limit.value).toBeGreaterThanOrEqual(3);
          expect(limit.value).toBeLessThanOrEqual(50);
        }
      }),
    );
  });
});

describe("the request that a pass has sent", () => {
  it("is its own, though another try of the same call was sent later and answers first", () => {
    const { runtime } = virtualRuntime();
    const call = callOf(runtime, answering(runtime, "answer"));
    const first = call.trace.attempt(0, "first");
    const beside = call.trace.attempt(100, "hedge");
    beside.firstContentAt = 150;
    beside.endedAt = 200;
    expect(sentAfter(call, 0)).toBe(first);
    expect(sentAfter(call, 1)).toBe(beside);
    expect(sentAfter(call, 2)).toBeUndefined();
  });
});
