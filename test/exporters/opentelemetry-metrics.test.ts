import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type MetricProducerOptions,
  metricProducer,
  type OtelMetric,
  withFailureEvents,
} from "../../src/exporters/opentelemetry/index.ts";
import { prometheus } from "../../src/exporters/prometheus/index.ts";
import { type BreakwaterEvent, createOptimizer, type Monitor } from "../../src/index.ts";
import { monitored } from "../monitor/support.ts";
import { busyMonitor } from "./busy.ts";
import { parseExposition } from "./exposition.ts";
import { attributesOf, type OtlpMetric, OtlpReceiver } from "./otlp-receiver.ts";
import { promlint } from "./promlint.ts";

const GENEROUS_MS = 30_000;
const OLD_DURATION = "gen_ai.client.operation.duration";
const NEW_DURATION = "gen_ai.client.inference.duration";
const NEW_TOKENS = "gen_ai.client.inference.usage.input_tokens";
/** Of durations, in the conventions. */
const ADVISED_BOUNDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/** What a receiver gets of `monitor` in one export. */
async function exported(monitor: Monitor, options?: MetricProducerOptions): Promise<OtlpMetric[]> {
  await using receiver = await OtlpReceiver.start();
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter({ url: `${receiver.url}/v1/metrics` }),
    exportIntervalMillis: 3_600_000,
    metricProducers: [metricProducer(monitor, options)],
  });
  const provider = new MeterProvider({ readers: [reader] });
  await reader.forceFlush();
  await provider.shutdown();
  return receiver.metrics[0] ?? [];
}

describe("the metrics that an OTLP receiver gets", () => {
  it("are all that the monitor has, with names, units, values and bounds", async () => {
    const { monitor } = busyMonitor();
    const metrics = await exported(monitor);
    const expected = monitor.metrics().filter(({ series }) => series.length > 0);
    expect(expected.length).toBeGreaterThan(30);
    expect(metrics.map(({ name, unit, description }) => ({ name, unit, description }))).toEqual(
      expected.map(({ name, unit, description }) => ({ name, unit, description })),
    );
    for (const [index, { kind, series }] of expected.entries()) {
      const got = metrics[index];
      if (kind === "histogram") {
        expect(got?.histogram?.dataPoints).toMatchObject(
          series.map(({ count, sum, min, max, bounds, bucketCounts }) => {
            return { count, sum, min, max, bucketCounts: [...bucketCounts], explicitBounds: [...bounds] };
          }),
        );
      } else {
        const points = kind === "gauge" ? got?.gauge : got?.sum;
        expect(points?.dataPoints.map(({ asDouble }) => asDouble)).toEqual(series.map(({ value }) => value));
      }
    }
  });

  it("are cumulative since the process began, and counters only rise", async () => {
    const { monitor } = busyMonitor();
    const docs = (await exported(monitor)).find(({ name }) => name === "app.docs");
    expect(docs?.sum).toMatchObject({ aggregationTemporality: 2, isMonotonic: true });
    const [point] = docs?.sum?.dataPoints ?? [];
    expect(Number(point?.startTimeUnixNano) / 1e6).toBeCloseTo(performance.timeOrigin, -1);
    expect(BigInt(point?.timeUnixNano ?? 0)).toBeGreaterThan(BigInt(point?.startTimeUnixNano ?? 0));
  });

  it("have the attributes of the GenAI conventions, and a user's own keep theirs", async () => {
    const { monitor } = busyMonitor();
    monitor.counter("app.seen").add(1, { model: "mine" });
    const metrics = await exported(monitor);
    const setsOf = (metric: string): Record<string, unknown>[] => {
      const found = metrics.find(({ name }) => name === metric);
      return (found?.histogram ?? found?.sum)?.dataPoints.map(attributesOf) ?? [];
    };
    const call = { "gen_ai.operation.name": "chat", "gen_ai.provider.name": "test", "gen_ai.request.model": "m" };
    expect(setsOf("gen_ai.client.operation.duration")).toContainEqual(
      expect.objectContaining({ ...call, "error.type": "timeout" }),
    );
    expect(setsOf("breakwater.calls")).toContainEqual(expect.objectContaining({ ...call, outcome: "success" }));
    expect(setsOf("app.seen")).toEqual([{ model: "mine" }]);
  });

  it("have exponential histograms of scale 5 whose buckets sum to the count, where that is wanted", async () => {
    const { monitor } = monitored();
    const sizes = monitor.histogram("app.sizes", { unit: "By" });
    for (const value of [0, 1, 1.5, 1_000, 0.001]) sizes.record(value);
    const metric = (await exported(monitor, { histograms: "exponential" })).find(({ name }) => name === "app.sizes");
    const [point] = metric?.exponentialHistogram?.dataPoints ?? [];
    expect(point).toMatchObject({ scale: 5, zeroCount: 1, count: 5, sum: 1_002.501, min: 0, max: 1_000 });
    const { offset = Number.NaN, bucketCounts = [] } = point?.positive ?? {};
    // Upper bounds of the buckets that are not empty, by the data model's formula.
    const bounds = bucketCounts.flatMap((count, index) => (count > 0 ? [2 ** ((offset + index + 1) / 32)] : []));
    expect(bounds).toHaveLength(4);
    for (const [index, value] of [0.001, 1, 1.5, 1_000].entries()) {
      expect(value).toBeLessThanOrEqual((bounds[index] as number) * (1 + 1e-12));
      expect(value).toBeGreaterThan((bounds[index] as number) * 2 ** (-1 / 32) * (1 - 1e-12));
    }
  });

  it("sum to the count whatever was recorded", async () => {
    const isSizes = ({ descriptor }: OtelMetric): boolean => descriptor.name === "app.sizes";
    const collected = fc.array(fc.double({ min: 0, max: 1e15, noNaN: true }), { minLength: 1, maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(collected, async (values) => {
        const { monitor } = monitored();
        const sizes = monitor.histogram("app.sizes");
        for (const value of values) sizes.record(value);
        for (const histograms of ["explicit", "exponential"] as const) {
          const { resourceMetrics } = await metricProducer(monitor, { histograms }).collect();
          const point = resourceMetrics.scopeMetrics[0]?.metrics.find(isSizes)?.dataPoints[0]?.value;
          if (typeof point !== "object") throw new Error("no histogram");
          const counts = "buckets" in point ? point.buckets.counts : [point.zeroCount, ...point.positive.bucketCounts];
          expect(counts.reduce((sum, count) => sum + count, 0)).toBe(point.count);
          expect(point.count).toBe(values.length);
        }
      }),
    );
  });

  it.each([
    ["v1.41", [OLD_DURATION, "gen_ai.client.token.usage"], [NEW_DURATION, NEW_TOKENS]],
    ["latest", [NEW_DURATION, NEW_TOKENS], [OLD_DURATION, "gen_ai.client.token.usage"]],
    ["both", [OLD_DURATION, "gen_ai.client.token.usage", NEW_DURATION, NEW_TOKENS], []],
  ] as const)("follow the GenAI conventions as the monitor does: %s", async (semconv, present, absent) => {
    const { monitor } = busyMonitor({ semconv });
    const metrics = await exported(monitor);
    const names = metrics.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining([...present]));
    for (const name of absent) expect(names).not.toContain(name);
    const duration = metrics.find(({ name }) => name === present[0]);
    expect(duration?.unit).toBe("s");
    expect(duration?.histogram?.dataPoints[0]?.explicitBounds?.slice(0, 14)).toEqual(ADVISED_BOUNDS);
    expect(promlint(parseExposition(prometheus(monitor).scrape().text()))).toEqual([]);
  });

  it("leave out what has no value yet", async () => {
    const { monitor } = monitored();
    expect(monitor.metrics().map(({ name }) => name)).toContain("breakwater.calls");
    expect((await exported(monitor)).map(({ name }) => name)).not.toContain("breakwater.calls");
  });

  it("says which option is wrong", () => {
    const { monitor } = monitored();
    expect(() => metricProducer(monitor, { histograms: "both" as never })).toThrow('"metricProducer.histograms"');
    expect(() => metricProducer(monitor, { unit: "s" } as never)).toThrow('"metricProducer.unit"');
  });
});

describe("an exporter whose receiver is down", () => {
  it("fails no call, tells of it, and brings what was counted meanwhile when the receiver is back", async () => {
    const receiver = await OtlpReceiver.start();
    await receiver.stop();
    const optimizer = createOptimizer({ cache: false, coalesce: false, environment: {} });
    const failures: BreakwaterEvent<"exporter.failed">[] = [];
    optimizer.on("exporter.failed", (event) => void failures.push(event));
    const exporter = new OTLPMetricExporter({ url: `${receiver.url}/v1/metrics`, timeoutMillis: 100 });
    const reader = new PeriodicExportingMetricReader({
      exporter: withFailureEvents(exporter, optimizer),
      exportIntervalMillis: 200,
      exportTimeoutMillis: 200,
      metricProducers: [metricProducer(optimizer.monitor)],
    });
    const provider = new MeterProvider({ readers: [reader] });

    const call = () => optimizer.call({ model: "m", input: "x" }, () => "answer");
    await call();
    await expect.poll(() => failures.length, { timeout: GENEROUS_MS }).toBeGreaterThanOrEqual(2);
    expect(failures.map(({ consecutive }) => consecutive).slice(0, 2)).toEqual([1, 2]);
    expect(failures[0]).toMatchObject({ exporter: "OTLPMetricExporter", severity: "warning" });
    expect(await call()).toBe("answer");

    await receiver.start();
    const callsOf = (metrics: readonly OtlpMetric[] | undefined): number | undefined =>
      metrics?.find(({ name }) => name === "breakwater.calls")?.sum?.dataPoints[0]?.asDouble;
    await expect.poll(() => callsOf(receiver.metrics.at(-1)), { timeout: GENEROUS_MS }).toBe(2);
    const failuresBefore = failures.length;
    await expect.poll(() => receiver.metrics.length, { timeout: GENEROUS_MS }).toBeGreaterThan(3);
    expect(failures.length).toBe(failuresBefore);

    await provider.shutdown();
    await receiver.stop();
    await optimizer.close();
  });

  it("is the exporter that it was in everything else", async () => {
    const optimizer = createOptimizer({ environment: {} });
    const plain = new InMemoryMetricExporter(1);
    const watched = withFailureEvents(plain, optimizer, "memory");
    const reader = new PeriodicExportingMetricReader({
      exporter: watched,
      metricProducers: [metricProducer(optimizer.monitor)],
    });
    const provider = new MeterProvider({ readers: [reader] });
    await optimizer.call({ model: "m", input: "x" }, () => "answer");
    await reader.forceFlush();
    expect(watched.getMetrics()).toHaveLength(1);
    expect(watched).toBeInstanceOf(InMemoryMetricExporter);
    await provider.shutdown();
    await optimizer.close();
  });

  it("throws what the exporter throws, and tells of it", async () => {
    const optimizer = createOptimizer({ environment: {} });
    const told: string[] = [];
    optimizer.on("exporter.failed", ({ exporter, error }) => void told.push(`${exporter} ${error}`));
    const exporter = {
      export(): void {
        throw new TypeError("no");
      },
    };
    expect(() => withFailureEvents(exporter, optimizer, "own").export()).toThrow(TypeError);
    expect(told).toEqual(["own TypeError"]);
    await optimizer.close();
  });
});
