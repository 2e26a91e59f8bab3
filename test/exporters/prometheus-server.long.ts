import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dashboardQueries } from "../../src/exporters/grafana/index.ts";
import { prometheus } from "../../src/exporters/prometheus/index.ts";
import { busyProcess, oneOfEach } from "./busy.ts";

const GENEROUS_MS = 30_000;
const { stdout: version, status } = spawnSync("prometheus", ["--version"], { encoding: "utf8" });

describe.skipIf(status !== 0)(`a Prometheus server, ${version?.split("(")[0]?.trim()}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "breakwater-prometheus-"));
  let child: ChildProcess | undefined;
  let address = "";
  const accepted: (string | undefined)[] = [];
  let stopTraffic = (): void => {};

  beforeAll(async () => {
    const { monitor, runtime, clock } = await busyProcess();
    const traffic = setInterval(() => {
      oneOfEach(runtime);
      void clock.advance(100);
    }, 100);
    const exporter = prometheus(monitor);
    const target = createServer((request, response) => {
      accepted.push(request.headers.accept);
      const { contentType, chunks } = exporter.scrape(request.headers.accept);
      response.setHeader("content-type", contentType);
      Readable.from(chunks()).pipe(response);
    }).listen(0, "127.0.0.1");
    await once(target, "listening");
    stopTraffic = () => {
      clearInterval(traffic);
      target.close();
      target.closeAllConnections();
    };
    const config = join(folder, "prometheus.json");
    const targets = [`127.0.0.1:${(target.address() as AddressInfo).port}`];
    const scrape = { job_name: "breakwater", scrape_interval: "1s", static_configs: [{ targets }] };
    writeFileSync(config, JSON.stringify({ scrape_configs: [scrape] }));
    ({ child, address } = await startServer(config, join(folder, "data")));
  }, GENEROUS_MS);

  afterAll(async () => {
    stopTraffic();
    if (child?.exitCode === null) {
      const gone = once(child, "exit");
      child.kill();
      await gone;
    }
    rmSync(folder, { recursive: true });
  }, GENEROUS_MS);

  const query = async (expr: string): Promise<{ status: string; data?: { result: unknown[] }; error?: string }> => {
    const response = await fetch(`http://${address}/api/v1/query?${new URLSearchParams({ query: expr })}`);
    return (await response.json()) as Awaited<ReturnType<typeof query>>;
  };
  const results = async (expr: string): Promise<number> => (await query(expr)).data?.result.length ?? 0;

  it("scrapes OpenMetrics without a fault", { timeout: 2 * GENEROUS_MS }, async () => {
    const up = async () =>
      JSON.stringify((await query("min_over_time(up[1m]) == 1 and count_over_time(up[1m]) > 4")).data);
    await expect.poll(up, { timeout: GENEROUS_MS }).toContain('"1"');
    expect(accepted.at(-1)).toContain("application/openmetrics-text");
    expect(await results("gen_ai_client_operation_duration_seconds_bucket")).toBeGreaterThan(10);
  });

  it("answers every query of the dashboard", { timeout: 4 * GENEROUS_MS }, async () => {
    const empty: string[] = [];
    for (const expr of dashboardQueries()) {
      const filled = expr.replaceAll("$__rate_interval", "1m").replace(/\$(provider|model)/g, ".*");
      const answer = await query(filled);
      expect(answer.error, filled).toBeUndefined();
      if (answer.data?.result.length === 0) empty.push(filled);
    }
    expect(empty).toEqual([]);
  });
});

async function startServer(config: string, data: string): Promise<{ child: ChildProcess; address: string }> {
  const flags = [`--config.file=${config}`, `--storage.tsdb.path=${data}`, "--web.listen-address=127.0.0.1:0"];
  const child = spawn("prometheus", flags, { stdio: ["ignore", "ignore", "pipe"] });
  const started = Promise.withResolvers<string>();
  let log = "";
  child.stderr.on("data", (chunk) => {
    log += String(chunk);
    const address = /Listening on" address=(\S+)/.exec(log)?.[1];
    if (address !== undefined) started.resolve(address);
  });
  child.once("exit", () => started.reject(new Error(`prometheus ended: ${log}`)));
  return { child, address: await started.promise };
}
