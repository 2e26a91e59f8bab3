import { describe, expect, it } from "vitest";
import type { Runtime } from "../../src/core/index.ts";
import { type AlertRule, DEFAULT_ALERTS, type Monitor } from "../../src/monitor/index.ts";
import { SYSTEM_DEFINITIONS } from "../../src/system/index.ts";
import { steps } from "./alerts/support.ts";
import { SAMPLES } from "./samples.ts";
import { aCall, answered, attempted, endOf, everySecond, failed, monitored } from "./support.ts";

type Act = (runtime: Runtime, monitor: Monitor) => void;

/** What makes a built-in rule fire, and what ends it. Times in seconds. */
interface Case {
  readonly bad: Act;
  readonly good: Act;
  /** Between two acts; default 1. */
  readonly every?: number;
  /** How long all is well before; default 120. */
  readonly before?: number;
  /** How long it is bad; default 240. */
  readonly during?: number;
  /** How long all is well afterwards; default 720. */
  readonly after?: number;
}

const breakerOpened: Act = (runtime) => {
  const why = { reason: "timeout", failureRate: 1, slowCallRate: 0, samples: 10, openForMs: 1_000 } as const;
  runtime.events.emit("breaker.opened", aCall(runtime), { key: "p/m/k", ...why });
};
const breakerClosed: Act = (runtime) =>
  runtime.events.emit("breaker.closed", aCall(runtime), { key: "p/m/k", openMs: 1_000 });
const firstChunk =
  (ttfcMs: number): Act =>
  (runtime) =>
    runtime.events.emit("call.first_chunk", aCall(runtime), { ttfcMs, attempt: 1 });
const headroom =
  (remaining: number): Act =>
  (runtime) => {
    const told = { key: "k", unit: "tokens", windowMs: 60_000, limit: 100, remaining } as const;
    runtime.events.emit("ratelimit.observed", aCall(runtime), told);
  };
const chunkAfter =
  (ms: number): Act =>
  (runtime) => {
    const call = aCall(runtime);
    for (let chunk = 0; chunk < 2; chunk++) runtime.events.chunkMeter(call)?.(ms, runtime.clock.now());
  };
const answeredBy =
  (who: "primary" | "fallback"): Act =>
  (runtime) => {
    runtime.events.emit("call.completed", aCall(runtime), { ...SAMPLES["call.completed"], answeredBy: who });
  };
const spent =
  (spentDollars: number): Act =>
  (runtime) => {
    const whose = { scope: "global", name: "global", period: "day" } as const;
    runtime.events.emit("budget.updated", aCall(runtime), { ...whose, spentDollars, limitDollars: 10 });
  };
const priced =
  (outputTokens: number): Act =>
  (runtime) =>
    answered(runtime, { usage: { inputTokens: 0, outputTokens } });
/** Shows gauges as `systemMetrics` does. */
const shown =
  (values: Readonly<Record<string, number>>): Act =>
  (_runtime, monitor) => {
    for (const [name, value] of Object.entries(values)) monitor.gauge(name).set(value);
  };
const HEAP = { limit: SYSTEM_DEFINITIONS.heapLimit.name, used: SYSTEM_DEFINITIONS.heapUsed.name };
const MEMORY = { limit: SYSTEM_DEFINITIONS.memoryLimit.name, used: SYSTEM_DEFINITIONS.memoryLimitUsed.name };
const nothing: Act = () => {};

const PRICES = { m: { input: 0, output: 10 } };
let hung: ReturnType<typeof aCall> | undefined;

const CASES: Readonly<Record<string, Case>> = {
  provider_outage: { bad: (runtime) => attempted(runtime, 1, "server_error"), good: (runtime) => attempted(runtime) },
  error_rate: { bad: (runtime) => failed(runtime), good: (runtime) => answered(runtime) },
  slo_burn_fast: {
    bad: (runtime) => failed(runtime),
    good: (runtime) => answered(runtime),
    every: 10,
    before: 3_700,
    during: 900,
    after: 1_200,
  },
  slo_burn_slow: {
    bad: (runtime) => failed(runtime, "refused"),
    good: (runtime) => answered(runtime),
    every: 30,
    before: 22_000,
    during: 1_800,
    after: 4_000,
  },
  latency: {
    bad: (runtime) => answered(runtime, { durationMs: 25_000 }),
    good: (runtime) => answered(runtime, { durationMs: 2_000 }),
    every: 5,
    before: 6_000,
    during: 900,
    after: 1_200,
  },
  slow_first_chunk: { bad: firstChunk(9_000), good: firstChunk(400) },
  stream_interruptions: {
    bad: (runtime, monitor) => {
      firstChunk(400)(runtime, monitor);
      runtime.events.emit("stream.interrupted", aCall(runtime), { chunks: 3, afterMs: 40, reason: "interrupted" });
    },
    good: firstChunk(400),
  },
  slow_chunks: { bad: chunkAfter(8_000), good: chunkAfter(30) },
  hanging_call: {
    bad: (runtime) => {
      if (hung !== undefined) return;
      hung = aCall(runtime);
      runtime.events.emit("call.started", hung, { stream: false, priority: 5, client: undefined });
    },
    good: (runtime) => {
      if (hung !== undefined) runtime.events.emit("call.cancelled", hung, endOf(1));
      hung = undefined;
    },
    during: 700,
  },
  breaker_open: { bad: breakerOpened, good: breakerClosed },
  breaker_open_long: { bad: breakerOpened, good: breakerClosed, every: 60, during: 600 },
  breaker_reopening: { bad: breakerOpened, good: breakerClosed, every: 20, during: 60 },
  rate_limited: { bad: (runtime) => attempted(runtime, 1, "rate_limited"), good: (runtime) => attempted(runtime) },
  limit_headroom: { bad: headroom(5), good: headroom(60) },
  retry_amplification: {
    bad: (runtime) => {
      for (const number of [1, 2, 3]) attempted(runtime, number, number < 3 ? "rate_limited" : undefined);
    },
    good: (runtime) => attempted(runtime),
  },
  fallback_rate: { bad: answeredBy("fallback"), good: answeredBy("primary"), during: 400 },
  queue_wait: {
    bad: (runtime) => runtime.events.emit("pool.dequeued", aCall(runtime), { waitMs: 4_000, depth: 9, priority: 5 }),
    good: (runtime) => runtime.events.emit("pool.dequeued", aCall(runtime), { waitMs: 20, depth: 0, priority: 5 }),
  },
  loop_delay: {
    bad: shown({ [SYSTEM_DEFINITIONS.loopDelayP99.name]: 0.3 }),
    good: shown({ [SYSTEM_DEFINITIONS.loopDelayP99.name]: 0.002 }),
  },
  loop_busy: {
    bad: shown({ [SYSTEM_DEFINITIONS.loopUtilization.name]: 0.99 }),
    good: shown({ [SYSTEM_DEFINITIONS.loopUtilization.name]: 0.4 }),
    before: 10,
    during: 400,
  },
  heap: {
    bad: shown({ [HEAP.limit]: 1_000, [HEAP.used]: 900 }),
    good: shown({ [HEAP.limit]: 1_000, [HEAP.used]: 300 }),
    during: 400,
  },
  memory: {
    bad: shown({ [MEMORY.limit]: 1_000, [MEMORY.used]: 950 }),
    good: shown({ [MEMORY.limit]: 1_000, [MEMORY.used]: 300 }),
    during: 400,
  },
  heap_growing: {
    bad: shown({ [SYSTEM_DEFINITIONS.heapGrowth.name]: 3e7 }),
    good: shown({ [SYSTEM_DEFINITIONS.heapGrowth.name]: 0 }),
    after: 900,
  },
  budget: { bad: spent(8.5), good: spent(0.1) },
  budget_exceeded: {
    bad: (runtime) => {
      const whose = { scope: "global", name: "global", period: "day" } as const;
      runtime.events.emit("budget.rejected", aCall(runtime), { ...whose, retryAfterMs: 60_000 });
    },
    good: nothing,
    every: 10,
  },
  spend_rate: { bad: priced(100_000), good: priced(1_000), every: 10, before: 6_000, during: 1_500, after: 2_400 },
  account: { bad: (runtime) => attempted(runtime, 1, "bad_credential"), good: (runtime) => attempted(runtime) },
  telemetry_loss: {
    bad: (runtime) =>
      runtime.events.emit("exporter.failed", undefined, { exporter: "otlp", error: "ECONNREFUSED", consecutive: 3 }),
    good: nothing,
  },
  metric_overflow: {
    bad: (runtime) => runtime.events.emit("monitor.overflow", undefined, { metric: "app.docs" }),
    good: nothing,
    every: 60,
    after: 4_000,
  },
};

describe("the built-in rules", () => {
  it("are all proven here", () => {
    expect(Object.keys(CASES)).toEqual(DEFAULT_ALERTS.map(({ id }) => id));
  });

  it.each(Object.entries(CASES))("%s fires when it must and ends when all is well", async (id, chosen) => {
    const { bad, good, every = 1, before = 120, during = 240, after = 720 } = chosen;
    const rule = DEFAULT_ALERTS.find((one) => one.id === id) as AlertRule;
    const { clock, runtime, monitor, sent } = monitored({ alerts: [rule], prices: PRICES });
    await steps(clock, before, every, () => good(runtime, monitor));
    expect(sent).toEqual([]);
    await steps(clock, during, every, () => bad(runtime, monitor));
    expect(new Set(sent.map(({ state }) => state))).toEqual(new Set(["firing"]));
    expect(sent.every((alert) => alert.rule === id && !alert.message.includes("no data"))).toBe(true);
    await steps(clock, after, every, () => good(runtime, monitor));
    expect(sent.filter(({ state }) => state === "resolved")).toHaveLength(1);
    expect(sent.at(-1)?.state).toBe("resolved");
    monitor.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it("tell of an open breaker at once", () => {
    const { runtime, monitor, sent } = monitored({ defaultAlerts: true });
    breakerOpened(runtime, monitor);
    expect(sent).toMatchObject([
      { rule: "breaker_open", state: "firing", labels: { provider: "test", model: "m", breaker: "p/m/k" } },
    ]);
  });

  it("tell of a refused credential at once", () => {
    const { runtime, sent } = monitored({ defaultAlerts: true });
    attempted(runtime, 1, "bad_credential");
    expect(sent).toMatchObject([
      { rule: "account", level: "warning", labels: { provider: "test", errorType: "bad_credential" } },
    ]);
  });

  it("tell of more and more errors as a warning and then as critical, and of their end once", async () => {
    const { clock, runtime, sent } = monitored({ defaultAlerts: true });
    const share = (errors: number) => (second: number) => {
      const broken = second % 100 < errors;
      attempted(runtime, 1, broken ? "server_error" : undefined);
      if (broken) failed(runtime);
      else answered(runtime);
    };
    await everySecond(clock, 600, share(0));
    await everySecond(clock, 600, share(20));
    await everySecond(clock, 600, share(40));
    await everySecond(clock, 1_200, share(0));
    const told = sent.filter(({ group }) => group.startsWith("errors")).map(({ state, level }) => `${state} ${level}`);
    expect(told).toEqual(["firing warning", "firing critical", "resolved critical"]);
  });

  it("take the own past of each model for what is usual", async () => {
    const { clock, runtime, sent } = monitored({ defaultAlerts: true });
    await steps(clock, 2 * 3_600, 5, () => {
      answered(runtime, { model: "thinks", durationMs: 60_000 });
      answered(runtime, { model: "answers", durationMs: 3_000 });
    });
    // Twice as long as usual, and yet nobody waits for 10 s.
    await steps(clock, 900, 5, () => answered(runtime, { model: "answers", durationMs: 9_000 }));
    expect(sent).toEqual([]);
    await steps(clock, 900, 5, () => answered(runtime, { model: "thinks", durationMs: 150_000 }));
    expect(sent).toMatchObject([{ rule: "latency", state: "firing", labels: { model: "thinks" } }]);
    expect(sent[0]?.threshold).toBeCloseTo(120_000, -4);
  });
});
