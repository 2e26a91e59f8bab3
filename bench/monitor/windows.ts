/** How long reading an hour holds the event loop: 500 histogram series, each written to in every slot. */
import { createRuntime } from "../../src/core/index.ts";
import { createMonitor } from "../../src/monitor/index.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { median } from "../measure.ts";

const SERIES = 490;
const clock = new VirtualClock();
const monitor = createMonitor(createRuntime({ clock }), { windowMemory: "256mb" });
const histogram = monitor.histogram("app.latency", { unit: "s", labels: ["route"] });
const labels = Array.from({ length: SERIES }, (_, index) => ({ route: `r${index}` }));
const all: number[] = [];
for (let second = 0; second < 3_600; second += 5) {
  for (const [index, one] of labels.entries()) {
    const value = 0.2 + ((second / 5 + index) % 97) / 50;
    histogram.record(value, one);
    if (all.length < 300_000) all.push(value);
  }
  await clock.advance(5_000);
}

function milliseconds(fn: () => unknown): number {
  const times: number[] = [];
  for (let round = 0; round < 9; round++) {
    const startedAt = performance.now();
    fn();
    times.push(performance.now() - startedAt);
  }
  return median(times);
}

const anchor = milliseconds(() => all.toSorted((a, b) => a - b)[Math.floor(all.length * 0.95)]);
const line = (what: string, ms: number): void => {
  console.log(`${what.padEnd(44)} ${ms.toFixed(2).padStart(8)} ms  ${(ms / anchor).toFixed(3)} x`);
};
line("p95 by sorting 300,000 values", anchor);
line(
  "p95 of a minute, all series",
  milliseconds(() => monitor.read("app.latency", { window: "1m" })),
);
line(
  "p95 of 5 minutes, all series",
  milliseconds(() => monitor.read("app.latency", { window: "5m" })),
);
line(
  "p95 of an hour, all series",
  milliseconds(() => monitor.read("app.latency", { window: "1h" })),
);
line(
  "p95 minute by minute of an hour",
  milliseconds(() => monitor.timeline("app.latency", { minutes: 60 })),
);
line(
  "report of an hour",
  milliseconds(() => monitor.report()),
);
line(
  "metrics()",
  milliseconds(() => monitor.metrics()),
);
console.log(`windows hold ${(monitor.stats().windowBytes / 1024 / 1024).toFixed(1)} MB`);
monitor.close();
