/**
 * What health and metrics over HTTP cost a process that makes calls: how long `/health/ready` takes beside a bare
 * `node:http` server of the same process, and what a scrape a second of 500 label sets adds to the event loop's delay.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { serve } from "../../src/http/index.ts";
import { createOptimizer } from "../../src/index.ts";
import { watchLoopDelay } from "../../src/system/index.ts";
import { median } from "../measure.ts";

const SERIES = 498;
const CALLS_A_SECOND = 500;
const ASKED = 1_500;
const ROUNDS = 4;
const ROUND_MS = 5_000;

/** What the worker asks, so that asking does not hold up the loop that answers. */
type Question = { readonly byTurns: readonly string[] } | { readonly everySecond: string };

/** Asks the addresses by turns, every few milliseconds; gives the milliseconds of each. */
async function askByTurns(urls: readonly string[]): Promise<number[][]> {
  const times: number[][] = urls.map(() => []);
  for (let n = -100; n < ASKED; n++) {
    for (const [index, url] of urls.entries()) {
      const startedAt = performance.now();
      await (await fetch(url)).text();
      if (n >= 0) times[index]?.push(performance.now() - startedAt);
    }
    await pause(1);
  }
  return times;
}

async function askEverySecond(url: string): Promise<void> {
  while (true) {
    await (await fetch(url)).text();
    await pause(1_000);
  }
}

const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(q * values.length) - 1] ?? Number.NaN;

async function main(): Promise<void> {
  const optimizer = createOptimizer({ environment: {}, cache: false, coalesce: false });
  const histogram = optimizer.monitor.histogram("app.parse", { unit: "s", labels: ["model"] });
  for (let series = 0; series < SERIES; series++) histogram.record(series / 100, { model: `model-${series}` });
  const server = await serve(optimizer, { port: 0 });
  const bare = createServer((_, response) => response.end('{"status":"ok"}\n')).listen(0, "127.0.0.1");
  await once(bare, "listening");

  let isLoaded = true;
  const load = (async () => {
    while (isLoaded) {
      for (let n = 0; n < CALLS_A_SECOND / 50; n++) {
        void optimizer.call({ model: `model-${n}`, input: n }, () => pause(20));
      }
      await pause(20);
    }
  })();

  const urls = [`http://127.0.0.1:${(bare.address() as AddressInfo).port}/`, `${server.url}health/ready`];
  const worker = start({ byTurns: urls });
  const [[anchor = [], ready = []]] = (await once(worker, "message")) as [number[][]];
  console.log(`${ASKED} requests by turns, ${CALLS_A_SECOND} calls a second beside them`);
  console.log(`${"".padEnd(34)}  p50 ms   p99 ms`);
  const row = (what: string, times: readonly number[]): void =>
    console.log(
      `${what.padEnd(34)} ${quantile(times, 0.5).toFixed(2).padStart(7)}  ${quantile(times, 0.99).toFixed(2).padStart(7)}`,
    );
  row("bare node:http", anchor);
  row("/health/ready (pass: p99 <= 5)", ready);
  console.log(`ratio of p99 ${(quantile(ready, 0.99) / quantile(anchor, 0.99)).toFixed(2)} x`);

  const delays = { quiet: [] as number[], scraped: [] as number[] };
  for (let round = 0; round < 2 * ROUNDS; round++) {
    const isScraped = round % 2 === 1;
    const scraper = isScraped ? start({ everySecond: `${server.url}metrics` }) : undefined;
    const watch = watchLoopDelay();
    await pause(500);
    watch.read();
    await pause(ROUND_MS);
    delays[isScraped ? "scraped" : "quiet"].push((watch.read()?.p99 ?? Number.NaN) * 1_000);
    watch.close();
    await scraper?.terminate();
  }
  const [quiet, scraped] = [median(delays.quiet), median(delays.scraped)];
  console.log(`\np99 of the event loop's delay, median of ${ROUNDS} times ${ROUND_MS / 1_000} s`);
  console.log(`nobody scrapes                     ${quiet.toFixed(2).padStart(7)} ms`);
  console.log(`one scrape a second                ${scraped.toFixed(2).padStart(7)} ms`);
  console.log(`added (pass: <= 1)                 ${(scraped - quiet).toFixed(2).padStart(7)} ms`);

  isLoaded = false;
  await load;
  bare.close();
  bare.closeAllConnections();
  await server.close();
  await optimizer.close();
}

function start(question: Question): Worker {
  return new Worker(new URL(import.meta.url), { workerData: question });
}

if (isMainThread) {
  await main();
} else {
  const question = workerData as Question;
  if ("byTurns" in question) parentPort?.postMessage(await askByTurns(question.byTurns));
  else await askEverySecond(question.everySecond);
}
