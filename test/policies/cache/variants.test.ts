import { describe, expect, it } from "vitest";
import { type Next, type Outcome, pipeline, valueReply, whole } from "../../../src/core/index.ts";
import { cache } from "../../../src/policies/cache/index.ts";
import { coalesce } from "../../../src/policies/coalesce/index.ts";
import { answering, callOf, virtualRuntime } from "../../support/calls.ts";
import { benchOf, valueIn } from "./support/questions.ts";
import { mapTier } from "./support/stores.ts";

const vivid = { request: { input: "a poem", temperature: 1 } };

describe("several answers to one question", () => {
  it("are kept up to their number, and picked by chance", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime, { variants: 4 });
    const given = new Map<unknown, number>();
    for (let n = 0; n < 400; n++) {
      const value = await bench.value(vivid);
      given.set(value, (given.get(value) ?? 0) + 1);
    }
    expect(bench.asked()).toBe(4);
    expect(given.size).toBe(4);
    for (const times of given.values()) expect(times).toBeGreaterThan(60);
  });

  it("are one where the question asks for temperature 0, or for an embedding", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime, { variants: 10 });
    for (let n = 0; n < 20; n++) {
      await bench.ask({ request: { input: "a sum", temperature: 0 } });
      await bench.ask({ operation: "embeddings" });
    }
    expect(bench.asked()).toBe(2);
  });

  it("are as many as the call says, before the option", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    for (let n = 0; n < 100; n++) await bench.ask({ ...vivid, scope: { cache: { variants: 3 } } });
    expect(bench.asked()).toBe(3);
    const one = benchOf(runtime, { variants: 3 });
    for (let n = 0; n < 20; n++) await one.ask({ ...vivid, scope: { cache: { variants: 1 } } });
    expect(one.asked()).toBe(1);
  });

  it("share the first place with calls that want one answer", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    const only = await bench.value(vivid);
    const given = new Set<unknown>();
    for (let n = 0; n < 50; n++) given.add(await bench.value({ ...vivid, scope: { cache: { variants: 2 } } }));
    expect(given.size).toBe(2);
    expect(given).toContain(only);
  });

  it("are asked for one by one when they are on their way at the same time", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(cache({ tiers: [mapTier()], variants: 5 }, runtime), coalesce({}, runtime));
    let asked = 0;
    const send = async (call: Parameters<ReturnType<typeof answering>>[0]): Promise<Outcome> => {
      const number = ++asked;
      await answering(runtime, "", 100)(call);
      return valueReply(`answer ${number}`, whole());
    };
    const all = await clock.run(
      Promise.all(Array.from({ length: 200 }, () => line.execute(callOf(runtime, send, vivid)))),
    );
    expect(asked).toBe(5);
    expect(new Set(all.map(valueIn)).size).toBe(5);
  });

  it("are refreshed each in its own place, also at the same time", async () => {
    const { clock, runtime } = virtualRuntime();
    const options = { variants: 3, ttl: "1s", jitter: 0, staleWhileRevalidate: "1m" } as const;
    const line = pipeline(cache({ tiers: [mapTier()], ...options }, runtime), coalesce({}, runtime));
    let asked = 0;
    const send: Next = async (call) => {
      const number = ++asked;
      await answering(runtime, "", 100)(call);
      return valueReply(`answer ${number}`, whole());
    };
    const values = async (): Promise<Set<unknown>> => {
      const calls = Array.from({ length: 50 }, () => line.execute(callOf(runtime, send, vivid)));
      return new Set((await clock.run(Promise.all(calls))).map(valueIn));
    };
    const before = await values();
    expect(before.size).toBe(3);
    await clock.advance(1000);
    expect(await values()).toEqual(before);
    await clock.advance(100);
    expect(asked).toBe(6);
    expect(await values()).toEqual(new Set(["answer 4", "answer 5", "answer 6"]));
  });
});
