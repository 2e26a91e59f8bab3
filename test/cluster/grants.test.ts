import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Demand } from "../../src/cluster/demand.ts";
import { Grants, KEPT_MS } from "../../src/cluster/grants.ts";
import { Insurance, InsuranceBucket } from "../../src/cluster/insurance.ts";
import { LongUse } from "../../src/cluster/long-use.ts";
import { seededRandom } from "../../src/core/index.ts";
import { amountsOf } from "./support.ts";

describe("units that are held", () => {
  it("may be used one after the other, from their slots on", () => {
    const grants = new Grants();
    grants.add(10, -50, 0.1, 0);
    expect(grants.readyAt(5)).toBe(0);
    expect(grants.readyAt(6)).toBe(10);
    grants.take(5);
    expect(grants.readyAt(1)).toBe(10);
    expect(grants.readyAt(5)).toBe(50);
    expect(grants.readyAt(6)).toBe(Number.POSITIVE_INFINITY);
    expect(grants.lastAt).toBe(50);
  });

  it("are used in the order of their slots, whichever came first", () => {
    const grants = new Grants();
    grants.add(1, 1_000, 1, 0);
    grants.add(1, 100, 1, 0);
    expect(grants.readyAt(1)).toBe(101);
    expect(grants.readyAt(2)).toBe(1_001);
    grants.take(1);
    expect(grants.readyAt(1)).toBe(1_001);
  });

  it("are given back when they could have been used for two seconds", () => {
    const grants = new Grants();
    grants.add(10, 0, 0.01, 0);
    expect(grants.expire(KEPT_MS)).toBe(0);
    expect(grants.expire(KEPT_MS + 350)).toBe(3);
    expect(grants.total).toBe(7);
    expect(grants.readyAt(1)).toBe(400);
    expect(grants.expire(KEPT_MS + 1_000)).toBe(7);
    expect(grants.lastAt).toBe(Number.NEGATIVE_INFINITY);
  });

  it("end with the last that is left, when one that began sooner and reached further is used up", () => {
    const grants = new Grants();
    grants.add(49, 0, 0.02, 0);
    grants.add(1, 601, 0.02, 0);
    expect(grants.lastAt).toBe(2_450);
    grants.take(49);
    expect(grants.lastAt).toBe(651);
  });

  it("are nobody's when they could have been used five seconds ago", () => {
    const grants = new Grants();
    grants.add(10, -60_000, 0.01, 0);
    grants.add(10, 0, 0.01, 0);
    grants.add(3, 0, 0, 0);
    // Those of the first, and six of the second, that came up to 2 s ago: what came with their answer came at 0.
    expect(grants.expire(2_600)).toBe(10 + 6 + 3);
    expect(grants.total).toBe(4);
    expect(grants.expire(60_000)).toBe(0);
    expect(grants.total).toBe(0);
  });

  it("are never lost or made up, whatever is done with them", () => {
    const steps = fc.oneof(
      fc.record({
        kind: fc.constant("add"),
        amount: fc.integer({ min: 1, max: 50 }),
        from: fc.integer({ min: -1_000, max: 5_000 }),
      }),
      fc.record({ kind: fc.constantFrom("take", "giveBack", "expire"), amount: fc.integer({ min: 0, max: 60 }) }),
    );
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 60 }), (all) => {
        const grants = new Grants();
        let [now, held] = [0, 0];
        for (const step of all) {
          now += 300;
          if ("from" in step) {
            grants.add(step.amount, now + step.from, 0.02, now);
            held += step.amount;
          } else if (step.kind === "take") {
            grants.take(step.amount);
            held -= Math.min(held, step.amount);
          } else {
            // Those whose time has long passed go, and nobody gets them.
            const before = grants.total;
            const returned = step.kind === "expire" ? grants.expire(now) : grants.giveBack(step.amount);
            expect(returned).toBeLessThanOrEqual(before - grants.total);
            held -= before - grants.total;
          }
          expect(grants.total).toBe(held);
          if (held > 0) expect(grants.readyAt(held)).toBe(grants.lastAt);
          expect(grants.readyAt(held + 1)).toBe(Number.POSITIVE_INFINITY);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("what is asked for ahead", () => {
  it("is nothing for rare calls, a call's worth for some and that of a tenth of a second for many", () => {
    const demand = new Demand();
    demand.took(amountsOf({ requests: 1, tokens: 200 }), 0);
    expect(demand.ahead("tokens", 0, 0)).toBe(0);
    demand.took(amountsOf({ requests: 1, tokens: 200 }), 300);
    expect(demand.ahead("tokens", 0, 300)).toBe(200);
    for (let at = 310; at < 5_000; at += 10) demand.took(amountsOf({ requests: 1, tokens: 200 }), at);
    expect(demand.ahead("requests", 0, 5_000)).toBeCloseTo(10, 0);
    expect(demand.ahead("tokens", 0, 5_000)).toBeCloseTo(2_000, -2);
    // If it can be used in a second only, those who come by then are thought of.
    expect(demand.ahead("requests", 1_000, 5_000)).toBeCloseTo(100, -1);
    expect(demand.ahead("requests", 0, 20_000)).toBe(0);
  });
});

describe("what a process has used of a long window", () => {
  it("is remembered for as long as it counts, and a sixtieth more", () => {
    const use = new LongUse(6_000);
    use.add(5, 0);
    use.add(7, 3_000);
    use.add(-2, 3_000);
    expect(use.total(6_000)).toBe(10);
    expect(use.total(6_100)).toBe(5);
    expect(use.total(9_100)).toBe(0);
  });
});

describe("an insured share", () => {
  /** When one of so many processes may make its first calls, by what part of a limit it has. */
  function firstCalls(processes: number, limitPerMs: number, perCall: number, seed: number): number[] {
    const random = seededRandom(seed);
    return Array.from({ length: processes }, () => {
      const insurance = new Insurance({ burstMs: 500, mostProcesses: () => processes, random });
      insurance.begin(0, perCall, limitPerMs, 0);
      return insurance.delay(perCall, limitPerMs, 0);
    });
  }

  it("begins at once where it is enough for a call, and at a random time where not", () => {
    expect(firstCalls(8, 0.1, 1, 1)).toEqual(Array.from({ length: 8 }, () => 0));
    expect(firstCalls(1, 5 / 60_000, 1, 1)).toEqual([0]);
    for (const [perMs, perCall] of [
      [10 / 60_000, 1],
      [10_000 / 60_000, 1_000],
    ] as const) {
      const first = firstCalls(1_000, perMs, perCall, 2);
      // 9 calls a minute are meant for all together.
      expect(first.filter((ms) => ms === 0).length).toBeLessThan(8);
      const inAnHour = first.filter((ms) => ms <= 3_600_000).length;
      expect(inAnHour).toBeGreaterThan(540 - 60);
      expect(inAnHour).toBeLessThan(540 + 60);
    }
  });

  it("is not put off by a server that comes and goes", () => {
    const insurance = new Insurance({ burstMs: 500, mostProcesses: () => 100, random: () => 0.9 });
    const [perMs, perCall] = [0.01, 1];
    let now = 0;
    for (; now < 60_000; now += 1_000) {
      insurance.begin(0, perCall, perMs, now);
      if (insurance.delay(perCall, perMs, now) === 0) break;
    }
    expect(now).toBeGreaterThan(5_000);
    expect(now).toBeLessThan(11_200);
  });

  it("lets no more through in any window than flows off, and one burst", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(gaps, (all) => {
        const bucket = new InsuranceBucket();
        const [perMs, burst] = [0.01, 3];
        const taken: number[] = [];
        let now = 0;
        for (const gap of all) {
          now += gap;
          if (bucket.delay(1, perMs, burst, now) > 0) continue;
          bucket.take(1, perMs, now);
          taken.push(now);
        }
        for (const [first, from] of taken.entries()) {
          for (const [index, to] of taken.entries()) {
            if (index > first) expect(index - first + 1).toBeLessThanOrEqual((to - from) * perMs + burst + 1e-9);
          }
        }
      }),
    );
  });
});
