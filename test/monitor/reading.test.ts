import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/core/index.ts";
import { AMOUNT_BOUNDS, bucketOf, SECONDS_BOUNDS } from "../../src/monitor/bounds.ts";
import { aCall, answered, attempted, everySecond, failed, monitored } from "./support.ts";

describe("metrics()", () => {
  it("gives every metric with unit, description, label keys and series, as plain data", () => {
    const { runtime, monitor } = monitored();
    answered(runtime, { durationMs: 80, usage: { inputTokens: 5, outputTokens: 0 } });
    answered(runtime, { durationMs: 30 });
    const metrics = monitor.metrics();
    expect(JSON.parse(JSON.stringify(metrics))).toEqual(metrics);
    const named = (name: string) => metrics.find((metric) => metric.name === name);
    expect(named("breakwater.calls")).toMatchObject({
      kind: "counter",
      unit: "{call}",
      series: [
        { labels: { op: "chat", provider: "test", model: "m", outcome: "success", served_by: "primary" }, value: 2 },
      ],
    });
    expect(named("gen_ai.client.operation.duration")).toMatchObject({
      kind: "histogram",
      unit: "s",
      series: [{ count: 2, sum: 0.11, min: 0.03, max: 0.08, bounds: SECONDS_BOUNDS }],
    });
    expect(named("gen_ai.client.token.usage")).toMatchObject({ series: [{ bounds: AMOUNT_BOUNDS }, {}] });
  });

  it("has in its buckets, explicit and exponential, every value exactly once", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.constantFrom(0, ...SECONDS_BOUNDS))),
        (values) => {
          const { monitor } = monitored();
          const histogram = monitor.histogram("app.x", { unit: "s", labels: [] });
          for (const value of values) histogram.record(value);
          const metric = monitor.metrics().find(({ name }) => name === "app.x");
          const series = metric?.kind === "histogram" ? metric.series[0] : undefined;
          if (series === undefined) return values.length === 0;
          const { bounds, bucketCounts, exponential, count } = series;
          let below = 0;
          for (const [index, bound] of bounds.entries()) {
            below += bucketCounts[index] ?? 0;
            expect(below).toBe(values.filter((value) => value <= bound).length);
          }
          expect(below + (bucketCounts.at(-1) ?? 0)).toBe(count);
          expect(exponential.counts.reduce((sum, one) => sum + one, exponential.zeroCount)).toBe(count);
          return true;
        },
      ),
    );
  });

  it("takes bounds of one's own for a histogram, and nothing else for bounds", () => {
    const { monitor } = monitored();
    monitor.histogram("app.size", { unit: "By", bounds: [10, 100] }).record(50);
    const metric = monitor.metrics().find(({ name }) => name === "app.size");
    expect(metric).toMatchObject({ series: [{ bounds: [10, 100], bucketCounts: [0, 1, 0] }] });
    for (const bounds of [[], [2, 1], [1, 1], [-1], [Number.NaN], "1"]) {
      expect(() => monitor.histogram("app.bad", { bounds: bounds as never })).toThrow(OptionError);
    }
    expect(() => monitor.counter("app.bad", { bounds: [1] })).toThrow(OptionError);
  });

  it("finds the bucket that a linear search finds", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 2_000, noNaN: true }), (value) => {
        const index = SECONDS_BOUNDS.findIndex((bound) => value <= bound);
        expect(bucketOf(SECONDS_BOUNDS, value)).toBe(index === -1 ? SECONDS_BOUNDS.length : index);
      }),
    );
  });
});

describe("read()", () => {
  it("gives one value of the window over all series that match", async () => {
    const { clock, runtime, monitor } = monitored();
    for (let index = 0; index < 6; index++)
      answered(runtime, { durationMs: 1_000 * (index + 1), model: `m${index % 2}` });
    failed(runtime);
    expect(monitor.read("breakwater.calls", { aggregate: "count" })).toBe(7);
    expect(monitor.read("breakwater.calls", { aggregate: "rate", window: "5m" })).toBeCloseTo(7 / 300);
    expect(monitor.read("breakwater.calls", { aggregate: "ratio", share: { outcome: "error" } })).toBeCloseTo(1 / 7);
    expect(monitor.read("breakwater.call.duration", { aggregate: "max" })).toBe(6_000);
    expect(monitor.read("breakwater.call.duration", { aggregate: "max", labels: { model: "m0" } })).toBe(5_000);
    await clock.advance(120_000);
    expect(monitor.read("breakwater.calls", { aggregate: "count" })).toBe(0);
    expect(monitor.read("breakwater.call.duration", { aggregate: "max" })).toBeUndefined();
    expect(monitor.read("breakwater.call.duration", { aggregate: "max", window: "5m" })).toBe(6_000);
  });

  it("gives nothing where there never was anything", () => {
    const { monitor } = monitored();
    expect(monitor.read("breakwater.calls")).toBeUndefined();
    expect(monitor.read("app.unknown")).toBeUndefined();
    expect(monitor.read("breakwater.amplification")).toBeUndefined();
  });

  it("weighs a gauge's mean by time, and forgets what came before the window", async () => {
    const { clock, monitor } = monitored();
    const gauge = monitor.gauge("app.depth");
    gauge.set(100);
    await clock.advance(300_000);
    gauge.set(10);
    await clock.advance(45_000);
    gauge.set(50);
    await clock.advance(15_000);
    expect(monitor.read("app.depth", { aggregate: "mean" })).toBeCloseTo((10 * 45 + 50 * 15) / 60);
    expect(monitor.read("app.depth", { aggregate: "min" })).toBe(10);
    expect(monitor.read("app.depth", { aggregate: "max" })).toBe(50);
    expect(monitor.read("app.depth", { aggregate: "max", window: "10m" })).toBe(100);
    await clock.advance(120_000);
    // Nobody has set it since: it still is what it was.
    expect(monitor.read("app.depth", { aggregate: "mean" })).toBe(50);
  });

  it("gives a gauge the mean, minimum and maximum of the step function it is, whatever was set when", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 40_000 }), fc.integer({ min: -50, max: 50 })), {
          minLength: 1,
          maxLength: 60,
        }),
        fc.constantFrom(60_000, 300_000, 1_800_000),
        async (sets, window) => {
          const { clock, monitor } = monitored();
          const gauge = monitor.gauge("app.x");
          const course: { at: number; value: number }[] = [];
          for (const [pause, value] of sets) {
            await clock.advance(pause);
            gauge.set(value);
            course.push({ at: clock.now(), value });
          }
          await clock.advance(2_500);
          const now = clock.now();
          const unit = window > 300_000 ? 60_000 : 5_000;
          const from = Math.max(Math.round((now - window) / unit) * unit, course[0]?.at ?? 0);
          let area = 0;
          const seen: number[] = [];
          for (const [index, { at, value }] of course.entries()) {
            const start = Math.max(at, from);
            const end = Math.min(course[index + 1]?.at ?? now, now);
            if (end <= start) continue;
            area += value * (end - start);
            seen.push(value);
          }
          expect(monitor.read("app.x", { aggregate: "mean", window })).toBeCloseTo(area / (now - from), 6);
          expect(monitor.read("app.x", { aggregate: "min", window })).toBe(Math.min(...seen));
          expect(monitor.read("app.x", { aggregate: "max", window })).toBe(Math.max(...seen));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("refuses what it does not know", () => {
    const { monitor } = monitored();
    const wrong: readonly (() => unknown)[] = [
      () => monitor.read("breakwater.call"),
      () => monitor.read("breakwater.calls", { aggregate: "p95" }),
      () => monitor.read("breakwater.calls", { window: "2h" }),
      () => monitor.read("breakwater.calls", { labels: { colour: "red" } }),
      () => monitor.read("breakwater.calls", { colour: "red" } as never),
      () => monitor.timeline("breakwater.calls", { minutes: 0 }),
      () => monitor.timeline("breakwater.calls", { minutes: 15, stepSeconds: 30 }),
      () => monitor.timeline("breakwater.calls", { by: "colour" }),
    ];
    for (const attempt of wrong) expect(attempt, String(attempt)).toThrow(OptionError);
  });
});

describe("timeline()", () => {
  it("has one point a step, with null where there was no data and zero where there was none to count", async () => {
    const { clock, runtime, monitor } = monitored();
    await clock.advance(60_000);
    answered(runtime, { durationMs: 2_000 });
    await clock.advance(60_000);
    const [counts] = monitor.timeline("breakwater.calls", { aggregate: "count", minutes: 5, stepSeconds: 60 });
    expect(counts?.points.map(([, value]) => value)).toEqual([null, null, null, 1, 0]);
    const [times] = monitor.timeline("breakwater.call.duration", { aggregate: "max", minutes: 5, stepSeconds: 60 });
    expect(times?.points.map(([, value]) => value)).toEqual([null, null, null, 2_000, null]);
    expect(times?.points.map(([at]) => at - clock.wall())).toEqual([-240_000, -180_000, -120_000, -60_000, 0]);
  });

  it("splits by a label, and leaves out series that do not have it", async () => {
    const { clock, runtime, monitor } = monitored();
    answered(runtime);
    failed(runtime, "timeout");
    failed(runtime, "network");
    failed(runtime, "network");
    await clock.advance(1);
    const lines = monitor.timeline("breakwater.calls", { aggregate: "count", minutes: 1, by: "error_type" });
    const sums = lines.map(({ labels, points }) => [labels["error_type"], points.at(-1)?.[1]]);
    expect(sums).toEqual([
      ["timeout", 1],
      ["network", 2],
    ]);
  });

  it("adds up to what read() gives for the same time", async () => {
    const { clock, runtime, monitor } = monitored();
    await everySecond(clock, 900, (second) => {
      if (second % 7 !== 0) answered(runtime, { durationMs: second });
      attempted(runtime, 1 + (second % 3));
    });
    for (const minutes of [1, 5, 60]) {
      const [line] = monitor.timeline("breakwater.calls", { aggregate: "count", minutes });
      const sum = line?.points.reduce((all, [, value]) => all + (value ?? 0), 0) ?? 0;
      const whole = monitor.read("breakwater.calls", { aggregate: "count", window: minutes * 60_000 }) ?? 0;
      // The running step has taken the place of the oldest one.
      expect(sum).toBeGreaterThanOrEqual(whole - 5);
      expect(sum).toBeLessThanOrEqual(whole);
      expect(sum).toBeGreaterThan(0);
    }
    const [factor] = monitor.timeline("breakwater.amplification", { minutes: 5, stepSeconds: 60 });
    expect(factor?.points.at(-2)?.[1]).toBeCloseTo(3, 0);
  });

  it("keeps a gauge's value through steps in which nobody set it", async () => {
    const { clock, runtime, monitor } = monitored();
    runtime.events.emit("call.started", aCall(runtime), { stream: false, priority: 5, client: undefined });
    await clock.advance(20_000);
    const [line] = monitor.timeline("breakwater.calls.in_flight", { minutes: 1 });
    expect(line?.points.map(([, value]) => value).slice(-5)).toEqual([1, 1, 1, 1, 1]);
  });

  it("keeps the times of its points when the clock runs on, and follows a wall clock that is set", async () => {
    const { clock, runtime, monitor } = monitored();
    answered(runtime);
    const before = monitor.timeline("breakwater.calls", { minutes: 1 })[0]?.points ?? [];
    await clock.advance(5_000);
    const after = monitor.timeline("breakwater.calls", { minutes: 1 })[0]?.points ?? [];
    expect(after.slice(0, -1).map(([at]) => at)).toEqual(before.slice(1).map(([at]) => at));
  });
});
