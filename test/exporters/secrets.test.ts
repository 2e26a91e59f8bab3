import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { describe, expect, it } from "vitest";
import { SEVERITIES } from "../../src/core/index.ts";
import { jsonLines } from "../../src/exporters/json-lines/index.ts";
import { metricProducer, traceCalls } from "../../src/exporters/opentelemetry/index.ts";
import { prometheus } from "../../src/exporters/prometheus/index.ts";
import { createOptimizer } from "../../src/index.ts";
import { profiler } from "../../src/profiler/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";

const ADDRESS = "https://api.openai.com/v1/chat/completions";
const json = (status: number, body: unknown): Response =>
  new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", "x-said": "canary-reply" },
  });
const stream = (...events: unknown[]): Response =>
  new Response(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(""), {
    headers: { "content-type": "text/event-stream" },
  });
const quoting = (text: string) => ({
  error: { message: `Cannot answer "${text}" (canary-reply)`, type: "canary-reply", code: "canary-reply", param: text },
});
const delta = (content: string) => ({ model: "gpt-4o-mini", choices: [{ index: 0, delta: { content } }] });

/** What a provider may do with a prompt: quote it wherever it tells of a failure. */
const REPLIES: readonly ((prompt: string) => Response)[] = [
  (prompt) => json(400, quoting(prompt)),
  (prompt) => json(401, quoting(prompt)),
  (prompt) => json(404, quoting(prompt)),
  (prompt) => json(422, quoting(prompt)),
  (prompt) => json(429, quoting(prompt)),
  (prompt) => json(500, quoting(prompt)),
  (prompt) => json(529, prompt),
  (prompt) => new Response(`<p>${prompt}</p>`, { status: 200, headers: { "content-type": "text/html" } }),
  (prompt) => stream(quoting(prompt)),
  (prompt) => stream(delta(prompt), quoting(prompt)),
  (prompt) => stream(delta(prompt), "{"),
  (prompt) => {
    throw Object.assign(new TypeError(`fetch failed: ${prompt}`), { cause: new Error(prompt) });
  },
  (prompt) =>
    json(200, { model: "gpt-4o-mini", choices: [{ index: 0, finish_reason: "stop", message: { content: prompt } }] }),
];

describe("prompts, answers, keys, headers and what a provider quotes of them", () => {
  it("are in no event, log line, metric, span or slow call", async () => {
    const clock = new VirtualClock();
    const texts: string[] = [];
    let reply = (_prompt: string): Response => json(200, {});
    const optimizer = createOptimizer({
      clock,
      environment: {},
      breaker: false,
      retry: { attempts: 2, baseDelay: 1 },
      fetch: async () => reply("canary-prompt"),
      monitor: { defaultAlerts: true },
    });
    const spans = new InMemorySpanExporter();
    const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });
    const stopTracing = traceCalls(optimizer, { tracer: provider.getTracer("test") });
    const log = jsonLines(optimizer, {
      level: "debug",
      destination: { write: (line) => texts.push(line) },
      perSecond: 10_000,
    });
    const slow = profiler(optimizer, { slowAfter: 0 });
    let events = 0;
    for (const type of Object.keys(SEVERITIES) as (keyof typeof SEVERITIES)[]) {
      optimizer.on(type, (event) => {
        events++;
        texts.push(JSON.stringify(event));
      });
    }
    for (reply of REPLIES) {
      for (const streamed of [false, true]) {
        const sent = optimizer.run({ tags: ["canary-tag"] }, () =>
          optimizer.fetch(ADDRESS, {
            method: "POST",
            headers: {
              authorization: "Bearer sk-canary-key",
              "content-type": "application/json",
              "x-mine": "canary-header",
            },
            body: JSON.stringify({
              model: "gpt-4o-mini",
              stream: streamed,
              user: "canary-user",
              messages: [{ role: "user", content: "canary-prompt" }],
            }),
          }),
        );
        await clock.run(sent.then((response) => response.text()).catch(() => {}));
      }
      const failing = optimizer.call({ model: "mine", input: "canary-prompt" }, () => {
        throw Object.assign(new Error("canary-prompt"), { status: 500 });
      });
      await clock.run(failing.catch(() => {}));
    }
    const { monitor } = optimizer;
    monitor.evaluate();
    texts.push(prometheus(monitor).scrape().text());
    texts.push(JSON.stringify([await metricProducer(monitor).collect(), monitor.report(), monitor.health()]));
    texts.push(JSON.stringify([monitor.alerts.list(), optimizer.stats(), slow.slowCalls()]));
    texts.push(
      JSON.stringify(
        spans.getFinishedSpans().map(({ name, attributes, events, status }) => [name, attributes, events, status]),
      ),
    );
    expect(events).toBeGreaterThan(100);
    expect(spans.getFinishedSpans().length).toBeGreaterThan(30);
    for (const text of texts) expect(text).not.toContain("canary");
    slow.close();
    log.close();
    stopTracing();
    await optimizer.close();
  });
});
