import { describe, expect, it } from "vitest";
import { noisyDay } from "./traces.ts";

describe("the built-in rules", () => {
  it.each([0.2, 2, 20].flatMap((rate) => [1, 2, 3].map((seed) => [rate, seed] as const)))(
    "send at most 3 messages a day of noise at %d calls a second, seed %d",
    async (rate, seed) => {
      expect((await noisyDay(rate, seed)).length).toBeLessThanOrEqual(3);
    },
    120_000,
  );
});
