import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../stores/support.ts";
import { exported } from "./support.ts";

const folder = temporaryFolder();

it("exports 200,000 rows with the heap that 30,000 need", { timeout: 300_000 }, async () => {
  const { lines, csvMegabytes, jsonMegabytes } = await exported(join(folder, "large.db"), 200_000, 28);
  expect(lines).toBe(200_001);
  expect(csvMegabytes + jsonMegabytes).toBeGreaterThan(130);
});
