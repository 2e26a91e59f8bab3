import { describe, expect, it } from "vitest";
import { type Outcome, type Runtime, seededRandom, valueReply, whole } from "../../../src/core/index.ts";
import type { CacheOptions } from "../../../src/policies/cache/index.ts";
import { virtualRuntime } from "../../support/calls.ts";
import { benchOf, valueIn } from "./support/questions.ts";
import { ByteServer, MapStore, mapTier, serverTier } from "./support/stores.ts";

const tagged = (...tags: string[]) => ({ scope: { tags } });

/** Two processes with a memory each over one server that tells them of changes. */
function twoOver(runtime: Runtime, server: ByteServer, options: Partial<CacheOptions> = {}) {
  const process = () => {
    const memory = new MapStore();
    const tiers = [mapTier(memory), serverTier(server, { watch: true })];
    return { memory, ...benchOf(runtime, { tiers, jitter: 0, ...options }) };
  };
  return [process(), process()] as const;
}

describe("invalidations by another process", () => {
  it.each([
    ["of a tag", (policy: ReturnType<typeof benchOf>["policy"]) => policy.invalidateTags(["x"])],
    ["of a pattern", (policy: ReturnType<typeof benchOf>["policy"]) => policy.invalidateMatching({ model: "m" })],
    ["of everything", (policy: ReturnType<typeof benchOf>["policy"]) => policy.clear()],
  ])("reach the memory: %s", async (_what, invalidate) => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const [mine, yours] = twoOver(runtime, server);
    const heard: unknown[] = [];
    runtime.events.on("cache.invalidated", ({ by }) => void heard.push(by));
    await mine.ask(tagged("x"));
    await mine.policy.flush();
    expect(await yours.value(tagged("x"))).toBe("answer 1");
    await invalidate(mine.policy);
    await clock.advance(2);
    expect(await yours.value(tagged("x"))).toBe("answer 1");
    expect(yours.asked()).toBe(1);
    expect(new Set(heard)).toEqual(new Set(["here", "elsewhere"]));
  });

  it("reach the memory: of a key", async () => {
    const { clock, runtime } = virtualRuntime();
    const [mine, yours] = twoOver(runtime, new ByteServer());
    await yours.ask();
    await yours.ask({ request: { input: "another" } });
    await yours.policy.flush();
    const [key = ""] = yours.memory.entries.keys();
    await mine.policy.invalidateKey(key);
    await clock.advance(2);
    expect([...yours.memory.entries.keys()]).not.toContain(key);
    expect(await yours.value()).toBe("answer 3");
    expect(await yours.value({ request: { input: "another" } })).toBe("answer 2");
  });

  it("leave alone what they do not concern", async () => {
    const { clock, runtime } = virtualRuntime();
    const [mine, yours] = twoOver(runtime, new ByteServer());
    await yours.ask(tagged("x"));
    await mine.policy.invalidateTags(["y"]);
    await mine.policy.invalidateMatching({ model: "n" });
    await clock.advance(2);
    expect(await yours.value(tagged("x"))).toBe("answer 1");
    expect(yours.policy.stats().hits["map"]).toBe(1);
  });

  it("keep a fill on its way out of every tier", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const [mine, yours] = twoOver(runtime, server);
    const slow = (): Promise<Outcome> =>
      new Promise((resolve) => runtime.clock.timer(100, () => resolve(valueReply("stale", whole()))));
    const stale = mine.ask(tagged("x"), slow);
    await clock.advance(50);
    await yours.policy.invalidateTags(["x"]);
    expect(valueIn(await clock.run(stale))).toBe("stale");
    await mine.policy.flush();
    expect([mine.memory.entries.size, server.values.size]).toEqual([0, 0]);
  });

  it("of one's own do not come back", async () => {
    const { clock, runtime } = virtualRuntime();
    const [mine] = twoOver(runtime, new ByteServer());
    await mine.policy.invalidateTags(["x"]);
    await mine.ask(tagged("x"));
    await clock.advance(100);
    expect(await mine.value(tagged("x"))).toBe("answer 1");
  });

  it("are handed on to tiers that do not tell of them", async () => {
    const { clock, runtime } = virtualRuntime();
    const shared = new ByteServer();
    const [mine, yours] = [new ByteServer(), new ByteServer()].map((local) =>
      benchOf(runtime, { tiers: [serverTier(shared, { watch: true }), serverTier(local, { name: "local" })] }),
    );
    await yours?.ask(tagged("x"));
    await yours?.policy.flush();
    shared.values.clear();
    await mine?.policy.invalidateTags(["x"]);
    await clock.advance(2);
    expect(await yours?.value(tagged("x"))).toBe("answer 2");
    await mine?.policy.clear();
    await clock.advance(2);
    expect(await yours?.value(tagged("x"))).toBe("answer 3");
  });
});

describe("a gap", () => {
  it("makes everything in memory invalid, and the shared tier decides", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const [mine, yours] = twoOver(runtime, server);
    const gaps: unknown[] = [];
    runtime.events.on("cache.gap", ({ tier }) => void gaps.push(tier));
    await yours.ask(tagged("x"));
    await yours.ask({ request: { input: "untagged" } });
    await yours.policy.flush();
    server.loses = () => true;
    await mine.policy.invalidateTags(["x"]);
    server.loses = () => false;
    await clock.advance(1500);
    expect(gaps).toEqual(["server"]);
    expect(yours.memory.entries.size).toBe(0);
    expect(await yours.value(tagged("x"))).toBe("answer 3");
    expect(await yours.value({ request: { input: "untagged" } })).toBe("answer 2");
  });

  it("without contact, entries in memory are given for maxStaleOnGap, then the shared tier is asked", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const [mine, yours] = twoOver(runtime, server, { maxStaleOnGap: "2s" });
    await yours.ask(tagged("x"));
    await yours.policy.flush();
    await clock.advance(5000);
    expect(await yours.value(tagged("x"))).toBe("answer 1");
    server.telling = false;
    await mine.policy.invalidateTags(["x"]);
    await clock.advance(1900);
    expect(await yours.value(tagged("x"))).toBe("answer 1");
    await clock.advance(200);
    expect(await yours.value(tagged("x"))).toBe("answer 2");
  });

  it("without contact and without the shared tier, an answer of one's own is given for as long", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const [, yours] = twoOver(runtime, server, { maxStaleOnGap: "2s" });
    server.trouble = "rejects";
    await clock.advance(10_000);
    for (let n = 0; n < 20; n++) {
      await clock.run(yours.ask(tagged("x")));
      await clock.advance(500);
    }
    expect(yours.asked()).toBe(4);
  });

  it("changes nothing where no tier tells of changes", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = benchOf(runtime, { tiers: [mapTier(), serverTier(server)] });
    await bench.ask();
    server.trouble = "rejects";
    await clock.advance(60_000);
    expect(await bench.value()).toBe("answer 1");
  });

  it("of one message in five for a minute leaves no answer staler than the next check", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const random = seededRandom(7);
    server.loses = () => random() < 0.2;
    const [mine, yours] = twoOver(runtime, server, { maxStaleOnGap: "5s" });
    let version = 0;
    const changedAt = [0];
    const provider = async (): Promise<Outcome> => valueReply(version, whole());
    let longest = 0;
    for (let step = 0; step < 1200; step++) {
      if (random() < 0.3) {
        changedAt.push(clock.now());
        version++;
        await mine.policy.invalidateTags(["x"]);
      }
      await clock.advance(50);
      const seen = valueIn(await yours.ask(tagged("x"), provider)) as number;
      if (seen < version) longest = Math.max(longest, clock.now() - (changedAt[seen + 1] ?? 0));
    }
    expect(longest).toBeGreaterThan(50);
    expect(longest).toBeLessThanOrEqual(1050);
  });
});

describe("a closed cache", () => {
  it("listens no longer", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const [mine, yours] = twoOver(runtime, server);
    await clock.run(Promise.all([mine.policy.close(), yours.policy.close()]));
    expect(server.watchers.size).toBe(0);
    await clock.advance(2000);
    expect(clock.pendingTimers).toBe(0);
  });
});
