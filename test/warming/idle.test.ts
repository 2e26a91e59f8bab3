import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);
const CHILD = join(import.meta.dirname, "idle-child.ts");

describe("a process whose warming waits for its next pass", () => {
  it("ends", async () => {
    const { stdout } = await run(process.execPath, [CHILD], { timeout: 20_000 });
    expect(stdout).toBe("filled 1\n");
  });

  it("goes on when it is to be kept alive, until the warming is stopped", async () => {
    const { stdout } = await run(process.execPath, [CHILD, "keep-alive"], { timeout: 20_000 });
    expect(stdout).toBe("filled 1\nstopped in pass 1\n");
  });
});
