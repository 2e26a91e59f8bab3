import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type BreakwaterEvent,
  type Call,
  CircuitBreakerOpenError,
  type Fault,
  type FaultKind,
  faultOf,
  type Next,
  type Outcome,
  pipeline,
  QueueFullError,
  type Runtime,
  refusal,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { type CacheOptions, cache } from "../../../src/policies/cache/index.ts";
import { coalesce } from "../../../src/policies/coalesce/index.ts";
import type { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { type CallOptions, callOf, virtualRuntime } from "../../support/calls.ts";
import { readAll, streaming, valueIn } from "./support/questions.ts";
import { ByteServer, MapStore, mapTier, serverTier } from "./support/stores.ts";

interface Stage {
  readonly clock: VirtualClock;
  readonly runtime: Runtime;
  readonly store: MapStore;
  readonly policy: ReturnType<typeof cache>;
  /** How often the provider was asked. */
  asked(): number;
  /** What the provider does from now on; by default it answers with how often it was asked. */
  provider: Next;
  ask(options?: CallOptions): Promise<Outcome>;
  value(options?: CallOptions): Promise<unknown>;
  refreshed: BreakwaterEvent<"cache.refreshed">[];
}

/** A cache whose entries are fresh for 10 s, and a provider that takes `tookMs`. */
function stageOf(options: Partial<CacheOptions> = {}, tookMs = 400): Stage {
  const { clock, runtime } = virtualRuntime();
  const store = new MapStore();
  const policy = cache({ tiers: [mapTier(store)], ttl: "10s", jitter: 0, ...options }, runtime);
  const line = pipeline(policy, coalesce({}, runtime));
  const refreshed: Stage["refreshed"] = [];
  runtime.events.on("cache.refreshed", (event) => void refreshed.push(event));
  let asked = 0;
  const stage: Stage = {
    clock,
    runtime,
    store,
    policy,
    refreshed,
    asked: () => asked,
    async provider() {
      const number = asked;
      await waited(clock, tookMs);
      return valueReply(`answer ${number}`, whole({ usage: { inputTokens: 10, outputTokens: 5 } }));
    },
    ask(callOptions) {
      const send: Next = (call) => {
        asked++;
        return stage.provider(call);
      };
      return clock.run(line.execute(callOf(runtime, send, callOptions)));
    },
    value: async (callOptions) => valueIn(await stage.ask(callOptions)),
  };
  return stage;
}

function waited(clock: VirtualClock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.timer(ms, resolve));
}

const failing =
  (fault: Fault): Next =>
  async () =>
    fault;
const unavailable = faultOf({ kind: "server_error", status: 503, error: new Error("503") });

describe("the time an entry is fresh", () => {
  it("is never longer than asked, shorter by at most the jitter, and not the same for all", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 10 ** 9 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (ttl, jitter) => {
          const { store, ask } = stageOf({ ttl, jitter }, 0);
          await ask();
          const [entry] = store.entries.values();
          const freshMs = (entry?.freshUntil ?? 0) - (entry?.createdAt ?? 0);
          expect(freshMs).toBeLessThanOrEqual(ttl);
          expect(freshMs).toBeGreaterThanOrEqual(Math.max(1, Math.floor(ttl * (1 - jitter))));
        },
      ),
    );
    const { store, ask } = stageOf({ ttl: "1h", jitter: 0.5 }, 0);
    for (let input = 0; input < 100; input++) await ask({ request: { input } });
    const times = [...store.entries.values()].map(({ freshUntil, createdAt }) => freshUntil - createdAt);
    expect(new Set(times).size).toBeGreaterThan(90);
  });

  it("is followed by the time in which it may be given stale, and then it is gone", async () => {
    const { store, ask } = stageOf({ staleWhileRevalidate: "3s", staleIfError: "1m" });
    await ask();
    await ask({ request: { input: "own" }, scope: { ttl: "1s", cache: { staleIfError: 0 } } });
    const lives = [...store.entries.values()].map(({ createdAt, freshUntil, expiresAt }) => [
      freshUntil - createdAt,
      expiresAt - freshUntil,
    ]);
    expect(lives).toEqual([
      [10_000, 60_000],
      [1000, 3000],
    ]);
  });

  it("is told with how long the provider took, and what asking again would cost", async () => {
    const { store, ask } = stageOf();
    await ask();
    expect([...store.entries.values()]).toMatchObject([{ tookMs: 400, cost: 30, label: "/chat/m/", owner: "k" }]);
  });
});

describe("a stale answer while another is asked for", () => {
  it("is given at once, and the provider is asked once, however many ask for it", async () => {
    const stage = stageOf({ staleWhileRevalidate: "1m" });
    await stage.ask();
    await stage.clock.advance(10_000);
    const since = stage.clock.now();
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => stage.ask()));
    expect(new Set(outcomes.map(valueIn))).toEqual(new Set(["answer 1"]));
    expect(stage.clock.now()).toBe(since);
    expect(outcomes[0]).toMatchObject({ servedBy: "cache" });
    await stage.clock.advance(400);
    expect(stage.asked()).toBe(2);
    expect(await stage.value()).toBe("answer 2");
    expect(stage.refreshed).toMatchObject([
      { reason: "stale", durationMs: 400, ok: true, usage: { inputTokens: 10, outputTokens: 5 } },
    ]);
    expect(stage.policy.stats()).toMatchObject({ staleHits: 100, refreshes: 1, failedRefreshes: 0 });
  });

  it("is marked as stale in the trace and the event", async () => {
    const stage = stageOf({ staleWhileRevalidate: "1m" });
    const hits: unknown[] = [];
    stage.runtime.events.on("cache.hit", (event) => void hits.push(event));
    await stage.ask();
    await stage.clock.advance(12_000);
    const call = callOf(stage.runtime, stage.provider);
    await pipeline(stage.policy).execute(call);
    expect(call.trace.explain(call)).toMatchObject({
      servedBy: "cache",
      tier: "map",
      steps: [{ policy: "cache", what: "stale", detail: "map" }],
      attempts: [],
    });
    expect(hits).toMatchObject([{ stale: true, ageMs: 12_000, ttlMs: -2000 }]);
  });

  it("is not given any more when its time is over", async () => {
    const stage = stageOf({ staleWhileRevalidate: "5s", staleIfError: "1m" });
    await stage.ask();
    await stage.clock.advance(15_000);
    expect(await stage.value()).toBe("answer 2");
    expect(stage.policy.stats().misses.expired).toBe(1);
  });

  it("is not given without being asked for", async () => {
    const stage = stageOf();
    await stage.ask();
    await stage.clock.advance(10_000);
    expect(await stage.value()).toBe("answer 2");
  });

  it("is replaced by a call of its own: low priority, its own time, and no part of the caller's", async () => {
    const stage = stageOf({ staleWhileRevalidate: "1m" });
    const scope = { priority: "critical", deadline: "20s" } as const;
    await stage.ask({ scope });
    await stage.clock.advance(10_000);
    const calls: Call[] = [];
    const { provider } = stage;
    stage.provider = (call) => {
      calls.push(call);
      return provider(call);
    };
    const asking = callOf(stage.runtime, stage.provider, { scope });
    await pipeline(stage.policy).execute(asking);
    asking.cancellation.cancel("gone");
    await stage.clock.advance(400);
    const [call] = calls;
    expect(call?.id).not.toBe(asking.id);
    expect(call?.scope.priority).toBe(7);
    expect(call?.deadline).toBe(10_400 + 20_000);
    expect(asking.trace.attemptCount).toBe(0);
    expect(stage.refreshed).toMatchObject([{ ok: true, callId: call?.id }]);
    expect(asking.cancellation.listenerCount).toBe(0);
    expect(stage.clock.pendingTimers).toBe(0);
  });

  it("leaves a priority below low as it is", async () => {
    const stage = stageOf({ staleWhileRevalidate: "1m" });
    const scope = { priority: "background" } as const;
    await stage.ask({ scope });
    await stage.clock.advance(10_000);
    let priority: number | undefined;
    stage.provider = async (call) => {
      priority = call.scope.priority;
      return unavailable;
    };
    await stage.ask({ scope });
    expect(priority).toBe(9);
  });

  it("is replaced when it is a stream: the new one is read to its end and kept", async () => {
    const stage = stageOf({ staleWhileRevalidate: "1m" });
    stage.provider = streaming(["a", "b"]);
    const options = { stream: true };
    await readAll(await stage.ask(options));
    await stage.clock.advance(10_000);
    stage.provider = streaming(["c", "d"]);
    expect(await readAll(await stage.ask(options))).toEqual(["a", "b"]);
    await stage.clock.advance(0);
    expect(stage.refreshed).toMatchObject([{ ok: true }]);
    stage.provider = failing(unavailable);
    expect(await readAll(await stage.ask(options))).toEqual(["c", "d"]);
  });

  it("is not replaced by an answer that is not whole, and the next try waits for a second", async () => {
    const stage = stageOf({ staleWhileRevalidate: "1m" });
    await stage.ask();
    await stage.clock.advance(10_000);
    const { provider } = stage;
    stage.provider = async () => valueReply("cut off", whole({ storable: false }));
    for (let second = 0; second < 10; second++) {
      expect(await stage.value()).toBe("answer 1");
      await stage.clock.advance(100);
    }
    expect(stage.asked()).toBe(2);
    expect(stage.refreshed).toMatchObject([{ ok: false }]);
    stage.provider = provider;
    await stage.value();
    await stage.clock.advance(400);
    expect(await stage.value()).toBe("answer 3");
    expect(stage.policy.stats()).toMatchObject({ refreshes: 2, failedRefreshes: 1 });
  });

  it("is left alone as long as the provider said", async () => {
    const stage = stageOf({ staleWhileRevalidate: "1m" });
    await stage.ask();
    await stage.clock.advance(10_000);
    stage.provider = failing(
      faultOf({ kind: "rate_limited", status: 429, error: new Error("429"), retryAfterMs: 5000 }),
    );
    await stage.ask();
    await stage.clock.advance(4900);
    await stage.ask();
    expect(stage.asked()).toBe(2);
    await stage.clock.advance(100);
    await stage.ask();
    expect(stage.asked()).toBe(3);
  });

  it("is not left alone for longer than a minute", async () => {
    const stage = stageOf({ staleWhileRevalidate: "1h" });
    await stage.ask();
    await stage.clock.advance(10_000);
    const forToday = {
      kind: "quota_exhausted",
      status: 429,
      error: new Error("429"),
      retryAfterMs: 3_600_000,
    } as const;
    stage.provider = failing(faultOf(forToday));
    await stage.ask();
    await stage.clock.advance(59_999);
    await stage.ask();
    expect(stage.asked()).toBe(2);
    await stage.clock.advance(1);
    await stage.ask();
    expect(stage.asked()).toBe(3);
  });

  it("is given up when it takes longer than its call had time, even if nobody within listens", async () => {
    const stage = stageOf({ staleWhileRevalidate: "10m" });
    await stage.ask();
    await stage.clock.advance(10_000);
    stage.provider = () => new Promise(() => {});
    await stage.ask({ scope: { deadline: "30s" } });
    expect(stage.policy.snapshot().refreshing).toBe(1);
    await stage.clock.advance(30_000);
    expect(stage.policy.snapshot().refreshing).toBe(0);
    expect(stage.refreshed).toMatchObject([{ ok: false, durationMs: 30_000 }]);
  });

  it("is asked for at most 64 times at once", async () => {
    const stage = stageOf({ staleWhileRevalidate: "1m" });
    const questions = Array.from({ length: 100 }, (_, input) => ({ request: { input } }));
    await Promise.all(questions.map((question) => stage.ask(question)));
    await stage.clock.advance(10_000);
    await Promise.all(questions.map((question) => stage.ask(question)));
    expect(stage.policy.snapshot().refreshing).toBe(64);
    await stage.clock.advance(400);
    await Promise.all(questions.map((question) => stage.ask(question)));
    await stage.clock.advance(400);
    expect(stage.asked()).toBe(200);
  });

  it("is paid for once when a caller is asking for the same already", async () => {
    const stage = stageOf({ staleWhileRevalidate: "1m" });
    const billed: (number | undefined)[] = [];
    stage.runtime.events.on("call.completed", ({ servedBy, usage }) => {
      if (servedBy === "upstream") billed.push(usage?.inputTokens);
    });
    await stage.ask();
    await stage.clock.advance(10_000);
    const asking = stage.ask({ scope: { cache: { maxAge: "1s" } } });
    expect(await stage.value()).toBe("answer 1");
    expect(valueIn(await asking)).toBe("answer 2");
    await stage.clock.advance(0);
    expect(stage.asked()).toBe(2);
    expect(stage.refreshed).toMatchObject([{ ok: true, usage: undefined }]);
    expect(billed).toEqual([10, 10]);
  });

  it("is left to another process that is asking already, and looked for again a moment later", async () => {
    const server = new ByteServer();
    const tiers = [mapTier(), serverTier(server, { leases: true })];
    const stage = stageOf({ tiers, staleWhileRevalidate: "1m" });
    await stage.ask();
    await stage.policy.flush();
    await stage.clock.advance(11_000);
    const key = [...server.values.keys()][0] ?? "";
    server.leases.set(key, { holder: "another", until: Number.POSITIVE_INFINITY });
    const leased = (): number => server.asked.filter((operation) => operation === "acquire").length;
    const before = leased();
    for (let n = 0; n < 10; n++) {
      expect(await stage.value()).toBe("answer 1");
      await stage.clock.advance(5);
    }
    expect(leased() - before).toBe(1);
    await stage.clock.advance(50);
    await stage.ask();
    await stage.clock.advance(0);
    expect(leased() - before).toBe(2);
    expect(stage.asked()).toBe(1);
    await stage.policy.close();
  });

  it("ends with the cache", async () => {
    const stage = stageOf({ staleWhileRevalidate: "1m" });
    await stage.ask();
    await stage.clock.advance(10_000);
    let cancelled = false;
    const { provider } = stage;
    stage.provider = (call) => {
      call.cancellation.onCancel(() => {
        cancelled = true;
      });
      return provider(call);
    };
    await stage.ask();
    await stage.policy.close();
    expect(cancelled).toBe(true);
    await stage.clock.advance(400);
    expect(stage.policy.snapshot()).toMatchObject({ refreshing: 0, stores: 1 });
    expect(stage.clock.pendingTimers).toBe(0);
  });

  it("is not replaced by what was asked for before an invalidation", async () => {
    const stage = stageOf({ staleWhileRevalidate: "1m" });
    const scope = { tags: ["faq"] };
    await stage.ask({ scope });
    await stage.clock.advance(10_000);
    await stage.ask({ scope });
    await stage.policy.invalidateTags(["faq"]);
    await stage.clock.advance(400);
    expect(stage.asked()).toBe(2);
    expect(await stage.value({ scope })).toBe("answer 3");
  });

  it("is replaced by what another process has kept, where a tier is shared", async () => {
    const server = new ByteServer();
    const tiers = () => [mapTier(), serverTier(server)];
    const stage = stageOf({ tiers: tiers(), staleWhileRevalidate: "1m" });
    await stage.ask();
    await stage.policy.flush();
    await stage.clock.advance(11_000);
    const other = cache({ tiers: tiers(), ttl: "10s", jitter: 0 }, stage.runtime);
    const send: Next = async () => valueReply("another's", whole());
    await stage.clock.run(pipeline(other).execute(callOf(stage.runtime, send)));
    await other.flush();
    expect(await stage.value()).toBe("answer 1");
    await stage.clock.advance(0);
    expect(await stage.value()).toBe("another's");
    expect(stage.asked()).toBe(1);
    expect(stage.refreshed).toEqual([]);
  });
});

describe("a stale answer when asking fails", () => {
  const request = { kind: "bad_request", status: 400 } as const;
  const cases: [string, Fault, boolean][] = [
    ...(["server_error", "overloaded", "network", "timeout", "interrupted", "malformed", "rate_limited"] as const).map(
      (kind: FaultKind): [string, Fault, boolean] => [kind, faultOf({ kind, error: new Error(kind) }), true],
    ),
    ["quota_exhausted", faultOf({ kind: "quota_exhausted", status: 429, error: new Error() }), true],
    ["an open breaker", refusal(new CircuitBreakerOpenError("open", { policy: "breaker" })), true],
    ["a full queue", refusal(new QueueFullError("full", { policy: "pool" })), true],
    ["bad_request", faultOf({ ...request, error: new Error() }), false],
    ["bad_credential", faultOf({ kind: "bad_credential", status: 401, error: new Error() }), false],
    ["context_length", faultOf({ kind: "context_length", status: 400, error: new Error() }), false],
    ["content_filter", faultOf({ kind: "content_filter", status: 400, error: new Error() }), false],
    ["aborted", faultOf({ kind: "aborted", error: "bored" }), false],
    ["unknown", faultOf({ kind: "unknown", error: new Error() }), false],
  ];

  it.each(cases)("%s", async (_name, fault, given) => {
    const stage = stageOf({ staleIfError: "1m" });
    await stage.ask();
    await stage.clock.advance(69_000);
    stage.provider = failing(fault);
    const outcome = await stage.ask();
    if (given) expect(outcome).toMatchObject({ servedBy: "cache", body: { value: "answer 1" } });
    else expect(outcome).toBe(fault);
    expect(stage.asked()).toBe(2);
  });

  it("is not given any more when its time is over", async () => {
    const stage = stageOf({ staleIfError: "1m", staleWhileRevalidate: 0 });
    await stage.ask();
    await stage.clock.advance(70_000);
    stage.provider = failing(unavailable);
    expect(await stage.ask()).toBe(unavailable);
  });

  it("is given to the others without asking, for a second after the failure", async () => {
    const stage = stageOf({ staleIfError: "1m" });
    await stage.ask();
    await stage.clock.advance(11_000);
    stage.provider = failing(unavailable);
    for (let n = 0; n < 10; n++) {
      expect(await stage.value()).toBe("answer 1");
      await stage.clock.advance(100);
    }
    expect(stage.asked()).toBe(2);
    await stage.value();
    expect(stage.asked()).toBe(3);
  });

  it("is given to whoever wanted a younger one, too", async () => {
    const stage = stageOf({ staleIfError: "1m" });
    await stage.ask();
    await stage.clock.advance(5000);
    stage.provider = failing(unavailable);
    expect(await stage.value({ scope: { cache: { maxAge: "1s" } } })).toBe("answer 1");
    expect(stage.asked()).toBe(2);
  });

  it("is not given when it was invalidated, not even meanwhile", async () => {
    const stage = stageOf({ staleIfError: "1m" });
    const scope = { tags: ["faq"] };
    await stage.ask({ scope });
    await stage.clock.advance(11_000);
    stage.provider = async () => {
      await stage.policy.invalidateTags(["faq"]);
      return unavailable;
    };
    expect(await stage.ask({ scope })).toBe(unavailable);
  });

  it("is not given to whoever wants no more than what is fresh and kept", async () => {
    const stage = stageOf({ staleIfError: "1m" });
    await stage.ask();
    await stage.clock.advance(11_000);
    stage.provider = failing(unavailable);
    expect(await stage.value()).toBe("answer 1");
    expect(await stage.ask({ scope: { cache: "only-if-cached" } })).toMatchObject({ kind: "refused" });
  });

  it("is not given to whoever wants the provider asked", async () => {
    const stage = stageOf({ staleIfError: "1m" });
    await stage.ask();
    stage.provider = failing(unavailable);
    expect(await stage.ask({ scope: { cache: "refresh" } })).toBe(unavailable);
    expect(await stage.ask({ scope: { cache: "bypass" } })).toBe(unavailable);
  });
});

describe("an early refresh", () => {
  it("does not happen unless it is switched on", async () => {
    const stage = stageOf();
    await stage.ask();
    await stage.clock.advance(9999);
    for (let n = 0; n < 100; n++) await stage.ask();
    expect(stage.asked()).toBe(1);
  });

  it("does not happen for a call that is not to ask, or to keep nothing", async () => {
    const stage = stageOf({ earlyRefresh: 100 });
    await stage.ask();
    await stage.clock.advance(9000);
    for (const cache of ["only-if-cached", "no-store"] as const) {
      for (let n = 0; n < 20; n++) await stage.ask({ scope: { cache } });
    }
    expect(stage.asked()).toBe(1);
    await stage.ask();
    expect(stage.asked()).toBe(2);
  });

  it("gives the fresh answer, and asks the sooner, the longer asking took and the higher beta is", async () => {
    const startOf = async (earlyRefresh: number, tookMs: number): Promise<number> => {
      const stage = stageOf({ earlyRefresh }, tookMs);
      await stage.ask();
      const keptAt = stage.clock.now();
      while (stage.asked() === 1) {
        await stage.clock.advance(10);
        expect(await stage.value()).toBe("answer 1");
      }
      const startedAt = stage.clock.now() - keptAt;
      await stage.clock.advance(tookMs);
      expect(await stage.value()).toBe("answer 2");
      expect(stage.refreshed).toMatchObject([{ reason: "early", ok: true }]);
      return startedAt;
    };
    const usual = await startOf(1, 400);
    expect(usual).toBeGreaterThan(5000);
    expect(usual).toBeLessThan(10_000);
    expect(await startOf(1, 2000)).toBeLessThan(usual);
    expect(await startOf(4, 400)).toBeLessThan(usual);
    expect(await startOf(1, 40)).toBeGreaterThan(usual);
  });
});

describe("a hot question", () => {
  it("never waits, through an outage of half a minute, and is asked about once in its time", async () => {
    const stage = stageOf({ ttl: "1s", jitter: 0.1, staleWhileRevalidate: "1m" });
    const { provider } = stage;
    await stage.ask();
    let waitedMs = 0;
    const spend = async (forMs: number): Promise<number> => {
      const until = stage.clock.now() + forMs;
      const before = stage.asked();
      while (stage.clock.now() < until) {
        const since = stage.clock.now();
        expect(await stage.ask()).toMatchObject({ servedBy: "cache" });
        waitedMs += stage.clock.now() - since;
        await stage.clock.advance(10);
      }
      return stage.asked() - before;
    };
    expect(await spend(60_000)).toBeLessThanOrEqual(66);
    const refreshedBefore = stage.refreshed.length;
    stage.provider = async () => {
      await waited(stage.clock, 400);
      return unavailable;
    };
    expect(await spend(30_000)).toBeLessThanOrEqual(33);
    expect(stage.refreshed.slice(refreshedBefore + 1).every(({ ok }) => !ok)).toBe(true);
    stage.provider = provider;
    const backAt = stage.clock.wall();
    await spend(10_000);
    const first = stage.refreshed.find(({ ts, ok }) => ok && ts > backAt);
    expect((first?.ts ?? Number.POSITIVE_INFINITY) - backAt).toBeLessThan(2000);
    expect(waitedMs).toBe(0);
  });

  it("goes by how long the answer is fresh, and not by how long the memory keeps it", async () => {
    const server = new ByteServer();
    const tiers = [mapTier(new MapStore(), 5000), serverTier(server)];
    const { value, clock, asked } = stageOf({ tiers, ttl: "1h", earlyRefresh: 1 }, 2000);
    for (let second = 0; second < 60; second++) {
      expect(await value()).toBe("answer 1");
      await clock.advance(1000);
    }
    expect(asked()).toBe(1);
  });

  it("is not even answered stale with early refresh, where its time is long beside that of asking", async () => {
    const stage = stageOf({ ttl: "1m", earlyRefresh: 1 });
    await stage.ask();
    while (stage.clock.now() < 600_000) {
      await stage.ask();
      await stage.clock.advance(20);
    }
    expect(stage.policy.stats()).toMatchObject({ staleHits: 0, misses: { absent: 1, expired: 0 } });
    expect(stage.asked() - 1).toBeLessThanOrEqual(11);
    expect(stage.refreshed.every(({ reason }) => reason === "early")).toBe(true);
  });
});
