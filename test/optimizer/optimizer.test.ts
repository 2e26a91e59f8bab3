import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  createOptimizer,
  memory,
  optimizerOf,
  PROFILE_NAMES,
  seededRandom,
  withOptimization,
} from "../../src/index.ts";
import { simulatedFetch, VirtualClock } from "../../src/testing/index.ts";

const ask = { model: "m", input: "question", temperature: 0 };

describe("profiles", () => {
  it.each(PROFILE_NAMES)("%s builds a line that answers", async (profile) => {
    const optimizer = createOptimizer({ profile, environment: {} });
    expect(await optimizer.call(ask, async () => "answer")).toBe("answer");
    expect(optimizer.stats().profile).toBe(profile);
    await optimizer.close();
  });

  it("give way to options, and options to the environment", async () => {
    const optimizer = createOptimizer({
      profile: "batch",
      pool: { concurrency: 3 },
      retry: { attempts: 2 },
      environment: {
        BREAKWATER_RETRY_ATTEMPTS: "7",
        BREAKWATER_PROFILE: "interactive",
        BREAKWATER_CACHE: "off",
        BREAKWATER_TIMEOUT_IDLE: "9000",
      },
    });
    const { profile, policies } = optimizer.stats();
    expect(profile).toBe("interactive");
    expect(policies["cache"]).toBeUndefined();
    expect(policies).toMatchObject({
      pool: { concurrency: 3, maxQueue: 500 },
      retry: { attempts: 7 },
      timeout: { limits: { idle: 9000 } },
    });
    await optimizer.close();
  });

  it("tune a running line without dropping a call", async () => {
    const clock = new VirtualClock();
    const optimizer = createOptimizer({
      profile: "development",
      cache: false,
      coalesce: false,
      monitor: false,
      clock,
      random: seededRandom(1),
      environment: {},
    });
    const events: string[] = [];
    optimizer.on("profile.tuned", ({ profile }) => events.push(profile));
    const calls = Array.from({ length: 200 }, (_, n) =>
      optimizer.call(
        { model: "m", input: n },
        () => new Promise<number>((resolve) => clock.timer(1000, () => resolve(n))),
      ),
    );
    await clock.advance(500);
    expect(optimizer.stats().policies["pool"]).toMatchObject({ running: 8, queued: 192 });
    optimizer.tune("io-intensive");
    await clock.advance(100);
    expect(optimizer.stats().policies["pool"]).toMatchObject({ concurrency: 256, queued: 0 });
    optimizer.tune("test");
    expect(await clock.run(Promise.all(calls))).toEqual(Array.from({ length: 200 }, (_, n) => n));
    expect(events).toEqual(["io-intensive", "test"]);
    expect(optimizer.stats().policies).toMatchObject({
      pool: { concurrency: 8 },
      timeout: { limits: { attempt: 20_000 } },
    });
    await optimizer.close();
  });

  it("are tuned also where a variable said with which to start", async () => {
    const optimizer = createOptimizer({ environment: { BREAKWATER_PROFILE: "development" } });
    optimizer.tune("batch");
    expect(optimizer.stats()).toMatchObject({ profile: "batch", policies: { pool: { concurrency: 128 } } });
    await optimizer.close();
  });

  it("count an undefined option as not given, and fit their start into the bounds of the code", async () => {
    const optimizer = createOptimizer({
      timeout: { total: undefined, idle: "5s" },
      throttle: { max: 10 },
      coalesce: { maxBuffer: "1mb" },
      environment: {},
    });
    expect(optimizer.stats().policies).toMatchObject({
      deadline: { totalMs: 900_000 },
      timeout: { limits: { idle: 5000, attempt: 600_000 } },
      coalesce: { maxBufferBytes: 1024 ** 2 },
    });
    optimizer.tune("high-volume");
    await optimizer.call(ask, async () => "answer");
    const [target] = Object.values(optimizer.stats().policies["throttle"] as Record<string, { limit: number }>);
    expect(target?.limit).toBe(10);
    await optimizer.close();
  });

  it("leave what the code has set when they are tuned", async () => {
    const optimizer = createOptimizer({ pool: { concurrency: 5 }, environment: {} });
    optimizer.tune("high-volume");
    expect(optimizer.stats().policies["pool"]).toMatchObject({ concurrency: 5, maxQueue: 100_000 });
    await optimizer.close();
  });
});

describe("an optimizer", () => {
  it("belongs to a client, or to many, and is found again", async () => {
    const { default: OpenAI } = await import("openai");
    const fetch = simulatedFetch({ latency: false });
    const optimizer = createOptimizer({ environment: {} });
    const one = withOptimization(new OpenAI({ apiKey: "sk-1", fetch }), optimizer);
    const other = withOptimization(new OpenAI({ apiKey: "sk-1", fetch }), optimizer);
    expect(one).toBeInstanceOf(OpenAI);
    expect(one.maxRetries).toBe(0);
    expect(optimizerOf(one)).toBe(optimizer);
    const request = { model: "gpt-4o-mini", messages: [{ role: "user" as const, content: "Hello" }] };
    expect(await one.chat.completions.create(request)).toEqual(await other.chat.completions.create(request));
    expect(optimizer.stats().cacheHits).toEqual({ memory: 1 });
    const own = withOptimization(new OpenAI({ apiKey: "sk-1", fetch }), { profile: "test", environment: {} });
    expect(optimizerOf(own)?.stats().profile).toBe("test");
    await optimizerOf(own)?.close();
    await optimizer.close();
  });

  it("never gives one credential or client the answer of another", async () => {
    const fetch = simulatedFetch({ latency: false });
    const optimizer = createOptimizer({ fetch, environment: {} });
    const body = JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }] });
    const send = (key: string): Promise<Response> =>
      optimizer.fetch("https://api.openai.com/v1/chat/completions", {
        method: "POST",
        body,
        headers: { authorization: `Bearer ${key}` },
      });
    await send("sk-a");
    await send("sk-b");
    await optimizer.run({ client: "c" }, () => send("sk-a"));
    expect(fetch.provider.stats().requests).toBe(3);
    await optimizer.close();
  });

  it("explains where an answer came from", async () => {
    const optimizer = createOptimizer({ environment: {} });
    const first = await optimizer.call(ask, async () => ({ text: "x" }));
    const second = await optimizer.call(ask, async () => ({ text: "never" }));
    expect(optimizer.explain(first)).toMatchObject({
      servedBy: "upstream",
      outcome: "answered",
      attempts: [{ number: 1 }],
    });
    expect(optimizer.explain(second)).toMatchObject({ servedBy: "cache", tier: "memory", attempts: [] });
    expect(JSON.stringify(optimizer.explain(first))).not.toContain("question");
    await optimizer.close();
  });

  it("switches a tier off and on while it runs", async () => {
    const optimizer = createOptimizer({ cache: { tiers: [memory()] }, environment: {} });
    let asked = 0;
    const call = () => optimizer.call(ask, async () => ++asked);
    await call();
    optimizer.cache.tier("memory").disable();
    expect(await call()).toBe(2);
    optimizer.cache.tier("memory").enable();
    expect(await call()).toBe(1);
    expect(() => optimizer.cache.tier("redis")).toThrowError(/"redis"/);
    await optimizer.close();
  });

  it("runs jobs in the pool and keeps their results", async () => {
    const optimizer = createOptimizer({ pool: { concurrency: 1 }, environment: {} });
    optimizer.submit("a", async () => 1);
    optimizer.submit("b", async ({ signal }) => (signal.aborted ? 0 : 2), { priority: "high" });
    expect([optimizer.status("a"), optimizer.status("b"), optimizer.status("c")]).toEqual([
      expect.any(String),
      expect.any(String),
      undefined,
    ]);
    expect(await optimizer.result("b")).toBe(2);
    expect(await optimizer.result("a")).toBe(1);
    await optimizer.close();
  });

  it("lets the process end when it is idle, without being closed", () => {
    const code = `
      import { createOptimizer } from ${JSON.stringify(join(import.meta.dirname, "../../src/index.ts"))};
      const optimizer = createOptimizer({ rateLimit: { requestsPerMinute: 100 } });
      optimizer.monitor.alerts.add({ metric: "breakwater.call.duration", aggregate: "p95", above: 1 });
      console.log(await optimizer.call({ model: "m", input: "x" }, async () => "ended"));
    `;
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", code], {
      encoding: "utf8",
      timeout: 10_000,
    });
    expect(output.trim()).toBe("ended");
  });

  it("refuses what comes after close, and what waited", async () => {
    const clock = new VirtualClock();
    const optimizer = createOptimizer({
      pool: { concurrency: 1 },
      cache: false,
      coalesce: false,
      clock,
      environment: {},
    });
    const running = optimizer.call(
      { model: "m", input: 1 },
      () => new Promise<string>((resolve) => clock.timer(1000, () => resolve("ran"))),
    );
    const waiting = optimizer.call({ model: "m", input: 2 }, async () => "never");
    const refused = expect(waiting).rejects.toMatchObject({ code: "CLOSED" });
    await clock.advance(10);
    await optimizer.close();
    await refused;
    await expect(optimizer.call(ask, async () => 1)).rejects.toMatchObject({ code: "CLOSED" });
    expect(await clock.run(running)).toBe("ran");
    expect(optimizer.ledger()["slots"]).toMatchObject({ inFlight: 0 });
  });
});
