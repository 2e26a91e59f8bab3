import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/core/index.ts";
import type { AlertRule } from "../../src/monitor/index.ts";
import { answered, everySecond, failed, monitored } from "./support.ts";

const SLOW: AlertRule = {
  metric: "breakwater.call.duration",
  aggregate: "p95",
  above: 2_000,
  for: "1m",
  level: "critical",
};
const HOT: AlertRule = { id: "hot", metric: "app.temperature", aggregate: "value", above: 80, keep: 0 };
const states = (alerts: readonly { state: string }[]): string[] => alerts.map(({ state }) => state);

describe("an alert", () => {
  it("goes from pending to firing to resolved, and says so twice", async () => {
    const { clock, runtime, monitor, sent } = monitored();
    const id = monitor.alerts.add(SLOW);
    expect(id).toBe("breakwater.call.duration p95 above 2000");
    const state = () => monitor.alerts.list()[0]?.state;
    await everySecond(clock, 30, () => answered(runtime, { durationMs: 100 }));
    expect(state()).toBe("inactive");

    const began = clock.now();
    await everySecond(clock, 30, () => answered(runtime, { durationMs: 3_000 }));
    expect(state()).toBe("pending");
    await everySecond(clock, 60, () => answered(runtime, { durationMs: 3_000 }));
    expect(state()).toBe("firing");
    expect(sent).toHaveLength(1);
    const since = sent[0]?.since as number;
    expect(sent[0]).toMatchObject({ rule: id, state: "firing", level: "critical", threshold: 2_000, labels: {} });
    expect(sent[0]?.value).toBeCloseTo(3_000, -2);
    expect(sent[0]?.message).toMatch(/^p95 of breakwater.call.duration is 3000 over 60 s, above 2000\.$/);
    // The condition holds once a twentieth of the minute's calls is slow; then a minute and at most two ticks.
    expect(since).toBeGreaterThanOrEqual(clock.wall() - (clock.now() - began));

    await everySecond(clock, 200, () => answered(runtime, { durationMs: 100 }));
    expect(states(sent)).toEqual(["firing", "resolved"]);
    expect(sent[1]?.since).toBe(since);
    expect(state()).toBe("inactive");
  });

  it("without a wait fires within a tick", async () => {
    const { clock, monitor, sent } = monitored({ evaluateEvery: "5s", alerts: [HOT] });
    monitor.gauge("app.temperature").set(81);
    await clock.advance(5_000);
    expect(states(sent)).toEqual(["firing"]);
  });

  it("does not fire for noise shorter than its wait", async () => {
    const { clock, monitor, sent } = monitored({ alerts: [{ ...HOT, for: "30s" }] });
    const temperature = monitor.gauge("app.temperature");
    await everySecond(clock, 1_200, (second) => temperature.set(second % 60 < 20 ? 95 : 60));
    expect(sent).toEqual([]);
  });

  it("does not flap around the threshold with a bound of its own for the way back", async () => {
    const around = (second: number): number => (second % 20 < 10 ? 82 : 78);
    const run = async (rule: AlertRule): Promise<number> => {
      const { clock, monitor, sent } = monitored({ alerts: [rule] });
      const temperature = monitor.gauge("app.temperature");
      await everySecond(clock, 600, (second) => temperature.set(around(second)));
      temperature.set(60);
      await clock.advance(60_000);
      expect(sent.at(-1)?.state).toBe("resolved");
      return sent.length;
    };
    expect(await run({ ...HOT, cooldown: 0 })).toBeGreaterThan(40);
    expect(await run({ ...HOT, cooldown: 0, clear: 70 })).toBe(2);
    expect(await run({ ...HOT, cooldown: 0, keep: "20s" })).toBe(2);
  });

  it("is not sent again within its cooldown, and then is if it still holds", async () => {
    const { clock, monitor, sent } = monitored({ alerts: [{ ...HOT, cooldown: "5m" }] });
    const temperature = monitor.gauge("app.temperature");
    await everySecond(clock, 280, (second) => temperature.set(second % 20 < 10 ? 90 : 60));
    // A silent second firing has no notice of its end either.
    expect(states(sent)).toEqual(["firing", "resolved"]);
    temperature.set(90);
    await clock.advance(60_000);
    expect(states(sent)).toEqual(["firing", "resolved", "firing"]);
  });

  it("takes a lack of data neither for a breach nor for a recovery", async () => {
    const rule: AlertRule = { metric: "app.size", aggregate: "mean", below: 5, window: "1m", keep: "3m" };
    const { clock, monitor, sent } = monitored({ alerts: [rule] });
    await clock.advance(60_000);
    expect(sent).toEqual([]);
    monitor.histogram("app.size").record(1);
    await clock.advance(5_000);
    expect(states(sent)).toEqual(["firing"]);
    await clock.advance(180_000);
    expect(monitor.alerts.list()[0]?.state).toBe("firing");
    await clock.advance(120_000);
    expect(states(sent)).toEqual(["firing", "resolved"]);
  });

  it("takes too few values for a lack of data", async () => {
    const { clock, runtime, sent } = monitored({ alerts: [{ ...SLOW, for: 0, minCount: 20 }] });
    await everySecond(clock, 19, () => answered(runtime, { durationMs: 9_000 }));
    await clock.advance(10_000);
    expect(sent).toEqual([]);
    await everySecond(clock, 25, () => answered(runtime, { durationMs: 9_000 }));
    expect(states(sent)).toEqual(["firing"]);
  });

  it("can tell that nothing happens at all", async () => {
    const rule: AlertRule = { metric: "breakwater.calls", aggregate: "count", below: 1, for: "1m", keep: 0 };
    const { clock, runtime, sent } = monitored({ alerts: [rule] });
    await clock.advance(70_000);
    expect(states(sent)).toEqual(["firing"]);
    answered(runtime);
    await clock.advance(5_000);
    expect(states(sent)).toEqual(["firing", "resolved"]);
  });

  it("stands for itself in each group of labels", async () => {
    const share = { error_type: "server_error" };
    const rule: AlertRule = { metric: "breakwater.calls", aggregate: "ratio", share, groupBy: ["model"], above: 0.5 };
    const { clock, runtime, monitor, sent } = monitored({ alerts: [rule] });
    await everySecond(clock, 30, () => {
      failed(runtime);
      answered(runtime, { model: "good" });
    });
    expect(sent.map(({ labels }) => labels)).toEqual([{ model: "m" }]);
    expect(monitor.alerts.list()[0]?.alerts).toMatchObject([{ labels: { model: "m" }, state: "firing", value: 1 }]);
  });

  it("looks only at the labels it was given", async () => {
    const rule: AlertRule = { ...SLOW, for: 0, labels: { model: ["good", "better"] } };
    const { clock, runtime, sent } = monitored({ alerts: [rule] });
    await everySecond(clock, 30, () => answered(runtime, { durationMs: 9_000 }));
    expect(sent).toEqual([]);
    await everySecond(clock, 30, () => answered(runtime, { durationMs: 9_000, model: "better" }));
    expect(states(sent)).toEqual(["firing"]);
  });

  it.each([86_400_000, -3_600_000])("does not mind that the wall clock jumps by %d ms", async (jump) => {
    const { clock, monitor, sent } = monitored({ alerts: [{ ...HOT, for: "1m" }] });
    const began = clock.wall() + 5_000;
    monitor.gauge("app.temperature").set(90);
    await clock.advance(30_000);
    clock.shiftWall(jump);
    await clock.advance(20_000);
    expect(sent).toEqual([]);
    await clock.advance(20_000);
    expect(sent).toMatchObject([{ state: "firing", since: began }]);
  });

  it("whose rule is taken away is over", async () => {
    const { clock, monitor, sent } = monitored({ alerts: [HOT] });
    monitor.gauge("app.temperature").set(90);
    await clock.advance(5_000);
    expect(monitor.alerts.remove("hot")).toBe(true);
    expect(monitor.alerts.remove("hot")).toBe(false);
    expect(states(sent)).toEqual(["firing", "resolved"]);
    expect(monitor.alerts.list()).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a rule", () => {
  it.each([
    { metric: "breakwater.call.durations", aggregate: "p95", above: 1 },
    { metric: "breakwater.calls", aggregate: "p95", above: 1 },
    { metric: "breakwater.calls", aggregate: "p97", above: 1 },
    { metric: "breakwater.calls", aggregate: "count" },
    { metric: "breakwater.calls", aggregate: "count", above: 1, below: 2 },
    { metric: "breakwater.calls", aggregate: "count", above: Number.NaN },
    { metric: "breakwater.calls", aggregate: "ratio", above: 1 },
    { metric: "breakwater.calls", aggregate: "count", above: 1, clear: 2 },
    { metric: "breakwater.calls", aggregate: "count", above: 1, labels: { colour: "red" } },
    { metric: "breakwater.calls", aggregate: "count", above: 1, groupBy: ["colour"] },
    { metric: "breakwater.calls", aggregate: "count", above: 1, window: "7h" },
    { metric: "breakwater.call.duration", aggregate: "p95", above: 1, window: "2h" },
    { metric: "breakwater.calls", aggregate: "count", above: {} },
    { metric: "breakwater.calls", aggregate: "count", above: { warning: 2, critical: 1 } },
    { metric: "breakwater.calls", aggregate: "count", above: { warning: 1 }, level: "info" },
    { metric: "breakwater.calls", aggregate: "count", above: { times: 2, of: "1m" } },
    { metric: "breakwater.calls", aggregate: "count", below: { times: 2, of: "1h" } },
    { metric: "breakwater.calls", aggregate: "count", above: 1, and: { metric: "breakwater.nothing" } },
    { metric: "breakwater.calls", aggregate: "count", above: 1, and: { above: { warning: 1 } } },
    { metric: "breakwater.calls", aggregate: "count", above: 1, per: { metric: "breakwater.attempts" } },
    { metric: "breakwater.retries", aggregate: "ratio", above: 1, per: { metric: "breakwater.pool.depth" } },
    {
      metric: "breakwater.retries",
      aggregate: "ratio",
      above: 1,
      groupBy: ["reason"],
      per: { metric: "breakwater.calls" },
    },
    { metric: "breakwater.calls", aggregate: "count", above: 1, noData: "ignore" },
    { metric: "breakwater.calls", aggregate: "count", above: 1, inhibitedBy: "other" },
    { event: "breaker.open" },
    { event: "alert.firing" },
    { event: "breaker.opened", until: "breaker.shut" },
    { event: "breaker.opened", for: "1m" },
    { event: "budget.threshold", above: 0.8 },
    { metric: "breakwater.calls", aggregate: "count", above: 1, level: "fatal" },
    { metric: "breakwater.calls", aggregate: "count", above: 1, handlers: ["log"] },
    { metric: "breakwater.calls", aggregate: "count", above: 1, fro: "1m" },
  ])("that is wrong is refused: %j", (rule) => {
    const { monitor, clock } = monitored();
    expect(() => monitor.alerts.add(rule as AlertRule)).toThrow(OptionError);
    expect(clock.pendingTimers).toBe(0);
  });

  it("has an id of its own", () => {
    const { monitor } = monitored({ alerts: [HOT] });
    expect(() => monitor.alerts.add(HOT)).toThrow(OptionError);
  });
});
