import { describe, expect, it } from "vitest";
import type { AlertRule } from "../../../src/monitor/index.ts";
import { answered, everySecond, failed, monitored } from "../support.ts";
import { called, heard, steps } from "./support.ts";

const brief = (sent: readonly { state: string; level: string }[]) =>
  sent.map(({ state, level }) => `${state} ${level}`);

describe("a rule on the ratio of two metrics", () => {
  const rule: AlertRule = {
    metric: "app.retrieved",
    aggregate: "ratio",
    per: { metric: "app.asked", labels: { kind: "search" } },
    groupBy: ["index"],
    above: 3,
    minCount: 20,
    keep: 0,
  };

  it("divides one count by the other, label set by label set", async () => {
    const { clock, monitor, sent } = monitored({ alerts: [rule] });
    const retrieved = monitor.counter("app.retrieved");
    const asked = monitor.counter("app.asked");
    await everySecond(clock, 30, () => {
      for (const index of ["a", "b"]) {
        asked.add(1, { index, kind: "search" });
        asked.add(9, { index, kind: "list" });
        retrieved.add(index === "a" ? 4 : 2, { index });
      }
    });
    expect(sent).toMatchObject([{ labels: { index: "a" }, value: 4 }]);
    expect(sent[0]?.message).toMatch(/^ratio of app.retrieved to app.asked is 4 over 60 s, above 3/);
    await clock.advance(180_000);
    expect(sent.at(-1)?.state).toBe("resolved");
    expect(sent.at(-1)?.message).toContain("has no data");
  });

  it("is zero where nothing of the first was counted", async () => {
    const { per: _per, above: _above, ...rest } = rule as Extract<AlertRule, { metric: string }>;
    const below: AlertRule = { ...rest, per: { metric: "app.asked" }, below: 0.5 };
    const { clock, monitor, sent } = monitored({ alerts: [below] });
    monitor.counter("app.asked").add(50, { index: "a" });
    await clock.advance(5_000);
    expect(sent).toMatchObject([{ value: 0, labels: { index: "a" } }]);
  });
});

describe("a rule of two windows", () => {
  const burn: AlertRule = {
    metric: "breakwater.calls",
    aggregate: "ratio",
    share: { error_type: "server_error" },
    above: 0.1,
    clear: 0.01,
    window: "10m",
    and: { window: "1m" },
    keep: 0,
  };

  it("fires when both are beyond, and ends as soon as the short one is well", async () => {
    const { clock, runtime, sent } = monitored({ alerts: [burn] });
    await everySecond(clock, 600, () => answered(runtime));
    await everySecond(clock, 40, () => failed(runtime));
    // The last minute is bad and the last ten are not yet.
    expect(sent).toEqual([]);
    await everySecond(clock, 60, () => failed(runtime));
    expect(brief(sent)).toEqual(["firing warning"]);
    await everySecond(clock, 70, () => answered(runtime));
    expect(brief(sent)).toEqual(["firing warning", "resolved warning"]);
  });

  it("says nothing before the longer one has passed", async () => {
    const { clock, runtime, monitor, sent } = monitored({ alerts: [burn] });
    await everySecond(clock, 590, () => failed(runtime));
    expect(sent).toEqual([]);
    expect(monitor.alerts.list()[0]?.state).toBe("insufficient");
    await everySecond(clock, 20, () => failed(runtime));
    expect(brief(sent)).toEqual(["firing warning"]);
  });

  it("may compare another metric with a threshold of its own", async () => {
    const rule: AlertRule = { ...burn, and: { metric: "app.load", aggregate: "value", window: "1m", above: 0.9 } };
    const { clock, runtime, monitor, sent } = monitored({ alerts: [rule] });
    const load = monitor.gauge("app.load");
    load.set(0.5);
    await everySecond(clock, 700, () => failed(runtime));
    expect(sent).toEqual([]);
    load.set(0.95);
    await clock.advance(5_000);
    expect(brief(sent)).toEqual(["firing warning"]);
  });

  it("counts over six hours what no metric remembers for so long", async () => {
    const rule: AlertRule = { ...burn, window: "6h", above: 0.05, and: { window: "30m" } };
    const { clock, runtime, monitor, sent } = monitored({ alerts: [rule], evaluateEvery: "30s" });
    await steps(clock, 6 * 3_600, 30, () => called(runtime));
    await steps(clock, 1_000, 30, () => called(runtime, { error: "server_error" }));
    // 33 of 720 calls, 4.6 %.
    expect(sent).toEqual([]);
    await steps(clock, 150, 30, () => called(runtime, { error: "server_error" }));
    expect(sent).toMatchObject([{ state: "firing" }]);
    expect(sent[0]?.value).toBeGreaterThan(0.05);
    expect(sent[0]?.value).toBeLessThan(0.055);
    monitor.close();
  });

  it("that looks back further than metrics remember says nothing before it has been there for so long", async () => {
    const { clock, runtime, monitor, sent } = monitored();
    await steps(clock, 7 * 3_600, 30, () => answered(runtime));
    const what = { metric: "breakwater.calls", aggregate: "ratio", share: { outcome: "error" } } as const;
    monitor.alerts.add({ ...what, above: 0.06, window: "6h", and: { window: "30m" }, minCount: 20 });
    await steps(clock, 60, 2, () => failed(runtime));
    await steps(clock, 300, 30, () => answered(runtime));
    // Of the six hours, 30 calls in about 750 have failed.
    expect(sent).toEqual([]);
  });
});

describe("a rule on an event", () => {
  it("fires at once and ends when nothing more has happened for a while", async () => {
    const rule: AlertRule = { event: "budget.rejected", groupBy: ["name"], keep: "5m", level: "critical" };
    const { clock, runtime, sent } = monitored({ alerts: [rule] });
    const reject = (name: string): void =>
      runtime.events.emit("budget.rejected", undefined, { scope: "client", name, period: "day", retryAfterMs: 1 });
    reject("acme");
    expect(sent).toMatchObject([
      { rule: "budget.rejected by name", state: "firing", level: "critical", labels: { name: "acme" } },
    ]);
    await clock.advance(240_000);
    reject("acme");
    await clock.advance(240_000);
    expect(sent).toHaveLength(1);
    await clock.advance(65_000);
    expect(sent.map(({ state }) => state)).toEqual(["firing", "resolved"]);
    expect(clock.pendingTimers).toBe(1);
  });

  it("fires for the labels it asks for only", () => {
    const rule: AlertRule = { event: "attempt.failed", labels: { errorType: "bad_credential" }, groupBy: ["model"] };
    const { runtime, sent } = monitored({ alerts: [rule] });
    called(runtime, { error: "server_error" });
    expect(sent).toEqual([]);
    called(runtime, { error: "bad_credential" });
    expect(sent).toMatchObject([{ labels: { model: "m" } }]);
  });

  it("ends with the event that ends it", async () => {
    const rule: AlertRule = { event: "cluster.lost", until: "cluster.restored", keep: "1m" };
    const { clock, runtime, monitor, sent } = monitored({ alerts: [rule] });
    const state = () => monitor.alerts.list()[0]?.state;
    runtime.events.emit("cluster.lost", undefined, { reason: "down", processes: 3 });
    await clock.advance(3_600_000);
    expect(state()).toBe("firing");
    runtime.events.emit("cluster.restored", undefined, { awayMs: 1 });
    expect(state()).toBe("recovering");
    await clock.advance(30_000);
    runtime.events.emit("cluster.lost", undefined, { reason: "down", processes: 3 });
    runtime.events.emit("cluster.restored", undefined, { awayMs: 1 });
    await clock.advance(65_000);
    expect(sent.map((alert) => alert.state)).toEqual(["firing", "resolved"]);
    expect(sent[1]?.message).toBe("cluster.lost is over.");
    expect(state()).toBe("inactive");
  });

  it("has a level that goes with a field", () => {
    const rule: AlertRule = {
      event: "budget.threshold",
      value: "share",
      above: { info: 0.79, warning: 0.94, critical: 0.99 },
      groupBy: ["name"],
    };
    const { runtime, sent } = monitored({ alerts: [rule] });
    for (const share of [0.5, 0.8, 0.95, 1]) {
      const spent = { period: "day", spentDollars: share, limitDollars: 1 } as const;
      runtime.events.emit("budget.threshold", undefined, { scope: "client", name: "acme", share, ...spent });
    }
    expect(sent.map(({ level, value }) => [level, value])).toEqual([
      ["info", 0.8],
      ["warning", 0.95],
      ["critical", 1],
    ]);
    expect(sent[2]?.message).toBe("budget.threshold with share 1 (name=acme).");
  });

  it("has a bounded number of alerts", async () => {
    const { clock, runtime, monitor } = monitored({ alerts: [{ event: "budget.rejected", groupBy: ["name"] }] });
    for (let client = 0; client < 2_000; client++) {
      const rejected = { scope: "client", name: `c${client}`, period: "day", retryAfterMs: 1 } as const;
      runtime.events.emit("budget.rejected", undefined, rejected);
    }
    expect(monitor.alerts.list()[0]?.alerts).toHaveLength(501);
    await clock.advance(70_000);
    expect(monitor.alerts.list()[0]?.alerts).toHaveLength(0);
  });

  it("listens to nothing once it is gone", () => {
    const { runtime, monitor, sent } = monitored();
    const before = runtime.events.listenerCount;
    const id = monitor.alerts.add({ event: "job.queued", until: "job.done" });
    expect(runtime.events.wants("job.queued")).toBe(true);
    monitor.alerts.remove(id);
    expect(runtime.events.listenerCount).toBe(before);
    runtime.events.emit("job.queued", undefined, { job: "j", priority: 5, depth: 1 });
    expect(sent).toEqual([]);
  });
});

describe("a lack of data", () => {
  const rule: AlertRule = { id: "small", metric: "app.size", aggregate: "mean", below: 5, window: "1m", keep: "2m" };

  it.each([
    ["resolve", ["firing", "resolved"]],
    ["keep", ["firing"]],
    ["fire", ["firing"]],
  ] as const)("leaves an alert as the rule says: %s", async (noData, expected) => {
    const { clock, runtime, monitor, sent } = monitored({ alerts: [{ ...rule, noData }] });
    const resolved = heard(runtime, "alert.resolved");
    const size = monitor.histogram("app.size");
    size.record(1);
    await clock.advance(120_000);
    expect(sent.map(({ state }) => state)).toEqual(["firing"]);
    await clock.advance(3 * 3_600_000);
    expect(sent.map(({ state }) => state)).toEqual(expected);
    expect(resolved).toHaveLength(expected.length - 1);
    await steps(clock, 240, 30, () => size.record(50));
    expect(sent.at(-1)?.state).toBe("resolved");
  });

  it("after the value was back does not keep an alert for ever", async () => {
    const { clock, monitor, sent } = monitored({ alerts: [{ ...rule, noData: "keep" }] });
    const size = monitor.histogram("app.size");
    size.record(1);
    await clock.advance(120_000);
    size.record(50);
    await clock.advance(180_000);
    expect(sent.map(({ state }) => state)).toEqual(["firing", "resolved"]);
  });

  it("is seen in the list, and is no number in any text", async () => {
    const { clock, monitor, sent } = monitored({ alerts: [{ ...rule, noData: "keep" }] });
    expect(monitor.alerts.list()[0]).toMatchObject({ state: "insufficient", alerts: [] });
    monitor.histogram("app.size").record(1);
    await clock.advance(600_000);
    expect(monitor.alerts.list()[0]).toMatchObject({ state: "firing", alerts: [{ value: 1, hasData: false }] });
    expect(JSON.stringify([sent, monitor.alerts.list()])).not.toMatch(/NaN|null|Infinity/);
  });
});

describe("a rule that cannot be read", () => {
  it("is in error, tells so once, and is read again when it can be", async () => {
    const { clock, runtime, monitor, sent } = monitored({ alerts: [{ metric: "app.x", aggregate: "p95", above: 1 }] });
    const failures = heard(runtime, "alert.rule_failed");
    monitor.gauge("app.x").set(100);
    await clock.advance(60_000);
    expect(monitor.alerts.list()[0]?.state).toBe("error");
    expect(failures).toEqual([expect.objectContaining({ error: "app.x has no aggregate p95" })]);
    expect(sent).toEqual([]);
  });
});

describe("each move of an alert", () => {
  it("is an event", async () => {
    const rule: AlertRule = {
      id: "hot",
      metric: "app.t",
      aggregate: "value",
      above: { warning: 80, critical: 100 },
      for: "10s",
      keep: "10s",
    };
    const { clock, runtime, monitor } = monitored({ alerts: [rule] });
    const moves: string[] = [];
    runtime.events.on("*", (event) => {
      if (event.type.startsWith("alert") && "rule" in event)
        moves.push(`${event.type} ${"level" in event ? event.level : ""}`);
    });
    const gauge = monitor.gauge("app.t");
    for (const value of [90, 90, 90, 110, 110, 110, 20, 90, 20, 20, 20]) {
      gauge.set(value);
      await clock.advance(5_000);
    }
    expect(moves).toEqual([
      "alert.pending warning",
      "alert.firing warning",
      "alert warning",
      "alert.firing critical",
      "alert critical",
      "alert.resolved critical",
      "alert critical",
    ]);
  });

  it("that brings a recovering alert back is silent", async () => {
    const { clock, runtime, monitor } = monitored({
      alerts: [{ id: "hot", metric: "app.t", aggregate: "value", above: 80, keep: "10s" }],
    });
    const firing = heard(runtime, "alert.firing");
    const gauge = monitor.gauge("app.t");
    const states: (string | undefined)[] = [];
    for (const value of [90, 20, 90, 20, 20, 20]) {
      gauge.set(value);
      await clock.advance(5_000);
      states.push(monitor.alerts.list()[0]?.state);
    }
    expect(states).toEqual(["firing", "recovering", "firing", "recovering", "recovering", "inactive"]);
    expect(firing).toHaveLength(1);
  });
});
