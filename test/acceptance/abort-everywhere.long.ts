import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const PER_POINT = 125_000;

describe("a million calls that are given up", () => {
  it("leave less than a megabyte behind", () => {
    const child = join(import.meta.dirname, "support/abort-child.ts");
    const output = execFileSync(process.execPath, ["--expose-gc", child, String(PER_POINT)], { encoding: "utf8" });
    const { grown, iterations } = JSON.parse(output) as { readonly grown: number; readonly iterations: number };
    expect(iterations).toBeGreaterThanOrEqual(1_000_000);
    expect(grown).toBeLessThan(1_000_000);
  });
});
