import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/core/index.ts";
import { Evidence } from "../../../src/policies/semantic/evidence.ts";

const RULE = { maxErrorRate: 0.01, alpha: 0.05, minObservations: 1 };

function observe(evidence: Evidence, times: number, similarity: number, wrong = false): boolean[] {
  return Array.from({ length: times }, () => evidence.observe(similarity, wrong));
}

describe("the evidence about levels of similarity", () => {
  it("opens the one level after 329 pairs without an error, and not before", () => {
    const evidence = new Evidence([0.9], RULE);
    observe(evidence, 328, 0.95);
    expect(evidence.serving).toBeUndefined();
    observe(evidence, 1, 0.95);
    expect(evidence.serving).toMatchObject({ minSimilarity: 0.9, judged: 329, errors: 0 });
  });

  it("asks for more where there are several levels to choose from", () => {
    const evidence = new Evidence([0.8, 0.84, 0.88, 0.92, 0.96], RULE);
    observe(evidence, 497, 0.97);
    expect(evidence.serving).toBeUndefined();
    observe(evidence, 1, 0.97);
    expect(evidence.serving?.minSimilarity).toBe(0.8);
  });

  it("does not count what is below a level", () => {
    const evidence = new Evidence([0.8, 0.9], RULE);
    observe(evidence, 10, 0.85);
    observe(evidence, 5, 0.9);
    expect(evidence.levels.map(({ judged }) => judged)).toEqual([15, 5]);
  });

  it("opens the lowest level that is good enough, when those below are not", () => {
    const evidence = new Evidence([0.8, 0.9], RULE);
    for (let n = 0; n < 600; n++) {
      evidence.observe(0.95, false);
      evidence.observe(0.85, n % 10 === 0);
    }
    expect(evidence.serving?.minSimilarity).toBe(0.9);
  });

  it("closes again when the bound rises", () => {
    const evidence = new Evidence([0.9], RULE);
    observe(evidence, 340, 0.95);
    expect(observe(evidence, 1, 0.95, true)).toEqual([false]);
    expect(evidence.serving).toBeUndefined();
    expect(evidence.levels[0]).toMatchObject({ judged: 341, errors: 1 });
  });

  it("drops everything when errors come close together after a long good time", () => {
    const evidence = new Evidence([0.9], RULE);
    observe(evidence, 20_000, 0.95);
    const alarms = observe(evidence, 4, 0.95, true);
    expect(alarms).toEqual([false, false, false, true]);
    expect(evidence.serving).toBeUndefined();
    expect(evidence.levels[0]).toMatchObject({ judged: 0, errors: 0, errorBound: 1 });
    observe(evidence, 329, 0.95);
    expect(evidence.serving).toBeDefined();
  });

  it("seldom raises a false alarm while fewer are wrong than is tolerated", () => {
    const random = seededRandom(3);
    const evidence = new Evidence([0.9], { ...RULE, maxErrorRate: 0.02 });
    observe(evidence, 2000, 0.95);
    let alarms = 0;
    for (let n = 0; n < 20_000; n++) if (evidence.observe(0.95, random() < 0.005)) alarms++;
    expect(alarms).toBeLessThanOrEqual(1);
  });

  it("does not open below the smallest number of pairs, however tolerant", () => {
    const evidence = new Evidence([0.9], { maxErrorRate: 0.5, alpha: 0.5, minObservations: 100 });
    observe(evidence, 99, 0.95);
    expect(evidence.serving).toBeUndefined();
    observe(evidence, 1, 0.95);
    expect(evidence.serving).toBeDefined();
  });

  it("goes on with what an earlier run has learned, level by level", () => {
    const earlier = new Evidence([0.8, 0.9], RULE);
    observe(earlier, 500, 0.95);
    const later = new Evidence([0.8, 0.9], RULE);
    later.resume(earlier.levels);
    expect(later.levels).toEqual(earlier.levels);
    expect(later.serving?.minSimilarity).toBe(0.8);
    const other = new Evidence([0.7], RULE);
    other.resume(earlier.levels);
    expect(other.levels[0]?.judged).toBe(0);
  });

  it("opens a bad level in a long run with no more than the probability promised", () => {
    const random = seededRandom(11);
    let opened = 0;
    for (let run = 0; run < 100; run++) {
      const evidence = new Evidence([0.8, 0.9], { maxErrorRate: 0.05, alpha: 0.2, minObservations: 1 });
      for (let n = 0; n < 400 && evidence.serving === undefined; n++) {
        evidence.observe(random() < 0.5 ? 0.85 : 0.95, random() < 0.05);
      }
      if (evidence.serving !== undefined) opened++;
    }
    expect(opened / 100).toBeLessThanOrEqual(0.2);
  });
});
