import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { type BreakwaterEvent, createOptimizer } from "../../src/index.ts";

const contradictory = {
  environment: {},
  retry: { attempts: 4 },
  timeout: { total: "60s", attempt: "50s", firstToken: "20s", idle: "15s" },
} as const;

describe("options that do not go together", () => {
  it("are told to whoever listens right after the optimizer is built", async () => {
    const optimizer = createOptimizer(contradictory);
    const findings: BreakwaterEvent<"lint.finding">[] = [];
    optimizer.on("lint.finding", (finding) => findings.push(finding));
    await Promise.resolve();
    expect(findings.map(({ rule }) => rule)).toEqual(["retries-outlast-deadline"]);
    expect(findings[0]).toMatchObject({ level: "warning", where: "retry.attempts" });
    expect(findings[0]?.change).toContain("Set retry.attempts to 2");
    await optimizer.close();
  });

  it("are a warning of the process where nobody listens, once", async () => {
    const told = once(process, "warning");
    const all: Error[] = [];
    const note = (warning: Error) => void all.push(warning);
    process.on("warning", note);
    const optimizers = [createOptimizer(contradictory), createOptimizer(contradictory)];
    const [warning] = await told;
    expect(warning).toMatchObject({ name: "BreakwaterWarning", code: "retries-outlast-deadline" });
    await new Promise(setImmediate);
    process.off("warning", note);
    expect(all).toHaveLength(1);
    for (const optimizer of optimizers) await optimizer.close();
  });

  it("are none in a profile as it is", async () => {
    const optimizer = createOptimizer({ environment: {} });
    let told = 0;
    optimizer.on("lint.finding", () => void told++);
    await Promise.resolve();
    expect(told).toBe(0);
    await optimizer.close();
  });
});
