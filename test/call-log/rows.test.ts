import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { callLog } from "../../src/call-log/index.ts";
import { temporaryFolder } from "../stores/support.ts";
import { rigged } from "./support.ts";

const folder = temporaryFolder();
const prices = { m: { input: 1, output: 10 } };
const usage = { prompt_tokens: 1_000, completion_tokens: 100 };

describe("a row", () => {
  it("tells of an answered call what it was, how long it took and what it cost", async () => {
    const { clock, optimizer } = rigged({ monitor: { prices } });
    await using log = callLog(optimizer, { path: ":memory:" });
    const begun = clock.wall();
    const answer = optimizer.run({ route: "summarize", client: "user-7", priority: "high" }, () =>
      optimizer.call({ model: "m", input: "hello", provider: "test" }, async () => {
        await new Promise<void>((resolve) => clock.timer(250, resolve));
        return { text: "hi", usage };
      }),
    );
    await clock.run(answer);
    const { rows, total } = await log.query();
    expect(total).toBe(1);
    expect(rows[0]).toEqual({
      id: 1,
      callId: expect.any(String),
      startedAt: begun,
      op: "chat",
      provider: "test",
      model: "m",
      responseModel: null,
      route: "summarize",
      client: null,
      outcome: "success",
      errorType: null,
      status: null,
      refusedBy: null,
      attempts: 1,
      timeouts: 0,
      timeoutMs: 0,
      failedMs: 0,
      servedBy: "primary",
      tier: null,
      target: null,
      queueMs: 0,
      throttleMs: 0,
      rateLimitMs: 0,
      backoffMs: 0,
      ttfcMs: null,
      providerMs: 250,
      durationMs: 250,
      inputTokens: 1_000,
      outputTokens: 100,
      cachedInputTokens: null,
      reasoningTokens: null,
      cost: (1_000 * 1 + 100 * 10) / 1e6,
      stream: false,
      priority: 3,
      template: null,
      question: null,
    });
    await optimizer.close();
  });

  it("tells a hit from the cache by its tier, and that it cost nothing", async () => {
    const { optimizer } = rigged({ monitor: { prices } });
    await using log = callLog(optimizer, { path: ":memory:" });
    const ask = () => optimizer.call({ model: "m", input: "hello" }, () => ({ text: "hi", usage }));
    await ask();
    await ask();
    const { rows } = await log.query({ sort: "startedAt" });
    expect(rows.map(({ servedBy, tier, attempts }) => [servedBy, tier, attempts])).toEqual([
      ["primary", null, 1],
      ["cache", "memory", 0],
    ]);
    expect(rows[1]?.cost).toBe(0);
    await optimizer.close();
  });

  it("tells of retries, their waits, and attempts that timed out", async () => {
    const { clock, optimizer } = rigged({ retry: { attempts: 3 }, timeout: { attempt: "1s" } });
    await using log = callLog(optimizer, { path: ":memory:" });
    let tries = 0;
    const answer = optimizer.call({ model: "m", input: "hello" }, async () => {
      if (++tries === 1) await new Promise<void>((resolve) => clock.timer(60_000, resolve));
      if (tries === 2) throw Object.assign(new Error("down"), { status: 503 });
      return "hi";
    });
    await clock.run(answer);
    const [row] = (await log.query()).rows;
    expect(row).toMatchObject({
      outcome: "success",
      attempts: 3,
      timeouts: 1,
      timeoutMs: 1_000,
      backoffMs: expect.any(Number),
    });
    expect(row?.backoffMs).toBeGreaterThan(0);
    await optimizer.close();
  });

  it("tells the outcome of calls that failed, were rejected or were given up", async () => {
    const { clock, optimizer } = rigged({ retry: false, pool: { concurrency: 1, maxQueue: 0 } });
    await using log = callLog(optimizer, { path: ":memory:" });
    const failing = optimizer.call({ model: "m", input: 1 }, () => {
      throw Object.assign(new Error("the key is sk-CANARY"), { status: 500 });
    });
    await expect(failing).rejects.toThrow();
    const leaving = new AbortController();
    const held = optimizer.call(
      { model: "m", input: 2 },
      () =>
        new Promise<never>((_resolve, reject) =>
          leaving.signal.addEventListener("abort", () => reject(leaving.signal.reason)),
        ),
      { signal: leaving.signal },
    );
    await clock.advance(100);
    await expect(optimizer.call({ model: "m", input: 3 }, () => "no")).rejects.toThrow();
    leaving.abort(new Error("gone"));
    await expect(held).rejects.toThrow();
    const { rows } = await log.query({ sort: "startedAt" });
    const told = rows.map(({ outcome, errorType, status, refusedBy }) => ({ outcome, errorType, status, refusedBy }));
    expect(told).toEqual(
      expect.arrayContaining([
        { outcome: "error", errorType: "server_error", status: 500, refusedBy: null },
        { outcome: "rejected", errorType: "refused", status: 503, refusedBy: "pool" },
        { outcome: "cancelled", errorType: null, status: null, refusedBy: null },
      ]),
    );
    expect(JSON.stringify(rows)).not.toContain("CANARY");
    await optimizer.close();
  });

  it("has the time to the first content of a stream", async () => {
    const { clock, optimizer } = rigged();
    await using log = callLog(optimizer, { path: ":memory:" });
    const wait = (ms: number) => new Promise<void>((resolve) => clock.timer(ms, resolve));
    const read = async () => {
      const stream = await optimizer.call({ model: "m", input: "hello", stream: true }, async function* () {
        await wait(300);
        yield "a";
        await wait(700);
        yield "b";
      });
      for await (const _chunk of stream) {
        // To its end.
      }
    };
    await clock.run(read());
    expect((await log.query()).rows[0]).toMatchObject({ stream: true, ttfcMs: 300, durationMs: 1_000 });
    await optimizer.close();
  });

  it("has client and fingerprints where they are allowed, and never a word of prompt, answer or key", async () => {
    const { optimizer } = rigged({ cache: false });
    const path = join(folder, "canary.db");
    await using log = callLog(optimizer, { path, clients: true, fingerprints: true });
    const ask = (input: string) =>
      optimizer.run({ client: "user-7" }, () =>
        optimizer.call(
          { model: "m", system: "CANARY of the system", input, credential: "sk-CANARY-key" },
          () => `CANARY answer to ${input}`,
        ),
      );
    await ask("CANARY one");
    await ask("CANARY one");
    await ask("CANARY two");
    const { rows } = await log.query({ sort: "startedAt" });
    expect(rows.every(({ client }) => client === "user-7")).toBe(true);
    const [first, again, other] = rows;
    expect(first?.question).toMatch(/^[\w-]{43}$/);
    expect(again?.question).toBe(first?.question);
    expect(other?.question).not.toBe(first?.question);
    expect(other?.template).toBe(first?.template);
    await log.close();
    expect(readFileSync(path).includes("CANARY")).toBe(false);
    await optimizer.close();
  });
});
