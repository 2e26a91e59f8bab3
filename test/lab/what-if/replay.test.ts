import { describe, expect, it } from "vitest";
import { OptionError, seededRandom } from "../../../src/core/index.ts";
import { formatReplay, plotReplay, replay, type TracedCall } from "../../../src/lab/index.ts";

/** Calls at an even pace of which every answer takes 500 ms and 10 ms a token, 20 tokens each. */
function traffic(
  count: number,
  { everyMs = 100, ...more }: Partial<TracedCall> & { everyMs?: number } = {},
): TracedCall[] {
  const random = seededRandom(1);
  return Array.from({ length: count }, (_, index): TracedCall => {
    const outputTokens = 10 + Math.floor(random() * 100);
    const providerMs = 500 + 10 * outputTokens;
    return { at: index * everyMs, inputTokens: 300, outputTokens, providerMs, ...more };
  });
}

const PLAIN = { retry: false, throttle: false, pool: false, cache: false, coalesce: false, hedge: false } as const;

describe("replay", () => {
  it("sets configurations side by side that meet the same provider", async () => {
    const provider = { requestsPerMinute: 300 };
    const { runs } = await replay(
      traffic(900),
      [
        { name: "unlimited", optimizer: { ...PLAIN, rateLimit: false } },
        { name: "limited", optimizer: { ...PLAIN, rateLimit: { requestsPerMinute: 300 }, timeout: false } },
      ],
      { provider },
    );
    const [unlimited, limited] = runs;
    expect(unlimited?.rateLimited).toBeGreaterThan(100);
    expect(unlimited?.failed).toBe(unlimited?.rateLimited);
    expect(unlimited?.p99Ms).toBeLessThan(2_500);
    expect(limited).toMatchObject({ answered: 900, failed: 0, rateLimited: 0, attempts: 900, refused: {} });
    expect(limited?.p99Ms).toBeGreaterThan(30_000);
    expect(limited?.costDollars).toBeGreaterThan(unlimited?.costDollars ?? Number.NaN);
  });

  it("is the same again with the same seed, and another with another", async () => {
    const trace = traffic(150, { stream: true });
    const configs = [{ name: "defaults", optimizer: {} }];
    const options = { provider: { failureRate: 0.1, tokensPerMinute: 60_000 } };
    const first = await replay(trace, configs, options);
    expect(await replay(trace, configs, options)).toEqual(first);
    expect(await replay(trace, configs, { ...options, seed: 2 })).not.toEqual(first);
  });

  it("takes from a provider without limits what the formula says, whole or streamed", async () => {
    for (const stream of [false, true]) {
      const trace = traffic(200, { stream });
      const { runs, provider, heldOut } = await replay(trace, [{ name: "plain", optimizer: { ...PLAIN } }]);
      const real = trace.map(({ providerMs }) => providerMs as number).toSorted((a, b) => a - b);
      expect(Math.abs((runs[0]?.p50Ms as number) / (real[100] as number) - 1)).toBeLessThan(0.05);
      expect(runs[0]).toMatchObject({ answered: 200, failed: 0, attempts: 200 });
      expect(provider.latencyFrom).toBe("trace");
      for (const { error } of heldOut?.quantiles ?? []) expect(Math.abs(error)).toBeLessThan(0.05);
    }
  });

  it("answers repeated questions from the cache, and each call's own otherwise", async () => {
    const repeated = traffic(200).map((call, index) => ({ ...call, question: `q${index % 20}` }));
    const configs = [
      { name: "cached", optimizer: {} },
      { name: "uncached", optimizer: { cache: false, coalesce: false } as const },
    ];
    const [cached, uncached] = (await replay(repeated, configs)).runs;
    expect(cached?.hitRate).toBeCloseTo(0.9, 5);
    expect(cached?.attempts).toBe(20);
    expect(cached?.costDollars).toBeLessThan(0.2 * (uncached?.costDollars as number));
    expect(uncached).toMatchObject({ hitRate: 0, attempts: 200 });
    expect((await replay(traffic(50), configs)).runs[0]?.hitRate).toBe(0);
  });

  it("shows that clients who try again until they are let through get what they ask, and waiting ones their share", async () => {
    const crowd = traffic(900, { everyMs: 60 }).map((call, index) => ({
      ...call,
      client: index % 10 < 8 ? "loud" : `quiet ${index % 10}`,
    }));
    const limits = { requestsPerMinute: 200 };
    const base = { ...PLAIN, timeout: false } as const;
    const retry = { attempts: 20, maxDelay: "10s", budget: false } as const;
    const { runs } = await replay(
      crowd,
      [
        { name: "trying again", optimizer: { ...base, rateLimit: false, breaker: false, retry } },
        { name: "waiting", optimizer: { ...base, rateLimit: limits } },
      ],
      { provider: limits },
    );
    const [tryingAgain, waiting] = runs;
    expect(tryingAgain?.fairness).toBeLessThan(0.9);
    expect(waiting).toMatchObject({ answered: 900, rateLimited: 0 });
    expect(waiting?.fairness).toBeGreaterThan(0.95);
  });

  it("tells which policy refused", async () => {
    const trace = traffic(300, { everyMs: 10 });
    const optimizer = { ...PLAIN, rateLimit: { requestsPerMinute: 60, maxQueue: 5 } };
    const { runs } = await replay(trace, [{ name: "short queue", optimizer }]);
    expect(runs[0]?.refused["rateLimit"]).toBeGreaterThan(200);
    expect((runs[0]?.answered ?? 0) + (runs[0]?.refused["rateLimit"] ?? 0)).toBe(300);
  });

  it("plays the trace faster when asked, against the same limits", async () => {
    const configs = [{ name: "plain", optimizer: { ...PLAIN, rateLimit: false } as const }];
    const provider = { requestsPerMinute: 620 };
    const once = await replay(traffic(2_000), configs, { provider });
    const twice = await replay(traffic(2_000), configs, { provider, load: 2 });
    expect(once.runs[0]?.rateLimited).toBe(0);
    expect(twice.runs[0]?.rateLimited).toBeGreaterThan(100);
    expect(twice.spanMs).toBe(once.spanMs / 2);
  });

  it("retries what fails at a provider that fails", async () => {
    const configs = [
      { name: "once", optimizer: { ...PLAIN, breaker: false } as const },
      { name: "again", optimizer: { ...PLAIN, breaker: false, retry: { attempts: 4 } } as const },
    ];
    const [once, again] = (await replay(traffic(300), configs, { provider: { failureRate: 0.1 } })).runs;
    expect(once?.failed).toBeGreaterThan(10);
    expect(again?.failed).toBeLessThan(3);
    expect(again?.attempts).toBeGreaterThan(310);
  });

  it("pays for what callers gave up", async () => {
    const long = traffic(50).map((call) => ({ ...call, outputTokens: 10_000, providerMs: 100_000 }));
    const optimizer = { ...PLAIN, timeout: { attempt: "10s" } } as const;
    const [run] = (await replay(long, [{ name: "cut", optimizer }])).runs;
    expect(run?.answered).toBe(0);
    expect(run?.costDollars).toBeGreaterThan((50 * 500 * 0.6) / 1e6);
    expect(run?.costDollars).toBeLessThan((50 * 2_000 * 0.6) / 1e6);
  });

  it("names what is wrong with its arguments", async () => {
    const configs = [{ name: "defaults", optimizer: {} }];
    const trace = traffic(1);
    await expect(replay([], configs)).rejects.toThrow(OptionError);
    await expect(replay([{ at: Number.NaN }], configs)).rejects.toThrow(/replay\.trace\[0\]\.at/);
    await expect(replay([{ at: 0, inputTokens: -1 }], configs)).rejects.toThrow(/inputTokens/);
    await expect(replay([{ at: 0, priority: 12 as never }], configs)).rejects.toThrow(/priority/);
    await expect(replay(trace, [{ name: "", optimizer: {} }])).rejects.toThrow(/replay\.configs\[0\]\.name/);
    await expect(replay(trace, configs, { load: 0 })).rejects.toThrow(/replay\.load/);
    await expect(replay(trace, configs, { fitShare: 1 })).rejects.toThrow(/replay\.fitShare/);
    await expect(replay(trace, configs, { provider: { requestsPerMinute: 0 } })).rejects.toThrow(/requestsPerMinute/);
    await expect(replay(trace, configs, { speed: 2 } as never)).rejects.toThrow(/replay\.speed/);
    await expect(replay(trace, [{ name: "a", optimizer: { rateLimit: { burst: 0 } } }])).rejects.toThrow(
      /rateLimit\.burst/,
    );
  });
});

describe("what is shown of a replay", () => {
  it("is a line for each configuration, the recorded one, and the error of the fit", async () => {
    const report = await replay(traffic(200, { client: "c1" }), [
      { name: "defaults", optimizer: {} },
      { name: "no retries", optimizer: { retry: false } },
    ]);
    const text = formatReplay(report);
    expect(text).toMatch(/^200 calls in 0\.3 min/);
    expect(text).toMatch(/p50 .* p90 .* p99 /);
    expect(text).toContain("fitted to 100 answers");
    const lines = text.split("\n").map((line) => line.split(/ {2,}/)[0]);
    expect(lines.slice(-3)).toEqual(["defaults", "no retries", "(as recorded)"]);
    const picture = plotReplay(report);
    expect(picture).toMatch(/^<svg [\s\S]*<\/svg>$/);
    for (const name of ["defaults", "no retries", "as recorded"]) expect(picture).toContain(name);
    expect(picture).not.toContain("NaN");
  });

  it("says so when nothing tells the times, and when nothing was answered", async () => {
    const trace = traffic(30).map(({ at }) => ({ at }));
    const optimizer = { ...PLAIN, timeout: { attempt: 10 } };
    const report = await replay(trace, [{ name: "hopeless", optimizer }]);
    expect(report.runs[0]).toMatchObject({ answered: 0, hitRate: 0, goodput: 0 });
    expect(formatReplay(report)).toContain("assumed");
    expect(plotReplay(report)).not.toContain("NaN");
  });
});
