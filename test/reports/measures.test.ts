import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/core/index.ts";
import {
  type Compared,
  type Comparison,
  Counts,
  compared as comparedAll,
  Distribution,
  KindCounts,
  type Measure,
} from "../../src/reports/measures/index.ts";

function distributionOf(values: readonly number[]): Distribution {
  const all = new Distribution();
  for (const value of values) all.record(value);
  return all;
}

const positive = fc.array(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 300 });

describe("a distribution", () => {
  it("tells quantiles, the least and the greatest within 2.2 %", () => {
    fc.assert(
      fc.property(positive, fc.constantFrom(0.5, 0.95, 0.99), (values, q) => {
        const all = distributionOf(values);
        const sorted = values.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] as number;
        expect((all.quantile(q) as number) / exact).toBeCloseTo(1, 1.65);
        expect((all.min as number) / (sorted[0] as number)).toBeCloseTo(1, 1.3);
        expect((all.max as number) / (sorted.at(-1) as number)).toBeCloseTo(1, 1.3);
        expect(all.count).toBe(values.length);
      }),
    );
  });

  it("is, since an earlier state, what came in between", () => {
    fc.assert(
      fc.property(positive, positive, (before, after) => {
        const earlier = distributionOf(before);
        const rest = distributionOf([...before, ...after]).since(earlier);
        const own = distributionOf(after);
        expect(rest.count).toBe(own.count);
        for (const q of [0, 0.5, 0.95, 1]) expect(rest.quantile(q)).toBe(own.quantile(q));
      }),
    );
  });

  it("has nothing to tell when it is empty, and keeps zeros apart", () => {
    expect(new Distribution().quantile(0.5)).toBeUndefined();
    expect(distributionOf([0, 0, 5]).quantile(0.5)).toBe(0);
    expect(distributionOf([0]).max).toBe(0);
  });
});

describe("counts", () => {
  it("tell 23 kinds apart and put further ones together", () => {
    const counts = new Counts();
    for (let n = 0; n < 100; n++) counts.of({ op: "chat", provider: "p", model: `m${n}` }).counts.calls++;
    expect(counts.kinds.size).toBeLessThanOrEqual(25);
    expect(counts.total().counts.calls).toBe(100);
  });
});

function compared(measure: Measure, stretches: Compared, minCount: number): Comparison {
  return comparedAll([measure], stretches, minCount)[0] as Comparison;
}

/** Slices of calls that are answered by chance and take a time of chance. */
function slicesOf(random: () => number, count: number, calls: number, rate: number, factor = 1): KindCounts[] {
  return Array.from({ length: count }, () => {
    const slice = new KindCounts({});
    for (let n = 0; n < calls; n++) {
      slice.counts.calls++;
      slice.counts[random() < rate ? "answered" : "unanswered"]++;
      const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      slice.duration.record(factor * 1000 * Math.exp(0.8 * normal));
    }
    return slice;
  });
}

describe("a comparison", () => {
  it("is hardly ever misled by chance", () => {
    const random = seededRandom(1);
    let wrong = 0;
    for (let n = 0; n < 400; n++) {
      const both = { before: slicesOf(random, 6, 40, 0.97), after: slicesOf(random, 6, 40, 0.97) };
      for (const measure of ["answered", "p95"] as const) {
        if (compared(measure, both, 100).verdict !== "same") wrong++;
      }
    }
    expect(wrong).toBeLessThanOrEqual(8);
  });

  it("finds what got worse and what got better", () => {
    const random = seededRandom(2);
    const good = slicesOf(random, 6, 100, 0.99);
    const bad = slicesOf(random, 6, 100, 0.8, 2);
    for (const measure of ["answered", "p95"] as const) {
      expect(compared(measure, { before: good, after: bad }, 100).verdict).toBe("worse");
      expect(compared(measure, { before: bad, after: good }, 100).verdict).toBe("better");
    }
  });

  it("finds what grows from slice to slice, however much that spreads it", () => {
    const random = seededRandom(3);
    const before = slicesOf(random, 6, 100, 1);
    const after = [3, 6, 12, 24, 48, 96].flatMap((factor) => slicesOf(random, 1, 100, 1, factor));
    expect(compared("p95", { before, after }, 100).verdict).toBe("worse");
  });

  it("says nothing of too few calls, too few slices or differences that do not matter", () => {
    const random = seededRandom(4);
    const few = { before: slicesOf(random, 6, 10, 1), after: slicesOf(random, 6, 10, 0) };
    expect(compared("answered", few, 100)).toMatchObject({ verdict: "too_few", n: { before: 60, after: 60 } });
    const short = { before: slicesOf(random, 3, 100, 1), after: slicesOf(random, 3, 100, 0) };
    expect(compared("answered", short, 100).verdict).toBe("too_few");
    const near = { before: slicesOf(random, 12, 4_000, 0.999), after: slicesOf(random, 12, 4_000, 0.996) };
    expect(compared("answered", near, 100).verdict).toBe("same");
    expect(compared("costPerAnswer", near, 100)).toMatchObject({ verdict: "too_few", before: undefined });
  });
});
