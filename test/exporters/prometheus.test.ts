import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text as textOfStream } from "node:stream/consumers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CONTENT_TYPES, formatFor, prometheus } from "../../src/exporters/prometheus/index.ts";
import { answered, failed, monitored } from "../monitor/support.ts";
import { busyProcess } from "./busy.ts";
import { own, type ParsedFamily, parseExposition, seriesKey } from "./exposition.ts";
import { promlint } from "./promlint.ts";

const OPENMETRICS = "application/openmetrics-text; version=1.0.0";
const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

function family(families: readonly ParsedFamily[], name: string): ParsedFamily {
  const found = families.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no family ${name} among ${families.map((one) => one.name).join(", ")}`);
  return found;
}

describe("the Prometheus exporter", () => {
  it("writes what the rules of promlint accept, in both forms", async () => {
    const { monitor } = await busyProcess();
    const exporter = prometheus(monitor);
    const families = parseExposition(exporter.scrape().text());
    expect(families.length).toBeGreaterThan(30);
    expect(promlint(families)).toEqual([]);
    const open = exporter.scrape(OPENMETRICS).text();
    expect(open.endsWith("# EOF\n")).toBe(true);
    expect(parseExposition(open).map(({ samples }) => samples.length)).toEqual(
      families.map(({ samples }) => samples.length),
    );
  });

  it.skipIf(!hasPromtool)("passes promtool check metrics without a word", async () => {
    const { monitor } = await busyProcess();
    const input = prometheus(monitor).scrape().text();
    expect(execFileSync("promtool", ["check", "metrics"], { input, encoding: "utf8", stdio: "pipe" })).toBe("");
  });

  it.skipIf(!hasPromtool)("is read by Prometheus' own parser of OpenMetrics", async () => {
    const { monitor } = await busyProcess();
    const text = prometheus(monitor, { labels: { region: "eu" } })
      .scrape(OPENMETRICS)
      .text();
    // What reads files wants a time in each sample.
    const timed = text.replace(/^(?!#)(.+)$/gm, "$1 1763737200");
    const folder = mkdtempSync(join(tmpdir(), "breakwater-openmetrics-"));
    try {
      const file = join(folder, "metrics.txt");
      writeFileSync(file, timed);
      const command = ["tsdb", "create-blocks-from", "openmetrics", file, join(folder, "blocks")];
      const { status, stderr } = spawnSync("promtool", command, { encoding: "utf8" });
      expect(stderr).not.toContain("error");
      expect(status).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("names base units and converts into them", () => {
    const { monitor } = monitored();
    monitor.histogram("app.wait", { unit: "ms" }).record(1_500);
    monitor.gauge("app.load", { unit: "%" }).set(25);
    monitor.gauge("app.left", { unit: "1" }).set(0.5);
    monitor.counter("app.read", { unit: "KiBy" }).add(2);
    monitor.counter("app.spent_total", { unit: "EUR" }).add(2);
    monitor.counter("app.runs", { unit: "{run}" }).add();
    monitor.gauge("app.age.seconds", { unit: "s" }).set(3);
    monitor.gauge("app.growth", { unit: "MBy/h" }).set(7.2);
    monitor.gauge("app.rate", { unit: "{doc}/s" }).set(4);
    monitor.gauge("app.file.count", { unit: "{file}" }).set(9);
    monitor.gauge("app.heat", { unit: "Cel" }).set(30);
    const values = own(parseExposition(prometheus(monitor).scrape().text())).flatMap(({ samples }) =>
      samples.filter(({ name }) => !name.endsWith("_bucket")).map(({ name, value }) => [name, value]),
    );
    expect(Object.fromEntries(values)).toEqual({
      app_wait_seconds_sum: 1.5,
      app_wait_seconds_count: 1,
      app_load_ratio: 0.25,
      app_left_ratio: 0.5,
      app_read_bytes_total: 2_048,
      app_spent_eur_total: 2,
      app_runs_total: 1,
      app_age_seconds: 3,
      app_growth_bytes_per_second: 2_000,
      app_rate_per_second: 4,
      app_file: 9,
      app_heat_cel: 30,
    });
  });

  it("says the unit in OpenMetrics, where the name ends with it, and writes bounds as floats", () => {
    const { monitor } = monitored();
    monitor.timer("app.parse").record(0.02);
    monitor.histogram("app.tokens", { unit: "{token}" }).record(5);
    const [timer, tokens] = own(parseExposition(prometheus(monitor).scrape(OPENMETRICS).text()));
    expect(timer).toMatchObject({ name: "app_parse_seconds", unit: "seconds", type: "histogram" });
    expect(tokens).toMatchObject({ name: "app_tokens", unit: undefined });
    const bounds = tokens?.samples.flatMap(({ labels }) => labels["le"] ?? []) ?? [];
    expect(bounds.length).toBeGreaterThan(10);
    expect(bounds.filter((bound) => !/^(\d+\.\d+|\+Inf)$/.test(bound))).toEqual([]);
  });

  it("gives cumulative buckets that end in +Inf with the count", () => {
    const { monitor } = monitored();
    const parse = monitor.timer("app.parse");
    for (const seconds of [0, 0.005, 0.01, 0.011, 3, 99_999]) parse.record(seconds);
    const { samples } = family(parseExposition(prometheus(monitor).scrape().text()), "app_parse_seconds");
    const buckets = samples.filter(({ name }) => name.endsWith("_bucket"));
    const counts = buckets.map(({ value }) => value);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(buckets[0]).toMatchObject({ labels: { le: "0.01" }, value: 3 });
    expect(buckets.at(-1)).toMatchObject({ labels: { le: "+Inf" }, value: 6 });
    expect(samples.find(({ name }) => name.endsWith("_count"))?.value).toBe(6);
  });

  it("keeps any label value and help text apart from the format", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), fc.string({ minLength: 1 }), (value, description) => {
        const { monitor } = monitored();
        monitor.counter("app.docs", { description }).add(1, { kind: value, le: "x" });
        for (const accept of [undefined, OPENMETRICS]) {
          const [docs] = own(parseExposition(prometheus(monitor).scrape(accept).text()));
          expect(docs?.help).toBe(description);
          expect(docs?.samples[0]?.labels).toEqual({ kind: value, exported_le: "x" });
        }
      }),
    );
  });

  it("never gives two metrics one name", () => {
    const { monitor } = monitored();
    monitor.counter("app.docs.read").add(1);
    monitor.counter("app.docs_read").add(2);
    monitor.timer("app.parse").record(1);
    monitor.gauge("app.parse.seconds.count", { unit: "{doc}" }).set(4);
    const exporter = prometheus(monitor);
    const names = own(parseExposition(exporter.scrape().text())).map(({ name }) => name);
    expect(names).toEqual(["app_docs_read_total", "app_docs_read_2_total", "app_parse_seconds", "app_parse_seconds_2"]);
    expect(own(parseExposition(exporter.scrape(OPENMETRICS).text())).map(({ name }) => name)).toEqual([
      "app_docs_read",
      "app_docs_read_2",
      "app_parse_seconds",
      "app_parse_seconds_2",
    ]);
  });

  it("shows counters that only rise and no value that is no number, over 1,000 scrapes", async () => {
    const { clock, runtime, monitor } = monitored();
    const exporter = prometheus(monitor);
    const rising = new Map<string, number>();
    const wrong: string[] = [];
    for (let scrape = 0; scrape < 1_000; scrape++) {
      answered(runtime, {
        durationMs: scrape * 3,
        model: `m${scrape % 3}`,
        usage: { inputTokens: 3, outputTokens: 1 },
      });
      if (scrape % 5 === 0) failed(runtime, "timeout", scrape);
      await clock.advance(15_000);
      for (const { type, samples } of parseExposition(exporter.scrape().text())) {
        for (const sample of samples) {
          const key = seriesKey(sample);
          // `NaN` is not at least anything.
          if (!(sample.value >= (rising.get(key) ?? 0))) wrong.push(`${key} ${sample.value}`);
          if (type !== "gauge") rising.set(key, sample.value);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(rising.size).toBeGreaterThan(50);
  });

  it("gives the same text whole and in parts", async () => {
    const { monitor } = monitored();
    const parse = monitor.timer("app.parse");
    for (let series = 0; series < 400; series++) parse.record(series / 10, { model: `m${series}` });
    const scrape = prometheus(monitor).scrape(OPENMETRICS);
    const parts: string[] = [];
    for await (const part of scrape.chunks()) parts.push(part);
    expect(parts.length).toBeGreaterThan(5);
    expect(parts.join("")).toBe(scrape.text());
    expect(await textOfStream(Readable.from(scrape.chunks()))).toBe(scrape.text());
  });

  it("shows the metrics as they were when the scrape was made", () => {
    const { monitor } = monitored();
    const docs = monitor.counter("app.docs");
    docs.add(1);
    const scrape = prometheus(monitor).scrape();
    docs.add(1);
    expect(scrape.text()).toContain("app_docs_total 1\n");
  });

  it("adds labels of its own, and moves those of a metric out of their way", () => {
    const { monitor } = monitored();
    monitor.counter("app.docs").add(1, { region: "us" });
    monitor.gauge("app.depth", { unit: "{doc}" }).set(1);
    const [docs, depth] = own(
      parseExposition(
        prometheus(monitor, { labels: { region: "eu" } })
          .scrape()
          .text(),
      ),
    );
    expect(docs?.samples[0]?.labels).toEqual({ region: "eu", exported_region: "us" });
    expect(depth?.samples[0]?.labels).toEqual({ region: "eu" });
  });

  it("says which option is wrong", () => {
    const { monitor } = monitored();
    expect(() => prometheus(monitor, { label: {} } as never)).toThrow('"prometheus.label"');
    expect(() => prometheus(monitor, { labels: { "a-b": "x" } })).toThrow('"prometheus.labels"');
    expect(() => prometheus(monitor, { labels: { le: "x" } })).toThrow('"prometheus.labels"');
    expect(() => prometheus(monitor, { labels: { region: 1 as never } })).toThrow('"prometheus.labels.region"');
  });

  it("leaves our own names to our own metrics, also while these have no values", () => {
    const { runtime, monitor } = monitored();
    monitor.counter("breakwater_calls").add(1);
    const exporter = prometheus(monitor);
    expect(exporter.scrape().text()).toMatch(/^breakwater_calls_2_total 1$/m);
    answered(runtime);
    expect(exporter.scrape().text()).toMatch(/^breakwater_calls_total\{op=/m);
  });
});

describe("the form that an Accept header asks for", () => {
  it.each([
    [undefined, "text"],
    ["", "text"],
    ["*/*", "text"],
    ["text/plain", "text"],
    [OPENMETRICS, "openmetrics"],
    ["application/openmetrics-text", "openmetrics"],
    ["application/openmetrics-text;version=0.0.1", "text"],
    ["application/openmetrics-text;version=1.0.0;q=0", "text"],
    ["application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.3", "text"],
    [
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
      "openmetrics",
    ],
  ] as const)("%s is %s", (accept, format) => {
    expect(formatFor(accept)).toBe(format);
    expect(prometheus(monitored().monitor).scrape(accept).contentType).toBe(CONTENT_TYPES[format]);
  });
});
