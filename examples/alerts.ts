// An alert when answers get slow, and a report of the last hour.
import { createOptimizer, formatReport } from "breakwater";

const optimizer = createOptimizer({ cache: false });
optimizer.monitor.alerts.add({
  metric: "breakwater.call.duration",
  aggregate: "p95",
  above: 20,
  minCount: 20,
  level: "critical",
});
optimizer.on("alert", ({ state, level, metric, value, threshold }) => {
  console.log(`${level} ${state}: ${metric} p95 is ${value?.toFixed(1)}, above ${threshold}`);
});

const slow = () => new Promise((resolve) => setTimeout(() => resolve("done"), 40));
await Promise.all(Array.from({ length: 30 }, (_, n) => optimizer.call({ model: "my-model", input: n }, slow)));
// The monitor looks every five seconds by itself.
optimizer.monitor.evaluate();

console.log(formatReport(optimizer.monitor.report({ minutes: 60 })));
console.log("health:", optimizer.health().status);
await optimizer.close();
