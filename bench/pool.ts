// How long a queue of jobs takes to build and to empty, and what it weighs, beside p-queue.
// Run with: node --expose-gc bench/pool.ts
import PQueue from "p-queue";
import { createRuntime } from "../src/core/index.ts";
import { createJobs, pool } from "../src/policies/pool/index.ts";

interface Figures {
  readonly enqueueMs: number;
  readonly drainMs: number;
  readonly bytesPerJob: number;
}

const noop = (): undefined => undefined;

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function measure(count: number, build: () => () => Promise<unknown>): Promise<Figures> {
  const before = heapUsed();
  const startedAt = performance.now();
  const drain = build();
  const enqueueMs = performance.now() - startedAt;
  const bytesPerJob = (heapUsed() - before) / count;
  const drainStartedAt = performance.now();
  await drain();
  return { enqueueMs, drainMs: performance.now() - drainStartedAt, bytesPerJob };
}

function breakwater(count: number): Promise<Figures> {
  return measure(count, () => {
    const runtime = createRuntime();
    const jobs = createJobs(pool({ concurrency: 64, maxQueue: count }, runtime), runtime);
    let left = count;
    const { promise, resolve } = Promise.withResolvers<void>();
    const work = (): void => {
      if (--left === 0) resolve();
    };
    const gate = Promise.withResolvers<void>();
    for (let index = 0; index < 64; index++) jobs.submit(`gate${index}`, () => gate.promise);
    for (let index = 0; index < count; index++) jobs.submit(`job${index}`, work, { priority: (index % 10) as 0 });
    return () => {
      gate.resolve();
      return promise;
    };
  });
}

function pQueue(count: number): Promise<Figures> {
  return measure(count, () => {
    const queue = new PQueue({ concurrency: 64, autoStart: false });
    for (let index = 0; index < count; index++) void queue.add(noop, { priority: index % 10 });
    return () => {
      queue.start();
      return queue.onIdle();
    };
  });
}

function print(name: string, count: number, { enqueueMs, drainMs, bytesPerJob }: Figures): void {
  const total = ((enqueueMs + drainMs) / 1000).toFixed(2);
  const size = globalThis.gc === undefined ? "run with --expose-gc for bytes" : `${Math.round(bytesPerJob)} bytes/job`;
  console.log(
    `${name.padEnd(12)}${count.toLocaleString("en").padStart(10)} jobs  enqueue ${enqueueMs.toFixed(0).padStart(6)} ms` +
      `  drain ${drainMs.toFixed(0).padStart(6)} ms  total ${total.padStart(6)} s  ${size}`,
  );
}

print("p-queue", 100_000, await pQueue(100_000));
print("breakwater", 100_000, await breakwater(100_000));
print("breakwater", 1_000_000, await breakwater(1_000_000));
