// A server of one's own shows /metrics, as Prometheus would read them.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { createOptimizer, withOptimization } from "breakwater";
import { prometheus } from "breakwater/prometheus";
import { startSimulatedProvider } from "breakwater/testing";
import OpenAI from "openai";

await using provider = await startSimulatedProvider({ latency: false });
const optimizer = createOptimizer({ monitor: { prices: { "gpt-4o-mini": { input: 0.15, output: 0.6 } } } });
const openai = withOptimization(new OpenAI({ baseURL: provider.url, apiKey: "sk-simulated" }), optimizer);
optimizer.monitor.counter("app.questions", { unit: "{question}", description: "Questions asked." }).add(20);

await Promise.all(
  Array.from({ length: 20 }, (_, n) =>
    openai.chat.completions.create({ model: "gpt-4o-mini", messages: [{ role: "user", content: `Question ${n}` }] }),
  ),
);

const exporter = prometheus(optimizer.monitor, { labels: { service: "shop" } });
const server = createServer((request, response) => {
  const { contentType, chunks } = exporter.scrape(request.headers.accept);
  response.setHeader("content-type", contentType);
  Readable.from(chunks()).pipe(response);
}).listen(0, "127.0.0.1");
await once(server, "listening");

const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
const response = await fetch(url, { headers: { accept: "application/openmetrics-text; version=1.0.0" } });
const lines = (await response.text()).split("\n");
console.log(response.headers.get("content-type"));
for (const line of lines) {
  if (
    /^(breakwater_calls_total|breakwater_cost_usd|app_questions|.*operation_duration_seconds_(sum|count))/.test(line)
  ) {
    console.log(line);
  }
}
console.log(`${lines.length} lines in all, the last of them "${lines.at(-2)}"`);

server.close();
await optimizer.close();
