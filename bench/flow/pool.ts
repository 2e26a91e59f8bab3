// What the pool costs: a call that does not wait, a million jobs, and half a million given up, beside p-queue,
// cockatiel's bulkhead and Bottleneck. Run with: node --expose-gc bench/flow/pool.ts
import Bottleneck from "bottleneck";
import { bulkhead } from "cockatiel";
import PQueue from "p-queue";
import { Cancellation, createRuntime, valueReply, whole } from "../../src/core/index.ts";
import { createJobs, type Jobs, pool } from "../../src/policies/pool/index.ts";
import { callOf } from "../../test/support/calls.ts";
import { medianMicroseconds } from "../measure.ts";

const SLOTS = 64;
const MILLION = 1_000_000;
const reply = valueReply("answer", whole());

await passing();
for (const [name, count, build] of [
  ["p-queue, 10 priorities", 100_000, pQueue],
  ["cockatiel bulkhead", 50_000, cockatiel],
  ["Bottleneck, 10 priorities", 500, bottleneck],
  ["breakwater, 10 priorities", 100_000, jobs],
  ["breakwater, 10 priorities", MILLION, jobs],
  ["breakwater, 100 clients", MILLION, jobsOfClients],
] as const) {
  await queueing(name, count, build);
}
await givingUp();

/** A call that finds a free slot. */
async function passing(): Promise<void> {
  const policy = pool({ concurrency: SLOTS }, createRuntime());
  const call = callOf(policy.runtime, async () => reply);
  const send = async () => reply;
  const queue = new PQueue({ concurrency: SLOTS });
  const wall = bulkhead(SLOTS, SLOTS);
  const results = await medianMicroseconds({
    "bare send": { calls: 100_000, run: send },
    breakwater: { calls: 100_000, run: () => policy.handle(call, send) },
    "cockatiel bulkhead": { calls: 100_000, run: () => wall.execute(send) },
    "p-queue": { calls: 20_000, run: () => queue.add(send) },
  });
  console.log("a call that does not wait");
  for (const [name, microseconds] of Object.entries(results)) {
    console.log(`  ${name.padEnd(26)} ${microseconds.toFixed(2).padStart(8)} us`);
  }
  console.log("jobs that wait");
}

type Build = (count: number, done: () => void) => () => void;

async function queueing(name: string, count: number, build: Build): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = count;
  const before = heapUsed();
  const startedAt = performance.now();
  const go = build(count, () => {
    if (--left === 0) resolve();
  });
  const enqueueMs = performance.now() - startedAt;
  const bytes = (heapUsed() - before) / count;
  const drainStartedAt = performance.now();
  go();
  await promise;
  const drainMs = performance.now() - drainStartedAt;
  const perJob = ((enqueueMs + drainMs) * 1_000) / count;
  console.log(
    `  ${name.padEnd(26)} ${count.toLocaleString("en").padStart(9)}  enqueue ${enqueueMs.toFixed(0).padStart(5)} ms` +
      `  drain ${drainMs.toFixed(0).padStart(5)} ms  ${perJob.toFixed(1).padStart(7)} us/job  ${sizeOf(bytes)}`,
  );
}

function pQueue(count: number, done: () => void): () => void {
  const queue = new PQueue({ concurrency: SLOTS, autoStart: false });
  for (let index = 0; index < count; index++) void queue.add(async () => done(), { priority: index % 10 });
  return () => void queue.start();
}

function cockatiel(count: number, done: () => void): () => void {
  const policy = bulkhead(SLOTS, count);
  const gate = Promise.withResolvers<void>();
  for (let index = 0; index < SLOTS; index++) void policy.execute(() => gate.promise);
  for (let index = 0; index < count; index++) void policy.execute(async () => done());
  return () => gate.resolve();
}

function bottleneck(count: number, done: () => void): () => void {
  const limiter = new Bottleneck({ maxConcurrent: SLOTS });
  const gate = Promise.withResolvers<void>();
  for (let index = 0; index < SLOTS; index++) void limiter.schedule(() => gate.promise);
  for (let index = 0; index < count; index++) void limiter.schedule({ priority: index % 10 }, async () => done());
  return () => gate.resolve();
}

function jobs(count: number, done: () => void): () => void {
  return filled(count, (queue, index) => queue.submit(`job${index}`, done, { priority: (index % 10) as 0 }));
}

function jobsOfClients(count: number, done: () => void): () => void {
  return filled(count, (queue, index) => queue.submit(`job${index}`, done, { client: `client${index % 100}` }));
}

function filled(count: number, submit: (queue: Jobs, index: number) => void): () => void {
  const runtime = createRuntime();
  const queue = createJobs(pool({ concurrency: SLOTS, maxQueue: count }, runtime), runtime);
  const gate = Promise.withResolvers<void>();
  for (let index = 0; index < SLOTS; index++) queue.submit(`gate${index}`, () => gate.promise);
  for (let index = 0; index < count; index++) submit(queue, index);
  return () => gate.resolve();
}

/** Half of a million jobs by their ids, and half a million calls by their signals. */
async function givingUp(): Promise<void> {
  const runtime = createRuntime();
  const policy = pool({ concurrency: 1, maxQueue: MILLION }, runtime);
  const queue = createJobs(policy, runtime);
  queue.submit("gate", () => new Promise(() => {}));
  const before = heapUsed();
  for (let index = 0; index < MILLION; index++) queue.submit(`job${index}`, () => {}, { priority: (index % 10) as 0 });
  const startedAt = performance.now();
  for (let index = 0; index < MILLION; index += 2) queue.cancel(`job${index}`);
  report("jobs cancelled", performance.now() - startedAt, policy.snapshot().queued);
  for (let index = 1; index < MILLION; index += 2) queue.cancel(`job${index}`);
  console.log(`  memory kept of a million    ${((heapUsed() - before) / 1e6).toFixed(1)} MB`);

  const cancellations: Cancellation[] = [];
  const waiting: Promise<unknown>[] = [];
  for (let index = 0; index < MILLION / 2; index++) {
    const cancellation = new Cancellation();
    cancellations.push(cancellation);
    const call = callOf(runtime, async () => reply, { cancellation });
    waiting.push(policy.handle(call, async () => reply));
  }
  const givenUpAt = performance.now();
  for (const cancellation of cancellations) cancellation.cancel("over");
  await Promise.all(waiting);
  report("calls given up", performance.now() - givenUpAt, policy.snapshot().queued);
}

function report(what: string, ms: number, left: number): void {
  console.log(
    `  500,000 ${what.padEnd(18)} ${ms.toFixed(0).padStart(5)} ms, ${left.toLocaleString("en")} wait after it`,
  );
}

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function sizeOf(bytes: number): string {
  return globalThis.gc === undefined ? "run with --expose-gc for bytes" : `${Math.round(bytes)} bytes/job`;
}
