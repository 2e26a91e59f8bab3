import { describe, expect, it } from "vitest";
import {
  broken,
  type Call,
  faultOf,
  interrupted,
  NotCachedError,
  NotCanonicalError,
  OptionError,
  type Outcome,
  type Policy,
  pipeline,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { CACHE_DEFAULTS, type CacheOptions, cache } from "../../../src/policies/cache/index.ts";
import { coalesce } from "../../../src/policies/coalesce/index.ts";
import { answering, callOf, jsonWire, virtualRuntime } from "../../support/calls.ts";
import { benchOf, readAll, streamIn, streaming, valueIn } from "./support/questions.ts";
import { MapStore, mapTier } from "./support/stores.ts";

describe("cache", () => {
  it("answers the same question from what it was answered before, without asking", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    const first = await bench.ask();
    const second = await bench.ask();
    expect([first, second]).toMatchObject([
      { servedBy: "upstream", body: { value: "answer 1" } },
      { servedBy: "cache", body: { value: "answer 1" } },
    ]);
    expect(bench.policy.stats()).toMatchObject({ hits: { map: 1 }, misses: { absent: 1 }, stores: 1 });
  });

  it("keeps another question, caller, credential, model, provider and endpoint apart", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    const others = [
      {},
      { request: { input: "other" } },
      { scope: { client: "a" } },
      { scope: { client: "b" } },
      { credential: "other" },
      { model: "other" },
      { provider: "other" },
      { endpoint: "other" },
      { operation: "other" },
    ];
    for (const other of others) await bench.ask(other);
    expect(bench.asked()).toBe(others.length);
    for (const other of others) await bench.ask(other);
    expect(bench.asked()).toBe(others.length);
  });

  it("gives one answer to callers of all credentials when told that it is shared", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime, { shared: true });
    await bench.ask({ credential: "a", scope: { client: "x" } });
    expect(await bench.value({ credential: "b", scope: { client: "y" } })).toBe("answer 1");
  });

  it("forgets an answer after its time, the call's own before the default", async () => {
    const { clock, runtime } = virtualRuntime();
    const bench = benchOf(runtime, { ttl: "1m" });
    await bench.ask();
    await bench.ask({ request: { input: "short" }, scope: { ttl: "10s" } });
    clock.shiftWall(10_000);
    expect(await bench.value()).toBe("answer 1");
    expect(await bench.value({ request: { input: "short" } })).toBe("answer 3");
    clock.shiftWall(50_000);
    expect(await bench.value()).toBe("answer 4");
    expect(bench.policy.stats().misses).toMatchObject({ absent: 2, expired: 2 });
  });

  it("takes an entry whose second digest differs for a miss", async () => {
    const { runtime } = virtualRuntime();
    const store = new MapStore();
    const bench = benchOf(runtime, { tiers: [mapTier(store)] });
    await bench.ask();
    for (const [key, entry] of store.entries) store.entries.set(key, { ...entry, check: "another question's" });
    expect(await bench.value()).toBe("answer 2");
    expect(bench.policy.stats().misses.mismatch).toBe(1);
  });

  it("gives everybody a value that nobody else can change", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    const send = async (): Promise<Outcome> => valueReply({ list: [1] }, whole());
    const first = valueIn(await bench.ask({}, send)) as { list: number[] };
    first.list.push(2);
    const second = valueIn(await bench.ask()) as { list: number[] };
    expect(second).toEqual({ list: [1] });
    second.list.push(3);
    expect(valueIn(await bench.ask())).toEqual({ list: [1] });
  });

  it("keeps the model that really answered and what it used", async () => {
    const { runtime } = virtualRuntime();
    const store = new MapStore();
    const bench = benchOf(runtime, { tiers: [mapTier(store)] });
    const usage = { inputTokens: 3, outputTokens: 4 };
    await bench.ask({}, async () => valueReply("hi", whole({ model: "m-2026-01-01", usage })));
    expect([...store.entries.values()]).toMatchObject([{ model: "m-2026-01-01", usage }]);
  });

  it("says in the trace and in events where an answer came from", async () => {
    const { runtime } = virtualRuntime();
    const events: unknown[] = [];
    for (const type of ["cache.hit", "cache.miss", "cache.stored"] as const) {
      runtime.events.on(type, (event) => void events.push(event));
    }
    const bench = benchOf(runtime, { jitter: 0 });
    await bench.ask();
    const call = callOf(runtime, async () => valueReply("", whole()));
    await bench.line.execute(call);
    expect(call.trace.explain(call)).toMatchObject({
      tier: "map",
      cacheKey: call.fingerprint()?.key,
      servedBy: "cache",
      steps: [{ policy: "cache", what: "hit", detail: "map" }],
    });
    expect(events).toMatchObject([
      { type: "cache.miss", reason: "absent" },
      { type: "cache.stored", bytes: 10, ttlMs: 3_600_000 },
      { type: "cache.hit", tier: "map", ageMs: 0, ttlMs: 3_600_000, stale: false, bytes: 10 },
    ]);
  });

  it("adds no asynchronous step of its own to a hit in memory", async () => {
    const { runtime } = virtualRuntime();
    const { policy, ask } = benchOf(runtime);
    await ask();
    let answered = false;
    const call = callOf(runtime, async () => valueReply("", whole()));
    void policy
      .handle(call, () => Promise.reject(new Error("asked")))
      .then(() => {
        answered = true;
      });
    await Promise.resolve();
    expect(answered).toBe(true);
  });
});

describe("what the cache keeps", () => {
  const notKept: Record<string, () => Promise<Outcome>> = {
    "a fault": async () => faultOf({ kind: "server_error", error: new Error("503") }),
    "an answer that was not whole": async () => valueReply("cut off", whole({ storable: false })),
    "an answer that ended in a fault": async () => valueReply("cut off", broken(interrupted("cut"))),
    "an answer that is too large": async () => valueReply("x".repeat(2000), whole()),
    "an answer whose form cannot be kept": async () => valueReply({ toJSON: () => Promise.reject }, whole()),
    "an answer that another call was asked for": async () =>
      ({ ...valueReply("hi", whole()), servedBy: "coalesced" }) as Outcome,
  };
  const wire = {
    ...jsonWire,
    keep: (...[call, head, body]: Parameters<typeof jsonWire.keep>) =>
      "value" in body && typeof body.value !== "string" ? undefined : jsonWire.keep(call, head, body),
  };

  for (const [what, send] of Object.entries(notKept)) {
    it(`is not ${what}`, async () => {
      const { runtime } = virtualRuntime();
      const store = new MapStore();
      const bench = benchOf(runtime, { tiers: [mapTier(store)], maxEntryBytes: 1000 });
      await bench.ask({ wire }, send);
      expect(store.entries.size).toBe(0);
      expect(await bench.value({ wire })).toBe("answer 1");
    });
  }

  it("is nothing when the form cannot be read, and the answer arrives all the same", async () => {
    const { runtime } = virtualRuntime();
    const failing = {
      ...jsonWire,
      keep: () => {
        throw new Error("unreadable");
      },
    };
    const bench = benchOf(runtime);
    expect(await bench.value({ wire: failing })).toBe("answer 1");
    expect(await bench.value({ wire: failing })).toBe("answer 2");
  });

  it("is nothing of a call that has state or cannot be a key, and an event says why", async () => {
    const { runtime } = virtualRuntime();
    const reasons: string[] = [];
    runtime.events.on("cache.bypassed", (event) => void reasons.push(event.reason));
    const bench = benchOf(runtime);
    const stateful = { ...jsonWire, identity: () => ({ bypass: "stateful" }) };
    const unreadable = {
      ...jsonWire,
      identity: () => {
        throw new NotCanonicalError("NaN");
      },
    };
    for (const options of [{ wire: stateful }, { wire: unreadable }, { request: { input: Number.NaN } }]) {
      await bench.ask(options);
      await bench.ask(options);
    }
    expect(bench.asked()).toBe(6);
    expect(reasons).toEqual([
      "stateful",
      "stateful",
      "not_canonical",
      "not_canonical",
      "not_canonical",
      "not_canonical",
    ]);
  });

  it("is only what asks for temperature 0 in so many words, when told so", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime, { when: "deterministic" });
    for (const temperature of [undefined, 1, 0.1, null]) {
      await bench.ask({ request: { input: "hi", temperature } });
      await bench.ask({ request: { input: "hi", temperature } });
    }
    expect(bench.asked()).toBe(8);
    await bench.ask({ request: { input: "hi", temperature: 0 } });
    await bench.ask({ request: { input: "hi", temperature: 0 } });
    expect(bench.asked()).toBe(9);
  });
});

describe("how one call uses the cache", () => {
  it("bypass neither reads nor writes", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    await bench.ask({ scope: { cache: "bypass" } });
    expect(await bench.value()).toBe("answer 2");
    expect(await bench.value({ scope: { cache: "bypass" } })).toBe("answer 3");
    expect(await bench.value()).toBe("answer 2");
  });

  it("refresh is not replaced by an answer that was asked for before it and comes later", async () => {
    const { clock, runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    const slow = bench.ask({}, answering(runtime, "asked before", 1000));
    await clock.advance(100);
    const fast = bench.ask({ scope: { cache: "refresh" } }, answering(runtime, "asked after", 100));
    expect(valueIn(await clock.run(fast))).toBe("asked after");
    expect(valueIn(await clock.run(slow))).toBe("asked before");
    expect(await bench.value()).toBe("asked after");
    expect(bench.policy.stats()).toMatchObject({ stores: 1, skipped: 1 });
  });

  it("refresh asks and replaces the entry", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    await bench.ask();
    expect(await bench.value({ scope: { cache: "refresh" } })).toBe("answer 2");
    expect(await bench.value()).toBe("answer 2");
    expect(bench.policy.stats().misses.refresh).toBe(1);
  });

  it("only-if-cached never asks", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    const scope = { cache: "only-if-cached" } as const;
    const refused = await bench.ask({ scope });
    expect(refused).toMatchObject({ kind: "refused", status: 504 });
    expect(refused).toHaveProperty("error", expect.any(NotCachedError));
    const stateful = { ...jsonWire, identity: () => ({ bypass: "stateful" }) };
    expect(await bench.ask({ scope, wire: stateful })).toMatchObject({ kind: "refused" });
    expect(bench.asked()).toBe(0);
    await bench.ask();
    expect(await bench.value({ scope })).toBe("answer 1");
  });
});

describe("streams in the cache", () => {
  const stream = { stream: true };

  it("are recorded as they pass and replayed whole", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    const chunks = ["a", "b", { c: [1] }];
    expect(await readAll(await bench.ask(stream, streaming(chunks)))).toEqual(chunks);
    const replayed = await bench.ask(stream, streaming(["other"]));
    expect(replayed).toMatchObject({ servedBy: "cache" });
    expect(await readAll(replayed)).toEqual(chunks);
  });

  it("are kept when they end and not before", async () => {
    const { runtime } = virtualRuntime();
    const store = new MapStore();
    const bench = benchOf(runtime, { tiers: [mapTier(store)] });
    const body = streamIn(await bench.ask(stream, streaming(["a", "b"])));
    await body.next();
    await body.next();
    expect(store.entries.size).toBe(0);
    await body.next();
    expect(store.entries.size).toBe(1);
  });

  it("are not kept when the reader leaves, the provider fails or the end proves nothing", async () => {
    const { runtime } = virtualRuntime();
    const store = new MapStore();
    const bench = benchOf(runtime, { tiers: [mapTier(store)] });
    const left = callOf(runtime, streaming(["a", "b"]), stream);
    const outcome = await bench.line.execute(left);
    await streamIn(outcome).next();
    left.cancellation.cancel("bored");
    await readAll(await bench.ask(stream, streaming(["a"], broken(interrupted("cut")))));
    await readAll(await bench.ask(stream, streaming(["a"], whole({ storable: false }))));
    expect(store.entries.size).toBe(0);
    expect(bench.policy.stats().skipped).toBe(3);
  });

  it("are kept once although the first of those who share one leaves in the middle", async () => {
    const { runtime } = virtualRuntime();
    const policy = cache({ tiers: [mapTier()] }, runtime);
    const line = pipeline(policy, coalesce({}, runtime));
    const send = streaming(["a", "b", "c"]);
    const calls = [1, 2, 3].map(() => callOf(runtime, send, { stream: true }));
    const outcomes = await Promise.all(calls.map((call) => line.execute(call)));
    for (const outcome of outcomes) await streamIn(outcome).next();
    calls[0]?.cancellation.cancel("bored");
    expect(await readAll(outcomes[1] as Outcome)).toEqual(["b", "c"]);
    expect(await readAll(outcomes[2] as Outcome)).toEqual(["b", "c"]);
    expect(policy.stats().stores).toBe(1);
    const again = await line.execute(callOf(runtime, send, { stream: true }));
    expect(again).toMatchObject({ servedBy: "cache" });
    expect(await readAll(again)).toEqual(["a", "b", "c"]);
  });

  it("are not kept beyond the bound, and arrive whole all the same", async () => {
    const { runtime } = virtualRuntime();
    const store = new MapStore();
    const bench = benchOf(runtime, { tiers: [mapTier(store)], maxEntryBytes: 100 });
    const chunks = new Array(20).fill("0123456789");
    expect(await readAll(await bench.ask(stream, streaming(chunks)))).toEqual(chunks);
    expect(store.entries.size).toBe(0);
  });

  it("are not kept beyond the bound when their chunks are empty", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime, { maxEntryBytes: 100 });
    await readAll(await bench.ask({ stream: true }, streaming(new Array(20).fill(""))));
    expect(bench.policy.stats()).toMatchObject({ stores: 0, skipped: 1 });
  });

  it("are recorded as they were handed out, whatever the reader does to them", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    const body = streamIn(await bench.ask(stream, streaming([{ n: 1 }])));
    const chunk = await body.next();
    (chunk?.value as { n: number }).n = 2;
    await body.next();
    expect(await readAll(await bench.ask(stream))).toEqual([{ n: 1 }]);
  });

  it("are recorded from their first chunk when a policy within has read ahead", async () => {
    const { runtime } = virtualRuntime();
    const readingAhead: Policy = {
      name: "ahead",
      ring: "attempt",
      async handle(call, next) {
        const outcome = await next(call);
        if (outcome.ok && outcome.body.kind === "stream") await outcome.body.prime();
        return outcome;
      },
    };
    const policy = cache({ tiers: [mapTier()] }, runtime);
    const line = pipeline(policy, readingAhead);
    const ask = (values: readonly string[]): Promise<Outcome> =>
      line.execute(callOf(runtime, streaming(values), stream));
    expect(await readAll(await ask(["a", "b", "c"]))).toEqual(["a", "b", "c"]);
    expect(await readAll(await ask(["other"]))).toEqual(["a", "b", "c"]);
  });

  it("end with their failure when a policy within has read ahead", async () => {
    const { runtime } = virtualRuntime();
    const inner: { call?: Call } = {};
    const policy = cache({ tiers: [mapTier()] }, runtime);
    const call = callOf(runtime, streaming(["a", "b"]), stream);
    const outcome = await policy.handle(call, async (passed) => {
      inner.call = passed;
      const reply = await streaming(["a", "b"])(passed);
      await streamIn(reply).prime();
      return reply;
    });
    const body = streamIn(outcome);
    expect((await body.next())?.value).toBe("a");
    call.cancellation.cancel("bored");
    expect(body.settled.value?.fault).toMatchObject({ kind: "aborted", error: "bored" });
    expect(call.cancellation.listenerCount).toBe(0);
  });

  it("and whole answers of one question do not stand in for one another unless the form allows it", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    await readAll(await bench.ask(stream, streaming(["a"])));
    expect(await bench.value()).toBe("answer 1");
    expect(bench.policy.stats().misses.shape).toBe(1);
  });
});

describe("the options and the state of the cache", () => {
  const tiers = [mapTier()];

  it("have the documented defaults", () => {
    expect(CACHE_DEFAULTS).toMatchObject({
      ttl: "1h",
      jitter: 0.1,
      staleWhileRevalidate: "0ms",
      staleIfError: "0ms",
      earlyRefresh: 0,
      negativeTtl: "0ms",
      variants: 1,
      cost: "tokens",
      shared: false,
      maxEntryBytes: "4mb",
      when: "always",
      tierTimeout: "50ms",
    });
  });

  it("are refused by name when they are wrong", () => {
    const wrong: [object, RegExp][] = [
      [{}, /cache\.tiers/],
      [{ tiers: [] }, /cache\.tiers/],
      [{ tiers: [{ name: "x" }] }, /cache\.tiers\[0\]/],
      [{ tiers: [mapTier(), mapTier()] }, /cache\.tiers\[1\]\.name/],
      [{ tiers: [{ ...mapTier(), ttlMs: Number.NaN }] }, /cache\.tiers\[0\]\.ttlMs/],
      [{ tiers: [{ ...mapTier(), ttlMs: 0 }] }, /cache\.tiers\[0\]\.ttlMs/],
      [{ tiers, ttl: 0 }, /cache\.ttl/],
      [{ tiers, ttl: "soon" }, /cache\.ttl/],
      [{ tiers, jitter: 1.1 }, /cache\.jitter/],
      [{ tiers, staleWhileRevalidate: -1 }, /cache\.staleWhileRevalidate/],
      [{ tiers, staleIfError: "long" }, /cache\.staleIfError/],
      [{ tiers, earlyRefresh: -1 }, /cache\.earlyRefresh/],
      [{ tiers, negativeTtl: "1y" }, /cache\.negativeTtl/],
      [{ tiers, variants: 0 }, /cache\.variants/],
      [{ tiers, variants: 101 }, /cache\.variants/],
      [{ tiers, cost: "dollars" }, /cache\.cost/],
      [{ tiers, shared: "yes" }, /cache\.shared/],
      [{ tiers, maxEntryBytes: 0 }, /cache\.maxEntryBytes/],
      [{ tiers, when: "never" }, /cache\.when/],
      [{ tiers, tierTimeout: 0 }, /cache\.tierTimeout/],
      [{ tiers, size: 1 }, /cache\.size/],
    ];
    for (const [options, message] of wrong) {
      expect(() => cache(options as CacheOptions)).toThrow(OptionError);
      expect(() => cache(options as CacheOptions)).toThrow(message);
    }
  });

  it("change while running, all or nothing", async () => {
    const { clock, runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    bench.policy.update({ ttl: "1s" });
    expect(() => bench.policy.update({ ttl: "2s", when: "never" as "always" })).toThrow(/cache\.when/);
    expect(() => bench.policy.update({ tiers } as object)).toThrow(/cache\.tiers/);
    expect(bench.policy.snapshot()).toMatchObject({ ttlMs: 1000, when: "always", shared: false });
    await bench.ask();
    clock.shiftWall(1000);
    expect(await bench.value()).toBe("answer 2");
  });

  it("switch a tier off and on", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    await bench.ask();
    const tier = bench.policy.tier("map");
    tier.disable();
    expect(tier.enabled).toBe(false);
    expect(await bench.value()).toBe("answer 2");
    tier.enable();
    expect(await bench.value()).toBe("answer 1");
    expect(await tier.stats()).toMatchObject({ hits: 1, enabled: true, available: true });
    expect(() => bench.policy.tier("other")).toThrow(/"map"/);
  });

  it("are plain data", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    await bench.ask();
    const snapshot = bench.policy.snapshot();
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
  });

  it("let calls pass once it is closed, and keep nothing any more", async () => {
    const { runtime } = virtualRuntime();
    const store = new MapStore();
    const bench = benchOf(runtime, { tiers: [mapTier(store)] });
    await bench.policy.close();
    expect(await bench.value()).toBe("answer 1");
    expect(await bench.value()).toBe("answer 2");
    expect(store.entries.size).toBe(0);
  });

  it("survive a store in memory that breaks its contract and throws", async () => {
    const { runtime } = virtualRuntime();
    const store = new MapStore();
    store.get = () => {
      throw new Error("broken");
    };
    store.set = store.get as () => void;
    const bench = benchOf(runtime, { tiers: [mapTier(store)] });
    expect(await bench.value()).toBe("answer 1");
    expect(await bench.value()).toBe("answer 2");
    expect((await bench.policy.tier("map").stats()).failures).toBe(4);
  });
});
