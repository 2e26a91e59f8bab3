import { describe, expect, it } from "vitest";
import { ADVISOR_DEFAULTS, type AdvisorOptions, adviceFromRows, advisor } from "../../src/advisor/index.ts";
import { OptionError } from "../../src/index.ts";
import { workload } from "./workload.ts";

const REPEATING = {
  name: "lookup",
  system: () => "You look things up.",
  input: (n: number) => `Where is ${n % 3}?`,
} as const;

describe("an advisor", () => {
  it("says nothing of too few calls", async () => {
    const { optimizer, run } = workload({ cache: false });
    const watching = advisor(optimizer);
    await run([REPEATING], 19);
    expect(watching.report()).toMatchObject({ calls: 19, cost: undefined, score: undefined, findings: [] });
    expect(watching.format()).toContain("score: too few calls");
    await run([REPEATING], 1);
    expect(watching.report().score).toBeLessThan(100);
    await optimizer.close();
  });

  it("breaks no line and steers no terminal by the name of a model", async () => {
    const { optimizer } = workload({ cache: false });
    const watching = advisor(optimizer);
    for (let n = 0; n < 30; n++) {
      await optimizer.call({ model: "m\u001b[2J\n\u202e\u2028x", input: "The same." }, () => "answer");
    }
    expect(watching.report().findings).toHaveLength(1);
    expect(watching.format()).toContain("m_[2J___x");
    expect(watching.format()).not.toMatch(/[^\P{C}\n]/u);
    await optimizer.close();
  });

  it("says why what was asked before was not cached", async () => {
    const reasonOf = async (
      options: Parameters<typeof workload>[0],
      pauseMs: number,
      input?: (n: number) => string,
    ) => {
      const { clock, optimizer, run } = workload(options);
      const watching = advisor(optimizer);
      for (let round = 0; round < 10; round++) {
        await run([{ ...REPEATING, ...(input !== undefined && { input }) }], 3);
        await clock.advance(pauseMs);
      }
      const [finding] = watching.report().findings;
      await optimizer.close();
      return [finding?.kind, finding?.evidence["uncached"]];
    };
    expect(await reasonOf({ cache: false }, 0)).toEqual(["repeated", "off"]);
    expect(await reasonOf({ cache: { ttl: "1m" } }, 90_000)).toEqual(["repeated", "absent"]);
    expect(await reasonOf({ cache: { ttl: "1h" } }, 90_000)).toEqual([undefined, undefined]);
  });

  it("finds measured functions that are slow", async () => {
    const { clock, optimizer } = workload();
    const watching = advisor(optimizer);
    const wait = (ms: number) => () => new Promise<void>((resolve) => clock.timer(ms, resolve));
    for (let n = 0; n < 40; n++) {
      await clock.run(optimizer.monitor.measure("db.slow", wait(n % 4 === 0 ? 3_000 : 20)));
      await clock.run(optimizer.monitor.measure("db.fast", wait(20)));
    }
    const { findings, reasons } = watching.report();
    expect(findings).toMatchObject([
      { kind: "slow_function", name: "db.slow", calls: 40, affected: 10, evidence: { slowestMs: 3_000 } },
    ]);
    expect(reasons).toEqual([{ kind: "slow_function", share: 10 / 80, points: 5 }]);
    expect(watching.format()).toContain("db.slow");
    await optimizer.close();
  });

  it("tells what is saved in a month, and ranks by what that is worth", async () => {
    const { clock, optimizer } = workload();
    const watching = advisor(optimizer, { slowCall: "2s" });
    const call = (route: string, ms: number) =>
      optimizer.run({ route }, () =>
        optimizer.call({ model: "m", input: `${route} ${clock.now()}` }, async () => {
          await new Promise<void>((resolve) => clock.timer(ms, resolve));
          return "done";
        }),
      );
    const begun = clock.now();
    for (let n = 0; n < 30; n++) {
      await clock.run(call("slow", 3_000));
      await clock.run(call("slower", 12_000));
    }
    const months = (30 * 86_400_000) / (clock.now() - begun);
    const { findings } = watching.report();
    expect(findings.map(({ route }) => route)).toEqual(["slower", "slow"]);
    expect(findings[0]?.savesPerMonth.seconds).toBeCloseTo(30 * 10 * months, 0);
    expect(findings[1]?.savesPerMonth.seconds).toBeCloseTo(30 * 1 * months, 0);
    await optimizer.close();
  });

  it("blames the queue where calls wait there", async () => {
    const { clock, optimizer } = workload({ pool: { concurrency: 1 } });
    const watching = advisor(optimizer);
    const calls = Array.from({ length: 40 }, (_, n) =>
      optimizer.call({ model: "m", input: n }, () => new Promise((resolve) => clock.timer(1_000, () => resolve("x")))),
    );
    await clock.run(Promise.all(calls));
    expect(watching.report().findings).toMatchObject([{ kind: "slow", evidence: { mostlyIn: "queue" } }]);
    expect(watching.report().findings[0]?.advice).toContain("pool.concurrency");
    await optimizer.close();
  });

  it("forgets what is older than two windows, and everything when it is reset", async () => {
    const { clock, optimizer, run } = workload({ cache: false });
    const watching = advisor(optimizer, { window: "10m" });
    await run([REPEATING], 30);
    expect(watching.report().findings).toHaveLength(1);
    await clock.advance(10 * 60_000);
    expect(watching.report().calls).toBe(30);
    await clock.advance(10 * 60_000);
    expect(watching.report()).toMatchObject({ calls: 0, findings: [], score: undefined });
    await run([REPEATING], 30);
    watching.reset();
    expect(watching.report().calls).toBe(0);
    await optimizer.close();
  });

  it("listens no more when it is closed, and needs no timer", async () => {
    const { clock, optimizer, run } = workload({ monitor: false });
    const timers = clock.pendingTimers;
    const before = optimizer.line.runtime.events.listenerCount;
    const watching = advisor(optimizer);
    await run([REPEATING], 2);
    watching.close();
    await run([REPEATING], 2);
    expect(watching.report().calls).toBe(2);
    expect(optimizer.line.runtime.events.listenerCount).toBe(before);
    expect(clock.pendingTimers).toBe(timers);
    await optimizer.close();
  });

  it("takes only options that it has", async () => {
    const { optimizer } = workload();
    const wrong: [Record<string, unknown>, string][] = [
      [{ window: "1s" }, "advisor.window"],
      [{ slowCall: 0 }, "advisor.slowCall"],
      [{ slowFunction: "soon" }, "advisor.slowFunction"],
      [{ expensiveCall: -1 }, "advisor.expensiveCall"],
      [{ secondWorth: "much" }, "advisor.secondWorth"],
      [{ minCalls: 0 }, "advisor.minCalls"],
      [{ maxKinds: 1 }, "advisor.maxKinds"],
      [{ maxQuestions: 0 }, "advisor.maxQuestions"],
      [{ slow: 5 }, "advisor.slow"],
    ];
    for (const [options, option] of wrong) {
      const make = () => advisor(optimizer, options as AdvisorOptions);
      expect(make, option).toThrow(OptionError);
      expect(make).toThrow(option);
    }
    expect(Object.keys(ADVISOR_DEFAULTS)).toHaveLength(8);
    await expect(adviceFromRows([], { minCalls: -1 })).rejects.toThrow(OptionError);
    expect(await adviceFromRows([])).toMatchObject({ calls: 0, score: undefined, findings: [] });
    await optimizer.close();
  });
});
