import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { faultOf, type Next, pipeline, type Usage, valueReply, whole } from "../../../src/core/index.ts";
import { type CacheOptions, cache } from "../../../src/policies/cache/index.ts";
import { coalesce } from "../../../src/policies/coalesce/index.ts";
import { retry } from "../../../src/policies/retry/index.ts";
import { callOf, virtualRuntime } from "../../support/calls.ts";
import { benchOf } from "./support/questions.ts";
import { MapStore, mapTier } from "./support/stores.ts";

const usage = { inputTokens: 100, outputTokens: 50 };

async function costWith(cost: CacheOptions["cost"], told: Usage | undefined = usage): Promise<number | undefined> {
  const { runtime } = virtualRuntime();
  const store = new MapStore();
  const bench = benchOf(runtime, { tiers: [mapTier(store)], cost });
  await bench.ask({}, async () => valueReply("123456", whole({ usage: told, model: "m-2026" })));
  return [...store.entries.values()][0]?.cost;
}

describe("the cost of an entry", () => {
  it("is that of its tokens, by default", async () => {
    expect(await costWith(undefined)).toBe(300);
  });

  it("goes by its length where the provider told no usage", async () => {
    const { runtime } = virtualRuntime();
    const store = new MapStore();
    const bench = benchOf(runtime, { tiers: [mapTier(store)] });
    await bench.ask({}, async () => valueReply("123456", whole()));
    expect([...store.entries.values()][0]?.cost).toBe(3);
  });

  it("is what a function of the user's says", async () => {
    const facts: unknown[] = [];
    const cost = await costWith((given) => {
      facts.push(given);
      return 7;
    });
    expect(cost).toBe(7);
    expect(facts).toEqual([{ model: "m-2026", usage, tookMs: 0, bytes: 8 }]);
  });

  it("is the default where that function fails or gives no cost", async () => {
    const broken = (): number => {
      throw new Error("no price");
    };
    for (const wrong of [() => Number.NaN, () => -1, () => Number.POSITIVE_INFINITY, () => "7" as never, broken]) {
      expect(await costWith(wrong)).toBe(300);
    }
  });
});

describe("what is billed", () => {
  it("is what the provider was asked for: hits, stale ones and those who joined cost nothing", async () => {
    const step = fc.record({
      input: fc.integer({ min: 0, max: 3 }),
      callers: fc.integer({ min: 1, max: 4 }),
      pauseMs: fc.integer({ min: 0, max: 3000 }),
      fails: fc.boolean(),
      cache: fc.constantFrom("default", "refresh", "bypass", "no-store", "max-age=1", "max-stale, stale-if-error=60"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const { clock, runtime } = virtualRuntime();
        const options = { ttl: "2s", staleWhileRevalidate: "2s", staleIfError: "10s", earlyRefresh: 1 } as const;
        const policy = cache({ tiers: [mapTier()], ...options }, runtime);
        const line = pipeline(policy, coalesce({}, runtime), retry({ attempts: 1 }, runtime));
        const spent = { upstream: 0, billed: 0 };
        runtime.events.on("call.completed", ({ servedBy, usage: used }) => {
          if (servedBy === "upstream") spent.billed += used?.inputTokens ?? 0;
        });
        runtime.events.on("cache.refreshed", ({ usage: used }) => {
          spent.billed += used?.inputTokens ?? 0;
        });
        let failing = false;
        let number = 0;
        const send: Next = async () => {
          const failed = failing;
          const inputTokens = 2 ** (number++ % 30);
          await new Promise<void>((resolve) => void clock.timer(300, resolve));
          if (failed) return faultOf({ kind: "server_error", status: 503, error: new Error("down") });
          spent.upstream += inputTokens;
          return valueReply("an answer", whole({ usage: { inputTokens, outputTokens: 1 } }));
        };
        for (const { input, callers, pauseMs, fails, cache: directives } of steps) {
          failing = fails;
          const ask = () => line.execute(callOf(runtime, send, { request: { input }, scope: { cache: directives } }));
          for (let n = 0; n < callers; n++) void ask();
          await clock.advance(pauseMs);
        }
        await clock.advance(10_000);
        expect(spent.billed).toBe(spent.upstream);
      }),
      { numRuns: 60 },
    );
  });
});
