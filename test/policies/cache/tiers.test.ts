import { describe, expect, it } from "vitest";
import type { Runtime } from "../../../src/core/index.ts";
import { TierFailures } from "../../../src/policies/cache/tier-failures.ts";
import { TierGuard } from "../../../src/policies/cache/tier-guard.ts";
import { virtualRuntime } from "../../support/calls.ts";
import { benchOf, heard } from "./support/questions.ts";
import { ByteServer, MapStore, mapTier, serverTier, type Trouble } from "./support/stores.ts";

/** A cache of memory over a server. */
function overServer(runtime: Runtime, server: ByteServer, memory = new MapStore()) {
  return benchOf(runtime, { tiers: [mapTier(memory), serverTier(server)], jitter: 0 });
}

describe("a cache of several tiers", () => {
  it("puts what a lower tier has into those above, for the rest of its time", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const first = overServer(runtime, server);
    await first.ask({ scope: { ttl: "1m" } });
    await first.policy.flush();
    clock.shiftWall(20_000);
    const memory = new MapStore();
    const second = overServer(runtime, server, memory);
    expect(await second.value()).toBe("answer 1");
    expect(await second.value()).toBe("answer 1");
    expect(second.policy.stats().hits).toEqual({ map: 1, server: 1 });
    const [promoted] = memory.entries.values();
    expect((promoted?.expiresAt ?? 0) - clock.wall()).toBe(40_000);
    expect(second.asked()).toBe(0);
  });

  it("puts it into a tier between, too", async () => {
    const { runtime } = virtualRuntime();
    const [near, far] = [new ByteServer(), new ByteServer()];
    const tiers = [serverTier(near, { name: "near" }), serverTier(far, { name: "far" })];
    const first = benchOf(runtime, { tiers });
    await first.ask({ scope: { tags: ["t"] } });
    await first.policy.flush();
    near.values.clear();
    expect(await benchOf(runtime, { tiers }).value({ scope: { tags: ["t"] } })).toBe("answer 1");
    await first.policy.flush();
    expect(near.values.size).toBe(1);
    expect(await benchOf(runtime, { tiers: [tiers[0] as (typeof tiers)[0]] }).value()).toBe("answer 1");
  });

  it("does not put an older answer in the place of one that came meanwhile", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const first = overServer(runtime, server);
    await first.ask();
    await first.policy.flush();
    await clock.advance(1000);
    const second = overServer(runtime, server);
    await second.ask({ request: { input: "another" } });
    server.delayMs = 20;
    const slow = second.value();
    await clock.advance(5);
    const refreshed = second.value({ scope: { cache: "refresh" } });
    expect(await clock.run(slow)).toBe("answer 1");
    expect(await clock.run(refreshed)).toBe("answer 2");
    expect(await clock.run(second.value())).toBe("answer 2");
  });

  it("does not put an older answer in the place of a newer one of a tier of bytes", async () => {
    for (const delayMs of [0, 4, 10, 20, 30, 60]) {
      const { clock, runtime } = virtualRuntime();
      const [near, far] = [new ByteServer(), new ByteServer()];
      const tiers = [serverTier(near, { name: "near" }), serverTier(far, { name: "far" })];
      const bench = benchOf(runtime, { tiers });
      await bench.ask();
      await bench.policy.flush();
      near.values.clear();
      await clock.advance(1000);
      near.delayMs = 20;
      const promoting = bench.ask();
      await clock.advance(delayMs);
      const refreshed = bench.value({ scope: { cache: "refresh" } });
      await clock.run(Promise.all([promoting, refreshed]));
      await clock.run(bench.policy.flush());
      const third = benchOf(runtime, { tiers });
      expect(await clock.run(third.value({ scope: { cache: "only-if-cached" } })), `after ${delayMs} ms`).toBe(
        await refreshed,
      );
    }
  });

  it("keeps an entry in a tier no longer than the tier says, and elsewhere as long as it lasts", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = benchOf(runtime, {
      tiers: [mapTier(new MapStore(), 1000), serverTier(server, { ttlMs: 5000 })],
      jitter: 0,
    });
    await bench.ask();
    await clock.advance(999);
    expect(await bench.value()).toBe("answer 1");
    expect(bench.policy.stats().hits).toEqual({ map: 1, server: 0 });
    await clock.advance(1000);
    expect(await bench.value()).toBe("answer 1");
    expect(bench.policy.stats().hits).toEqual({ map: 1, server: 1 });
    await clock.advance(3500);
    expect(await bench.value()).toBe("answer 2");
  });

  it.each(["map", "server"])(
    "does not get back, from tier %s, what was replaced while that was disabled",
    async (name) => {
      const { clock, runtime } = virtualRuntime();
      const { policy, value } = benchOf(runtime, { tiers: [mapTier(), serverTier(new ByteServer())] });
      expect(await value()).toBe("answer 1");
      policy.tier(name).disable();
      expect(await value({ scope: { cache: "refresh" } })).toBe("answer 2");
      await clock.run(policy.flush());
      for (const one of ["map", "server"]) policy.tier(one)[one === name ? "enable" : "disable"]();
      expect(await value()).not.toBe("answer 1");
    },
  );

  it("does not get back what was replaced while a tier could not be written", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const { policy, value } = benchOf(runtime, { tiers: [mapTier(), serverTier(server)] });
    expect(await value()).toBe("answer 1");
    await clock.run(policy.flush());
    server.trouble = "rejects";
    expect(await value({ scope: { cache: "refresh" } })).toBe("answer 2");
    await clock.run(policy.flush());
    server.trouble = "none";
    policy.tier("map").disable();
    expect(await value()).not.toBe("answer 1");
  });

  it("closes the tiers that were opened when one cannot be", () => {
    const { runtime } = virtualRuntime();
    const [first, second] = [new ByteServer(), new ByteServer()];
    const broken = {
      name: "broken",
      open: () => {
        throw new Error("no such file");
      },
    };
    const tiers = [serverTier(first, { name: "first" }), serverTier(second, { name: "second" }), broken];
    expect(() => benchOf(runtime, { tiers })).toThrow("no such file");
    expect([first.closed, second.closed]).toEqual([1, 1]);
  });

  it("lets nobody wait for writes", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = overServer(runtime, server);
    server.delayMs = 40;
    const answer = bench.ask();
    await clock.run(answer);
    expect(clock.now()).toBe(40);
    expect(bench.policy.stats().pendingWrites).toBe(1);
    await clock.run(bench.policy.flush());
    expect(clock.now()).toBe(80);
    expect(server.values.size).toBe(1);
    expect(bench.policy.stats()).toMatchObject({ pendingWrites: 0, droppedWrites: 0 });
  });

  it("drops writes beyond its bound and counts them", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = benchOf(runtime, { tiers: [mapTier(), serverTier(server)], tierTimeout: "10s" });
    const asks = Array.from({ length: 1200 }, (_, n) => bench.ask({ request: { n }, scope: { cache: "refresh" } }));
    server.delayMs = 1000;
    await Promise.all(asks);
    expect(bench.policy.stats()).toMatchObject({ pendingWrites: 1000, droppedWrites: 200 });
    await clock.run(bench.policy.flush());
    expect(server.values.size).toBe(1000);
  });

  it("does not write what a tier of bytes could not give back", async () => {
    const { runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = overServer(runtime, server);
    const wire = {
      ...(await import("../../support/calls.ts")).jsonWire,
      keep: () => ({ form: "value" as const, text: '"\ud800"', head: { status: 200, headers: [] } }),
    };
    await bench.ask({ wire });
    await bench.policy.flush();
    expect(server.values.size).toBe(0);
    expect(await bench.value({ wire })).toBe("\ud800");
  });

  it("closes its stores, having written what was still to be written", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = overServer(runtime, server);
    await bench.ask();
    server.delayMs = 20;
    await clock.run(bench.policy.close());
    expect(server.closed).toBe(1);
    expect(server.values.size).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it("closes within a second although a write hangs", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = benchOf(runtime, { tiers: [mapTier(), serverTier(server)], tierTimeout: "1h" });
    server.trouble = "none";
    const asked = bench.ask();
    await Promise.resolve();
    server.trouble = "hangs";
    await clock.advance(0);
    await asked;
    await clock.run(bench.policy.close());
    expect(clock.now()).toBeLessThanOrEqual(1000);
    expect(server.closed).toBe(1);
  });
});

describe("a tier in trouble", () => {
  const troubles: Exclude<Trouble, "none">[] = ["hangs", "throws", "rejects"];

  for (const trouble of troubles) {
    it(`that ${trouble} fails no call and delays only the first few, by its time limit each`, async () => {
      const { clock, runtime } = virtualRuntime();
      const server = new ByteServer();
      server.trouble = trouble;
      const disabled = heard(runtime, "cache.tier_disabled");
      const failed = heard(runtime, "cache.tier_failed");
      const bench = overServer(runtime, server);
      const delays: number[] = [];
      for (let n = 0; n < 300; n++) {
        const before = clock.now();
        expect(await clock.run(bench.value({ request: { n } }))).toBe(`answer ${n + 1}`);
        delays.push(clock.now() - before);
      }
      expect(Math.max(...delays)).toBeLessThanOrEqual(50);
      // Three failures to notice it; a refused write may be among them.
      expect(delays.filter((delay) => delay > 0).length).toBeLessThanOrEqual(3);
      expect(disabled).toMatchObject([{ tier: "server", forMs: 1000 }]);
      expect(failed).toHaveLength(1);
      expect(JSON.stringify(failed)).not.toContain("hunter2");
      expect(bench.policy.snapshot().tiers["server"]).toMatchObject({ available: false });
      await clock.run(bench.policy.close());
      expect(clock.pendingTimers).toBe(0);
    });
  }

  it("costs at most one wait in each pause while it stays away", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    server.trouble = "hangs";
    const bench = overServer(runtime, server);
    for (let n = 0; n < 3; n++) await clock.run(bench.value({ request: { n } }));
    let waits = 0;
    const startedAt = clock.now();
    for (let n = 0; clock.now() - startedAt < 20_000; n++) {
      const before = clock.now();
      await clock.run(bench.value({ request: { later: n } }));
      if (clock.now() > before) waits++;
      await clock.advance(100);
    }
    // After the first second, one in two.
    expect(waits).toBeGreaterThanOrEqual(9);
    expect(waits).toBeLessThanOrEqual(11);
  });

  it("that hangs is asked for one thing at a time once it is left alone", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = benchOf(runtime, { tiers: [serverTier(server, { leases: true })] });
    server.trouble = "hangs";
    for (let n = 0; n < 10; n++) await clock.run(bench.ask({ request: { n } }));
    server.asked = [];
    const startedAt = clock.now();
    for (let n = 0; clock.now() - startedAt < 20_000; n++) {
      void bench.ask({ request: { later: n }, scope: { tags: ["t"] } });
      await clock.advance(10);
    }
    expect(server.asked.length).toBeGreaterThanOrEqual(9);
    expect(server.asked.length).toBeLessThanOrEqual(11);
  });

  it("whose answer is late because this process was busy has not failed", async () => {
    const { clock, runtime } = virtualRuntime();
    const guard = new TierGuard("server", runtime, new TierFailures("server", runtime), () => {});
    const slow = guard.run("get", 50, () => new Promise<true>((resolve) => void clock.timer(120, () => resolve(true))));
    // The loop comes to look 100 ms after the time limit.
    const { now } = clock;
    clock.now = () => now.call(clock) + 100;
    expect(await clock.run(slow)).toBeUndefined();
    clock.now = now;
    const late = guard.run("get", 50, () => new Promise<true>((resolve) => void clock.timer(90, () => resolve(true))));
    await clock.advance(49);
    clock.now = () => now.call(clock) + 100;
    expect(await clock.run(late)).toBe(true);
    clock.now = now;
  });

  it("gives hits again within 3 s of its return, and an event says so", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const recovered = heard(runtime, "cache.tier_recovered");
    await overServer(runtime, server).ask();
    const bench = overServer(runtime, server);
    server.trouble = "hangs";
    for (let n = 0; n < 200; n++) {
      await clock.run(bench.value({ request: { n } }));
      await clock.advance(50);
    }
    server.trouble = "none";
    const backAt = clock.now();
    while ((await clock.run(bench.value())) !== "answer 1") {
      bench.policy.tier("map").disable();
      await clock.advance(100);
      if (clock.now() - backAt > 10_000) throw new Error("no hit");
    }
    expect(clock.now() - backAt).toBeLessThanOrEqual(3000);
    expect(recovered).toMatchObject([{ tier: "server" }]);
    expect(bench.policy.snapshot().tiers["server"]?.available).toBe(true);
  });

  it("that answers late is taken for one that failed, and its late answer harms nothing", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    await overServer(runtime, server).ask();
    server.delayMs = 60;
    const bench = overServer(runtime, server);
    expect(await clock.run(bench.value())).toBe("answer 1");
    expect(bench.asked()).toBe(1);
    await clock.advance(1000);
    expect(clock.pendingTimers).toBe(0);
  });

  it("keeps a caller who gives up no longer than its time limit", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    server.trouble = "hangs";
    const bench = overServer(runtime, server);
    const { Cancellation } = await import("../../../src/core/index.ts");
    const cancellation = new Cancellation();
    const outcome = bench.ask({ cancellation });
    cancellation.cancel("bored");
    expect(await clock.run(outcome)).toMatchObject({ kind: "aborted", error: "bored" });
    expect(clock.now()).toBe(50);
    expect(bench.asked()).toBe(0);
  });

  it("that holds something unreadable is a miss; it is deleted, and an event says so", async () => {
    const { runtime } = virtualRuntime();
    const server = new ByteServer();
    const failed = heard(runtime, "cache.tier_failed");
    const writer = overServer(runtime, server);
    await writer.ask();
    await writer.policy.flush();
    const [[key, value]] = [...server.values] as [[string, { bytes: Uint8Array; expiresAt: number }]];
    server.values.set(key, { ...value, bytes: value.bytes.with(value.bytes.length - 1, 0) });
    const bench = benchOf(runtime, { tiers: [serverTier(server)] });
    const asked = bench.ask({ scope: { cache: "only-if-cached" } });
    expect(await asked).toMatchObject({ kind: "refused" });
    await bench.policy.flush();
    expect(server.values.size).toBe(0);
    expect(failed).toMatchObject([{ tier: "server", operation: "decode", error: "DAMAGED" }]);
  });

  it("that holds the entry of another key is a miss", async () => {
    const { runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = benchOf(runtime, { tiers: [serverTier(server)] });
    await bench.ask({ request: { n: 1 } });
    await bench.policy.flush();
    const [[from, value]] = [...server.values] as [[string, { bytes: Uint8Array; expiresAt: number }]];
    await bench.ask({ request: { n: 2 } });
    await bench.policy.flush();
    for (const key of server.values.keys()) if (key !== from) server.values.set(key, value);
    expect(await bench.value({ request: { n: 2 } })).toBe("answer 3");
    expect(await bench.value({ request: { n: 1 } })).toBe("answer 1");
  });
});
