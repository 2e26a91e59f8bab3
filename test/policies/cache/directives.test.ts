import { describe, expect, it } from "vitest";
import { NotCachedError, type Scope, valueReply, whole } from "../../../src/core/index.ts";
import { virtualRuntime } from "../../support/calls.ts";
import { type Bench, benchOf, valueIn } from "./support/questions.ts";

type Directives = Scope["cache"];

/** A cache with one answer, fresh for 60 s and there for 600 s more, `afterMs` after it was kept. */
async function benchAfter(afterMs: number): Promise<Bench> {
  const { clock, runtime } = virtualRuntime();
  const bench = benchOf(runtime, { ttl: "60s", staleIfError: "600s", jitter: 0 });
  await bench.ask();
  await clock.advance(afterMs);
  return bench;
}

/** Whether the kept answer is given to a call with `directives`, so long after it was kept. */
async function isGiven(afterMs: number, directives: Directives): Promise<boolean> {
  const bench = await benchAfter(afterMs);
  return (await bench.value({ scope: { cache: directives } })) === "answer 1";
}

describe("the directives of a call", () => {
  const cases: [Directives, number, boolean][] = [
    ["default", 59_999, true],
    ["default", 60_000, false],
    [{ maxAge: "10s" }, 9999, true],
    [{ maxAge: "10s" }, 10_000, false],
    ["max-age=10", 9999, true],
    ["max-age=10", 10_000, false],
    ["max-age=0", 0, false],
    ["max-age=3600", 60_000, false],
    [{ minFresh: "50s" }, 9999, true],
    [{ minFresh: "50s" }, 10_000, false],
    ["max-stale=100", 159_999, true],
    ["max-stale=100", 160_000, false],
    ["max-stale", 659_999, true],
    ["max-stale", 660_000, false],
    ["max-stale, max-age=70", 69_999, true],
    ["max-stale, max-age=70", 70_000, false],
    ["max-stale=100, min-fresh=1", 60_000, false],
    [{ staleWhileRevalidate: "5s" }, 64_999, true],
    [{ staleWhileRevalidate: "5s" }, 65_000, false],
    ["stale-while-revalidate=5, max-age=60", 60_000, false],
    ["stale-while-revalidate=5, min-fresh=1", 60_000, false],
    [{ mode: "no-store" }, 59_999, true],
    [{ mode: "no-store", staleWhileRevalidate: "5s" }, 60_000, false],
    ["refresh", 0, false],
    ["no-cache, max-stale", 0, false],
    ["bypass", 0, false],
  ];

  it.each(cases)("%o, %i ms after: given from the cache: %s", async (directives, afterMs, given) => {
    expect(await isGiven(afterMs, directives)).toBe(given);
  });

  it("replace the entry when they do not take it", async () => {
    const bench = await benchAfter(30_000);
    expect(await bench.value({ scope: { cache: "max-age=10" } })).toBe("answer 2");
    expect(await bench.value({ scope: { cache: "max-age=10" } })).toBe("answer 2");
    expect(bench.policy.stats().misses).toMatchObject({ absent: 1, refresh: 1 });
  });

  it("do not have an entry replaced that is given because the call takes a stale one", async () => {
    const { clock, runtime } = virtualRuntime();
    const bench = benchOf(runtime, { ttl: "60s", staleWhileRevalidate: "5s", staleIfError: "600s", jitter: 0 });
    await bench.ask();
    await clock.advance(65_000);
    expect(await bench.value({ scope: { cache: "max-stale=100" } })).toBe("answer 1");
    await clock.advance(1);
    expect(bench.asked()).toBe(1);
  });

  it("refuse what is not there in time, and never ask, with only-if-cached", async () => {
    const bench = await benchAfter(60_000);
    expect(await bench.ask({ scope: { cache: "only-if-cached" } })).toMatchObject({
      kind: "refused",
      error: expect.any(NotCachedError),
    });
    expect(await bench.value({ scope: { cache: "only-if-cached, max-stale" } })).toBe("answer 1");
    expect(
      await bench.ask({ scope: { cache: { mode: "only-if-cached", staleWhileRevalidate: "5m", staleIfError: "5m" } } }),
    ).toMatchObject({ kind: "refused" });
    expect(bench.asked()).toBe(1);
  });

  it("keep nothing with no-store, and say so", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    const skipped: string[] = [];
    runtime.events.on("cache.skipped", ({ reason }) => void skipped.push(reason));
    const scope = { cache: "no-store" } as const;
    expect(await bench.value({ scope })).toBe("answer 1");
    expect(await bench.value({ scope })).toBe("answer 2");
    expect(skipped).toEqual(["no_store", "no_store"]);
    await bench.ask();
    expect(await bench.value({ scope })).toBe("answer 3");
  });

  it("may allow an error to be covered that the cache's options would not", async () => {
    const { clock, runtime } = virtualRuntime();
    const bench = benchOf(runtime, { ttl: "60s", staleWhileRevalidate: "10m", jitter: 0 });
    await bench.ask();
    await clock.advance(61_000);
    const scope = { cache: "max-age=10, stale-if-error=300" } as const;
    const outcome = await bench.ask({ scope }, async () => valueReply("new", whole()));
    expect(valueIn(outcome)).toBe("new");
  });
});
