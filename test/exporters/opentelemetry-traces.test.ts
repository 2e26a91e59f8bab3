import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  BatchSpanProcessor,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TraceOptions, traceCalls } from "../../src/exporters/opentelemetry/index.ts";
import { createOptimizer, type Optimizer, type OptimizerOptions, withOptimization } from "../../src/index.ts";
import { startSimulatedProvider } from "../../src/testing/index.ts";
import { attributesOf, OtlpReceiver } from "./otlp-receiver.ts";

const GENEROUS_MS = 30_000;

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterAll(() => {
  context.disable();
});

function traced(options: OptimizerOptions = {}, traceOptions: Partial<TraceOptions> = {}) {
  const memory = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: memory })] });
  const tracer = provider.getTracer("test");
  const optimizer = createOptimizer({ environment: {}, ...options });
  const stop = traceCalls(optimizer, { tracer, ...traceOptions });
  return { tracer, optimizer, stop, spans: () => memory.getFinishedSpans() };
}

const isCall = ({ kind }: ReadableSpan): boolean => kind === SpanKind.CLIENT;
const ask = (optimizer: Optimizer, input: unknown, fn: () => unknown = () => "answer") =>
  optimizer.call({ model: "m", input }, async () => fn());

describe("the spans of a call", () => {
  it("are one of kind CLIENT and one within it for each attempt", async () => {
    const { optimizer, spans } = traced({ retry: { attempts: 2, baseDelay: 1 } });
    let tries = 0;
    await ask(optimizer, "x", () => {
      if (++tries === 1) throw Object.assign(new Error("overloaded"), { status: 503 });
      return "answer";
    });
    const [call, ...others] = spans().filter(isCall);
    expect(others).toEqual([]);
    expect(call).toMatchObject({ name: "chat m", status: { code: SpanStatusCode.UNSET } });
    const attempts = spans().filter((span) => !isCall(span));
    expect(attempts.map(({ name, parentSpanContext }) => [name, parentSpanContext?.spanId])).toEqual([
      ["attempt", call?.spanContext().spanId],
      ["attempt", call?.spanContext().spanId],
    ]);
    expect(attempts.map(({ attributes, status }) => ({ ...attributes, code: status.code }))).toMatchObject([
      { "breakwater.attempt.number": 1, "breakwater.attempt.kind": "first", "error.type": "overloaded", code: 2 },
      { "breakwater.attempt.number": 2, "breakwater.attempt.kind": "retry", code: 0 },
    ]);
    expect(call?.events.map(({ name }) => name)).toEqual(["retry.scheduled"]);
    await optimizer.close();
  });

  it("lie within the span of their own caller, also when several call at the same time", async () => {
    const { optimizer, tracer, spans } = traced({ coalesce: false, cache: false });
    const callers = await Promise.all(
      [1, 2, 3].map((n) =>
        tracer.startActiveSpan(`caller ${n}`, async (span) => {
          await new Promise(setImmediate);
          await ask(optimizer, n, () => new Promise((resolve) => setTimeout(resolve, 4 - n)));
          span.end();
          return span.spanContext();
        }),
      ),
    );
    const calls = spans().filter(isCall);
    expect(calls.map(({ parentSpanContext }) => parentSpanContext?.spanId).sort()).toEqual(
      callers.map(({ spanId }) => spanId).sort(),
    );
    for (const span of spans()) expect(callers.map(({ traceId }) => traceId)).toContain(span.spanContext().traceId);
    await optimizer.close();
  });

  it("say what was asked for and what came, and hold no content, through an SDK and a stream", async () => {
    await using provider = await startSimulatedProvider({ latency: false });
    const { optimizer, tracer, spans } = traced();
    const client = withOptimization(new OpenAI({ apiKey: "sk-canary-key", baseURL: provider.url }), optimizer);
    const body = { model: "gpt-4o-mini", messages: [{ role: "user" as const, content: "canary-prompt" }] };
    let answer = "";
    const parent = await tracer.startActiveSpan("caller", async (span) => {
      const stream = await client.chat.completions.create({
        ...body,
        stream: true,
        stream_options: { include_usage: true },
      });
      for await (const chunk of stream) answer += chunk.choices[0]?.delta.content ?? "";
      span.end();
      return span.spanContext();
    });
    const call = spans().find(isCall);
    expect(call?.name).toBe("chat gpt-4o-mini");
    expect(call?.parentSpanContext?.spanId).toBe(parent.spanId);
    expect(call?.attributes).toMatchObject({
      "gen_ai.operation.name": "chat",
      "gen_ai.request.model": "gpt-4o-mini",
      "gen_ai.request.stream": true,
      "gen_ai.response.finish_reasons": ["stop"],
      "breakwater.answered_by": "primary",
      "breakwater.attempts": 1,
    });
    expect(call?.attributes["gen_ai.usage.input_tokens"]).toBeGreaterThan(0);
    expect(call?.attributes["gen_ai.response.time_to_first_chunk"]).toBeGreaterThan(0);
    const text = JSON.stringify(
      spans().map(({ name, attributes, events, status }) => [name, attributes, events, status]),
    );
    expect(answer.length).toBeGreaterThan(10);
    for (const secret of ["canary", answer, answer.slice(0, 10)]) expect(text).not.toContain(secret);
    await optimizer.close();
  });

  it("of an answer from the cache have no attempt", async () => {
    const { optimizer, spans } = traced();
    const request = { model: "m", input: "x", temperature: 0 };
    await optimizer.call(request, () => "answer");
    await optimizer.call(request, () => "answer");
    expect(
      spans()
        .filter(isCall)
        .map(({ attributes }) => attributes["breakwater.answered_by"]),
    ).toEqual(["primary", "cache"]);
    expect(spans().filter((span) => !isCall(span))).toHaveLength(1);
    await optimizer.close();
  });

  it("that failed have the type of the error, an exception and the status", async () => {
    const { optimizer, spans } = traced({ retry: false });
    const error = Object.assign(new Error("canary"), { status: 401 });
    await expect(ask(optimizer, "x", () => Promise.reject(error))).rejects.toBe(error);
    const call = spans().find(isCall);
    expect(call).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: "bad_credential" },
      attributes: { "error.type": "bad_credential", "http.response.status_code": 401 },
    });
    expect(call?.events).toMatchObject([{ name: "exception", attributes: { "exception.type": "bad_credential" } }]);
    expect(JSON.stringify([call?.attributes, call?.events])).not.toContain("canary");
    await optimizer.close();
  });

  it("that were cancelled are no errors", async () => {
    const { optimizer, spans } = traced();
    const controller = new AbortController();
    const call = optimizer.call(
      { model: "m", input: "x" },
      ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      { signal: controller.signal },
    );
    await new Promise(setImmediate);
    controller.abort();
    await expect(call).rejects.toThrow();
    await expect.poll(() => spans().length, { timeout: GENEROUS_MS }).toBe(2);
    expect(spans().map(({ status }) => status.code)).toEqual([SpanStatusCode.UNSET, SpanStatusCode.UNSET]);
    expect(spans().find(isCall)?.attributes["breakwater.cancelled"]).toBe(true);
    await optimizer.close();
  });

  it("are bounded: the oldest ends early, and all end with the tracing", async () => {
    const { optimizer, spans, stop } = traced({ coalesce: false }, { maxOpen: 2 });
    const waiting = Promise.withResolvers<string>();
    const calls = [1, 2, 3].map((n) => ask(optimizer, n, () => waiting.promise));
    await expect.poll(() => spans().length, { timeout: GENEROUS_MS }).toBe(2);
    stop();
    expect(spans()).toHaveLength(6);
    waiting.resolve("answer");
    await Promise.all(calls);
    expect(spans()).toHaveLength(6);
    await optimizer.close();
  });

  it("reach an OTLP receiver", async () => {
    await using receiver = await OtlpReceiver.start();
    const exporter = new OTLPTraceExporter({ url: `${receiver.url}/v1/traces` });
    const provider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] });
    const optimizer = createOptimizer({ environment: {} });
    traceCalls(optimizer, { tracer: provider.getTracer("test") });
    await ask(optimizer, "x");
    await provider.shutdown();
    const call = receiver.spans.find(({ name }) => name === "chat m");
    const attempt = receiver.spans.find(({ name }) => name === "attempt");
    expect(attempt?.parentSpanId).toBe(call?.spanId);
    expect(call === undefined ? {} : attributesOf(call)).toMatchObject({ "gen_ai.request.model": "m" });
    await optimizer.close();
  });

  it("need a tracer", () => {
    const { optimizer } = traced();
    expect(() => traceCalls(optimizer, {} as never)).toThrow('"traceCalls.tracer"');
    expect(() => traceCalls(optimizer, { tracer: trace.getTracer("x"), maxOpen: 0 })).toThrow('"traceCalls.maxOpen"');
  });
});
