/** What the built-in alert rules cost at each tick, by the number of label sets. */
import { createRuntime, type EventMap, type FaultKind } from "../../src/core/index.ts";
import { createMonitor, DEFAULT_ALERTS } from "../../src/monitor/index.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

const ERRORS: readonly (FaultKind | undefined)[] = [undefined, "server_error", "rate_limited", "timeout", "overloaded"];
const MINUTES = 60;
const TICKS = 120;

interface Row {
  readonly what: string;
  readonly seriesMax: number;
  /** Milliseconds of CPU time. */
  readonly meanMs: number;
  readonly worstMs: number;
}

/** An hour of calls of so many models, each with a label set for every way to end. */
function filled(models: number) {
  const clock = new VirtualClock();
  const runtime = createRuntime({ clock });
  const monitor = createMonitor(runtime, { defaultAlerts: true, maxSeries: 500 });
  return { clock, runtime, monitor, models };
}

function tell({ runtime }: ReturnType<typeof filled>, model: string, error: FaultKind | undefined, ms: number): void {
  // The bus reads four fields of a call and nothing else.
  const call = { id: "c", operation: "chat", provider: "openai", model } as never;
  const attempt = { attempt: 1, kind: "first", durationMs: ms } as const;
  const { events } = runtime;
  if (error === undefined) {
    const end = { firstContentMs: ms, status: 200, usage: undefined, responseModel: undefined };
    events.emit("attempt.completed", call, { ...attempt, ...end });
    events.emit("call.first_chunk", call, { ttfcMs: ms / 4, attempt: 1 });
    events.emit("call.completed", call, completed(ms));
  } else {
    const why = { errorType: error, status: undefined, retryAfterMs: undefined, usage: undefined };
    events.emit("attempt.failed", call, { ...attempt, ...why });
    events.emit("call.failed", call, { ...completed(ms), ...why, refusedBy: undefined, committed: false });
  }
}

function completed(durationMs: number): EventMap["call.completed"] {
  const waits = { queue: 0, throttle: 0, rateLimit: 0, backoff: 0 };
  const whose = { priority: 5, client: undefined, route: undefined };
  const what = { usage: undefined, usageCertainty: undefined, tier: undefined, responseModel: undefined };
  const how = {
    attempts: 1,
    stream: true,
    firstChunkMs: undefined,
    servedBy: "upstream",
    answeredBy: "primary",
  } as const;
  return { ...whose, ...what, ...how, durationMs, providerMs: durationMs, waits, finishReasons: undefined };
}

async function measure(what: string, models: number, broken: boolean): Promise<Row> {
  const bench = filled(models);
  for (let minute = 0; minute < MINUTES; minute++) {
    const last = minute >= MINUTES - 6;
    for (let second = 0; second < 60; second += last ? 5 : 60) {
      for (let model = 0; model < models; model++) {
        for (const error of ERRORS) tell(bench, `model-${model}`, error, 200 + ((minute * 37 + model * 11) % 4_000));
        for (let more = 0; more < (broken ? 0 : 8); more++) tell(bench, `model-${model}`, undefined, 800 + more * 40);
      }
      await bench.clock.advance(last ? 5_000 : 60_000);
    }
  }
  const times: number[] = [];
  for (let tick = 0; tick < TICKS; tick++) {
    for (let model = 0; model < models; model++) tell(bench, `model-${model}`, undefined, 800);
    const startedAt = process.cpuUsage();
    await bench.clock.advance(5_000);
    const { user, system } = process.cpuUsage(startedAt);
    times.push((user + system) / 1000);
  }
  const seriesMax = Math.max(...bench.monitor.metrics().map(({ series }) => series.length));
  bench.monitor.close();
  const meanMs = times.reduce((sum, time) => sum + time, 0) / TICKS;
  // The garbage of the whole process is collected now and then: the slowest of twenty.
  const worstMs = times.toSorted((a, b) => a - b)[Math.floor(TICKS * 0.95)] ?? Number.NaN;
  return { what, seriesMax, meanMs, worstMs };
}

await measure("warm-up", 4, false);
const rows = [
  await measure("1 model", 1, false),
  await measure("10 models", 10, false),
  await measure("60 models", 60, false),
  await measure("60 models, all failing", 60, true),
];

console.log(`${DEFAULT_ALERTS.length} built-in rules, an hour of data, a tick every 5 s: CPU time of a tick`);
console.log(`${"".padEnd(26)}label sets of a metric     mean ms       p95 ms   of 5 s`);
for (const { what, seriesMax, meanMs, worstMs } of rows) {
  const share = `${((meanMs / 5_000) * 100).toFixed(3)} %`;
  console.log(
    `${what.padEnd(26)}${String(seriesMax).padStart(22)}${meanMs.toFixed(2).padStart(12)}${worstMs.toFixed(2).padStart(13)}${share.padStart(9)}`,
  );
}
