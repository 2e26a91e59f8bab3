import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { histories, SETTINGS, staleAnswers } from "./support/races.ts";

describe("no history of calls and invalidations in two processes", () => {
  it.each(Object.keys(SETTINGS))("gives an answer that was invalidated before it was asked for: %s", async (name) => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        expect(await staleAnswers(history, (SETTINGS[name] as (typeof SETTINGS)[string])())).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
