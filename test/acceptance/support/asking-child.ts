// One of several processes that share a Redis and a provider. Told what to do, it does it and says how it went.
import { createOptimizer, memory, redis } from "../../../src/index.ts";

const [redisUrl = "", providerUrl = "", cacheOptions = "{}"] = process.argv.slice(2);
const optimizer = createOptimizer({
  environment: {},
  monitor: false,
  retry: false,
  cache: { tiers: [memory(), redis({ url: redisUrl, commandTimeout: "20s" })], jitter: 0, ...JSON.parse(cacheOptions) },
});

export interface Order {
  readonly id: number;
  readonly do: "ask" | "invalidate" | "warm";
  readonly question?: string;
  readonly callers?: number;
  readonly tags?: readonly string[];
}

export interface Done {
  readonly id: number;
  readonly answers: readonly string[];
  readonly failed: number;
  /** `performance.timeOrigin + performance.now()` when it was over. */
  readonly at: number;
}

async function ask(question: string, tags: readonly string[]): Promise<string> {
  return optimizer.run({ tags }, () =>
    optimizer.call({ model: "m", input: question, temperature: 0 }, async ({ signal }) => {
      const response = await fetch(`${providerUrl}/?q=${encodeURIComponent(question)}`, { signal });
      if (!response.ok) throw new Error(`the provider says ${response.status}`);
      return response.text();
    }),
  );
}

process.on("message", async (order: Order) => {
  const { id, question = "", callers = 1, tags = [] } = order;
  const answers = new Set<string>();
  let failed = 0;
  if (order.do === "ask") {
    const outcomes = await Promise.allSettled(Array.from({ length: callers }, () => ask(question, tags)));
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") answers.add(outcome.value);
      else failed++;
    }
  } else if (order.do === "invalidate") {
    await optimizer.cache.invalidateTags([...tags]);
  }
  process.send?.({ id, answers: [...answers], failed, at: performance.timeOrigin + performance.now() } satisfies Done);
});

// The connections are there before the first order.
await ask(`warming of ${process.pid}`, []).catch(() => {});
process.send?.("ready");
