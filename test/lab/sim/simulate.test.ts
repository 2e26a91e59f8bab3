import { describe, expect, it } from "vitest";
import {
  formatSimulatedRun,
  type SimulatedRun,
  type SimulateOptions,
  shrinkSimulation,
  simulate,
} from "../../../src/lab/index.ts";
import { drawScenario } from "../../../src/lab/sim/draw-scenario.ts";
import { createOptimizer, type OptimizerOptions } from "../../../src/optimizer.ts";
import * as broken from "./broken-lines.ts";

const SEEDS = 200;

async function firstBroken(options: SimulateOptions, seeds = 100): Promise<SimulatedRun | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const run = await simulate({ ...options, seed });
    if (run.violations.length > 0) return run;
  }
  return undefined;
}

describe("an optimizer under random options, traffic and faults", () => {
  it(`breaks no rule on ${SEEDS} seeds`, { timeout: 60_000 }, async () => {
    const ends: Record<string, number> = {};
    for (let seed = 1; seed <= SEEDS; seed++) {
      const run = await simulate({ seed });
      expect(run.violations.length === 0 ? "" : formatSimulatedRun(run)).toBe("");
      for (const [end, count] of Object.entries(run.ends)) ends[end] = (ends[end] ?? 0) + count;
    }
    // Runs in which nothing happens would hold every rule.
    expect(Math.min(...Object.values(ends))).toBeGreaterThan(50);
  });

  it("does the same again with the same seed, and something else with another", async () => {
    const [one, again, other] = [await simulate({ seed: 7 }), await simulate({ seed: 7 }), await simulate({ seed: 8 })];
    expect(again).toMatchObject({ digest: one.digest, ends: one.ends, steps: one.steps });
    expect(other.digest).not.toBe(one.digest);
  });

  it("runs a scenario again as it was drawn", async () => {
    const run = await simulate({ seed: 12 });
    expect((await simulate({ scenario: run.scenario })).digest).toBe(run.digest);
  });

  it("breaks no rule with options of the user's, whatever is drawn around them", { timeout: 60_000 }, async () => {
    const optimizer = { profile: "interactive", rateLimit: { requestsPerMinute: 500 } } as const;
    for (let seed = 1; seed <= 40; seed++) {
      const run = await simulate({ seed, optimizer, traffic: { perSecond: 12 }, faults: 0.1 });
      expect(run.violations.length === 0 ? "" : formatSimulatedRun(run)).toBe("");
    }
  });

  it("takes the user's options instead of drawn ones", async () => {
    const optimizer = { profile: "interactive", rateLimit: { requestsPerMinute: 600 } } as const;
    const run = await simulate({ seed: 3, optimizer, traffic: { perSecond: 5, streams: 1, aborts: 0 }, faults: 0.1 });
    expect(run.scenario.optimizer).toBe(optimizer);
    const asked = run.scenario.actions.filter((action) => action.kind === "ask");
    expect(asked.every(({ stream, abortAfter }) => stream && abortAfter === undefined)).toBe(true);
    expect(run.violations).toEqual([]);
  });

  it("draws the rest as it was when one part is given", () => {
    const drawn = drawScenario(5, { steps: 10 });
    expect(drawScenario(5, { steps: 10, optimizer: {} }).provider).toEqual(drawn.provider);
  });

  it("says which option is wrong", async () => {
    await expect(simulate({ seed: -1 })).rejects.toThrow('"simulate.seed"');
    await expect(simulate({ faults: 2 })).rejects.toThrow('"simulate.faults"');
    await expect(simulate({ sede: 1 } as SimulateOptions)).rejects.toThrow('"simulate.sede"');
  });
});

describe("a line with a defect", () => {
  it.each([
    ["forgets leases", broken.leaking, "leak"],
    ["leaves a piece of a stream out", broken.forgiving, "answer"],
    ["leaves timers behind", broken.ticking, "leak"],
    ["answers late to a caller who gave up", broken.stubborn, "abort"],
    ["sends twice", broken.doubling, "pool"],
    ["loses calls", broken.losing, "abort"],
    ["tells the prompt", broken.talkative, "secret"],
  ])("that %s is found", async (_, create, rule) => {
    const run = await firstBroken({ create });
    expect(run?.violations.map((violation) => violation.rule)).toContain(rule);
  });

  // What is simulated does without an option that the scenario counts on.
  it.each([
    ["is not limited", { rateLimit: false }, "limit"],
    ["has no bound for retries", { retry: { attempts: 5, baseDelay: 0, budget: false } }, "retry-budget"],
    ["tries more often than it should", { retry: { attempts: 20, baseDelay: 0 } }, "retry"],
    ["has no deadline", { timeout: false }, "deadline"],
    ["asks the same twice at once", { coalesce: false }, "coalesce"],
  ] as const)("that %s is found", async (_, without, rule) => {
    const create = (options: OptimizerOptions) => createOptimizer({ ...options, ...without });
    const found = new Set<string>();
    for (let seed = 1; seed <= 300 && !found.has(rule); seed++) {
      const { violations } = await simulate({ seed, create, faults: 0.3 });
      for (const violation of violations) found.add(violation.rule);
    }
    expect([...found]).toContain(rule);
  });

  it("that uses more tokens than it may is found", async () => {
    const crowd = {
      optimizer: { rateLimit: { tokensPerMinute: 500 }, cache: false, coalesce: false, timeout: false },
      provider: { latency: { firstToken: 10, perToken: 1 }, outputTokens: 6 },
      traffic: { perSecond: 20, streams: 1, functions: 0, aborts: 0 },
      faults: 0,
      steps: 150,
    } as const;
    expect((await simulate(crowd)).violations).toEqual([]);
    const create = (options: OptimizerOptions) => createOptimizer({ ...options, rateLimit: false });
    expect((await simulate({ ...crowd, create })).violations).toMatchObject([{ rule: "limit" }]);
  });

  it("is shown by a smaller scenario, and by the same one again", async () => {
    const create = broken.forgiving;
    const run = (await firstBroken({ create })) as SimulatedRun;
    const small = await shrinkSimulation(run, { create });
    expect(small.violations[0]?.rule).toBe(run.violations[0]?.rule);
    expect(small.scenario.actions.length).toBeLessThanOrEqual(3);
    expect((await simulate({ create, scenario: small.scenario })).digest).toBe(small.digest);
    expect(formatSimulatedRun(small)).toContain("answer: caller");
  });
});
