import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { expect, it } from "vitest";
import { metricProducer, withFailureEvents } from "../../src/exporters/opentelemetry/index.ts";
import { createOptimizer } from "../../src/index.ts";
import { OtlpReceiver } from "./otlp-receiver.ts";

const OUTAGE_MS = 60_000;
const INTERVAL_MS = 2_000;
const MB = 1024 ** 2;

setFlagsFromString("--expose-gc");
// What the flag adds is there in contexts that are made after it.
const collectGarbage = runInNewContext("gc") as () => void;

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

it("a receiver that is away for a minute under load costs no call, no memory and no count", {
  timeout: 10 * OUTAGE_MS,
}, async () => {
  const receiver = await OtlpReceiver.start();
  const optimizer = createOptimizer({ cache: false, coalesce: false, environment: {} });
  const failedAt: number[] = [];
  optimizer.on("exporter.failed", () => void failedAt.push(performance.now()));
  const exporter = new OTLPMetricExporter({ url: `${receiver.url}/v1/metrics`, timeoutMillis: 1_000 });
  const reader = new PeriodicExportingMetricReader({
    exporter: withFailureEvents(exporter, optimizer),
    exportIntervalMillis: INTERVAL_MS,
    exportTimeoutMillis: 1_500,
    metricProducers: [metricProducer(optimizer.monitor)],
  });
  const provider = new MeterProvider({ readers: [reader] });
  let calls = 0;
  let answered = 0;
  const burst = async (): Promise<void> => {
    for (let n = 0; n < 50; n++, calls++) {
      if ((await optimizer.call({ model: `m${n}`, input: n }, () => "answer")) === "answer") answered++;
    }
  };
  const received = (): number =>
    receiver.metrics
      .at(-1)
      ?.find(({ name }) => name === "breakwater.calls")
      ?.sum?.dataPoints.reduce((sum, { asDouble = 0 }) => sum + asDouble, 0) ?? 0;

  await burst();
  await expect.poll(received, { timeout: 30_000 }).toBe(calls);
  await receiver.stop();
  const stoppedAt = performance.now();
  while (performance.now() - stoppedAt < OUTAGE_MS / 4) await Promise.all([burst(), pause(100)]);
  const settled = heapUsed();
  while (performance.now() - stoppedAt < OUTAGE_MS) await Promise.all([burst(), pause(100)]);
  expect(heapUsed() - settled).toBeLessThan(10 * MB);
  expect(answered).toBe(calls);
  // One that fails for each interval: the retries of the exporter itself end with its time limit.
  expect(failedAt.length).toBeGreaterThanOrEqual(OUTAGE_MS / INTERVAL_MS / 3);
  expect((failedAt[0] ?? Number.POSITIVE_INFINITY) - stoppedAt).toBeLessThan(5 * INTERVAL_MS);

  await receiver.start();
  await expect.poll(received, { timeout: 30_000 }).toBe(calls);
  await provider.shutdown();
  await receiver.stop();
  await optimizer.close();
});
