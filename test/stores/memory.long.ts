import { describe, it } from "vitest";
import { expectBounded } from "./heap.ts";

describe("the bytes of the memory tier are those of the process", () => {
  for (const load of ["ascii", "cjk", "headers", "tiny", "sizes"]) {
    it(`under a load of another kind: ${load}`, () => expectBounded(load));
  }

  it("when owners have shares, and so every entry a second place", () => expectBounded("tiny", 0.5));
});
