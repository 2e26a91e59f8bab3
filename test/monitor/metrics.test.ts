import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/core/index.ts";
import { answered, failed, monitored } from "./support.ts";

describe("instruments of one's own", () => {
  it("count, show, distribute and time, by label", async () => {
    const { clock, monitor } = monitored();
    const docs = monitor.counter("app.docs", { description: "Documents.", unit: "{doc}", labels: ["kind"] });
    docs.add(1, { kind: "x" });
    docs.add(2, { kind: "x" });
    docs.add(5, { kind: "y" });
    monitor.gauge("app.depth").set(7);
    monitor.gauge("app.depth").add(-3);
    monitor.histogram("app.size", { unit: "By" }).record(0);
    const timer = monitor.timer("app.work");
    const stop = timer.start();
    await clock.advance(2_000);
    expect(stop()).toBe(2);
    expect(stop()).toBe(2);
    await clock.run(timer.time(() => new Promise<void>((resolve) => void clock.timer(4_000, resolve))));
    expect(() =>
      timer.time(() => {
        throw new Error("no");
      }),
    ).toThrow("no");

    const rows = monitor.report({ minutes: 1 }).metrics;
    expect(rows.filter(({ name }) => name === "app.docs")).toEqual([
      { name: "app.docs", unit: "{doc}", labels: { kind: "x" }, kind: "counter", total: 3, rate: 0.5 },
      { name: "app.docs", unit: "{doc}", labels: { kind: "y" }, kind: "counter", total: 5, rate: 5 / 6 },
    ]);
    expect(rows.find(({ name }) => name === "app.depth")).toMatchObject({ kind: "gauge", value: 4 });
    expect(rows.find(({ name }) => name === "app.size")).toMatchObject({ count: 1, min: 0, max: 0, p50: 0 });
    expect(rows.find(({ name }) => name === "app.work")).toMatchObject({
      unit: "s",
      count: 3,
      min: 0,
      max: 4,
      mean: 2,
    });
  });

  it("are told apart by any label value, in any order of keys", () => {
    const { monitor } = monitored();
    const counter = monitor.counter("app.odd");
    counter.add(1, { a: "1:x", b: "y" });
    counter.add(1, { b: "y", a: "1:x" });
    counter.add(1, { a: "1:x,b=1:y" });
    expect(monitor.report().metrics.map(({ labels }) => labels)).toEqual([{ a: "1:x", b: "y" }, { a: "1:x,b=1:y" }]);
  });

  it("refuse values that are no measurement, and count those", () => {
    const { monitor } = monitored();
    const counter = monitor.counter("app.bad");
    for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY]) counter.add(value);
    monitor.gauge("app.worse").set(Number.NaN);
    monitor.histogram("app.worst").record(-0.1);
    // What comes without types: it must not turn a sum into a text.
    counter.add("5" as unknown as number);
    expect(monitor.stats().refusedValues).toBe(6);
    expect(monitor.report().metrics).toEqual([]);
  });

  it("refuse a timer's labels before anything runs", () => {
    const { monitor } = monitored();
    const timer = monitor.timer("app.strict", { labels: ["kind"] });
    let ran = 0;
    const work = async (): Promise<number> => ++ran;
    expect(() => timer.time(work, { colour: "red" })).toThrow(OptionError);
    expect(() => timer.start({ colour: "red" })).toThrow(OptionError);
    expect(ran).toBe(0);
  });

  it("have names and labels that are checked", () => {
    const { monitor } = monitored();
    monitor.counter("app.docs", { labels: ["kind"] });
    const wrong: readonly (() => void)[] = [
      () => monitor.counter(""),
      () => monitor.counter("app..docs"),
      () => monitor.counter("app docs"),
      () => monitor.counter("breakwater.calls"),
      () => monitor.gauge("gen_ai.mine"),
      () => monitor.gauge("app.docs"),
      () => monitor.counter("app.more", { labels: ["has space"] }),
      () => monitor.counter("app.more", { colour: "red" } as never),
      () => monitor.counter("app.docs").add(1, { other: "x" }),
      () => monitor.counter("app.free").add(1, { "has space": "x" }),
    ];
    for (const attempt of wrong) expect(attempt, String(attempt)).toThrow(OptionError);
  });

  it("keep sums that are numbers, however large the values", () => {
    const { monitor } = monitored();
    const counter = monitor.counter("app.count");
    const gauge = monitor.gauge("app.level");
    const histogram = monitor.histogram("app.size");
    for (const value of [6e299, 6e299, Number.MAX_VALUE]) {
      counter.add(value);
      gauge.set(value);
      histogram.record(value);
    }
    const read = monitor.read("app.size", { aggregate: "mean" });
    expect(JSON.stringify([monitor.metrics(), monitor.report(), read])).not.toMatch(/null|Infinity/);
    expect(monitor.stats().refusedValues).toBe(5);
  });

  it("may be brought up to date by what throws or rejects: that harms nobody, and is told without its message", async () => {
    const { clock, runtime, monitor } = monitored();
    const told: unknown[] = [];
    runtime.events.on("listener.failed", ({ listenerOf, error }) => void told.push([listenerOf, error]));
    monitor.gauge("app.thrown").set(1);
    monitor.gauge("app.rejected");
    monitor.observe(["app.thrown"], () => {
      throw new RangeError("secret");
    });
    monitor.observe(["app.rejected"], async () => {
      throw new TypeError("secret");
    });
    monitor.alerts.add({ metric: "app.thrown", aggregate: "value", above: 1 });
    await clock.advance(5_000);
    expect(monitor.read("app.thrown")).toBe(1);
    monitor.read("app.rejected");
    await Promise.resolve();
    expect(told).toContainEqual(["monitor.observe", "RangeError"]);
    expect(told).toContainEqual(["monitor.observe", "TypeError"]);
  });
});

describe("an attack on labels", () => {
  it("with 100,000 models makes at most 500 series and loses no call", () => {
    const { runtime, monitor } = monitored();
    const overflowed: string[] = [];
    runtime.events.on("monitor.overflow", ({ metric }) => {
      overflowed.push(metric);
    });
    const calls = 100_000;
    for (let index = 0; index < calls; index++) {
      answered(runtime, { model: `model-${index}`, provider: `provider-${index % 50}` });
    }
    const rows = monitor.report().metrics.filter(({ name }) => name === "breakwater.calls");
    expect(rows.length).toBeLessThanOrEqual(500);
    expect(rows.reduce((sum, row) => sum + (row.kind === "counter" ? row.total : 0), 0)).toBe(calls);
    expect(monitor.report().totals.calls).toBe(calls);
    expect(new Set(rows.map(({ labels }) => labels["model"])).size).toBe(65);
    expect(rows.find(({ labels }) => labels["model"] === "other")).toBeDefined();
    expect(overflowed).toContain("breakwater.calls");
    expect(new Set(overflowed).size).toBe(overflowed.length);
  });

  it("keeps how calls ended, so that totals and ratios stay right", () => {
    const kinds = ["server_error", "rate_limited", "timeout", "network", "overloaded", "bad_request"] as const;
    const { runtime, monitor } = monitored({ maxSeries: 100 });
    monitor.alerts.add({
      id: "bad",
      metric: "breakwater.calls",
      aggregate: "ratio",
      share: { error_type: kinds },
      groupBy: ["model"],
      above: 0.5,
    });
    for (let index = 0; index < 64; index++) {
      for (const errorType of kinds) failed(runtime, errorType, 100, `m${index}`);
      answered(runtime, { model: `m${index}` });
    }
    const { calls, answered: good, failed: bad, cancelled, refused } = monitor.stats();
    expect({ calls, good, bad, cancelled, refused }).toEqual({
      calls: 64 * 7,
      good: 64,
      bad: 64 * 6,
      cancelled: 0,
      refused: 0,
    });
    const rows = monitor.report().metrics.filter(({ name }) => name === "breakwater.calls");
    expect(rows.length).toBeLessThanOrEqual(100);
    monitor.evaluate();
    expect(monitor.alerts.list()[0]?.alerts.map(({ labels }) => labels["model"])).toContain("other");
  });

  it("with odd characters shows clean names, and lets models with a price in after the first 64", () => {
    const { runtime, monitor } = monitored({ prices: { "gpt-5": { input: 1, output: 1 } } });
    for (const model of ["", " m ", "a\nb\u0000c", "x".repeat(1_000)]) answered(runtime, { model });
    for (let index = 0; index < 100; index++) answered(runtime, { model: `junk-${index}` });
    answered(runtime, { model: "gpt-5" });
    const models = new Set(
      monitor.report().metrics.flatMap(({ name, labels }) => (name === "breakwater.calls" ? [labels["model"]] : [])),
    );
    for (const clean of ["unknown", "m", "a_b_c", "x".repeat(128), "gpt-5", "other"]) expect(models).toContain(clean);
    expect(models.size).toBe(66);
  });

  it("on a counter of one's own ends in one series for the rest, told once", () => {
    const { runtime, monitor } = monitored({ maxSeries: 10 });
    const overflowed: string[] = [];
    runtime.events.on("monitor.overflow", ({ metric }) => {
      overflowed.push(metric);
    });
    const counter = monitor.counter("app.users", { labels: ["user"] });
    for (let index = 0; index < 1_000; index++) counter.add(1, { user: `u${index}` });
    const rows = monitor.report().metrics;
    expect(rows.length).toBe(10);
    expect(rows.at(-1)).toMatchObject({ labels: { user: "other" }, total: 991 });
    expect(overflowed).toEqual(["app.users"]);
    expect(monitor.stats().overflowed).toBe(991);
  });
});
