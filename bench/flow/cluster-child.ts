// A process of an anchor: asks Redis for each call, or keeps to its part of the limit. Tells what `load-child.ts` tells.
import { createClient } from "@redis/client";
import { seededRandom } from "../../src/core/index.ts";
import type { LoadOrder } from "../../test/cluster/load.ts";
import type { LoadReport, LoadSettings } from "../../test/cluster/load-child.ts";

const settings = JSON.parse(process.argv[2] ?? "") as LoadSettings;
const random = seededRandom(settings.seed);
const PROCESSES = 8;
const BURST_MS = 1_000;
const perMs = settings.requestsPerMinute / 60_000;
// The namespace says which anchor.
const isSplit = settings.namespace.startsWith("split");

// GCRA by the server's clock: milliseconds to wait, 0 if it passed.
const GCRA = `
local time = redis.call('TIME')
local now, perMs, burst = time[1] * 1000 + time[2] / 1000, tonumber(ARGV[1]), tonumber(ARGV[2])
local tat = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0)) + 1 / perMs
local waitMs = math.ceil(tat - burst - now)
if waitMs > 0 then return waitMs end
redis.call('SET', KEYS[1], string.format('%.17g', tat), 'PX', 60000)
return 0`;

const client = createClient({ url: settings.url });
await client.connect();
const sha = await client.scriptLoad(GCRA);

let tat = 0;

/** Milliseconds to wait for the next call, 0 if it passes. */
async function tryOnce(): Promise<number> {
  if (!isSplit) {
    const keys = [`${settings.namespace}gcra`];
    return Number(await client.evalSha(sha, { keys, arguments: [String(perMs), String(BURST_MS)] }));
  }
  const now = performance.now();
  const next = Math.max(now, tat) + PROCESSES / perMs;
  if (next - BURST_MS > now) return next - BURST_MS - now;
  tat = next;
  return 0;
}

let admitted: number[] = [];
let waits: number[] = [];
const queue: number[] = [];
let serving = false;

async function serve(): Promise<void> {
  if (serving) return;
  serving = true;
  for (let askedAt = queue[0]; askedAt !== undefined; askedAt = queue[0]) {
    const waitMs = await tryOnce();
    if (waitMs > 0) {
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      continue;
    }
    queue.shift();
    admitted.push(Date.now());
    waits.push(performance.now() - askedAt);
  }
  serving = false;
}

function askOnAndOn(): void {
  queue.push(performance.now());
  void serve();
  nextAt += (-Math.log(1 - random()) * 1_000) / settings.callsPerSecond;
  setTimeout(askOnAndOn, Math.max(0, nextAt - performance.now()));
}

function report(): void {
  const told = { admitted, waits, waiting: queue.length, central: true, processes: PROCESSES, lost: [] };
  if (process.connected) process.send?.(told satisfies LoadReport);
  admitted = [];
  waits = [];
}

let nextAt = 0;
setInterval(report, 100);
process.on("message", (order: LoadOrder) => {
  if (order === "stop") {
    report();
    process.exit();
  }
  nextAt = performance.now();
  askOnAndOn();
});
process.once("disconnect", () => process.exit());
