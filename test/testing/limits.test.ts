import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createProviderModel, type ProviderLogEntry, simulatedFetch, VirtualClock } from "../../src/testing/index.ts";
import { goDuration } from "../../src/testing/provider-limits.ts";
import { CHAT_URL, chat, STEADY } from "./bodies.ts";

/** The most that `of` sums up to in any window of `ms` that begins with an admission. */
function mostIn(log: readonly ProviderLogEntry[], ms: number, of: (entry: ProviderLogEntry) => number): number {
  const admitted = log.filter((entry) => entry.admitted);
  const sums = admitted.map((first) =>
    admitted.filter(({ at }) => at >= first.at && at < first.at + ms).reduce((sum, entry) => sum + of(entry), 0),
  );
  return Math.max(0, ...sums);
}

test("no window ever admits more than the burst and what the limit refills in it", async () => {
  const arrivals = fc.array(fc.record({ wait: fc.nat(3000), maxTokens: fc.integer({ min: 1, max: 200 }) }), {
    minLength: 1,
    maxLength: 60,
  });
  const limits = fc.record({
    requestsPerMinute: fc.integer({ min: 1, max: 120 }),
    tokensPerMinute: fc.integer({ min: 50, max: 4000 }),
    burst: fc.integer({ min: 100, max: 60_000 }),
  });
  await fc.assert(
    fc.asyncProperty(limits, arrivals, async (limit, script) => {
      const clock = new VirtualClock();
      const fetch = simulatedFetch({ clock, latency: false, ...limit });
      for (const { wait, maxTokens } of script) {
        await clock.advance(wait);
        await fetch(CHAT_URL, chat("hi", 1, { max_tokens: maxTokens }));
      }
      const { log } = fetch.provider;
      const burst = limit.burst / 60_000;
      for (const ms of [1000, 5000, 60_000]) {
        const refilled = ms / 60_000;
        const mostRequests = Math.max(1, limit.requestsPerMinute * burst) + limit.requestsPerMinute * refilled;
        const mostTokens = Math.max(1, limit.tokensPerMinute * burst) + limit.tokensPerMinute * refilled;
        expect(mostIn(log, ms, () => 1)).toBeLessThanOrEqual(mostRequests + 1e-6);
        expect(mostIn(log, ms, (entry) => entry.charged)).toBeLessThanOrEqual(mostTokens + 1e-6);
      }
    }),
    { numRuns: 60 },
  );
});

test("who waits as long as a 429 says is admitted, and who comes a millisecond earlier is not", async () => {
  const clock = new VirtualClock();
  const fetch = simulatedFetch({ clock, latency: false, requestsPerMinute: 7, burst: "10s" });
  const send = (): Promise<Response> => fetch(CHAT_URL, chat("hi", 1));
  expect((await send()).status).toBe(200);
  const refused = await send();
  expect(refused.status).toBe(429);
  const wait = Number(refused.headers.get("retry-after-ms"));
  expect(refused.headers.get("retry-after")).toBe(String(Math.ceil(wait / 1000)));
  const { error } = (await refused.json()) as { error: { message: string; code: string } };
  expect(error.code).toBe("rate_limit_exceeded");
  expect(error.message).toContain(`Please try again in ${wait / 1000}s`);
  await clock.advance(wait - 1);
  expect((await send()).status).toBe(429);
  await clock.advance(1);
  expect((await send()).status).toBe(200);
});

test("the headers tell limit, rest and the time until the bucket is full, as of the admission", async () => {
  const clock = new VirtualClock();
  const fetch = simulatedFetch({ ...STEADY, clock, requestsPerMinute: 10_000, tokensPerMinute: 30_000 });
  const reply = await clock.run(fetch(CHAT_URL, chat("hi", 5, { max_tokens: 131 })));
  expect(Object.fromEntries([...reply.headers].filter(([name]) => name.startsWith("x-ratelimit")))).toEqual({
    "x-ratelimit-limit-requests": "10000",
    "x-ratelimit-remaining-requests": "9999",
    "x-ratelimit-reset-requests": "6ms",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-tokens": "29869",
    "x-ratelimit-reset-tokens": "262ms",
  });
});

test("the headers can be left out", async () => {
  const fetch = simulatedFetch({ latency: false, requestsPerMinute: 1, rateLimitHeaders: false });
  const reply = await fetch(CHAT_URL, chat("hi", 1));
  expect([...reply.headers.keys()].filter((name) => name.startsWith("x-ratelimit"))).toEqual([]);
});

test("a request of more tokens than the bucket holds is refused for good, with a full bucket", async () => {
  const fetch = simulatedFetch({ clock: new VirtualClock(), latency: false, tokensPerMinute: 30_000 });
  const reply = await fetch(CHAT_URL, chat("hi", 1, { max_tokens: 30_001 }));
  expect(reply.status).toBe(429);
  expect(reply.headers.get("retry-after")).toBeNull();
  expect(reply.headers.get("x-ratelimit-remaining-tokens")).toBe("30000");
  expect(await reply.text()).toContain("Limit 30000, Requested 30001");
});

test("the daily limit has a bucket of its own", async () => {
  const clock = new VirtualClock();
  const fetch = simulatedFetch({ clock, latency: false, requestsPerDay: 2 });
  for (let index = 0; index < 2; index++) await fetch(CHAT_URL, chat("hi", 1));
  const refused = await fetch(CHAT_URL, chat("hi", 1));
  expect(refused.headers.get("retry-after")).toBe(String(12 * 3600));
  expect(await refused.text()).toContain("requests per day (RPD)");
});

describe("what is charged", () => {
  const charge = async (options: object, body: RequestInit): Promise<number | undefined> => {
    const clock = new VirtualClock();
    const fetch = simulatedFetch({ ...STEADY, clock, ...options });
    await clock.run(fetch(CHAT_URL, body).then((reply) => reply.text()));
    return fetch.provider.log[0]?.charged;
  };
  const prompt = "x".repeat(394);

  test("is the larger of max_tokens and the estimate of the prompt", async () => {
    expect(await charge({}, chat(prompt, 5))).toBe(100);
    expect(await charge({}, chat(prompt, 5, { max_tokens: 50 }))).toBe(100);
    expect(await charge({}, chat(prompt, 5, { max_tokens: 500 }))).toBe(500);
  });

  test("leaves max_tokens out where the provider does not reserve it", async () => {
    expect(await charge({ reserveMaxTokens: false }, chat(prompt, 5, { max_tokens: 500 }))).toBe(100);
  });

  test("becomes the real usage where the provider settles", async () => {
    expect(await charge({ settle: true }, chat(prompt, 5, { max_tokens: 500 }))).toBe(3 + 4 + 100 + 5);
  });
});

test("settling gives the reserve back to the bucket", async () => {
  const clock = new VirtualClock();
  const fetch = simulatedFetch({ clock, latency: false, tokensPerMinute: 1000, settle: true });
  for (let index = 0; index < 5; index++) {
    const reply = await fetch(CHAT_URL, chat("hi", 1, { max_tokens: 900 }));
    expect(reply.status).toBe(200);
    await reply.text();
  }
});

test("rejected requests use the limit up only where the provider counts them", async () => {
  const admitted = async (countRejected: boolean): Promise<number> => {
    const clock = new VirtualClock();
    const provider = createProviderModel({ clock, latency: false, requestsPerMinute: 60, burst: "1s", countRejected });
    for (let index = 0; index < 100; index++) {
      await provider.fetch(CHAT_URL, chat("hi", 1));
      await clock.advance(100);
    }
    return provider.stats().admitted;
  };
  expect(await admitted(false)).toBe(10);
  expect(await admitted(true)).toBe(1);
});

test("limits change while it runs, and a bucket keeps what it holds", async () => {
  const clock = new VirtualClock();
  const provider = createProviderModel({ clock, latency: false, requestsPerMinute: 100, tokensPerMinute: 500 });
  const statuses = async (count: number): Promise<number> => {
    const replies = await Promise.all(Array.from({ length: count }, () => provider.fetch(CHAT_URL, chat("hi", 1))));
    return replies.filter(({ status }) => status === 200).length;
  };
  expect(await statuses(90)).toBe(90);
  provider.setLimits({ requestsPerMinute: 50 });
  expect(await statuses(90)).toBe(10);
  await clock.advance(12_000);
  expect(await statuses(90)).toBe(10);
  provider.setLimits({ requestsPerMinute: undefined });
  expect(await statuses(90)).toBe(90);
  const reply = await provider.fetch(CHAT_URL, chat("hi", 1));
  expect(reply.headers.get("x-ratelimit-limit-tokens")).toBe("500");
});

test.each([429, 503] as const)(
  "one over the concurrency is a %i, and a place is free when an answer ends",
  async (status) => {
    const clock = new VirtualClock();
    const fetch = simulatedFetch({ ...STEADY, clock, concurrency: 2, concurrencyStatus: status });
    const running = [fetch(CHAT_URL, chat("a", 3)), fetch(CHAT_URL, chat("b", 3))];
    expect((await fetch(CHAT_URL, chat("c", 3))).status).toBe(status);
    await clock.run(Promise.all(running));
    expect(fetch.provider.stats().inFlight).toBe(0);
    expect((await clock.run(fetch(CHAT_URL, chat("c", 3)))).status).toBe(200);
    expect(fetch.provider.stats().concurrentPeak).toBe(2);
  },
);

test.each([
  [0, "0s"],
  [0.2, "1ms"],
  [120, "120ms"],
  [1000, "1s"],
  [7660, "7.66s"],
  [90_000, "1m30s"],
  [360_000, "6m0s"],
  [3_600_250, "1h0m0.25s"],
])("%d ms is told as %s", (ms, text) => {
  expect(goDuration(ms)).toBe(text);
});
