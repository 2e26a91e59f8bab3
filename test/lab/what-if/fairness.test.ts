import { describe, expect, it } from "vitest";
import { fairnessOf, jainIndex, type ServedCall } from "../../../src/lab/what-if/fairness.ts";

function call(client: string, at: number, waitedUntil: number, tokens = 100, answered = true): ServedCall {
  return { client, at, waitedUntil, tokens, answered };
}

describe("fairness", () => {
  it("is 1 where everybody got what he wanted, however much that was", () => {
    expect(fairnessOf([call("a", 0, 0, 10_000), call("b", 0, 0, 1), call("b", 90_000, 90_000, 1)])).toBe(1);
  });

  it("is 1 where the loud wait and the quiet do not", () => {
    const loud = [call("loud", 0, 0, 300), call("loud", 0, 61_000, 900)];
    expect(fairnessOf([...loud, call("quiet", 0, 10_000, 50)])).toBeCloseTo(1, 10);
  });

  it("falls when some get more than their share and others less", () => {
    const first = [call("loud", 0, 0, 300), call("loud", 0, 61_000, 900)];
    // Both could have had 150 of the 300 in the first minute; in the second there is enough.
    const unfair = fairnessOf([...first, call("quiet", 0, 61_000, 200)]);
    expect(unfair).toBeCloseTo(0.5, 10);
  });

  it("counts what was refused as wanted", () => {
    const calls = [call("a", 0, 0, 100), call("b", 0, 0, 100, false)];
    expect(fairnessOf(calls)).toBeCloseTo(0.5, 10);
  });

  it("is not known of one client", () => {
    expect(fairnessOf([call("a", 0, 300_000)])).toBeUndefined();
    expect(fairnessOf([])).toBeUndefined();
  });
});

it("Jain's index is 1 for equal shares and 1 / n when one has everything", () => {
  expect(jainIndex([2, 2, 2])).toBeCloseTo(1, 10);
  expect(jainIndex([1, 0, 0, 0])).toBeCloseTo(0.25, 10);
  expect(jainIndex([0, 0])).toBe(1);
});
