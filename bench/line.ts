/** What the line costs a call when nothing waits, beside peers that do a part of it. Prints microseconds and ratios. */
import Bottleneck from "bottleneck";
import {
  bulkhead,
  circuitBreaker,
  retry as cockatielRetry,
  timeout as cockatielTimeout,
  ExponentialBackoff,
  handleAll,
  SamplingBreaker,
  TimeoutStrategy,
  wrap,
} from "cockatiel";
import Keyv from "keyv";
import CircuitBreaker from "opossum";
import PQueue from "p-queue";
import {
  breaker,
  cache,
  callThrough,
  coalesce,
  createOptimizer,
  deadline,
  memory,
  type Policy,
  pipeline,
  pool,
  rateLimit,
  retry,
  throttle,
  timeout,
} from "../src/index.ts";
import { medianMicroseconds } from "./measure.ts";

const answer = { text: "An answer.", usage: { input_tokens: 500, output_tokens: 40 } };
const provider = async (): Promise<typeof answer> => answer;
const prompt = "What is the weather like on a Monday in November? ".repeat(42).slice(0, 2048);

const optimizer = createOptimizer({ environment: {}, rateLimit: { requestsPerMinute: 1e9, tokensPerMinute: 1e13 } });
const cached = createOptimizer({ environment: {} });
const empty = pipeline();

const cockatielLine = wrap(
  cockatielRetry(handleAll, { maxAttempts: 3, backoff: new ExponentialBackoff() }),
  circuitBreaker(handleAll, {
    halfOpenAfter: 10_000,
    breaker: new SamplingBreaker({ threshold: 0.5, duration: 30_000 }),
  }),
  cockatielTimeout(60_000, { strategy: TimeoutStrategy.Cooperative, abortOnReturn: false }),
  bulkhead(64, 10_000),
);
const bottleneck = new Bottleneck({ maxConcurrent: 64 });
const queue = new PQueue({ concurrency: 64 });
const opossum = new CircuitBreaker(provider, { timeout: 60_000 });
const keyv = new Keyv();
const stitched = async (key: string): Promise<unknown> => {
  const known = await keyv.get(key);
  if (known !== undefined) return known;
  const result = await bottleneck.schedule(() => cockatielLine.execute(provider));
  await keyv.set(key, result, 3_600_000);
  return result;
};

const ask = (n: number) => ({ model: "m", input: n, temperature: 0 });
const CALLS = 4000;

/** One policy around nothing, over the empty line. */
const alone: Record<string, Policy> = {
  deadline: deadline("5m"),
  cache: cache({ tiers: [memory({ maxEntries: 2000 })] }),
  coalesce: coalesce(),
  pool: pool(),
  retry: retry(),
  breaker: breaker(),
  throttle: throttle(),
  rateLimit: rateLimit({ requestsPerMinute: 1e9, tokensPerMinute: 1e13 }),
  timeout: timeout(),
};

await cached.call({ model: "m", input: prompt, temperature: 0 }, provider);

const results = await medianMicroseconds({
  "bare await": { calls: CALLS, run: provider },
  "empty line": { calls: CALLS, run: (n) => callThrough(empty, ask(n), provider) },
  ...Object.fromEntries(
    Object.entries(alone).map(([name, policy]) => {
      const line = pipeline(policy);
      return [`  + ${name}`, { calls: CALLS, run: (n: number) => callThrough(line, ask(n), provider) }];
    }),
  ),
  "all policies, monitor on, miss": { calls: CALLS, run: (n) => optimizer.call(ask(n), provider) },
  "memory hit, 2 KB prompt": {
    calls: CALLS,
    run: () => cached.call({ model: "m", input: prompt, temperature: 0 }, provider),
  },
  cockatiel: { calls: CALLS, run: () => cockatielLine.execute(provider) },
  "p-queue": { calls: CALLS, run: () => queue.add(provider) },
  opossum: { calls: CALLS, run: () => opossum.fire() },
  Bottleneck: { calls: 100, run: () => bottleneck.schedule(provider) },
  "keyv + Bottleneck + cockatiel, miss": { calls: 100, run: (n) => stitched(String(n)) },
});

const line = results["empty line"] ?? 0;
const full = results["all policies, monitor on, miss"] ?? 0;
console.log("microseconds a call, median of 9 rounds, sequential\n");
for (const [name, microseconds] of Object.entries(results)) {
  const extra = name.startsWith("  +")
    ? `   adds ${(microseconds - line).toFixed(2)}`
    : `   ${(microseconds / full).toFixed(2)} x the full line`;
  console.log(`${name.padEnd(36)} ${microseconds.toFixed(2).padStart(9)}${extra}`);
}

await optimizer.close();
await cached.close();
opossum.shutdown();
await bottleneck.disconnect();
