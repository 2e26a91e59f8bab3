import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "vitest";

interface Growth {
  readonly bound: number;
  readonly counted: number;
  readonly grown: number;
  readonly highest: number;
}

/** Fills a memory tier of 100 MB in a process of its own; its heap and its buffers must not grow beyond that. */
export function expectBounded(load: string, maxOwnerShare = 1): void {
  const args = ["--expose-gc", join(import.meta.dirname, "heap-child.ts"), load, String(maxOwnerShare)];
  const { bound, counted, grown, highest } = JSON.parse(
    execFileSync(process.execPath, args, { encoding: "utf8" }),
  ) as Growth;
  expect(counted).toBeLessThanOrEqual(bound);
  expect(grown / bound).toBeLessThanOrEqual(1.05);
  expect(grown / bound).toBeGreaterThan(0.75);
  expect(highest / bound).toBeLessThanOrEqual(1.15);
}
