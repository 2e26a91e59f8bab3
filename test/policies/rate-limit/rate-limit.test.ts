import { describe, expect, it } from "vitest";
import {
  broken,
  type Call,
  type Chunk,
  ChunkStream,
  faultOf,
  type LimitReading,
  type Outcome,
  PLAIN_HEAD,
  type Policy,
  pipeline,
  RateLimitError,
  streamReply,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { RATE_LIMIT_DEFAULTS, type RateLimitOptions, rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { answering, type CallOptions, callOf, drain, streamOf, virtualRuntime } from "../../support/calls.ts";

type Send = (call: Call) => Promise<Outcome>;

const atOnce = async (): Promise<Outcome> => valueReply("hi", whole({ usage: { inputTokens: 100, outputTokens: 50 } }));

/** A limiter whose calls are remembered by the time they were sent. */
function limited(options: RateLimitOptions) {
  const { clock, runtime } = virtualRuntime();
  const policy = rateLimit(options, runtime);
  const line = pipeline(policy as Policy);
  const sentAt: number[] = [];
  const order: string[] = [];
  const ask = (call: CallOptions = {}, name = "", send: Send = atOnce): Promise<Outcome> =>
    line.execute(
      callOf(
        runtime,
        (sent) => {
          sentAt.push(runtime.clock.now());
          order.push(name);
          return send(sent);
        },
        call,
      ),
    );
  return { clock, runtime, policy, line, sentAt, order, ask };
}

const perMinute = (unit: "requests" | "tokens", limit?: number, remaining?: number): LimitReading => ({
  unit,
  windowMs: 60_000,
  limit,
  remaining,
  resetMs: undefined,
});

const telling = (limits: readonly LimitReading[]) => async (): Promise<Outcome> =>
  valueReply("hi", whole(), { ...PLAIN_HEAD, limits });

const rateLimited = (retryAfterMs?: number) => async (): Promise<Outcome> =>
  faultOf({ kind: "rate_limited", error: new Error("429"), status: 429, retryAfterMs });

describe("rateLimit", () => {
  it("lets calls pass at the limit's pace, in order, and leaves no timer", async () => {
    const { clock, ask, sentAt, policy } = limited({ requestsPerMinute: 60 });
    const calls = Array.from({ length: 5 }, () => ask());
    await clock.run(Promise.all(calls));
    expect(sentAt).toEqual([0, 1_000, 2_000, 3_000, 4_000]);
    expect(clock.pendingTimers).toBe(0);
    expect(policy.snapshot()).toMatchObject({ admitted: 5, waiting: 0 });
  });

  it("tells how long a call waited", async () => {
    const { clock, runtime, line, ask } = limited({ requestsPerMinute: 60 });
    const waited: unknown[] = [];
    runtime.events.on("ratelimit.waited", (event) => waited.push(event));
    await ask();
    const call = callOf(runtime, answering(runtime, "hi"));
    await clock.run(line.execute(call));
    expect(call.trace.waits.rateLimit).toBe(1_000);
    expect(waited).toMatchObject([{ limiter: "global", waitMs: 1_000 }]);
  });

  it("refuses at once what cannot be admitted in time, with the time at which there will be room", async () => {
    const { clock, runtime, ask, sentAt } = limited({ requestsPerMinute: 60 });
    const rejected: unknown[] = [];
    runtime.events.on("ratelimit.rejected", (event) => rejected.push(event));
    void ask();
    void ask();
    void ask();
    const outcome = await ask({ scope: { deadline: "2s" } });
    expect(outcome).toMatchObject({ kind: "refused", retryable: false, retryAfterMs: 3_000 });
    expect(outcome.ok ? undefined : outcome.error).toBeInstanceOf(RateLimitError);
    expect(rejected).toMatchObject([{ limiter: "global", retryAfterMs: 3_000 }]);
    await clock.advance(3_000);
    expect(sentAt).toEqual([0, 1_000, 2_000]);
    await ask({ scope: { deadline: "1ms" } });
    expect(sentAt).toEqual([0, 1_000, 2_000, 3_000]);
  });

  it("refuses a waiting call at its time when others went first", async () => {
    const { clock, ask, sentAt } = limited({ requestsPerMinute: 60 });
    void ask();
    const late = ask({ scope: { deadline: "2500ms", priority: "background" } });
    for (let index = 0; index < 5; index++) void ask({ scope: { priority: "critical" } });
    void clock.advance(10_000);
    expect(await late).toMatchObject({ kind: "refused", error: { code: "RATE_LIMITED" } });
    expect(sentAt).toHaveLength(3);
  });

  it("lets urgent calls go first and starves nobody", async () => {
    const { clock, ask, order } = limited({ requestsPerMinute: 60 });
    void ask();
    for (let index = 0; index < 40; index++) void ask({ scope: { priority: "low" } }, "low");
    for (let index = 0; index < 40; index++) void ask({ scope: { priority: "critical" } }, "critical");
    await clock.advance(40_000);
    const share = order.filter((name) => name === "low").length / 40;
    expect(order[1]).toBe("critical");
    expect(share).toBeGreaterThan(0.05);
    expect(share).toBeLessThan(0.2);
  });

  it("lets a caller leave the queue at once", async () => {
    const { clock, runtime, line, ask, sentAt, policy } = limited({ requestsPerMinute: 60 });
    void ask();
    const call = callOf(runtime, answering(runtime, "hi"));
    const waiting = line.execute(call);
    await clock.advance(10);
    call.cancellation.cancel(new Error("left"));
    expect(await waiting).toMatchObject({ kind: "aborted" });
    expect(clock.now()).toBe(10);
    expect(clock.pendingTimers).toBe(0);
    expect(call.cancellation.listenerCount).toBe(0);
    expect(policy.snapshot().waiting).toBe(0);
    await clock.advance(10_000);
    expect(sentAt).toEqual([0]);
  });

  it("does not send a call that was cancelled before", async () => {
    const { runtime, line, sentAt } = limited({});
    const call = callOf(runtime, answering(runtime, "hi"));
    call.cancellation.cancel(new Error("left"));
    expect(await line.execute(call)).toMatchObject({ kind: "aborted" });
    expect(sentAt).toHaveLength(0);
  });

  it("bounds how many wait", async () => {
    const { ask } = limited({ requestsPerMinute: 60, maxQueue: 2 });
    void ask();
    void ask();
    void ask();
    expect(await ask()).toMatchObject({ kind: "refused", retryAfterMs: 3_000 });
  });

  it("refuses those who wait when it is closed", async () => {
    const { clock, policy, ask } = limited({ requestsPerMinute: 1 });
    void ask();
    const waiting = ask({ scope: { deadline: "5m" } });
    policy.close();
    expect(await waiting).toMatchObject({ kind: "refused", error: { code: "CLOSED" } });
    expect(await ask()).toMatchObject({ kind: "refused", error: { code: "CLOSED" } });
    expect(clock.pendingTimers).toBe(0);
  });

  it("counts every try of a call", async () => {
    const { clock, runtime, line, sentAt } = limited({ requestsPerMinute: 60 });
    const call = callOf(runtime, async (sent) => {
      sentAt.push(clock.now());
      return answering(runtime, "hi")(sent);
    });
    await clock.run(line.execute(call));
    await clock.run(line.execute(call.with({ attempt: 2 })));
    expect(sentAt).toEqual([0, 1_000]);
  });

  it("keeps limits for each model and each client apart, and one client's queue holds up nobody else", async () => {
    const { clock, ask, order } = limited({
      requestsPerMinute: 600,
      perModel: { requestsPerMinute: 120 },
      perClient: { requestsPerMinute: 60 },
    });
    const done: Promise<Outcome>[] = [];
    for (let index = 0; index < 3; index++) {
      done.push(ask({ scope: { client: "a" } }, `a${clock.now()}`));
      done.push(ask({ scope: { client: "a" }, model: "other" }, "a-other"));
    }
    done.push(ask({ scope: { client: "b" }, model: "third" }, "b"));
    done.push(ask({ model: "third" }, "nobody"));
    expect(order).toEqual(["a0", "b", "nobody"]);
    await clock.run(Promise.all(done));
    expect(clock.now()).toBe(5_000);
  });

  it("lets a day's requests come at once, and no more than them in any day", async () => {
    const { clock, ask, sentAt } = limited({ requestsPerDay: 3 });
    const calls = [ask(), ask(), ask(), ask()];
    expect(sentAt).toEqual([0, 0, 0]);
    await clock.run(Promise.all(calls));
    expect(sentAt[3]).toBe(86_400_000);
  });

  it("never passes the limit in any window when it is to be exact", async () => {
    const { clock, ask, sentAt } = limited({ requestsPerMinute: 600, exact: true });
    void Promise.all(Array.from({ length: 3_000 }, () => ask()));
    await clock.advance(240_000);
    for (const start of sentAt) {
      expect(sentAt.filter((at) => at >= start && at < start + 60_000).length).toBeLessThanOrEqual(600);
    }
    expect(sentAt.length).toBeGreaterThanOrEqual(0.98 * 2_400);
  });

  it("changes limits while calls wait", async () => {
    const { clock, ask, policy, sentAt } = limited({ requestsPerMinute: 1 });
    const calls = [ask(), ask(), ask()];
    policy.update({ requestsPerMinute: 60 });
    await clock.run(Promise.all(calls));
    expect(sentAt).toEqual([0, 1_000, 2_000]);
    expect(policy.snapshot().limits).toMatchObject([{ unit: "requests", limit: 60, windowMs: 60_000 }]);
    expect(() => policy.update({ requestsPerMinute: 0 })).toThrow(/rateLimit\.requestsPerMinute/);
  });

  it("remembers a bounded number of clients and never lets a busy one's limit begin anew: newcomers share one", async () => {
    const { clock, ask, policy, order } = limited({ perClient: { requestsPerMinute: 1 } });
    await ask({ scope: { client: "first" } });
    const waiting = ask({ scope: { client: "first" } }, "first");
    for (let index = 0; index < 6_000; index++) void ask({ scope: { client: `c${index}` } }, `c${index}`);
    expect(policy.snapshot().keys.client).toBe(5_000);
    expect(policy.snapshot().admitted).toBe(5_000);
    expect(await ask({ scope: { client: "first", deadline: "1s" } })).toMatchObject({ retryAfterMs: 120_000 });
    expect(await ask({ scope: { client: "c17", deadline: "1s" } })).toMatchObject({ retryAfterMs: 60_000 });
    await clock.run(waiting);
    expect(clock.now()).toBe(60_000);
    expect(order.slice(5_000)).toContain("first");
    await clock.advance(60_000);
    await ask({ scope: { client: "new" } }, "new");
    expect(order.at(-1)).toBe("new");
  });

  it("refuses each waiting call at its own time, whatever their order", async () => {
    const { clock, ask } = limited({ requestsPerMinute: 1_000 });
    await ask({}, "", rateLimited(1));
    const refusedAt: number[] = [];
    const asks = Array.from({ length: 500 }, async (_, index) => {
      const deadline = 1_100 + ((index * 7_919) % 500) * 40;
      const outcome = await ask({ scope: { deadline, priority: index % 2 === 0 ? 1 : 9 } });
      if (outcome.ok) expect(clock.now()).toBeLessThanOrEqual(deadline);
      else refusedAt.push(clock.now() - deadline);
    });
    void ask({ inputChars: 4 }, "", rateLimited(15_000));
    await clock.run(Promise.all(asks));
    expect(refusedAt.length).toBeGreaterThan(100);
    expect(refusedAt.every((late) => late <= 1e-6)).toBe(true);
    expect(refusedAt.some((late) => late === 0)).toBe(true);
  });

  it("gives the event loop a turn when very many may go at once", async () => {
    const { clock, ask, policy, sentAt } = limited({ requestsPerMinute: 1 });
    const calls = Array.from({ length: 1_000 }, () => ask());
    policy.update({ requestsPerMinute: 6_000_000 });
    expect(sentAt.length).toBeLessThanOrEqual(65);
    await clock.run(Promise.all(calls));
    expect(sentAt).toHaveLength(1_000);
    expect(clock.now()).toBeLessThan(100);
  });

  it("refuses wrong options by name", () => {
    expect(() => rateLimit({ rpm: 5 } as object)).toThrow(/rateLimit\.rpm/);
    expect(() => rateLimit({ perModel: { requestsPerMinute: -1 } })).toThrow(/rateLimit\.perModel\.requestsPerMinute/);
    expect(() => rateLimit({ burst: "2m" })).toThrow(/rateLimit\.burst/);
    expect(() => rateLimit({ limiter: {} as never })).toThrow(/rateLimit\.limiter/);
    expect(RATE_LIMIT_DEFAULTS).toEqual({ learn: true, burst: "1s", exact: false, maxQueue: 10_000 });
  });
});

describe("rateLimit, tokens", () => {
  const usage = (inputTokens: number, outputTokens: number) => ({ inputTokens, outputTokens });
  const spending = (tokens: number) => async (): Promise<Outcome> =>
    valueReply("hi", whole({ usage: usage(tokens - 50, 50) }));

  it("takes an estimate and corrects it to what was used", async () => {
    const { clock, runtime, policy, ask } = limited({ tokensPerMinute: 60_000 });
    // 400 characters: 100 + 8 tokens; answer at most 20.
    const call = ask({ maxOutputTokens: 20 }, "", answering(runtime, "hi", 100, usage(300, 10)));
    expect(policy.snapshot().limits[0]?.taken).toBe(128);
    await clock.run(call);
    expect(policy.snapshot().limits[0]?.taken).toBeCloseTo(210);
    expect(runtime.ledger.account("tokens").balance).toMatchObject({ settled: 310, inFlight: 0 });
  });

  it("admits the first call of a tiny limit, and a call larger than any window alone", async () => {
    const { clock, ask, sentAt } = limited({ tokensPerMinute: 10 });
    expect(await ask({ scope: { deadline: "1s" } }, "", spending(600))).toMatchObject({ ok: true });
    expect(await clock.run(ask({ inputChars: 1e6 }, "", spending(300_000)))).toMatchObject({ ok: true });
    expect(sentAt).toEqual([0, 60_000]);
  });

  it("does not let small calls starve a large one", async () => {
    const { clock, ask, order } = limited({ tokensPerMinute: 60_000 });
    const small = (): void => void ask({ inputChars: 4, maxOutputTokens: 90 }, "small", spending(100));
    for (let index = 0; index < 30; index++) small();
    void ask({ inputChars: 80_000, maxOutputTokens: 90 }, "large", spending(20_000));
    for (let index = 0; index < 300; index++) {
      small();
      await clock.advance(10);
    }
    expect(order).toContain("large");
  });

  it("learns how many tokens a model's characters and answers really have", async () => {
    const { clock, runtime, policy, ask } = limited({ tokensPerMinute: 6_000_000 });
    for (let index = 0; index < 100; index++) {
      await clock.run(ask({ inputChars: 1_000 }, "", answering(runtime, "hi", 10, usage(508, 40))));
      await clock.advance(1_000);
    }
    const call = ask({ inputChars: 1_000 }, "", answering(runtime, "hi", 10, usage(508, 40)));
    const taken = policy.snapshot().limits[0]?.taken ?? 0;
    expect(taken).toBeGreaterThan(530);
    expect(taken).toBeLessThan(560);
    await clock.run(call);
  });

  it("settles by what is known: nothing for a refusal by the provider, input and chunks for a cut stream", async () => {
    const chunks: Chunk[] = Array.from({ length: 7 }, () => ({ role: "content", value: "x" }));
    const reset = faultOf({ kind: "network", error: new Error("reset") });
    const cases: [send: (call: Call) => Promise<Outcome>, tokens: number, requests: number][] = [
      [async () => faultOf({ kind: "server_error", error: new Error("500") }), 0, 1],
      [async () => faultOf({ kind: "timeout", error: new Error("slow") }), 108, 1],
      [async () => faultOf({ kind: "refused", error: new Error("within") }), 0, 0],
      [async () => streamReply(streamOf(chunks, broken(reset))), 115, 1],
      [async () => streamReply(streamOf(chunks, broken(reset, usage(90, 3)))), 93, 1],
      [async () => valueReply("hi", whole()), 620, 1],
    ];
    for (const [send, tokens, requests] of cases) {
      const { clock, runtime, ask } = limited({ tokensPerMinute: 60_000 });
      const outcome = await clock.run(ask({}, "", send));
      if (outcome.ok && outcome.body instanceof ChunkStream) await drain(outcome.body);
      expect(runtime.ledger.account("tokens").balance).toMatchObject({ settled: tokens, inFlight: 0 });
      expect(runtime.ledger.account("requests").balance).toMatchObject({ settled: requests, inFlight: 0 });
    }
  });
});

describe("rateLimit, learning", () => {
  it("follows a limit that the provider tells, and a lower one at once", async () => {
    const { clock, ask, sentAt, policy } = limited({});
    await ask({}, "", telling([perMinute("requests", 600)]));
    void Promise.all(Array.from({ length: 1_000 }, () => ask()));
    await clock.advance(30_000);
    expect(sentAt.length).toBeLessThanOrEqual(1 + 310);
    void ask({ scope: { priority: "critical" } }, "", telling([perMinute("requests", 300)]));
    await clock.advance(1_000);
    const before = sentAt.length;
    await clock.advance(60_000);
    expect(sentAt.length - before).toBeLessThanOrEqual(300 + 5);
    expect(sentAt.length - before).toBeGreaterThanOrEqual(0.98 * 300);
    expect(policy.snapshot().targets[0]?.learned).toMatchObject([{ limit: 300 }]);
  });

  it("believes the provider when it has less left than we think, but not what it counted before our last requests", async () => {
    const { clock, ask, sentAt } = limited({});
    const slow = async (): Promise<Outcome> => {
      await new Promise<void>((resolve) => clock.timer(100, resolve));
      return telling([perMinute("requests", 600, 5)])();
    };
    const first = ask({}, "", slow);
    for (let index = 0; index < 3; index++) void ask();
    await clock.advance(100);
    await first;
    // 5 were left, 1 has come back since, 3 are ours: 3.
    sentAt.length = 0;
    for (let index = 0; index < 10; index++) void ask();
    expect(sentAt).toHaveLength(3);
  });

  it("keeps targets apart", async () => {
    const { ask, sentAt } = limited({});
    await ask({}, "", telling([perMinute("requests", 60)]));
    sentAt.length = 0;
    for (let index = 0; index < 5; index++) {
      void ask({ credential: "other" });
      void ask({ model: "other" });
      void ask();
    }
    expect(sentAt).toHaveLength(11);
  });

  it("ignores limits that are not positive, and everything when it is not to learn", async () => {
    for (const [options, readings] of [
      [{}, [perMinute("requests", 0, 0), perMinute("tokens", -1, -1)]],
      [{ learn: false }, [perMinute("requests", 1, 0)]],
    ] as const) {
      const { ask, sentAt } = limited(options);
      await ask({}, "", telling(readings));
      for (let index = 0; index < 50; index++) void ask();
      expect(sentAt).toHaveLength(51);
    }
  });

  it("lets a daily quota that the provider tells come at once, down to what is left", async () => {
    const { ask, sentAt } = limited({});
    await ask({}, "", telling([{ ...perMinute("requests", 14_400, 40), windowMs: 86_400_000 }]));
    for (let index = 0; index < 100; index++) void ask();
    expect(sentAt).toHaveLength(41);
  });
});

describe("rateLimit, gate", () => {
  it("closes for all calls of a target until the provider's not-before, and for no other", async () => {
    const { clock, runtime, ask, sentAt, policy } = limited({});
    const gated: unknown[] = [];
    runtime.events.on("ratelimit.gated", (event) => gated.push(event));
    await ask({}, "", rateLimited(5_000));
    expect(gated).toMatchObject([{ key: "test/m/k", forMs: 5_000 }]);
    expect(policy.snapshot().targets[0]?.gatedMs).toBe(5_000);
    const calls = [ask(), ask()];
    expect(await ask({ model: "other" })).toMatchObject({ ok: true });
    expect(sentAt).toEqual([0, 0]);
    await clock.run(Promise.all(calls));
    expect(sentAt.slice(2).every((at) => at >= 5_000)).toBe(true);
  });

  it("never opens earlier because of a later, shorter not-before", async () => {
    const { clock, ask, sentAt } = limited({});
    await Promise.all([ask({}, "", rateLimited(5_000)), ask({}, "", rateLimited(1_000))]);
    await clock.run(ask());
    expect(sentAt[2]).toBe(5_000);
  });

  it("refuses at once a call that cannot wait for it", async () => {
    const { ask } = limited({});
    await ask({}, "", rateLimited(5_000));
    expect(await ask({ scope: { deadline: "4s" } })).toMatchObject({ kind: "refused", retryAfterMs: 5_000 });
  });

  it("doubles a pause of its own while the provider tells none, and begins anew after an answer", async () => {
    const { clock, runtime, ask } = limited({});
    const gated: number[] = [];
    runtime.events.on("ratelimit.gated", (event) => gated.push(event.forMs));
    for (let index = 0; index < 4; index++) await clock.run(ask({}, "", rateLimited()));
    expect(gated).toEqual([1_000, 2_000, 4_000, 8_000]);
    await clock.run(ask());
    expect(clock.now()).toBe(15_000);
    await clock.run(ask({}, "", rateLimited()));
    expect(gated.at(-1)).toBeCloseTo(1_000);
  });

  it("opens for a paced line, not for a herd, also where no limit is known", async () => {
    const { clock, ask, sentAt } = limited({});
    for (let index = 0; index < 100; index++) {
      await ask();
      await clock.advance(100);
    }
    await ask({}, "", rateLimited(2_000));
    const opensAt = clock.now() + 2_000;
    sentAt.length = 0;
    const herd = Promise.all(Array.from({ length: 200 }, () => ask()));
    await clock.advance(2_100);
    expect(sentAt.length).toBeGreaterThan(0);
    expect(sentAt.length).toBeLessThanOrEqual(8);
    expect(Math.min(...sentAt)).toBe(opensAt);
    await clock.run(herd);
    expect(clock.now() - opensAt).toBeLessThan(30_000);
  });

  it("opens for urgent calls first", async () => {
    const { clock, ask, order } = limited({ requestsPerMinute: 600 });
    await ask({}, "first", rateLimited(2_000));
    const calls = Array.from({ length: 50 }, () => ask({ scope: { priority: "low" } }, "low"));
    calls.push(ask({ scope: { priority: "critical" } }, "critical"));
    await clock.run(Promise.all(calls));
    expect(order[1]).toBe("critical");
  });

  it("is not closed by an exhausted quota", async () => {
    const { ask } = limited({});
    await ask({}, "", async () =>
      faultOf({ kind: "quota_exhausted", error: new Error("no money"), retryAfterMs: 1e7 }),
    );
    expect(await ask()).toMatchObject({ ok: true });
  });
});
