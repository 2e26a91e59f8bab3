import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createOptimizer, memory, type Optimizer, redis } from "../../src/index.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";

let server: RedisServer;
let optimizers: Optimizer[] = [];
/** What the provider would say now. */
let world = 0;

beforeAll(async () => {
  server = await startRedis();
});

afterAll(() => server.stop());

afterEach(async () => {
  await Promise.all(optimizers.map((optimizer) => optimizer.close()));
});

/** Two optimizers with a memory each over one Redis, as two processes have them; both are being told. */
async function startTwo(cache: object = {}): Promise<readonly [Optimizer, Optimizer]> {
  const start = () =>
    createOptimizer({
      environment: {},
      monitor: false,
      cache: { tiers: [memory(), redis({ url: server.url })], tierTimeout: "1s", ...cache },
    });
  const two = [start(), start()] as const;
  optimizers = [...two];
  await Promise.all(two.map((optimizer) => ask(optimizer, "warming")));
  // Until an invalidation of one has reached the other, and the other way round.
  for (const [from, to] of [two, two.toReversed() as [Optimizer, Optimizer]]) {
    await vi.waitFor(async () => {
      const heard = new Promise<boolean>((resolve) => {
        const off = to.on("cache.invalidated", ({ by }) => {
          if (by === "elsewhere") resolve(true);
        });
        setTimeout(() => {
          off();
          resolve(false);
        }, 100);
      });
      await from.cache.invalidateTags(["warming"]);
      expect(await heard).toBe(true);
    }, 20_000);
  }
  return two;
}

async function ask(optimizer: Optimizer, input: string, ...tags: string[]): Promise<number> {
  return optimizer.run({ tags }, () => optimizer.call({ model: "m", input, temperature: 0 }, async () => world));
}

describe("an invalidation in one process", () => {
  it.each([
    ["of a tag", (optimizer: Optimizer) => optimizer.cache.invalidateTags(["x"])],
    ["of everything", (optimizer: Optimizer) => optimizer.cache.clear()],
  ])("reaches the memory of another: %s", async (what, invalidate) => {
    const [mine, yours] = await startTwo();
    world = 1;
    expect(await ask(mine, what, "x")).toBe(1);
    await mine.cache.flush();
    expect(await ask(yours, what, "x")).toBe(1);
    world = 2;
    expect(await ask(yours, what, "x")).toBe(1);
    await invalidate(mine);
    await vi.waitFor(async () => expect(await ask(yours, what, "x")).toBe(2), 10_000);
    await vi.waitFor(async () => {
      // Nothing comes back to the one that it came from, and nothing is told for ever.
      const known = await ask(yours, what, "x");
      world++;
      expect([await ask(yours, what, "x"), await ask(mine, what, "x")]).toEqual([known, known]);
    }, 10_000);
  });
});

describe("a Redis that is killed and comes back", () => {
  it("fails no call, keeps nothing for long that may have changed, and is caught up", async () => {
    const [mine, yours] = await startTwo({ maxStaleOnGap: "300ms" });
    world = 10;
    expect(await ask(mine, "hot", "y")).toBe(10);
    await mine.cache.flush();
    expect(await ask(yours, "hot", "y")).toBe(10);
    await server.kill();
    world = 11;
    await mine.cache.invalidateTags(["y"]);
    expect(await ask(mine, "hot", "y")).toBe(11);
    await vi.waitFor(async () => expect(await ask(yours, "hot", "y")).toBe(11), 10_000);
    await server.restart();
    await vi.waitFor(
      async () => {
        world++;
        const before = world;
        await mine.cache.invalidateTags(["y"]);
        expect(await ask(mine, "hot", "y")).toBe(before);
        await mine.cache.flush();
        // From Redis, or told through it: not asked for.
        world++;
        expect(await ask(yours, "hot", "y")).toBe(before);
      },
      { timeout: 20_000, interval: 200 },
    );
  });
});
