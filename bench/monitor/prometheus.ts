/**
 * What a scrape costs: histograms of 500 label sets with 17 bounds, written by Breakwater and by prom-client.
 * Prints, judges nothing.
 */
import { Histogram, Registry } from "prom-client";
import { createRuntime } from "../../src/core/index.ts";
import { prometheus } from "../../src/exporters/prometheus/index.ts";
import { createMonitor } from "../../src/monitor/index.ts";
import { median } from "../measure.ts";

const SERIES = 498;
const ROUNDS = 15;
const BOUNDS = Array.from({ length: 17 }, (_, octave) => 0.01 * 2 ** octave);

const labelsOf = (series: number) => ({ op: "chat", provider: `provider-${series % 8}`, model: `model-${series}` });
const secondsOf = (value: number) => 0.02 + ((value * 7_919) % 10_000) / 500;

async function milliseconds(run: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = performance.now();
    await run();
    times.push(performance.now() - startedAt);
  }
  return median(times);
}

const monitor = createMonitor(createRuntime());
const ours = monitor.histogram("app.parse", { unit: "s", description: "Parsing." });
const registry = new Registry();
const theirs = new Histogram({
  name: "app_parse_seconds",
  help: "Parsing.",
  labelNames: ["op", "provider", "model"],
  buckets: BOUNDS,
  registers: [registry],
});
for (let series = 0; series < SERIES; series++) {
  for (let value = 0; value < 100; value++) {
    ours.record(secondsOf(value), labelsOf(series));
    theirs.observe(labelsOf(series), secondsOf(value));
  }
}

const exporter = prometheus(monitor);
const text = exporter.scrape().text();
const anchor = await milliseconds(() => registry.metrics());
const whole = await milliseconds(() => exporter.scrape().text());
const snapshot = await milliseconds(() => monitor.metrics());

const longest: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  let longestOfRound = 0;
  const { chunks } = exporter.scrape();
  let startedAt = performance.now();
  for await (const _ of chunks()) {
    longestOfRound = Math.max(longestOfRound, performance.now() - startedAt);
    await new Promise(setImmediate);
    startedAt = performance.now();
  }
  longest.push(longestOfRound);
}

const row = (what: string, value: string) => console.log(`${what.padEnd(46)} ${value.padStart(12)}`);
row(`series x lines`, `${SERIES} x ${BOUNDS.length + 3}`);
row("bytes", `${(text.length / 1e6).toFixed(2)} MB`);
row("prom-client 15, metrics()", `${anchor.toFixed(2)} ms`);
row("Breakwater, scrape().text()", `${whole.toFixed(2)} ms`);
row("  of it the snapshot", `${snapshot.toFixed(2)} ms`);
row("ratio", `${(anchor / whole).toFixed(1)} x`);
row("longest part of scrape().chunks()", `${median(longest).toFixed(2)} ms`);
monitor.close();
