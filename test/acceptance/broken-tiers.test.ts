import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOptimizer, memory, type OptimizerOptions, redis, sqlite } from "../../src/index.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { smallDisk } from "../support/small-disk.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";

const CALLS = 2000;
const QUESTIONS = 40;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "breakwater-tiers-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Sends calls all the time while `harm` happens in the middle; gives back what they came to. */
async function underLoad(cache: OptimizerOptions["cache"], harm: () => unknown) {
  const optimizer = createOptimizer({ cache, coalesce: false, environment: {} });
  let asked = 0;
  let wrong = 0;
  const ask = async (n: number): Promise<void> => {
    const answer = await optimizer.call({ model: "m", input: n, temperature: 0 }, async () => {
      asked++;
      await new Promise((resolve) => setTimeout(resolve, 2));
      return { answer: n };
    });
    if (answer.answer !== n) wrong++;
  };
  const calls: Promise<void>[] = [];
  for (let n = 0; n < CALLS; n++) {
    calls.push(ask(n % QUESTIONS));
    if (n === CALLS / 2) await harm();
    if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const outcomes = await Promise.allSettled(calls);
  return {
    optimizer,
    asked: () => asked,
    ask,
    wrong: () => wrong,
    failed: outcomes.filter(({ status }) => status === "rejected").length,
  };
}

async function hitsAgain(run: { ask(n: number): Promise<void>; asked(): number }, withinMs: number): Promise<boolean> {
  const until = Date.now() + withinMs;
  while (Date.now() < until) {
    const before = run.asked();
    await run.ask(0);
    if (run.asked() === before) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

interface Line {
  readonly server: RedisServer;
  readonly proxy: TcpProxy;
}

describe("a tier that breaks in the middle of the traffic fails no call", () => {
  it.each<[string, (line: Line) => unknown, (line: Line) => unknown]>([
    ["is killed and comes back empty", ({ server }) => server.kill(), ({ server }) => server.restart()],
    ["is frozen and thaws", ({ server }) => server.pause(), ({ server }) => server.resume()],
    ["answers half a second late", ({ proxy }) => proxy.delay(500), ({ proxy }) => proxy.delay(0)],
    ["is cut off by a reset", ({ proxy }) => proxy.reset(), () => {}],
  ])("Redis that %s", { timeout: 60_000 }, async (_what, harm, heal) => {
    const server = await startRedis();
    const proxy = await startTcpProxy(server.port);
    const line = { server, proxy };
    const run = await underLoad({ tiers: [redis({ url: `redis://127.0.0.1:${proxy.port}` })] }, () => harm(line));
    expect(run.failed).toBe(0);
    expect(run.wrong()).toBe(0);
    await heal(line);
    expect(await hitsAgain(run, 10_000)).toBe(true);
    await run.optimizer.close();
    await proxy.close();
    await server.stop();
  });

  it("a SQLite file that becomes noise", { timeout: 60_000 }, async () => {
    const path = join(folder, "noise.db");
    const run = await underLoad({ tiers: [sqlite({ path })] }, () => writeFileSync(path, Buffer.alloc(65_536, 0xa5)));
    expect(run.failed).toBe(0);
    expect(run.wrong()).toBe(0);
    expect(await hitsAgain(run, 10_000)).toBe(true);
    await run.optimizer.close();
  });

  const disk = smallDisk(3);
  afterAll(() => disk?.close());

  it.skipIf(disk === undefined)("a SQLite file on a disk that is full", { timeout: 60_000 }, async () => {
    const path = join(disk?.path ?? "", "cache.db");
    const run = await underLoad({ tiers: [sqlite({ path })] }, () => disk?.fill());
    expect(run.failed).toBe(0);
    expect(run.wrong()).toBe(0);
    disk?.empty();
    expect(await hitsAgain(run, 10_000)).toBe(true);
    await run.optimizer.close();
  });

  it("a Redis that was never there, under a memory tier that goes on to serve", async () => {
    const run = await underLoad({ tiers: [memory(), redis({ url: "redis://127.0.0.1:1" })] }, () => {});
    expect(run.failed).toBe(0);
    expect(run.asked()).toBeLessThan(CALLS);
    await run.optimizer.close();
  });
});
