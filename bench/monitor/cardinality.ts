/** An attack on labels: a hundred thousand models times ten errors. Series, memory, and what is lost: nothing. */
import { setFlagsFromString } from "node:v8";
import { createRuntime, type EventMap, type FaultKind } from "../../src/core/index.ts";
import { createMonitor } from "../../src/monitor/index.ts";

setFlagsFromString("--expose-gc");
const CALLS = 1_000_000;
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
    model: `model-${Math.floor(index / ERRORS.length)}`,
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
monitor.close();
