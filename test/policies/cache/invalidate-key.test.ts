import { describe, expect, it } from "vitest";
import { type Next, OptionError, pipeline, valueReply, whole } from "../../../src/core/index.ts";
import { cache } from "../../../src/policies/cache/index.ts";
import { coalesce } from "../../../src/policies/coalesce/index.ts";
import { callOf, virtualRuntime } from "../../support/calls.ts";
import { valueIn } from "./support/questions.ts";
import { ByteServer, mapTier, serverTier } from "./support/stores.ts";

function stageOf(tiers = [mapTier()]) {
  const { clock, runtime } = virtualRuntime();
  const policy = cache({ tiers }, runtime);
  const line = pipeline(policy, coalesce({}, runtime));
  let asked = 0;
  const send: Next = async () => {
    const number = ++asked;
    await new Promise<void>((resolve) => void clock.timer(100, resolve));
    return valueReply(`answer ${number}`, whole());
  };
  const call = (input = "hello") => callOf(runtime, send, { request: { input } });
  const value = async (input?: string) => valueIn(await clock.run(line.execute(call(input))));
  return { clock, runtime, policy, line, call, value, asked: () => asked };
}

describe("invalidating a key", () => {
  it("makes the provider be asked again for that question, and for no other", async () => {
    const { runtime, policy, line, call, value } = stageOf();
    const events: unknown[] = [];
    runtime.events.on("cache.invalidated", (event) => void events.push(event));
    await value("hello");
    await value("other");
    const hit = call("hello");
    await line.execute(hit);
    const key = hit.trace.explain(hit).cacheKey ?? "";
    await policy.invalidateKey(key);
    expect(await value("hello")).toBe("answer 3");
    expect(await value("other")).toBe("answer 2");
    expect(events).toMatchObject([{ key, tags: [], pattern: undefined, everything: false, by: "here" }]);
  });

  it("reaches an answer that is on its way: it is not kept, and nobody who comes later gets it", async () => {
    const { clock, policy, line, call, value } = stageOf();
    const first = line.execute(call());
    await clock.advance(50);
    await policy.invalidateKey(call().fingerprint()?.key ?? "");
    const second = line.execute(call());
    const third = line.execute(call());
    await clock.advance(150);
    expect([valueIn(await first), valueIn(await second), valueIn(await third)]).toEqual([
      "answer 1",
      "answer 2",
      "answer 2",
    ]);
    expect(await value()).toBe("answer 2");
  });

  it("reaches the tiers outside the process, also one that is down for a while", async () => {
    const server = new ByteServer();
    const { clock, policy, call, value } = stageOf([mapTier(), serverTier(server)]);
    const key = call().fingerprint()?.key ?? "";
    await value();
    await policy.flush();
    server.trouble = "rejects";
    await policy.invalidateKey(key);
    expect(server.values.has(key)).toBe(true);
    server.trouble = "none";
    await clock.advance(0);
    expect(await value()).toBe("answer 2");
    await clock.advance(5000);
    await policy.flush();
    policy.tier("map").disable();
    expect(await value()).toBe("answer 3");
    await policy.flush();
    expect(await value()).toBe("answer 3");
  });

  it("comes after a write that is under way", async () => {
    const server = new ByteServer();
    const { clock, policy, call, value } = stageOf([mapTier(), serverTier(server)]);
    server.delayMs = 20;
    await value();
    server.delayMs = 0;
    const invalidating = policy.invalidateKey(call().fingerprint()?.key ?? "");
    await clock.run(Promise.all([invalidating, policy.flush()]));
    expect(server.values.size).toBe(0);
  });

  it("does not let an entry back that a tier was about to give", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    server.delayMs = 20;
    const policy = cache({ tiers: [mapTier(), serverTier(server)] }, runtime);
    const line = pipeline(policy);
    let asked = 0;
    const call = () => callOf(runtime, async () => valueReply(`answer ${++asked}`, whole()));
    await clock.run(line.execute(call()));
    await clock.run(policy.flush());
    await clock.run(policy.invalidateKey("of another question"));
    policy.tier("map").disable();
    const finding = line.execute(call());
    await clock.advance(10);
    policy.tier("map").enable();
    const invalidating = policy.invalidateKey(call().fingerprint()?.key ?? "");
    expect(valueIn(await clock.run(finding))).toBe("answer 2");
    await clock.run(invalidating);
    expect(asked).toBe(2);
  });

  it("refuses what is no key", async () => {
    const { policy } = stageOf();
    await expect(policy.invalidateKey("")).rejects.toThrow(OptionError);
    await expect(policy.invalidateKey(42 as unknown as string)).rejects.toThrow(/key/);
  });
});

describe("a call that comes after an invalidation", () => {
  it("does not join what was asked for before, whatever was invalidated that concerns it", async () => {
    const scope = { tags: ["faq"], client: "a", route: "help" };
    const ways: ((policy: ReturnType<typeof stageOf>["policy"]) => Promise<void>)[] = [
      (policy) => policy.invalidateTags(["faq"]),
      (policy) => policy.invalidateMatching("a/*/*/help"),
      (policy) => policy.clear(),
    ];
    for (const invalidate of ways) {
      const { clock, runtime, policy, line } = stageOf();
      let asked = 0;
      const send: Next = async () => {
        const number = ++asked;
        await new Promise<void>((resolve) => void clock.timer(100, resolve));
        return valueReply(`answer ${number}`, whole());
      };
      const ask = () => line.execute(callOf(runtime, send, { scope }));
      const first = [ask(), ask()];
      await invalidate(policy);
      const second = [ask(), ask()];
      await clock.advance(200);
      expect((await Promise.all(first)).map(valueIn)).toEqual(["answer 1", "answer 1"]);
      expect((await Promise.all(second)).map(valueIn)).toEqual(["answer 2", "answer 2"]);
      expect(valueIn(await clock.run(ask()))).toBe("answer 2");
    }
  });

  it("joins it when something else was invalidated", async () => {
    const { clock, policy, line, call, asked } = stageOf();
    const first = line.execute(call());
    await policy.invalidateTags(["other"]);
    await policy.invalidateMatching("b/*/*/*");
    const second = line.execute(call());
    await clock.advance(100);
    expect([valueIn(await first), valueIn(await second)]).toEqual(["answer 1", "answer 1"]);
    expect(asked()).toBe(1);
  });
});
