import { describe, expect, it } from "vitest";
import { callLog } from "../../src/call-log/index.ts";
import { OptionError } from "../../src/core/index.ts";
import { dailyReport, formatMarkdown, journal, type Summary, summaryFromCalls } from "../../src/reports/index.ts";
import { worldOf } from "./support.ts";

const monitor = { defaultAlerts: false, evaluateEvery: "1h" } as const;
const quiet = { monitor };
const MINUTE_MS = 60_000;

describe("a journal", () => {
  it("sums up what the monitor counts", async () => {
    const prices = { m1: { input: 1, output: 2 } };
    const { optimizer, clock, traffic } = worldOf({ monitor: { ...monitor, prices } });
    const book = journal(optimizer, { every: "5m", keep: "1h" });
    await traffic(20, 20, { models: ["m1", "m2"] });
    await clock.advance(MINUTE_MS);
    const { total, kinds, from, to, comparedWith } = book.summary({ hours: 0.5 });
    const stats = optimizer.monitor.stats();
    expect(total).toMatchObject({ calls: stats.calls, answered: stats.answered, attempts: stats.attempts });
    expect(total.cost).toBeCloseTo(stats.costUsd ?? 0, 9);
    expect(total.outputTokens).toBe(stats.outputTokens);
    expect(total.duration?.count).toBe(stats.calls);
    expect(kinds.map(({ model }) => model).toSorted()).toEqual(["m1", "m2"]);
    expect(kinds.reduce((sum, { calls }) => sum + calls, 0)).toBe(stats.calls);
    expect([to - from, comparedWith]).toEqual([21 * MINUTE_MS, undefined]);
    book.close();
    await optimizer.close();
  });

  it("agrees with the monitor's own percentiles", async () => {
    const { optimizer, traffic } = worldOf(quiet);
    const book = journal(optimizer, { every: "10m", keep: "2h" });
    await traffic(30, 20);
    const { duration } = book.summary({ hours: 1 }).total;
    for (const aggregate of ["p50", "p95", "p99"] as const) {
      const own = optimizer.monitor.read("breakwater.call.duration", { aggregate, window: "1h" }) as number;
      expect((duration?.[aggregate] as number) / own).toBeCloseTo(1, 2);
    }
    book.close();
    await optimizer.close();
  });

  it("tells what got worse, for whom, and nothing on noise", async () => {
    let failing = false;
    const faults = ({ chance, model }: { chance: number; model: string }) =>
      chance < (failing && model === "m2" ? 0.3 : 0.02) ? ("overloaded" as const) : undefined;
    const { optimizer, traffic } = worldOf({ ...quiet, retry: { attempts: 1 }, breaker: false }, { faults });
    const book = journal(optimizer, { every: "5m", keep: "2h" });
    await traffic(40, 24, { models: ["m1", "m2"] });
    expect(book.summary({ hours: 0.5 })).toMatchObject({
      degradations: [],
      comparedWith: { from: expect.any(Number) },
    });
    failing = true;
    await traffic(20, 24, { models: ["m1", "m2"] });
    const { degradations } = book.summary({ hours: 1 / 3 });
    expect(degradations.map(({ model, measure }) => [model, measure])).toEqual([
      [undefined, "answered"],
      ["m2", "answered"],
    ]);
    expect(degradations[1]?.before).toBeGreaterThan(0.95);
    expect(degradations[1]?.after).toBeLessThan(0.8);
    expect(degradations[1]?.n.after).toBeGreaterThan(150);
    book.close();
    await optimizer.close();
  });

  it("keeps no more than it was told to, and leaves no timer behind", async () => {
    const { optimizer, clock } = worldOf(quiet);
    const timers = clock.pendingTimers;
    const book = journal(optimizer, { every: "1m", keep: "10m" });
    await clock.advance(60 * MINUTE_MS);
    expect(book.slices).toBe(11);
    book.close();
    expect(clock.pendingTimers).toBe(timers);
    await optimizer.close();
  });

  it("sums up as much as it keeps where that is less than a day, and a slice where that is more", async () => {
    const { optimizer, clock } = worldOf(quiet);
    const brief = journal(optimizer, { every: "5m", keep: "1h" });
    const coarse = journal(optimizer, { every: "2d", keep: "8d" });
    await clock.advance(7 * 24 * 60 * MINUTE_MS);
    const hoursOf = ({ from, to }: Summary): number => (to - from) / (60 * MINUTE_MS);
    expect([hoursOf(brief.summary()), hoursOf(coarse.summary())]).toEqual([1, 24]);
    brief.close();
    coarse.close();
    await optimizer.close();
  });

  it("refuses options that are wrong", async () => {
    const { optimizer } = worldOf(quiet);
    for (const options of [{ every: "1s" }, { keep: "1m" }, { every: "1m", keep: "30d" }, { hours: 1 }]) {
      expect(() => journal(optimizer, options as never)).toThrow(OptionError);
    }
    const book = journal(optimizer);
    for (const options of [{ hours: 0 }, { hours: 1_000 }, { days: 1 }]) {
      expect(() => book.summary(options as never)).toThrow(OptionError);
    }
    book.close();
    await optimizer.close();
  });
});

describe("a summary of a call log", () => {
  it("says the same as one of the monitor", async () => {
    const { optimizer, clock, traffic } = worldOf(quiet);
    await using log = callLog(optimizer, { path: ":memory:" });
    const book = journal(optimizer, { every: "5m", keep: "2h" });
    await traffic(60, 10, { models: ["m1", "m2"] });
    await clock.advance(MINUTE_MS);
    const to = clock.wall();
    const flushed = log.flush();
    await clock.advance(2_000);
    await flushed;
    const told = await summaryFromCalls(log.rows({ from: to - 2 * 60 * MINUTE_MS * 1.1 }), { to, hours: 1.1 });
    const own = book.summary({ hours: 2 });
    const { calls, answered, attempts, outputTokens } = own.total;
    expect(told.total).toMatchObject({ calls, answered, attempts, outputTokens });
    expect((told.total.duration?.p95 as number) / (own.total.duration?.p95 as number)).toBeCloseTo(1, 1);
    expect(told.comparedWith).toBeUndefined();
    book.close();
    await optimizer.close();
  });

  it("tells the same kinds apart from beginning to end, however many there are", async () => {
    const row = { op: "chat", provider: "p", outcome: "success", errorType: null, servedBy: "primary", cost: null };
    const sums = { attempts: 1, timeouts: 0, durationMs: 100, ttfcMs: null, inputTokens: 1, outputTokens: 1 };
    const who = { client: null, route: null };
    // In each hour another one comes first.
    const rows = Array.from({ length: 48 * 100 }, (_, n) => {
      const model = `m${(n + Math.floor(n / 100) * 7) % 100}`;
      return { ...row, ...sums, ...who, model, startedAt: n * 36_000 };
    });
    const { total, kinds, degradations } = await summaryFromCalls(rows, { to: 48 * 3_600_000 });
    expect(kinds).toHaveLength(25);
    expect(kinds.map(({ calls }) => calls)).toEqual([24 * 76, ...Array.from({ length: 24 }, () => 24)]);
    expect([total.calls, degradations]).toEqual([2_400, []]);
  });

  it("may be by client or by route", async () => {
    const { optimizer, clock } = worldOf(quiet);
    await using log = callLog(optimizer, { path: ":memory:", clients: true });
    const scopes = [{ client: "ann", route: "chat" }, { client: "ann", route: "faq" }, { client: "bob" }];
    for (const [n, scope] of scopes.entries()) {
      const call = optimizer.run(scope, () => optimizer.call({ model: `m${n}`, input: n }, () => "answer"));
      await clock.run(call);
    }
    const to = clock.wall() + 1_000;
    const flushed = log.flush();
    await clock.advance(2_000);
    await flushed;
    const callsBy = async (by: "client" | "route") => {
      const summary = await summaryFromCalls(log.rows(), { to, by });
      expect(summary.total.calls).toBe(3);
      return [summary.kinds.map((kind) => [kind[by], kind.calls, kind.model]), formatMarkdown(summary)] as const;
    };
    const [clients, text] = await callsBy("client");
    expect(clients).toEqual([
      ["ann", 2, undefined],
      ["bob", 1, undefined],
    ]);
    expect(text).toMatch(/\| client \| calls \|/);
    expect(text).toMatch(/\| ann \| 2 \|/);
    expect((await callsBy("route"))[0]).toEqual([
      ["chat", 1, undefined],
      ["faq", 1, undefined],
      ["unknown", 1, undefined],
    ]);
    await expect(summaryFromCalls([], { to, by: "user" as never })).rejects.toThrow('"summary.by"');
    await optimizer.close();
  });
});

describe("a daily report", () => {
  it("comes each day at its time, and a handler that fails is told of", async () => {
    const { optimizer, clock, traffic } = worldOf(quiet);
    const got: { at: string; summary: Summary }[] = [];
    const told: string[] = [];
    optimizer.on("report.ready", ({ calls }) => void told.push(`ready ${calls > 0}`));
    optimizer.on("report.failed", ({ error }) => void told.push(error));
    const report = dailyReport(optimizer, {
      at: "06:30",
      handler: async (summary) => {
        got.push({ at: new Date(clock.wall()).toISOString(), summary });
        if (got.length === 2) throw new TypeError("no disk");
      },
    });
    await traffic(30, 10);
    await clock.advance(54 * 60 * MINUTE_MS);
    expect(got.map(({ at }) => at.slice(0, 16))).toEqual(["2026-01-01T06:30", "2026-01-02T06:30", "2026-01-03T06:30"]);
    expect(got[0]?.summary.total.calls).toBeGreaterThan(200);
    expect(told).toEqual(["ready true", "ready false", "TypeError", "ready false"]);
    report.close();
    await clock.advance(48 * 60 * MINUTE_MS);
    expect(got).toHaveLength(3);
    await optimizer.close();
  });

  it("comes once a day, also when the wall clock is set back or forth", async () => {
    const { optimizer, clock } = worldOf(quiet);
    const at: string[] = [];
    const report = dailyReport(optimizer, {
      handler: () => void at.push(new Date(clock.wall() + 1_000).toISOString()),
    });
    for (const shift of [-3_600_000, -500, 7_200_000, 300]) {
      await clock.advance(12 * 60 * MINUTE_MS);
      clock.shiftWall(shift);
      await clock.advance(12 * 60 * MINUTE_MS);
    }
    await clock.advance(12 * 60 * MINUTE_MS);
    expect(at.map((time) => time.slice(0, 10))).toEqual(["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05"]);
    report.close();
    await optimizer.close();
  });

  it("refuses a time that there is not, and slices of which no day could be made", async () => {
    const { optimizer } = worldOf(quiet);
    for (const at of ["24:00", "6:30", 5, "06:60"]) {
      expect(() => dailyReport(optimizer, { at: at as string, handler: () => {} })).toThrow(OptionError);
    }
    expect(() => dailyReport(optimizer, {} as never)).toThrow(OptionError);
    for (const every of ["1m", "2d", "soon"]) {
      const wrong = expect.objectContaining({ option: "dailyReport.every" });
      expect(() => dailyReport(optimizer, { every: every as "1m", handler: () => {} })).toThrow(wrong);
    }
    for (const every of ["3m", "1d"] as const) dailyReport(optimizer, { every, handler: () => {} }).close();
    await optimizer.close();
  });
});
