import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/core/index.ts";
import { formatReport, type ReportRow } from "../../src/monitor/index.ts";
import { answered, everySecond, monitored } from "./support.ts";

const random = seededRandom(5);
const about = (mean: number): number => mean * (0.5 + random());

function rowOf(rows: readonly ReportRow[], name: string): ReportRow | undefined {
  return rows.find((row) => row.name === name);
}

describe("the trend of a report", () => {
  it("says what went up, what went down and what did not change", async () => {
    const { clock, runtime, monitor } = monitored();
    const tokens = monitor.counter("app.tokens");
    const temperature = monitor.gauge("app.temperature");
    await everySecond(clock, 120, () => {
      answered(runtime, { durationMs: about(100) });
      tokens.add(about(1_000));
      temperature.set(20);
    });
    await everySecond(clock, 120, () => {
      answered(runtime, { durationMs: about(300) });
      tokens.add(about(300));
      temperature.set(30);
    });
    const report = monitor.report({ minutes: 2 });
    expect(report.trendMinutes).toBe(2);
    expect(rowOf(report.metrics, "breakwater.call.duration")?.trend).toMatchObject({ of: "p95", direction: "up" });
    expect(rowOf(report.metrics, "breakwater.calls")?.trend).toMatchObject({
      of: "total",
      direction: "steady",
      before: 120,
      now: 120,
    });
    expect(rowOf(report.metrics, "app.tokens")?.trend).toMatchObject({ direction: "down" });
    const mean = rowOf(report.metrics, "app.temperature")?.trend;
    expect(mean).toMatchObject({ of: "mean", direction: "up", now: 30 });
    expect(mean?.before).toBeCloseTo(20, 0);
    expect(formatReport(report)).toMatch(/trend, 2 min\n/);
    expect(formatReport(report)).toMatch(/up: p95 1\d\d/);
  });

  it("is hardly ever misled by chance", async () => {
    const { clock, monitor } = monitored();
    const names = Array.from({ length: 60 }, (_, n) => `app.money${n}`);
    const counters = names.map((name) => monitor.counter(name));
    const times = names.map((name) => monitor.histogram(`${name}.time`));
    await everySecond(clock, 240, () => {
      for (const counter of counters) if (random() < 0.5) counter.add(about(10) ** 2);
      for (const time of times) if (random() < 0.7) time.record(about(100) ** 2);
    });
    const { metrics } = monitor.report({ minutes: 2 });
    const moved = metrics.filter(({ trend }) => trend?.direction === "up" || trend?.direction === "down");
    expect(metrics).toHaveLength(120);
    expect(moved.length).toBeLessThanOrEqual(2);
  });

  it("says that a few values tell nothing, and of an unknown time nothing at all", async () => {
    const { clock, runtime, monitor } = monitored();
    await everySecond(clock, 60, (second) => {
      if (second % 20 === 0) answered(runtime);
    });
    expect(monitor.report({ minutes: 1 }).trendMinutes).toBeUndefined();
    expect(rowOf(monitor.report({ minutes: 1 }).metrics, "breakwater.calls")).not.toHaveProperty("trend");
    await everySecond(clock, 60, (second) => {
      if (second % 5 === 0) answered(runtime, { durationMs: 900 });
    });
    const { metrics } = monitor.report({ minutes: 1 });
    expect(rowOf(metrics, "breakwater.call.duration")?.trend).toMatchObject({ of: "p50", direction: "too_few" });
    expect(formatReport(monitor.report({ minutes: 1 }))).toContain("n too small");
  });

  it("compares the halves of the hour that is kept", async () => {
    const { clock, runtime, monitor } = monitored();
    await everySecond(clock, 3_600, (second) => {
      if (second % 4 === 0) answered(runtime, { durationMs: about(second < 1_800 ? 100 : 200) });
    });
    const report = monitor.report({ minutes: 60 });
    expect(report.trendMinutes).toBe(30);
    const { trend } = rowOf(report.metrics, "breakwater.call.duration") as ReportRow;
    expect(trend).toMatchObject({ direction: "up" });
    expect((trend?.now ?? 0) / (trend?.before ?? 1)).toBeCloseTo(2, 0);
  });
});
