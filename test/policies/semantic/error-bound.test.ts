import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/core/index.ts";
import { errorBound, logEvidence } from "../../../src/policies/semantic/error-bound.ts";
import { clopperPearson } from "../../support/semantic-run.ts";

const counts = fc
  .tuple(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 3000 }))
  .map(([one, other]) => ({ errors: Math.min(one, other), judged: Math.max(one, other) }));

describe("the bound of the error rate", () => {
  it("takes 329 pairs without an error to be below 1 % at 95 %, where one look at a fixed time takes 299", () => {
    expect(errorBound(0, 328, 0.05)).toBeGreaterThan(0.01);
    expect(errorBound(0, 329, 0.05)).toBeLessThanOrEqual(0.01);
    expect(clopperPearson(0, 298, 0.95)).toBeGreaterThan(0.01);
    expect(clopperPearson(0, 299, 0.95)).toBeLessThanOrEqual(0.01);
  });

  it("is 1 while nothing is known", () => {
    expect(errorBound(0, 0, 0.05)).toBeCloseTo(1);
    expect(errorBound(3, 3, 0.05)).toBeCloseTo(1);
  });

  it("is never below that of Clopper and Pearson, nor below what was seen", () => {
    fc.assert(
      fc.property(counts, fc.constantFrom(0.2, 0.05, 0.01), ({ errors, judged }, alpha) => {
        const bound = errorBound(errors, judged, alpha);
        expect(bound).toBeGreaterThanOrEqual(clopperPearson(errors, judged, 1 - alpha) - 1e-9);
        expect(bound).toBeGreaterThanOrEqual(judged === 0 ? 0 : errors / judged);
      }),
    );
  });

  it("rises with an error and falls without one", () => {
    fc.assert(
      fc.property(counts, ({ errors, judged }) => {
        const bound = errorBound(errors, judged, 0.05);
        expect(errorBound(errors + 1, judged + 1, 0.05)).toBeGreaterThanOrEqual(bound - 1e-9);
        expect(errorBound(errors, judged + 1, 0.05)).toBeLessThanOrEqual(bound + 1e-9);
      }),
    );
  });

  it("is wrong at any moment of a long run with no more than the probability promised", () => {
    const random = seededRandom(7);
    const rate = 0.05;
    const [runs, length, alpha] = [1000, 1500, 0.1];
    let everWrong = 0;
    for (let run = 0; run < runs; run++) {
      let errors = 0;
      for (let judged = 1; judged <= length; judged++) {
        if (random() < rate) errors++;
        if (logEvidence(errors, judged, rate) < -Math.log(alpha)) continue;
        everWrong++;
        break;
      }
    }
    expect(everWrong / runs).toBeLessThanOrEqual(alpha);
    // A bound for one moment, looked at all the time, would fail much more often; this one is not merely timid.
    expect(everWrong / runs).toBeGreaterThan(alpha / 5);
  });
});
