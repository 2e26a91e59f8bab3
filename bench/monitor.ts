/** What the monitor costs: a plain call, one observation, a query, a tick of the built-in rules. Prints, judges nothing. */
import { createRuntime, type EventMap, systemClock } from "../src/core/index.ts";
import { ExponentialHistogram } from "../src/monitor/exponential-histogram.ts";
import { createMonitor } from "../src/monitor/index.ts";
import { gather } from "../src/monitor/reading.ts";
import { HistogramSeries } from "../src/monitor/series.ts";
import { WindowMemory } from "../src/monitor/window-memory.ts";

const ROUNDS = 7;

function nanoseconds(repeats: number, fn: (index: number) => void): number {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = systemClock.now();
    for (let index = 0; index < repeats; index++) fn(index);
    times.push(((systemClock.now() - startedAt) * 1e6) / repeats);
  }
  return times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] as number;
}

function line(what: string, ns: number): void {
  console.log(`${what.padEnd(44)} ${Math.round(ns).toString().padStart(9)} ns`);
}

// The bus reads four fields of a call and nothing else.
const call = { id: "c1", operation: "chat", provider: "openai", model: "gpt-5" } as never;
const started: EventMap["call.started"] = { stream: false, priority: 5, client: undefined };
const attempted: EventMap["attempt.completed"] = {
  attempt: 1,
  kind: "first",
  durationMs: 800,
  firstContentMs: undefined,
  status: 200,
  usage: undefined,
};
const completed: EventMap["call.completed"] = {
  durationMs: 812,
  providerMs: 800,
  waits: { queue: 0, throttle: 0, rateLimit: 0, backoff: 0 },
  attempts: 1,
  stream: false,
  priority: 5,
  client: undefined,
  usage: { inputTokens: 500, outputTokens: 40 },
  servedBy: "upstream",
  tier: undefined,
  responseModel: undefined,
  finishReasons: undefined,
};

function plainCall(runtime: ReturnType<typeof createRuntime>): number {
  const { events } = runtime;
  return nanoseconds(300_000, () => {
    if (events.wants("call.started")) events.emit("call.started", call, started);
    if (events.wants("attempt.started")) events.emit("attempt.started", call, { attempt: 1, kind: "first" });
    if (events.wants("attempt.completed")) events.emit("attempt.completed", call, attempted);
    if (events.wants("call.completed")) events.emit("call.completed", call, completed);
  });
}

const bare = createRuntime();
const listened = createRuntime();
for (const type of ["call.started", "attempt.completed", "call.completed"] as const) listened.events.on(type, () => {});
const monitored = createRuntime();
const monitor = createMonitor(monitored, { prices: { "gpt-5": { input: 1.25, output: 10 } }, defaultAlerts: true });

line("plain call, nobody listens", plainCall(bare));
line("plain call, three empty listeners", plainCall(listened));
line("plain call, monitor", plainCall(monitored));

const histogram = new ExponentialHistogram();
line(
  "one observation",
  nanoseconds(1_000_000, (index) => void histogram.record(0.2 + (index % 977) / 100)),
);
const own = monitor.counter("app.docs");
line(
  "own counter with one label",
  nanoseconds(300_000, () => own.add(1, { kind: "faq" })),
);
line(
  "p95 of one histogram",
  nanoseconds(2_000, () => void histogram.quantile(0.95)),
);
line(
  "tick of the built-in rules",
  nanoseconds(1_000, () => monitor.evaluate()),
);
line(
  "report of an hour",
  nanoseconds(300, () => void monitor.report()),
);
monitor.close();

const memory = new WindowMemory(1024 ** 3);
const full = new HistogramSeries({}, memory);
for (let second = 0; second < 3_600; second++) full.record(0.2 + (second % 97) / 5, second * 1000);
const now = 3_599_000;
const p95 = (windowMs: number): void => void gather([full], windowMs, now).quantile(0.95);
line(
  "p95 over a minute (12 slots)",
  nanoseconds(2_000, () => p95(60_000)),
);
line(
  "p95 over an hour (116 slots)",
  nanoseconds(500, () => p95(3_600_000)),
);
console.log(
  `${"an hour of one histogram series".padEnd(44)} ${String(Math.round(memory.bytes / 1024)).padStart(9)} KB`,
);
