import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SECONDS_BOUNDS } from "../../src/monitor/bounds.ts";
import { ExponentialHistogram } from "../../src/monitor/exponential-histogram.ts";
import { CounterSeries, HistogramSeries } from "../../src/monitor/series.ts";
import { WindowMemory } from "../../src/monitor/window-memory.ts";
import { answered, everySecond, monitored } from "./support.ts";

const MINUTE = 60_000;

describe("windows", () => {
  it("show only what was asked for: 5 minutes of 1 s, then 60 s of 10 s", async () => {
    const { clock, runtime, monitor } = monitored();
    await everySecond(clock, 300, () => answered(runtime, { durationMs: 1_000 }));
    await everySecond(clock, 60, () => answered(runtime, { durationMs: 10_000 }));
    const durations = (minutes: number) =>
      monitor.report({ minutes }).metrics.find(({ name }) => name === "breakwater.call.duration");
    expect(durations(1)).toMatchObject({ count: 60, min: 10_000, max: 10_000, p50: 10_000, p95: 10_000, mean: 10_000 });
    expect(durations(6)).toMatchObject({ count: 360, min: 1_000, max: 10_000, p50: 1_000, mean: 2_500 });
    await clock.advance(2 * MINUTE);
    expect(durations(1)).toBeUndefined();
    await clock.advance(60 * MINUTE);
    expect(durations(60)).toBeUndefined();
  });

  it("let a single spike go within 5 s of their end, from least, greatest, mean and percentiles at the same moment", async () => {
    const { clock, runtime, monitor } = monitored();
    await everySecond(clock, 90, () => answered(runtime, { durationMs: 1_000 }));
    answered(runtime, { durationMs: 60_000 });
    answered(runtime, { durationMs: 1 });
    const shows = (aggregate: "min" | "max" | "mean" | "p99"): boolean => {
      const value = monitor.read("breakwater.call.duration", { aggregate, window: "1m" }) ?? Number.NaN;
      return Math.abs(value - 1_000) > 15;
    };
    let gone = 0;
    for (let second = 1; second <= 90; second++) {
      await clock.advance(1_000);
      answered(runtime, { durationMs: 1_000 });
      const shown = (["min", "max", "mean", "p99"] as const).map(shows);
      expect(new Set(shown).size, `${second} s later: ${shown}`).toBe(1);
      if (shown[0] === false && gone === 0) gone = second;
      if (gone > 0) expect(shown[0]).toBe(false);
    }
    expect(gone).toBeGreaterThanOrEqual(55);
    expect(gone).toBeLessThanOrEqual(65);
  });

  it("are the same whether the wall clock is set an hour back, an hour forth or not at all", async () => {
    const shownAfter = async (jump: number) => {
      const { clock, runtime, monitor } = monitored();
      await everySecond(clock, 150, () => answered(runtime, { durationMs: 1_000 }));
      clock.shiftWall(jump);
      await everySecond(clock, 30, () => answered(runtime, { durationMs: 10_000 }));
      const points = monitor.timeline("breakwater.call.duration", { aggregate: "p50", minutes: 5 })[0]?.points ?? [];
      const [first = [0, null], ...rest] = points;
      const times = [first, ...rest].map(([at]) => at);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(Math.abs(clock.wall() - (times.at(-1) ?? 0))).toBeLessThanOrEqual(60_000);
      const { metrics, totals, from, to } = monitor.report({ minutes: 2 });
      return {
        duration: metrics.find(({ name }) => name === "breakwater.call.duration"),
        totals,
        minutes: (to - from) / MINUTE,
        values: points.map(([, value]) => value),
        p50: monitor.read("breakwater.call.duration", { aggregate: "p50", window: "30s" }),
      };
    };
    const still = await shownAfter(0);
    expect(still).toMatchObject({ duration: { count: 120, min: 1_000, max: 10_000 }, minutes: 2, p50: 10_000 });
    expect(await shownAfter(-60 * MINUTE)).toEqual(still);
    expect(await shownAfter(60 * MINUTE)).toEqual(still);
  });

  it("count what was added within them, to the slot: 5 s of the last 5 minutes, a minute before", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 120_000 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 60 }), (steps, minutes) => {
        const series = new CounterSeries({});
        const times: number[] = [];
        let now = 0;
        for (const step of steps) {
          now += step;
          times.push(now);
          series.add(1, now);
        }
        const windowMs = minutes * MINUTE;
        const blur = minutes <= 5 ? 2_500 : 30_000;
        const within = (ms: number): number => times.filter((at) => at >= now - ms).length;
        const counted = series.within(now, windowMs);
        expect(counted).toBeGreaterThanOrEqual(within(windowMs - blur));
        expect(counted).toBeLessThanOrEqual(within(windowMs + blur));
        expect(series.total).toBe(steps.length);
      }),
    );
  });

  it("of 5 minutes are as precise as shorter ones, at any second", () => {
    const series = new CounterSeries({});
    for (let second = 0; second < 1_200; second++) {
      series.add(1, second * 1000);
      if (second < 300) continue;
      expect(series.within(second * 1000, 5 * MINUTE)).toBeGreaterThanOrEqual(298);
      expect(series.within(second * 1000, 5 * MINUTE)).toBeLessThanOrEqual(303);
    }
  });

  it("of an hour lose nothing of the hour", () => {
    const series = new CounterSeries({});
    for (let second = 0; second < 7_200; second++) series.add(1, second * 1000);
    expect(series.within(7_199_000, 60 * MINUTE)).toBeGreaterThanOrEqual(3_570);
    expect(series.within(7_199_000, 60 * MINUTE)).toBeLessThanOrEqual(3_630);
  });

  it("are the sum of their slots, whatever the pauses, the window and the moment", () => {
    const pause = fc.oneof(fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: 0, max: 400_000 }));
    fc.assert(
      fc.property(
        fc.array(pause, { minLength: 1, maxLength: 200 }),
        fc.constantFrom(5_000, 60_000, 90_000, 300_000, 600_000, 3_600_000),
        (pauses, window) => {
          const series = new CounterSeries({});
          const times: number[] = [];
          let now = 0;
          for (const one of pauses) {
            now += one;
            series.add(1, now);
            times.push(now);
          }
          const unit = window > 300_000 ? 60_000 : 5_000;
          const from = Math.round((now - window) / unit) * unit;
          expect(series.within(now, window)).toBe(times.filter((at) => at >= from).length);
        },
      ),
    );
  });

  it("keep to their memory by giving up the oldest minutes, never the last one", () => {
    const memory = new WindowMemory(1024 ** 2);
    const series = Array.from(
      { length: 20 },
      (_, index) => new HistogramSeries({ index: String(index) }, memory, SECONDS_BOUNDS),
    );
    let highest = 0;
    let now = 0;
    for (; now < 30 * MINUTE; now += 5_000) {
      for (const one of series) for (const value of [0.01, 1, 100]) one.record(value, now);
      highest = Math.max(highest, memory.bytes);
    }
    expect(memory.reclaims).toBeGreaterThan(0);
    // What is made within the length of one slot comes on top.
    expect(highest).toBeLessThan(1.1 * memory.limit);
    const lastMinute = new ExponentialHistogram();
    series[0]?.collect(now - 5_000, MINUTE, lastMinute);
    expect(lastMinute.count).toBeGreaterThanOrEqual(12 * 3);
    expect(series[0]?.lifetime.count).toBe(360 * 3);
  });

  it("account for every byte that their slots hold", () => {
    const memory = new WindowMemory(1024 ** 3);
    const series = new HistogramSeries({}, memory, SECONDS_BOUNDS);
    for (let now = 0; now < 3 * 60 * MINUTE; now += 1_000) series.record(1, now);
    // 61 fine slots, 61 minutes and 7 blocks of ten minutes, of one octave each.
    expect(memory.bytes).toBe((61 + 61 + 7) * 32 * 4);
  });
});
