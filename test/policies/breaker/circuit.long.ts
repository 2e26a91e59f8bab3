import fc from "fast-check";
import { describe, it } from "vitest";
import { compare, SETTINGS, STEP } from "./model.ts";

describe("Circuit", () => {
  it("does what the reference machine does over a hundred thousand random sequences", () => {
    fc.assert(
      fc.property(SETTINGS, fc.array(STEP, { minLength: 20, maxLength: 120 }), (settings, steps) => {
        compare(settings, steps);
      }),
      { numRuns: 100_000 },
    );
  });
});
