import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const examples = readdirSync(join(ROOT, "examples")).filter((file) => file.endsWith(".ts"));
const run = promisify(execFile);

describe("every example", () => {
  it("has what it needs: the built package", () => {
    expect(existsSync(join(ROOT, "dist", "index.js")), 'run "npm run build" first').toBe(true);
    expect(examples.length).toBeGreaterThanOrEqual(6);
  });

  it.each(examples)("%s runs to its end and says something", { timeout: 60_000 }, async (file) => {
    const { stdout } = await run(process.execPath, [join("examples", file)], { cwd: ROOT });
    expect(stdout.trim()).not.toBe("");
  });
});
