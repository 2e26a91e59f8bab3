import { describe, expect, it } from "vitest";
import { type EventType, pipeline, SEVERITIES } from "../../src/core/index.ts";
import { formatReport } from "../../src/monitor/index.ts";
import { answering, callOf } from "../support/calls.ts";
import { SAMPLES, usage } from "./samples.ts";
import { aCall, answered, attempted, endOf, failed, monitored } from "./support.ts";

const TYPES = Object.keys(SAMPLES) as EventType[];

describe("the monitor", () => {
  it("takes every event there is, with a call and without, and never throws", () => {
    const { runtime, monitor } = monitored({ prices: { m: { input: 1, output: 1 } }, defaultAlerts: true });
    const failures: unknown[] = [];
    runtime.events.on("listener.failed", (event) => {
      failures.push(event.listenerOf);
    });
    expect(TYPES.toSorted()).toEqual(Object.keys(SEVERITIES).toSorted());
    for (const type of TYPES) {
      if (type === "listener.failed") continue;
      runtime.events.emit(type, aCall(runtime), SAMPLES[type]);
      runtime.events.emit(type, undefined, SAMPLES[type]);
    }
    expect(failures).toEqual([]);
    const json = JSON.stringify([monitor.report(), monitor.stats(), monitor.health(), monitor.alerts.list()]);
    expect(json).not.toMatch(/null|NaN|Infinity/);
    expect(formatReport(monitor.report())).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("turns the events of policies into metrics", () => {
    const { runtime, monitor } = monitored();
    for (const type of TYPES) {
      if (type !== "cache.tier_recovered" && type !== "breaker.closed") {
        runtime.events.emit(type, aCall(runtime), SAMPLES[type]);
      }
    }
    const rows = monitor.report().metrics;
    const found = (name: string, labels: Record<string, string> = {}): unknown =>
      rows.find(
        (row) => row.name === name && Object.entries(labels).every(([key, value]) => row.labels[key] === value),
      );
    expect(found("breakwater.ratelimit.remaining", { unit: "tokens", window: "60s" })).toMatchObject({ value: 0.25 });
    expect(found("breakwater.throttle.limit")).toMatchObject({ value: 32 });
    expect(found("breakwater.pool.depth")).toMatchObject({ value: 9 });
    expect(found("breakwater.pool.wait", { priority: "5" })).toMatchObject({ count: 1, max: 0.01 });
    expect(found("breakwater.breaker.state", { state: "half_open" })).toMatchObject({ value: 1 });
    expect(found("breakwater.breaker.state", { state: "open" })).toMatchObject({ value: 0 });
    expect(found("breakwater.breaker.transitions", { to: "open" })).toMatchObject({ total: 1 });
    expect(found("breakwater.breaker.rejections")).toMatchObject({ total: 1 });
    expect(found("breakwater.cache.lookups", { result: "hit", tier: "memory" })).toMatchObject({ total: 1 });
    expect(found("breakwater.cache.lookups", { result: "miss" })).toMatchObject({ total: 1 });
    expect(found("breakwater.cache.tier_failures", { tier: "redis", operation: "get" })).toMatchObject({ total: 1 });
    expect(found("breakwater.cache.tier_disabled", { tier: "redis" })).toMatchObject({ value: 1 });
    expect(found("breakwater.retries", { reason: "overloaded", source: "backoff" })).toMatchObject({ total: 1 });
    expect(found("breakwater.timeouts", { phase: "idle" })).toMatchObject({ total: 1 });
    expect(found("breakwater.stream.interruptions", { reason: "interrupted" })).toMatchObject({ total: 1 });
    expect(found("gen_ai.client.operation.time_to_first_chunk")).toMatchObject({ unit: "s", max: 0.3 });
    expect(found("breakwater.call.wait", { reason: "rate_limit" })).toMatchObject({ unit: "ms", max: 3 });
    expect(found("breakwater.attempts", { kind: "retry", error_type: "overloaded" })).toMatchObject({ total: 1 });
  });

  it("knows how many calls are under way, also those that began before it", async () => {
    const { clock, runtime, monitor } = monitored();
    answered(runtime);
    expect(monitor.stats().inFlight).toBe(0);
    const line = pipeline({ name: "pass", ring: "call", runtime, handle: (call, next) => next(call) });
    const running = line.execute(callOf(runtime, answering(runtime, "yes", 1_000)));
    await clock.advance(500);
    expect(monitor.stats().inFlight).toBe(1);
    await clock.run(running);
    expect(monitor.stats()).toMatchObject({ inFlight: 0, calls: 2, answered: 2, inputTokens: 100, outputTokens: 50 });
  });

  it("counts cost of the provider's answers, and what the others would have cost", () => {
    const { runtime, monitor } = monitored({ prices: { m: { input: 2, cachedInput: 0.5, output: 10 } } });
    answered(runtime, { usage });
    answered(runtime, { usage, servedBy: "cache" });
    answered(runtime, { usage, servedBy: "coalesced" });
    answered(runtime, { usage, model: "unpriced" });
    const { totals } = monitor.report();
    // 0.6 million tokens at 2, 0.4 million cached ones at 0.5, 0.1 million at 10.
    expect(totals.costUsd).toBeCloseTo(1.2 + 0.2 + 1);
    expect(totals.savedUsd).toBeCloseTo(2 * 2.4);
    expect(totals).toMatchObject({ cacheHits: 1, coalesced: 1, inputTokens: 2_000_000, outputTokens: 200_000 });
  });

  it("does not speak of cost without prices", () => {
    const { runtime, monitor } = monitored();
    answered(runtime, { usage });
    expect(monitor.report().totals).not.toHaveProperty("costUsd");
    expect(monitor.stats()).not.toHaveProperty("savedUsd");
  });

  it("keeps outcomes apart, and the totals equal to the rows", () => {
    const { runtime, monitor } = monitored();
    for (let index = 0; index < 4; index++) answered(runtime);
    failed(runtime, "server_error");
    failed(runtime, "refused");
    runtime.events.emit("call.cancelled", aCall(runtime), endOf(5));
    for (const number of [1, 2, 3]) attempted(runtime, number, number < 3 ? "overloaded" : undefined);
    const { totals, metrics } = monitor.report();
    expect(totals).toEqual({
      calls: 7,
      answered: 4,
      failed: 1,
      cancelled: 1,
      refused: 1,
      cacheHits: 0,
      coalesced: 0,
      attempts: 3,
      amplification: 3,
      inputTokens: 0,
      outputTokens: 0,
    });
    expect(monitor.stats()).toMatchObject(totals);
    const durations = metrics.filter(({ name }) => name === "breakwater.call.duration");
    expect(durations.reduce((sum, row) => sum + (row.kind === "histogram" ? row.count : 0), 0)).toBe(7);
  });

  it("listens to nothing and holds no timer once closed", async () => {
    const { clock, runtime, monitor } = monitored({ defaultAlerts: true });
    expect(clock.pendingTimers).toBe(1);
    answered(runtime);
    monitor.close();
    answered(runtime);
    expect(clock.pendingTimers).toBe(0);
    expect(runtime.events.wants("call.completed")).toBe(false);
    expect(monitor.stats().calls).toBe(1);
  });

  it("has no timer while there is no rule", () => {
    const { clock, monitor } = monitored();
    expect(clock.pendingTimers).toBe(0);
    const id = monitor.alerts.add({ metric: "app.x", aggregate: "count", above: 1 });
    expect(clock.pendingTimers).toBe(1);
    expect(monitor.alerts.remove(id)).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it("knows a breaker by its name, whichever call tells of it, and where it comes from", () => {
    const { runtime, monitor } = monitored({ defaultAlerts: true });
    const { events } = runtime;
    const why = { reason: "timeout", failureRate: 1, slowCallRate: 0, samples: 10, openForMs: 1_000 } as const;
    const open = () => monitor.read("breakwater.breaker.state", { aggregate: "sum", labels: { state: "open" } });
    const moves = (from: string, to: string) =>
      monitor.read("breakwater.breaker.transitions", { aggregate: "count", labels: { from, to, model: "m" } });
    // That of a credential: calls of several models tell of it.
    events.emit("breaker.opened", aCall(runtime), { key: "credential", ...why });
    events.emit("breaker.rejected", aCall(runtime, "another"), { key: "credential", retryAfterMs: 10 });
    expect(open()).toBe(1);
    events.emit("breaker.half_opened", aCall(runtime, "another"), { key: "credential" });
    events.emit("breaker.opened", aCall(runtime), { key: "credential", ...why, reason: "probe_failed" });
    events.emit("breaker.closed", undefined, { key: "credential", openMs: 1_000 });
    expect(open()).toBe(0);
    // Another process has opened it: no call of this one.
    events.emit("breaker.opened", undefined, { key: "told", ...why, reason: "told" });
    events.emit("breaker.half_opened", aCall(runtime), { key: "told" });
    expect(open()).toBe(0);
    events.emit("breaker.closed", aCall(runtime), { key: "told", openMs: 1_000 });
    expect([moves("closed", "open"), moves("open", "half_open"), moves("half_open", "open")]).toEqual([1, 2, 1]);
    expect([moves("open", "closed"), moves("half_open", "closed")]).toEqual([1, 1]);
    expect(monitor.health().reasons.filter(({ check }) => check === "breaker")).toEqual([]);
  });
});
