/**
 * An attack on labels: a million models that fail in ten ways. Series, memory, the text of a scrape, and what is lost:
 * nothing. The anchor is one counter of prom-client, which has no bound. Run with --expose-gc.
 */
import { Counter, Registry } from "prom-client";
import { createRuntime, type EventMap, type FaultKind } from "../../src/core/index.ts";
import { prometheus } from "../../src/exporters/prometheus/index.ts";
import { createMonitor } from "../../src/monitor/index.ts";
import { median } from "../measure.ts";

const CALLS = 1_000_000;
const THEIR_CALLS = 100_000;
const ERRORS: readonly FaultKind[] = [
  "rate_limited",
  "quota_exhausted",
  "overloaded",
  "server_error",
  "network",
  "timeout",
  "interrupted",
  "malformed",
  "bad_credential",
  "bad_request",
];
const base: Omit<EventMap["call.failed"], "errorType"> = {
  durationMs: 100,
  providerMs: 90,
  waits: { queue: 1, throttle: 0, rateLimit: 0, backoff: 0 },
  attempts: 1,
  stream: false,
  priority: 5,
  client: undefined,
  route: undefined,
  firstChunkMs: undefined,
  usage: undefined,
  usageCertainty: undefined,
  status: 500,
  refusedBy: undefined,
  committed: false,
  servedBy: undefined,
};

/** The first hundred models fail in all ways, so that those that are let in have as many label sets as can be. */
function modelOf(index: number): string {
  return `model-${index < 1_000 ? Math.floor(index / ERRORS.length) : index}`;
}

async function milliseconds(run: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const startedAt = performance.now();
    await run();
    times.push(performance.now() - startedAt);
  }
  return median(times);
}

const runtime = createRuntime();
const monitor = createMonitor(runtime);
globalThis.gc?.();
const heap = process.memoryUsage().heapUsed;
const startedAt = performance.now();
for (let index = 0; index < CALLS; index++) {
  const call = {
    id: `c${index}`,
    operation: "chat",
    provider: "openai",
    model: modelOf(index),
  } as never;
  runtime.events.emit("call.started", call, { stream: false, priority: 5, client: undefined });
  const errorType = ERRORS[index % ERRORS.length] as FaultKind;
  const failed = { attempt: 1, kind: "first", durationMs: 90, status: 500, retryAfterMs: undefined } as const;
  runtime.events.emit("attempt.failed", call, { ...failed, errorType, usage: undefined });
  runtime.events.emit("call.failed", call, { ...base, errorType });
}
const ns = ((performance.now() - startedAt) * 1e6) / CALLS;
globalThis.gc?.();
const grown = (process.memoryUsage().heapUsed - heap) / 1024 / 1024;
const metrics = monitor.metrics();
const most = Math.max(...metrics.map(({ series }) => series.length));
const calls = metrics.find(({ name }) => name === "breakwater.calls");
const sum = calls?.kind === "counter" ? calls.series.reduce((all, { value }) => all + value, 0) : 0;
const overflow = metrics.find(({ name }) => name === "breakwater.monitor.overflow");
const excess = overflow?.series.find(({ labels }) => labels["metric"] === "breakwater.calls");
console.log(`series of the largest metric   ${most} (bound 500)`);
console.log(`sum over the series of calls   ${sum} of ${CALLS}`);
console.log(`counted as overflow            ${excess !== undefined && "value" in excess ? excess.value : 0}`);
console.log(`heap after the attack          ${grown.toFixed(1)} MB more (bound 15)`);
console.log(`a call                         ${ns.toFixed(0)} ns`);

const exporter = prometheus(monitor);
const text = exporter.scrape().text();
console.log(`text of a scrape               ${(text.length / 1e6).toFixed(2)} MB (bound 3)`);
console.log(
  `written in                     ${(await milliseconds(() => exporter.scrape().text())).toFixed(1)} ms (bound 25)`,
);
monitor.close();

globalThis.gc?.();
const heapBefore = process.memoryUsage().heapUsed;
const registry = new Registry();
const theirs = new Counter({ name: "calls", help: "-", labelNames: ["model", "error_type"], registers: [registry] });
for (let index = 0; index < THEIR_CALLS; index++) {
  theirs.inc({
    model: `model-${index}`,
    error_type: ERRORS[index % ERRORS.length] as FaultKind,
  });
}
globalThis.gc?.();
const theirHeap = (process.memoryUsage().heapUsed - heapBefore) / 1024 / 1024;
const theirText = await registry.metrics();
console.log(`\nprom-client, one counter, a tenth of those calls`);
console.log(`heap                           ${theirHeap.toFixed(1)} MB more, ${(theirHeap / grown).toFixed(1)} x`);
console.log(`text of a scrape               ${(theirText.length / 1e6).toFixed(2)} MB`);
console.log(`written in                     ${(await milliseconds(() => registry.metrics())).toFixed(1)} ms`);
