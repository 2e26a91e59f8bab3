// Spans of a call and its attempts within the caller's own span, and the monitor's metrics in the SDK of OpenTelemetry.
import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { createOptimizer, withOptimization } from "breakwater";
import { metricProducer, traceCalls, withFailureEvents } from "breakwater/opentelemetry";
import { startSimulatedProvider } from "breakwater/testing";
import OpenAI from "openai";

// In memory, so that this file needs no collector. Yours are those of OTLP.
const spanExporter = new InMemorySpanExporter();
const metricExporter = new InMemoryMetricExporter(1);

await using provider = await startSimulatedProvider({ latency: false, faults: ["overloaded"] });
const optimizer = createOptimizer();
const openai = withOptimization(new OpenAI({ baseURL: provider.url, apiKey: "sk-simulated" }), optimizer);

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spanExporter })] });
const tracer = tracerProvider.getTracer("shop");
traceCalls(optimizer, { tracer });
const reader = new PeriodicExportingMetricReader({
  exporter: withFailureEvents(metricExporter, optimizer),
  metricProducers: [metricProducer(optimizer.monitor)],
});
const meterProvider = new MeterProvider({ readers: [reader] });

await tracer.startActiveSpan("checkout", async (span) => {
  await openai.chat.completions.create({
    model: "gpt-4o-mini",
    messages: [{ role: "user", content: "A breakwater?" }],
  });
  span.end();
});
await reader.forceFlush();

const spans = spanExporter.getFinishedSpans();
const show = (parent: string | undefined, depth: number): void => {
  for (const span of spans.filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent)) {
    const { "error.type": error, "gen_ai.usage.output_tokens": tokens } = span.attributes;
    const facts = [error, tokens === undefined ? undefined : `${tokens} tokens`].filter((fact) => fact !== undefined);
    console.log(`${"  ".repeat(depth)}${span.name}${facts.length === 0 ? "" : ` (${facts.join(", ")})`}`);
    show(span.spanContext().spanId, depth + 1);
  }
};
show(undefined, 0);

for (const { descriptor, dataPoints } of metricExporter.getMetrics().at(-1)?.scopeMetrics[0]?.metrics ?? []) {
  if (/^(gen_ai|breakwater\.(calls|attempts|retries)$)/.test(descriptor.name)) {
    console.log(`${descriptor.name}: ${dataPoints.length} data points`);
  }
}
await meterProvider.shutdown();
await tracerProvider.shutdown();
await optimizer.close();
