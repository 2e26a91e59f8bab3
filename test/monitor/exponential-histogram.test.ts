import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/core/index.ts";
import { ExponentialHistogram } from "../../src/monitor/exponential-histogram.ts";

const ERROR_MAX = 0.011;
const random = seededRandom(7);

function normal(): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

const inputs: Record<string, readonly number[]> = {
  lognormal: Array.from({ length: 20_000 }, () => Math.exp(normal() * 0.8 - 0.5)),
  bimodal: Array.from({ length: 20_000 }, (_, index) => (index % 10 === 0 ? 30 : 0.2) * (1 + random() / 10)),
  constant: Array.from({ length: 1_000 }, () => 1.2345),
  pareto: Array.from({ length: 20_000 }, () => 0.1 * (1 - random()) ** (-1 / 1.1)),
  "one sample": [0.3],
  "two samples": [0.3, 7],
  "three samples": [0.001, 0.3, 900],
  milliseconds: Array.from({ length: 5_000 }, () => 200 + random() * 60_000),
};

function filled(values: readonly number[]): ExponentialHistogram {
  const histogram = new ExponentialHistogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

function exact(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] as number;
}

const bins = (histogram: ExponentialHistogram): unknown => [...histogram.bins()];

describe("ExponentialHistogram", () => {
  it.each(Object.entries(inputs))("tells quantiles of %s within 1.1 %%", (_, values) => {
    const histogram = filled(values);
    for (const q of [0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1]) {
      const truth = exact(values, q);
      expect(Math.abs((histogram.quantile(q) as number) - truth) / truth, `q ${q}`).toBeLessThanOrEqual(ERROR_MAX);
    }
    expect(histogram.min).toBe(Math.min(...values));
    expect(histogram.max).toBe(Math.max(...values));
    expect(histogram.count).toBe(values.length);
  });

  it("tells quantiles of any values within 1.1 %", () => {
    const value = fc.double({ min: 1e-5, max: 1e7, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const truth = exact(values, q);
        expect(Math.abs((filled(values).quantile(q) as number) - truth)).toBeLessThanOrEqual(truth * ERROR_MAX);
      }),
    );
  });

  it("merges two into what one would have counted", () => {
    const values = fc.array(fc.integer({ min: 0, max: 1_000_000 }));
    fc.assert(
      fc.property(values, values, (left, right) => {
        const merged = filled(left);
        merged.merge(filled(right));
        const together = filled([...left, ...right]);
        expect(bins(merged)).toEqual(bins(together));
        for (const field of ["count", "sum", "min", "max", "zeros"] as const)
          expect(merged[field]).toBe(together[field]);
      }),
    );
  });

  it("counts zeros apart and gives them back as zero", () => {
    const histogram = filled([0, 0, 0, 5]);
    expect(histogram.zeros).toBe(3);
    expect(histogram.quantile(0.5)).toBe(0);
    expect(histogram.quantile(1)).toBe(5);
  });

  it("refuses what is negative, infinite or not a number", () => {
    const histogram = new ExponentialHistogram();
    for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(histogram.record(value)).toBe(false);
    }
    expect(histogram.count).toBe(0);
    expect(histogram.quantile(0.5)).toBeUndefined();
    expect(histogram.mean).toBeUndefined();
  });

  it("stays small whatever the values: at most 60 octaves", () => {
    const histogram = filled([Number.MIN_VALUE, Number.MAX_VALUE, 1]);
    expect(histogram.bytes).toBeLessThanOrEqual(60 * 32 * 4);
    expect(histogram.min).toBe(Number.MIN_VALUE);
    expect(histogram.quantile(1)).toBeGreaterThan(1e11);
    expect(filled([0.6, 0.7, 0.9]).bytes).toBe(32 * 4);
  });
});
