/**
 * How soon the dashboard shows its first chart, beside an empty page in the same browser, and how large it is. Needs
 * Chromium: /usr/bin/chromium, or what the variable CHROMIUM names.
 */
import { gzipSync } from "node:zlib";
import { pageFiles } from "../../src/dashboard/index.ts";
import { serve } from "../../src/http/index.ts";
import { startBrowser } from "../../test/dashboard/chromium.ts";
import { pricedOptimizer, someTraffic } from "../../test/dashboard/traffic.ts";
import { median } from "../measure.ts";

const ROUNDS = 9;

const optimizer = pricedOptimizer();
const server = await serve(optimizer, { port: 0 });
await someTraffic(optimizer, 300);
const browser = await startBrowser();

/** Milliseconds from asking for the page until the selector is there, each time in a new profile without a cache. */
async function shown(url: string, selector: string): Promise<number> {
  const context = await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const startedAt = performance.now();
  await page.goto(url, { waitUntil: "commit" });
  await page.waitForSelector(selector, { state: "attached" });
  const took = performance.now() - startedAt;
  await context.close();
  return took;
}

const times = { empty: [] as number[], chart: [] as number[] };
for (let round = 0; round <= ROUNDS; round++) {
  const empty = await shown(`${server.url}health/live`, "body");
  const chart = await shown(server.url, ".plot canvas");
  if (round === 0) continue;
  times.empty.push(empty);
  times.chart.push(chart);
}
await browser.close();
await server.close();
await optimizer.close();

const files = await pageFiles();
const kilobytes = (ending: string): string =>
  `${(files.filter(({ name }) => name.endsWith(ending)).reduce((sum, { text }) => sum + gzipSync(text).length, 0) / 1024).toFixed(1)} KB`;
const [empty, chart] = [median(times.empty), median(times.chart)];
const row = (what: string, value: string): void => console.log(`${what.padEnd(40)} ${value.padStart(10)}`);
row("an empty page, median", `${empty.toFixed(0)} ms`);
row("first chart, median (pass: <= 1000)", `${chart.toFixed(0)} ms`);
row("first chart, slowest", `${Math.max(...times.chart).toFixed(0)} ms`);
row("ratio", `${(chart / empty).toFixed(1)} x`);
row("script, gzip (pass: <= 45 KB)", kilobytes(".js"));
row("styles, gzip (pass: <= 5 KB)", kilobytes(".css"));
