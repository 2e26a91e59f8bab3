/**
 * What the line costs a call when nothing waits: all policies around a no-op and each alone, beside cockatiel, opossum and
 * Bottleneck in the same run.
 */
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
import CircuitBreaker from "opossum";
import {
  breaker,
  type Call,
  createRuntime,
  deadline,
  type Outcome,
  type Policy,
  pipeline,
  pool,
  rateLimit,
  retry,
  throttle,
  timeout,
  valueReply,
  whole,
} from "../../src/index.ts";
import { callOf } from "../../test/support/calls.ts";
import { medianMicroseconds } from "../measure.ts";

const CALLS = 20_000;
const SLICES = 20_000;
const PASS = { all: 4, alone: 0.7, p999: 50 };

const runtime = createRuntime();
const reply = valueReply("An answer.", whole({ usage: { inputTokens: 100, outputTokens: 50 } }));
const send = async (_call: Call): Promise<Outcome> => reply;
const noop = async (): Promise<string> => "An answer.";
const wide = { requestsPerMinute: 1e9, tokensPerMinute: 1e12 };

const all: Record<string, Policy> = {
  deadline: deadline("5m", runtime),
  pool: pool({}, runtime),
  retry: retry({}, runtime),
  breaker: breaker({}, runtime),
  throttle: throttle({}, runtime),
  rateLimit: rateLimit(wide, runtime),
  timeout: timeout({}, runtime),
};

const cockatielLine = (abortOnReturn: boolean) =>
  wrap(
    cockatielRetry(handleAll, { maxAttempts: 3, backoff: new ExponentialBackoff() }),
    circuitBreaker(handleAll, {
      halfOpenAfter: 10_000,
      breaker: new SamplingBreaker({ threshold: 0.5, duration: 30_000 }),
    }),
    cockatielTimeout(60_000, { strategy: TimeoutStrategy.Cooperative, abortOnReturn }),
    bulkhead(64, 10_000),
  );
const full = cockatielLine(true);
const tuned = cockatielLine(false);
const opossum = new CircuitBreaker(noop, { timeout: 60_000 });
const bottleneck = new Bottleneck({ maxConcurrent: 64 });

const call = (policies: readonly Policy[]) => {
  const line = pipeline(...policies);
  return { calls: CALLS, run: () => line.execute(callOf(runtime, send)) };
};

const results = await medianMicroseconds({
  "a call, no line": { calls: CALLS, run: () => send(callOf(runtime, send)) },
  "empty line": call([]),
  ...Object.fromEntries(Object.entries(all).map(([name, policy]) => [`  + ${name}`, call([policy])])),
  "all seven": call(Object.values(all)),
  "cockatiel, retry + breaker + timeout + bulkhead": { calls: CALLS, run: () => full.execute(noop) },
  "cockatiel, abortOnReturn: false": { calls: CALLS, run: () => tuned.execute(noop) },
  "opossum, breaker + timeout": { calls: CALLS, run: () => opossum.fire() },
  "Bottleneck, limiter": { calls: 100, run: () => bottleneck.schedule(noop) },
});

const line = results["empty line"] ?? Number.NaN;
const seven = results["all seven"] ?? Number.NaN;
console.log("microseconds a call, median of 9 rounds, one after another\n");
for (const [name, microseconds] of Object.entries(results)) {
  const policy = name.startsWith("  +");
  const beside = policy
    ? `adds ${(microseconds - line).toFixed(2)}`
    : `${(microseconds / seven).toFixed(2)} x all seven`;
  console.log(
    `${name.padEnd(48)} ${microseconds.toFixed(2).padStart(8)}  ${Math.round(1e6 / microseconds)
      .toLocaleString("en")
      .padStart(10)} a second   ${beside}`,
  );
}

const slowest = Math.max(...Object.keys(all).map((name) => (results[`  + ${name}`] ?? 0) - line));
const p999 = await quantile(call(Object.values(all)).run, 0.999);
console.log(
  `\nall seven: ${seven.toFixed(2)} us (at most ${PASS.all}); p99.9 ${p999.toFixed(1)} us (at most ${PASS.p999})`,
);
console.log(`the dearest policy alone adds ${slowest.toFixed(2)} us (at most ${PASS.alone})`);

opossum.shutdown();
await bottleneck.disconnect();

async function quantile(run: () => Promise<unknown>, share: number): Promise<number> {
  const times = new Float64Array(SLICES);
  for (let index = 0; index < SLICES; index++) {
    const startedAt = performance.now();
    await run();
    times[index] = (performance.now() - startedAt) * 1000;
  }
  times.sort();
  return times[Math.floor(SLICES * share)] ?? Number.NaN;
}
