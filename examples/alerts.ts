// Alerts: a rule of one's own for slow answers, the built-in ones for a provider that fails, and where they go.
import { createServer } from "node:http";
import { type AlertRule, createOptimizer } from "breakwater";
import { consoleHandler, slack } from "breakwater/alerting";

// What a chat would show; in real life the address of an incoming webhook.
const chat = createServer((request, response) => {
  let body = "";
  request.on("data", (part) => {
    body += part;
  });
  request.on("end", () => {
    console.log("chat:", JSON.parse(body).text);
    response.end("ok");
  });
});
await new Promise<void>((resolve) => {
  chat.listen(0, "127.0.0.1", resolve);
});
const { port } = chat.address() as { port: number };

const slow: AlertRule = {
  id: "slow_answers",
  metric: "breakwater.call.duration",
  aggregate: "p95",
  groupBy: ["model"],
  above: { warning: 20, critical: 60 },
  minCount: 20,
};
const optimizer = createOptimizer({
  cache: false,
  retry: false,
  monitor: { alerts: [slow], handlers: [consoleHandler({ write: (line) => console.log(line) })] },
});
const { alerts, evaluate } = optimizer.monitor;
alerts.notify(slack({ url: `http://127.0.0.1:${port}/` }), { levels: ["critical"] });
const delivered = new Promise<void>((resolve) => {
  optimizer.on("alert.notified", ({ handler }) => {
    if (handler === "slack") resolve();
  });
});

const answerAfter = (ms: number) => () =>
  new Promise((resolve) => {
    setTimeout(() => resolve("done"), ms);
  });
const ask = (model: string, ms: number) =>
  Promise.all(Array.from({ length: 30 }, (_, n) => optimizer.call({ model, input: n }, answerAfter(ms))));

// The monitor reads its rules every five seconds by itself; here it is asked to do so at once.
await ask("slow-model", 30);
evaluate();
alerts.silence({ rule: "slow_answers", labels: { model: "tuned-model" }, for: "1h", comment: "being tuned" });
await Promise.all([ask("slow-model", 120), ask("tuned-model", 120)]);
evaluate();
await delivered;

const fail = () => Promise.reject(new TypeError("fetch failed"));
await Promise.allSettled(Array.from({ length: 60 }, (_, n) => optimizer.call({ model: "lost-model", input: n }, fail)));

for (const { id, state, alerts: active } of alerts.list()) {
  if (state === "inactive" || state === "insufficient") continue;
  for (const { labels, level, suppressedBy } of active) {
    console.log("list:", id, state, level, labels["model"], suppressedBy === undefined ? "" : `(${suppressedBy})`);
  }
}
console.log("health:", optimizer.health().status);
await optimizer.close();
chat.close();
