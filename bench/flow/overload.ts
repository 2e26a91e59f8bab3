/**
 * Twice the traffic that a provider allows, for 20 seconds of real time over HTTP: a bare client beside a wrapped one.
 * Prints goodput as a share of the limit, the share of attempts answered 429, and the latency of urgent calls.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import OpenAI from "openai";
import { createOptimizer, type PriorityName, scoped, seededRandom, withOptimization } from "../../src/index.ts";
import { type ProviderStats, startSimulatedProvider } from "../../src/testing/index.ts";

const SECONDS = 20;
const REQUESTS_PER_SECOND = 30;
const OUTPUT_TOKENS = 20;
const MAX_TOKENS = 40;
const HIGH_SHARE = 0.1;
const LIMITS = {
  requestsPerMinute: REQUESTS_PER_SECOND * 60,
  tokensPerMinute: 4_000_000,
  concurrency: 200,
  burst: "2s",
} as const;
const LATENCY = { firstToken: 250, firstTokenSigma: 0.3, perToken: 10 } as const;

if (process.send !== undefined) await serve();
else await measure();

/** The provider, in a process of its own. */
async function serve(): Promise<void> {
  const { url, provider } = await startSimulatedProvider({
    ...LIMITS,
    latency: LATENCY,
    outputTokens: OUTPUT_TOKENS,
    logSize: 0,
  });
  process.on("message", () => process.send?.(provider.stats()));
  process.on("disconnect", () => process.exit(0));
  process.send?.(url);
}

interface Result {
  readonly priority: PriorityName;
  readonly ok: boolean;
  readonly endedAt: number;
  readonly ms: number;
}

type Ask = (client: OpenAI, n: number, priority: PriorityName) => Promise<unknown>;

async function pass(
  rate: number,
  wrap: (client: OpenAI) => OpenAI,
  ask: Ask,
): Promise<{ results: Result[]; stats: ProviderStats }> {
  const child = fork(import.meta.filename);
  const [url] = (await once(child, "message")) as [string];
  const client = wrap(new OpenAI({ apiKey: "sk-simulated", baseURL: url }));
  const random = seededRandom(5);
  const results: Result[] = [];
  const startedAt = performance.now();
  const calls: Promise<void>[] = [];
  const one = async (n: number): Promise<void> => {
    const priority: PriorityName = random() < HIGH_SHARE ? "high" : "low";
    const from = performance.now();
    const ok = await ask(client, n, priority).then(
      () => true,
      () => false,
    );
    results.push({ priority, ok, endedAt: performance.now() - startedAt, ms: performance.now() - from });
  };
  for (let n = 0; performance.now() - startedAt < SECONDS * 1000; n++) {
    calls.push(one(n));
    const due = startedAt + ((n + 1) * 1000) / rate;
    if (due > performance.now())
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  }
  child.send("stats");
  const [stats] = (await once(child, "message")) as [ProviderStats];
  child.disconnect();
  void Promise.allSettled(calls);
  return { results: [...results], stats };
}

function body(n: number): OpenAI.ChatCompletionCreateParamsNonStreaming {
  return { model: "gpt-4o-mini", max_tokens: MAX_TOKENS, messages: [{ role: "user", content: `Question ${n}` }] };
}

function percentile(results: readonly Result[], share: number): number {
  const sorted = results.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}

function print(name: string, { results, stats }: Awaited<ReturnType<typeof pass>>, unloaded: number): void {
  const high = results.filter(({ ok, priority }) => ok && priority === "high");
  // From the second second on: the first answers are only on their way before.
  const warm = 2000;
  const answered = results.filter(({ ok, endedAt }) => ok && endedAt >= warm).length;
  const goodput = answered / ((SECONDS * 1000 - warm) / 1000) / REQUESTS_PER_SECOND;
  console.log(
    `${name.padEnd(18)} goodput ${(goodput * 100).toFixed(1)} % of the limit, failed ${results.filter(({ ok }) => !ok).length}, ` +
      `429 ${((100 * stats.rateLimited) / stats.requests).toFixed(2)} % of ${stats.requests} attempts, ` +
      `high p99 ${Math.round(percentile(high, 0.99))} ms (${(percentile(high, 0.99) / unloaded).toFixed(2)} x unloaded)`,
  );
}

async function measure(): Promise<void> {
  const bareAsk: Ask = (client, n) => client.chat.completions.create(body(n));
  const ask: Ask = (client, n, priority) => client.chat.completions.create(body(n), scoped({ priority }));
  const light = await pass(REQUESTS_PER_SECOND * 0.3, (client) => client, bareAsk);
  const unloaded = percentile(light.results, 0.99);
  console.log(
    `unloaded p99 ${Math.round(unloaded)} ms; ${REQUESTS_PER_SECOND} requests/s allowed, ${2 * REQUESTS_PER_SECOND} requests/s sent for ${SECONDS} s`,
  );
  print("bare OpenAI SDK", await pass(2 * REQUESTS_PER_SECOND, (client) => client, bareAsk), unloaded);
  for (const [name, rateLimit] of [
    ["limits learned", {}],
    ["limits told", { requestsPerMinute: LIMITS.requestsPerMinute, tokensPerMinute: LIMITS.tokensPerMinute }],
  ] as const) {
    const optimizer = createOptimizer({ environment: {}, rateLimit });
    print(name, await pass(2 * REQUESTS_PER_SECOND, (client) => withOptimization(client, optimizer), ask), unloaded);
    await optimizer.close();
  }
  process.exit(0);
}
