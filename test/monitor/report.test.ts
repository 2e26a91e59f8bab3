import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/core/index.ts";
import { createMonitor, formatReport } from "../../src/monitor/index.ts";
import { virtualRuntime } from "../support/calls.ts";
import { answered, everySecond, failed, monitored } from "./support.ts";

describe("a report", () => {
  it("shows a percentile only where there are values enough", () => {
    const { runtime, monitor } = monitored();
    const row = () => monitor.report().metrics.find(({ name }) => name === "breakwater.call.duration");
    for (let count = 1; count <= 100; count++) {
      answered(runtime);
      expect(row()).toHaveProperty("p50");
      expect("p95" in (row() ?? {})).toBe(count >= 20);
      expect("p99" in (row() ?? {})).toBe(count >= 100);
    }
  });

  it("covers no time before the monitor was there, and gives rates for the time it covers", async () => {
    const { clock, runtime, monitor } = monitored();
    const startedAt = clock.wall();
    await everySecond(clock, 10, () => answered(runtime));
    const { from, to, metrics } = monitor.report();
    expect([from, to]).toEqual([startedAt, startedAt + 10_000]);
    expect(metrics.find(({ name }) => name === "breakwater.calls")).toMatchObject({ total: 10, rate: 1 });
  });

  it("does not mind that the wall clock jumps", async () => {
    const { clock, runtime, monitor } = monitored();
    await everySecond(clock, 10, () => answered(runtime));
    for (const jump of [-7_200_000, 30 * 86_400_000]) {
      clock.shiftWall(jump);
      answered(runtime);
      expect(monitor.report({ minutes: 1 }).to).toBe(clock.wall());
    }
    expect(monitor.report({ minutes: 1 }).totals.calls).toBe(12);
  });

  it("is a table whose columns stand under one another", () => {
    const { runtime, monitor } = monitored();
    for (let index = 0; index < 30; index++) answered(runtime, { durationMs: 1_234.567 });
    failed(runtime);
    const lines = formatReport(monitor.report()).split("\n");
    const head = lines.findIndex((line) => line.startsWith("metric"));
    const row = lines.find((line) => line.includes("breakwater.call.duration") && line.includes("success")) as string;
    expect(lines[1]).toContain("calls 31");
    expect(row.trimEnd().endsWith("1235")).toBe(true);
    expect(row.length).toBe((lines[head] as string).length);
  });

  it("refuses a window it does not have", () => {
    const { monitor } = monitored();
    for (const minutes of [0, 61, Number.NaN]) expect(() => monitor.report({ minutes })).toThrow(OptionError);
  });
});

describe("options", () => {
  it.each([
    { maxSeries: 1 },
    { prices: { m: { input: -1, output: 1 } } },
    { prices: { m: { input: 1 } as never } },
    { evaluateEvery: 1 },
    { alerts: {} as never },
    { alerts: [{ metric: "breakwater.calls", aggregate: "count" as const }] },
    { windowMemory: 5 },
    { colour: "red" } as never,
  ])("that are wrong are refused: %j", (options) => {
    const { runtime } = virtualRuntime();
    expect(() => createMonitor(runtime, options)).toThrow(OptionError);
    expect(runtime.events.listenerCount).toBe(0);
  });
});

describe("health", () => {
  it("is down when half of the calls of a minute get no answer, and ok again when they do", async () => {
    const { clock, runtime, monitor } = monitored();
    expect(monitor.health()).toMatchObject({ status: "ok", reasons: [] });
    await everySecond(clock, 20, (second) => (second % 4 === 0 ? answered(runtime) : failed(runtime, "refused")));
    const down = monitor.health();
    expect(down).toMatchObject({ status: "down", reasons: [{ check: "calls" }], since: clock.wall() });
    await clock.advance(5_000);
    expect(monitor.health().since).toBe(down.since);
    await everySecond(clock, 120, () => answered(runtime));
    expect(monitor.health()).toMatchObject({ status: "ok", since: clock.wall() });
  });

  it("does not blame the service for the caller's mistakes, nor judge by a few calls", () => {
    const { runtime, monitor } = monitored();
    for (let index = 0; index < 9; index++) failed(runtime);
    expect(monitor.health().status).toBe("ok");
    for (let index = 0; index < 200; index++) failed(runtime, "bad_request");
    expect(monitor.health().status).toBe("ok");
  });

  it("is degraded while a breaker is open, a tier is out or a critical alert fires", async () => {
    const { clock, runtime, monitor } = monitored();
    const opened = {
      key: "p/m/k",
      reason: "server_error",
      failureRate: 1,
      slowCallRate: 0,
      samples: 10,
      openForMs: 1_000,
    } as const;
    runtime.events.emit("breaker.opened", undefined, opened);
    runtime.events.emit("cache.tier_disabled", undefined, { tier: "redis", forMs: 1_000 });
    monitor.gauge("app.temperature").set(90);
    monitor.alerts.add({ metric: "app.temperature", aggregate: "value", above: 80, level: "critical" });
    monitor.evaluate();
    expect(monitor.health().status).toBe("degraded");
    expect(monitor.health().reasons.map(({ check }) => check)).toEqual(["breaker", "cache", "alert"]);

    runtime.events.emit("breaker.closed", undefined, { key: "p/m/k", openMs: 1_000 });
    runtime.events.emit("cache.tier_recovered", undefined, { tier: "redis" });
    monitor.gauge("app.temperature").set(20);
    await clock.advance(120_000);
    expect(monitor.health()).toMatchObject({ status: "ok", reasons: [] });
  });

  it("forgets a breaker of which nothing was heard for ten minutes", async () => {
    const { clock, runtime, monitor } = monitored();
    const opened = {
      key: "p/m/k",
      reason: "server_error",
      failureRate: 1,
      slowCallRate: 0,
      samples: 10,
      openForMs: 1_000,
    } as const;
    runtime.events.emit("breaker.opened", undefined, opened);
    await clock.advance(9 * 60_000);
    runtime.events.emit("breaker.rejected", undefined, { key: "p/m/k", retryAfterMs: 1 });
    await clock.advance(9 * 60_000);
    expect(monitor.health().status).toBe("degraded");
    await clock.advance(2 * 60_000);
    expect(monitor.health().status).toBe("ok");
  });
});
