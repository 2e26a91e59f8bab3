import { describe, expect, it } from "vitest";
import {
  type BreakwaterEvent,
  Cancellation,
  ClosedError,
  faultOf,
  OptionError,
  type Outcome,
  pipeline,
  type Runtime,
  streamReply,
  ThrottleError,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { type ThrottleOptions, type ThrottlePolicy, throttle } from "../../../src/policies/throttle/index.ts";
import { answering, type CallOptions, callOf, drain, streamOf, virtualRuntime } from "../../support/calls.ts";

const KEY = "test/m/k";

function setUp(options: ThrottleOptions = {}) {
  const { clock, runtime } = virtualRuntime();
  const policy = throttle(options, runtime);
  return { clock, runtime, policy, line: pipeline(policy) };
}

function passing(policy: ThrottlePolicy, runtime: Runtime, ms: number, options: CallOptions = {}): Promise<Outcome> {
  return pipeline(policy).execute(callOf(runtime, answering(runtime, "answer", ms), options));
}

function errorOf(outcome: Outcome): unknown {
  return outcome.ok ? undefined : outcome.error;
}

describe("throttle", () => {
  it("lets as many run as the fixed limit says, and the others by priority", async () => {
    const { clock, runtime, policy } = setUp({ adaptive: false, initial: 2 });
    const order: string[] = [];
    const enter = (name: string, priority: "high" | "low"): Promise<number> =>
      passing(policy, runtime, 100, { scope: { priority } }).then(() => order.push(name));
    const calls = [enter("a", "low"), enter("b", "low"), enter("c", "low"), enter("d", "low"), enter("e", "high")];
    expect(policy.snapshot()).toMatchObject({ [KEY]: { limit: 2, inFlight: 2, waiting: 3 } });
    await clock.run(Promise.all(calls));
    expect(order.indexOf("e")).toBeLessThan(order.indexOf("d"));
    expect(clock.now()).toBe(300);
    expect(policy.snapshot()).toMatchObject({ [KEY]: { limit: 2, inFlight: 0, waiting: 0 } });
  });

  it("lets one that is more urgent have the place of one that waits when no more may", async () => {
    const { clock, runtime, policy } = setUp({ adaptive: false, initial: 1, maxQueue: 2 });
    const enter = (priority: "critical" | "background"): Promise<Outcome> =>
      passing(policy, runtime, 100, { scope: { priority } });
    const calls = [enter("background"), enter("background"), enter("background"), enter("critical")];
    calls.push(enter("background"));
    const outcomes = await clock.run(Promise.all(calls));
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, false, true, false]);
    for (const outcome of outcomes) if (!outcome.ok) expect(outcome.error).toBeInstanceOf(ThrottleError);
  });

  it("serves clients of one priority by the tokens they have had", async () => {
    const { clock, runtime, policy } = setUp({ adaptive: false, initial: 1 });
    const ended: string[] = [];
    const enter = (client: string, ms: number): Promise<number> =>
      passing(policy, runtime, ms, { scope: { client } }).then(() => ended.push(client));
    const calls = [enter("first", 100)];
    for (let count = 0; count < 20; count++) calls.push(enter("crowd", 100));
    for (let count = 0; count < 5; count++) calls.push(enter("single", 100));
    await clock.run(Promise.all(calls));
    expect(ended.slice(0, 12).filter((client) => client === "single")).toHaveLength(5);
  });

  it("keeps targets apart", async () => {
    const { clock, runtime, policy } = setUp({ adaptive: false, initial: 1 });
    const calls = ["a", "b", "c"].map((model) => passing(policy, runtime, 100, { model }));
    await clock.run(Promise.all(calls));
    expect(clock.now()).toBe(100);
  });

  it("holds the permit of a stream until it has ended", async () => {
    const { clock, runtime, policy, line } = setUp({ adaptive: false, initial: 1 });
    const stream = streamOf([{ role: "content", value: "a" }]);
    await line.execute(callOf(runtime, async () => streamReply(stream)));
    const waiting = passing(policy, runtime, 0);
    await clock.advance(1_000);
    expect(policy.snapshot()[KEY]).toMatchObject({ inFlight: 1, waiting: 1 });
    await drain(stream);
    expect((await clock.run(waiting)).ok).toBe(true);
    expect(runtime.ledger.account("permits").balance).toMatchObject({ reserved: 2, settled: 2, inFlight: 0 });
  });

  it("refuses with ThrottleError when the call's time to be admitted runs out", async () => {
    const { clock, runtime, policy } = setUp({ adaptive: true, initial: 1, max: 1 });
    await clock.run(passing(policy, runtime, 1_000));
    const running = passing(policy, runtime, 1_000);
    const late = await clock.run(passing(policy, runtime, 0, { scope: { deadline: 300 } }));
    expect(errorOf(late)).toBeInstanceOf(ThrottleError);
    expect((errorOf(late) as ThrottleError).retryAfterMs).toBeGreaterThan(0);
    expect(clock.now()).toBe(1_300);
    expect((await clock.run(running)).ok).toBe(true);
  });

  it("refuses what exceeds its queue", async () => {
    const { clock, runtime, policy } = setUp({ adaptive: false, initial: 1, maxQueue: 1 });
    const calls = [passing(policy, runtime, 10), passing(policy, runtime, 10)];
    expect(errorOf(await passing(policy, runtime, 10))).toBeInstanceOf(ThrottleError);
    expect((await clock.run(Promise.all(calls))).every((outcome) => outcome.ok)).toBe(true);
  });

  it("settles a cancelled waiting call at once and leaves no timer and no listener", async () => {
    const { clock, runtime, policy } = setUp({ adaptive: false, initial: 1 });
    void passing(policy, runtime, 1_000);
    const timers = clock.pendingTimers;
    const cancellation = new Cancellation();
    const waiting = passing(policy, runtime, 0, { cancellation, scope: { deadline: "1h" } });
    cancellation.cancel("enough");
    expect(await waiting).toMatchObject({ kind: "aborted", error: "enough" });
    expect(clock.now()).toBe(0);
    expect(clock.pendingTimers).toBe(timers);
    expect(cancellation.listenerCount).toBe(0);
    expect(policy.snapshot()[KEY]?.waiting).toBe(0);
    expect(await passing(policy, runtime, 0, { cancellation })).toMatchObject({ kind: "aborted" });
  });

  it("cuts once for a burst of refusals that were sent together", async () => {
    const { clock, runtime, line } = setUp({ initial: 40 });
    const seen: BreakwaterEvent<"throttle.changed">[] = [];
    runtime.events.on("throttle.changed", (event) => void seen.push(event));
    const late = (kind: "timeout") => (): Promise<Outcome> =>
      new Promise((resolve) => {
        runtime.clock.timer(100, () => resolve(faultOf({ kind, error: new Error(kind) })));
      });
    const calls = Array.from({ length: 20 }, () => line.execute(callOf(runtime, late("timeout"))));
    await clock.run(Promise.all(calls));
    expect(seen).toMatchObject([{ key: KEY, from: 40, limit: 32, reason: "overloaded" }]);
  });

  it("goes at once to what the provider could still serve when it refuses, but not below half", async () => {
    const { clock, runtime, policy, line } = setUp({ initial: 40 });
    const serving = Array.from({ length: 30 }, () => passing(policy, runtime, 10_000));
    const refused = async (): Promise<Outcome> => faultOf({ kind: "overloaded", error: new Error("529") });
    await line.execute(callOf(runtime, refused));
    expect(policy.snapshot()[KEY]?.limit).toBe(30);
    await clock.run(Promise.all(serving));
    for (let index = 0; index < 5; index++) await line.execute(callOf(runtime, refused));
    expect(policy.snapshot()[KEY]?.limit).toBeGreaterThanOrEqual(12);
  });

  it("learns nothing from failed, aborted and rate-limited calls", async () => {
    const { clock, runtime, policy, line } = setUp({ initial: 8 });
    for (const kind of ["aborted", "rate_limited", "server_error", "network", "bad_request", "unknown"] as const) {
      for (let index = 0; index < 30; index++) {
        await line.execute(callOf(runtime, async () => faultOf({ kind, error: new Error(kind) })));
        await clock.advance(200);
      }
    }
    expect(policy.snapshot()[KEY]).toMatchObject({ limit: 8, inFlight: 0, waiting: 0, lastChange: undefined });
  });

  it("does not take calls that a rate limit further in holds back for load", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = throttle({ initial: 8 }, runtime);
    // Stands for a rate limiter: one call a second, whatever stands outside of it.
    let free = 0;
    const gate = {
      name: "gate",
      ring: "attempt" as const,
      async handle(call: Parameters<ThrottlePolicy["handle"]>[0], next: Parameters<ThrottlePolicy["handle"]>[1]) {
        free = Math.max(free, clock.now()) + 1_000;
        await new Promise<void>((resolve) => void clock.timer(free - clock.now(), resolve));
        return next(call);
      },
    };
    const line = pipeline(policy, gate);
    const caller = async (): Promise<void> => {
      for (let index = 0; index < 20; index++) await line.execute(callOf(runtime, answering(runtime, "x", 500)));
    };
    await clock.run(Promise.all(Array.from({ length: 12 }, caller)));
    expect(policy.snapshot()[KEY]?.limit).toBe(8);
  });

  it("grows by steps of one where the provider does not tell token counts", async () => {
    const { clock, runtime, policy, line } = setUp({ initial: 4, max: 12 });
    const silent = async (): Promise<Outcome> => {
      await new Promise<void>((resolve) => void clock.timer(300, resolve));
      return valueReply("answer", whole());
    };
    const reached: number[] = [];
    runtime.events.on("throttle.changed", (event) => void reached.push(event.limit));
    const caller = async (): Promise<void> => {
      for (let index = 0; index < 60; index++) await line.execute(callOf(runtime, silent));
    };
    await clock.run(Promise.all(Array.from({ length: 24 }, caller)));
    expect(reached).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
    expect(policy.snapshot()[KEY]?.limit).toBe(12);
  });

  it("tells of waiting and refusals", async () => {
    const { clock, runtime, policy } = setUp({ adaptive: false, initial: 1 });
    const seen: BreakwaterEvent[] = [];
    for (const type of ["throttle.waited", "throttle.rejected"] as const) {
      runtime.events.on(type, (event) => void seen.push(event));
    }
    const first = passing(policy, runtime, 50);
    const second = passing(policy, runtime, 50);
    await clock.run(passing(policy, runtime, 50, { scope: { deadline: 20 } }));
    await clock.run(Promise.all([first, second]));
    expect(seen).toMatchObject([
      { type: "throttle.rejected", key: KEY, limit: 1, reason: "deadline", retryAfterMs: undefined },
      { type: "throttle.waited", key: KEY, waitMs: 20 },
      { type: "throttle.waited", key: KEY, waitMs: 50 },
    ]);
  });

  it("takes other bounds while it runs, without dropping a call", async () => {
    const { clock, runtime, policy } = setUp({ adaptive: false, initial: 1 });
    const calls = Array.from({ length: 6 }, () => passing(policy, runtime, 100));
    policy.update({ initial: 3 });
    expect(policy.snapshot()[KEY]).toMatchObject({ limit: 3, inFlight: 3, waiting: 3 });
    expect((await clock.run(Promise.all(calls))).every((outcome) => outcome.ok)).toBe(true);
    policy.update({ max: 2 });
    expect(policy.snapshot()[KEY]?.limit).toBe(2);
    expect(() => policy.update({ initial: 5 })).toThrow(OptionError);
  });

  it("keeps what a limit has learned when another profile sets another beginning", async () => {
    const { clock, runtime, policy, line } = setUp({ initial: 40 });
    const overloaded = async (): Promise<Outcome> => faultOf({ kind: "overloaded", error: new Error("529") });
    await line.execute(callOf(runtime, overloaded));
    policy.update({ initial: 100 });
    expect(policy.snapshot()[KEY]).toMatchObject({
      limit: 20,
      lastChange: { reason: "overloaded", from: 40, limit: 20, at: clock.now() },
    });
    await clock.run(passing(policy, runtime, 10, { model: "new" }));
    expect(policy.snapshot()["test/new/k"]?.limit).toBe(100);
  });

  it("takes a new beginning for a limit that has learned nothing, and for a fixed one", async () => {
    const { clock, runtime, policy } = setUp({ initial: 40 });
    const running = passing(policy, runtime, 100);
    policy.update({ initial: 10 });
    expect(policy.snapshot()[KEY]?.limit).toBe(10);
    await clock.run(running);
    policy.update({ adaptive: false, initial: 30 });
    expect(policy.snapshot()[KEY]?.limit).toBe(30);
  });

  it("refuses at once what cannot be admitted in time, once it knows how long calls take", async () => {
    const { clock, runtime, policy } = setUp({ adaptive: false, initial: 1 });
    for (let index = 0; index < 20; index++) await clock.run(passing(policy, runtime, 1_000));
    const running = passing(policy, runtime, 1_000);
    const ahead = [passing(policy, runtime, 1_000), passing(policy, runtime, 1_000)];
    const from = clock.now();
    const late = await passing(policy, runtime, 0, { scope: { deadline: "1s" } });
    expect(clock.now()).toBe(from);
    expect((errorOf(late) as ThrottleError).retryAfterMs).toBe(3_000);
    const inTime = passing(policy, runtime, 0, { scope: { deadline: "5s" } });
    expect((await clock.run(Promise.all([running, ...ahead, inTime]))).every(({ ok }) => ok)).toBe(true);
    expect(clock.now() - from).toBe(3_000);
  });

  it("refuses waiting calls when it is closed", async () => {
    const { clock, runtime, policy } = setUp({ adaptive: false, initial: 1 });
    const running = passing(policy, runtime, 100);
    const waiting = passing(policy, runtime, 100, { scope: { deadline: "1h" } });
    policy.close();
    expect(errorOf(await waiting)).toBeInstanceOf(ClosedError);
    expect((await clock.run(running)).ok).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it("keeps at most 1,000 idle targets", async () => {
    const { runtime, policy } = setUp();
    for (let index = 0; index < 3_000; index++) {
      const call = callOf(runtime, async () => valueReply("x", whole()), { model: `m${index}` });
      await policy.handle(call, (inner) => inner.send(inner));
    }
    expect(Object.keys(policy.snapshot())).toHaveLength(1_000);
  });

  it("names the option that is wrong", () => {
    expect(() => throttle({ min: 0 })).toThrow(/"throttle.min"/);
    expect(() => throttle({ min: 10, max: 5 })).toThrow(/"throttle.max"/);
    expect(() => throttle({ initial: 2_000 })).toThrow(/"throttle.initial"/);
    expect(() => throttle({ adaptive: 1 as never })).toThrow(/"throttle.adaptive"/);
    expect(() => throttle({ limit: 1 } as never)).toThrow(OptionError);
  });

  it("refuses whoever comes after it was closed, and lets those that run end", async () => {
    const { clock, runtime, policy } = setUp({ adaptive: false, initial: 2 });
    const running = passing(policy, runtime, 100);
    policy.close();
    expect(errorOf(await passing(policy, runtime, 100))).toBeInstanceOf(ClosedError);
    expect((await clock.run(running)).ok).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });
});
