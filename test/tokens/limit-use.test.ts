import { describe, expect, it } from "vitest";
import { type Call, seededRandom } from "../../src/core/index.ts";
import { createOptimizer } from "../../src/optimizer.ts";
import type { RateLimitOptions } from "../../src/policies/rate-limit/index.ts";
import { createProviderModel, VirtualClock } from "../../src/testing/index.ts";

const SEEDS = [1, 2, 3, 4, 5];
const TOKENS_PER_MINUTE = 300_000;
const CALLERS = 100;
const WARM_CALLS = 200;
const MEASURED_MS = 60_000;
const SIGMA = 1;
/** So that the mean of the log-normal lengths is 150. */
const OUTPUT_MEDIAN = 150 * Math.exp(-(SIGMA ** 2) / 2);

/**
 * Callers who ask again as soon as they are answered, of a provider that counts what was really used, for answers that
 * `max_tokens` says nothing of. Measured after the first 200 calls.
 */
async function useOfTheLimit(seed: number, tokens?: RateLimitOptions["tokens"]) {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const provider = createProviderModel({
    clock,
    seed,
    tokensPerMinute: TOKENS_PER_MINUTE,
    burst: "10s",
    reserveMaxTokens: false,
    settle: true,
    outputTokens: { median: OUTPUT_MEDIAN, sigma: SIGMA },
  });
  const optimizer = createOptimizer({
    clock,
    random,
    environment: {},
    fetch: provider.fetch,
    cache: false,
    monitor: false,
    pool: false,
    throttle: false,
    rateLimit: {
      tokensPerMinute: TOKENS_PER_MINUTE,
      accounting: { openai: { reserves: "actual", settles: true } },
      ...(tokens === undefined ? {} : { tokens }),
    },
    timeout: { total: false },
  });
  let [asked, busy] = [0, true];
  const work = async (): Promise<void> => {
    while (busy) {
      const content = `${asked++} ${"a word or two ".repeat(20 + Math.floor(random() * 180))}`;
      const body = { model: "gpt-4o", max_tokens: 4_096, messages: [{ role: "user", content }] };
      const headers = { authorization: "Bearer test" };
      const url = "https://api.openai.com/v1/chat/completions";
      const reply = await optimizer.fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
      await reply.text();
      await new Promise<void>((resolve) => void clock.timer(1, resolve));
    }
  };
  const working = Promise.all(Array.from({ length: CALLERS }, work));
  while (provider.stats().requests < WARM_CALLS) await clock.advance(1_000);
  const before = provider.stats();
  await clock.advance(MEASURED_MS);
  const after = provider.stats();
  busy = false;
  await clock.run(working);
  await optimizer.close();
  return {
    goodput: (after.tokensServed - before.tokensServed) / ((TOKENS_PER_MINUTE * MEASURED_MS) / 60_000),
    rateLimited: (after.rateLimited - before.rateLimited) / (after.requests - before.requests),
  };
}

describe("estimates against a limit of tokens, where answers are far shorter than max_tokens", () => {
  it("use at least 92 % of it, and at most 1 % of the requests are refused", async () => {
    for (const seed of SEEDS) {
      const { goodput, rateLimited } = await useOfTheLimit(seed);
      expect(goodput).toBeGreaterThanOrEqual(0.92);
      expect(rateLimited).toBeLessThanOrEqual(0.01);
    }
  });

  it("use at least 85 % of it when they are wrong by up to 60 %", async () => {
    for (const seed of SEEDS) {
      const noise = seededRandom(seed);
      const wrong = ({ inputChars }: Call): number => Math.round((inputChars / 4) * (0.4 + 1.2 * noise()));
      const { goodput, rateLimited } = await useOfTheLimit(seed, wrong);
      expect(goodput).toBeGreaterThanOrEqual(0.85);
      expect(rateLimited).toBeLessThanOrEqual(0.01);
    }
  });
});
