/**
 * Ten thousand calls, whole and streamed, nine of ten aborted at a random moment, in real time. Prints how long after its
 * abort each call settles, and what is left behind.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createOptimizer, seededRandom } from "../../src/index.ts";

const CALLS = 10_000;
const SECONDS = 10;
const ABORTED_SHARE = 0.9;

const random = seededRandom(9);
const optimizer = createOptimizer({
  environment: {},
  pool: { concurrency: 200, maxQueue: CALLS },
  rateLimit: { requestsPerMinute: 40_000 },
});
const lateness: number[] = [];
let answered = 0;
let otherErrors = 0;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

// Neither form listens to its signal: whoever gives up must not depend on that.
async function whole(): Promise<string> {
  await pause(50 + random() * 200);
  return "answer";
}

async function* streamed(): AsyncGenerator<string> {
  for (let n = 0; n < 10; n++) {
    await pause(20);
    yield "token";
  }
}

async function one(n: number): Promise<void> {
  const controller = new AbortController();
  let abortedAt: number | undefined;
  const timer =
    random() < ABORTED_SHARE
      ? setTimeout(() => {
          abortedAt = performance.now();
          controller.abort();
        }, random() * 1000)
      : undefined;
  const stream = n % 2 === 0;
  try {
    const request = { model: "m", input: n, stream };
    if (stream) for await (const _token of await optimizer.call(request, streamed, { signal: controller.signal }));
    else await optimizer.call(request, whole, { signal: controller.signal });
    answered++;
  } catch {
    if (abortedAt === undefined) otherErrors++;
    else lateness.push(performance.now() - abortedAt);
  }
  clearTimeout(timer);
}

const loop = monitorEventLoopDelay({ resolution: 1 });
loop.enable();
const calls: Promise<void>[] = [];
const startedAt = performance.now();
for (let n = 0; n < CALLS; n++) {
  calls.push(one(n));
  const due = startedAt + ((n + 1) * SECONDS * 1000) / CALLS;
  if (due > performance.now()) await pause(Math.max(0, due - performance.now()));
}
await Promise.all(calls);
loop.disable();
await pause(500);

lateness.sort((a, b) => a - b);
const at = (share: number): string => (lateness[Math.ceil(share * lateness.length) - 1] ?? Number.NaN).toFixed(2);
console.log(`${CALLS} calls: ${answered} answered, ${lateness.length} aborted, ${otherErrors} ended otherwise`);
console.log(
  `from abort to settled, ms: p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)}; the event loop's own delay: p99 ${(loop.percentile(99) / 1e6).toFixed(2)}, max ${(loop.max / 1e6).toFixed(2)}`,
);
for (const [resource, { reserved, settled, refunded, inFlight }] of Object.entries(optimizer.ledger())) {
  console.log(
    `${resource.padEnd(9)} reserved ${reserved.toFixed(0)} = settled ${settled.toFixed(0)} + refunded ${refunded.toFixed(0)} + in flight ${inFlight.toFixed(0)}`,
  );
}
const { pool, coalesce } = optimizer.stats().policies as Record<string, Record<string, unknown>>;
console.log(
  "left behind:",
  JSON.stringify({ running: pool?.["running"], queued: pool?.["queued"], flights: coalesce?.["flights"] }),
);
await optimizer.close();
