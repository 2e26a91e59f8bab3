import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  broken,
  type Call,
  type Chunk,
  ChunkStream,
  type Fault,
  type FaultDetails,
  faultOf,
  OptionError,
  type Outcome,
  pipeline,
  type Runtime,
  seededRandom,
  streamReply,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { pauseAfter } from "../../../src/policies/retry/backoff.ts";
import { retry } from "../../../src/policies/retry/index.ts";
import { callOf, drain, streamOf, virtualRuntime } from "../../support/calls.ts";

const answer = (): Outcome => valueReply("hi", whole());
const fail = (details: Partial<FaultDetails> = {}): Fault =>
  faultOf({ kind: "server_error", error: new Error("500"), status: 500, ...details });

/** A `send` that gives the outcomes in order, and remembers when it was asked. */
function scripted(runtime: Runtime, outcomes: readonly (() => Outcome)[]) {
  const sentAt: number[] = [];
  const attempts: number[] = [];
  const send = async (call: Call): Promise<Outcome> => {
    const outcome = outcomes[sentAt.length]?.() ?? fail();
    sentAt.push(runtime.clock.now());
    attempts.push(call.attempt);
    return outcome;
  };
  return { send, sentAt, attempts };
}

const chunk = (role: Chunk["role"]): Chunk => ({ role, value: role });

describe("retry", () => {
  it("tries again until there is an answer, and numbers the tries", async () => {
    const { clock, runtime } = virtualRuntime();
    const { send, attempts } = scripted(runtime, [fail, fail, answer]);
    const policy = retry({}, runtime);
    const call = callOf(runtime, send);
    expect(await clock.run(pipeline(policy).execute(call))).toMatchObject({ ok: true, body: { value: "hi" } });
    expect(attempts).toEqual([1, 2, 3]);
    expect(call.trace.waits.backoff).toBe(clock.now());
    expect(policy.snapshot()).toMatchObject({ retries: 2, exhausted: { attempts: 0 } });
    expect(clock.pendingTimers).toBe(0);
  });

  it("gives the last fault back unchanged after the last try", async () => {
    const { clock, runtime } = virtualRuntime();
    const faults = [fail(), fail(), fail({ kind: "network" })];
    const { send, sentAt } = scripted(
      runtime,
      faults.map((fault) => () => fault),
    );
    const exhausted: unknown[] = [];
    runtime.events.on("retry.exhausted", (event) => exhausted.push(event));
    const outcome = await clock.run(pipeline(retry({ attempts: 3 }, runtime)).execute(callOf(runtime, send)));
    expect(outcome).toBe(faults[2]);
    expect(sentAt).toHaveLength(3);
    expect(exhausted).toMatchObject([{ attempts: 3, reason: "network", by: "attempts" }]);
  });

  it("does not try again what cannot succeed", async () => {
    for (const kind of ["bad_request", "quota_exhausted", "refused", "aborted", "bad_credential", "unknown"] as const) {
      const { clock, runtime } = virtualRuntime();
      const { send, sentAt } = scripted(runtime, [() => fail({ kind })]);
      await clock.run(pipeline(retry({}, runtime)).execute(callOf(runtime, send)));
      expect(sentAt).toHaveLength(1);
    }
  });

  it("waits at least as long as the provider asks", async () => {
    const { clock, runtime } = virtualRuntime();
    const { send, sentAt } = scripted(runtime, [() => fail({ kind: "rate_limited", retryAfterMs: 30_000 }), answer]);
    const scheduled: unknown[] = [];
    runtime.events.on("retry.scheduled", (event) => scheduled.push(event));
    await clock.run(pipeline(retry({}, runtime)).execute(callOf(runtime, send)));
    expect(sentAt).toEqual([0, 30_000]);
    expect(scheduled).toMatchObject([{ attempt: 2, delayMs: 30_000, reason: "rate_limited", source: "retry_after" }]);
  });

  it("gives up at once when the wait would pass the deadline", async () => {
    const { clock, runtime } = virtualRuntime();
    const { send, sentAt } = scripted(runtime, [() => fail({ retryAfterMs: 30_000 }), answer]);
    const exhausted: unknown[] = [];
    runtime.events.on("retry.exhausted", (event) => exhausted.push(event));
    const call = callOf(runtime, send, { scope: { deadline: "10s" } });
    expect(await pipeline(retry({}, runtime)).execute(call)).toMatchObject({ kind: "server_error" });
    expect(sentAt).toEqual([0]);
    expect(clock.now()).toBe(0);
    expect(exhausted).toMatchObject([{ by: "deadline" }]);
  });

  it("does not sit out a wait of hours", async () => {
    const { runtime } = virtualRuntime();
    const { send } = scripted(runtime, [() => fail({ kind: "rate_limited", retryAfterMs: 3_600_000 })]);
    const exhausted: unknown[] = [];
    runtime.events.on("retry.exhausted", (event) => exhausted.push(event));
    const policy = retry({}, runtime);
    expect(await pipeline(policy).execute(callOf(runtime, send))).toMatchObject({ kind: "rate_limited" });
    expect(exhausted).toMatchObject([{ attempts: 1, reason: "rate_limited", by: "too_long" }]);
    expect(policy.snapshot().exhausted).toEqual({ attempts: 0, budget: 0, deadline: 0, too_long: 1 });
  });

  it("leaves a pause at once when the caller gives up, and does not call again", async () => {
    const { clock, runtime } = virtualRuntime();
    const { send, sentAt } = scripted(runtime, [() => fail({ retryAfterMs: 5_000 }), answer]);
    const call = callOf(runtime, send);
    const running = pipeline(retry({}, runtime)).execute(call);
    await clock.advance(1_000);
    call.cancellation.cancel(new Error("left"));
    expect(await running).toMatchObject({ kind: "aborted" });
    expect(clock.now()).toBe(1_000);
    expect(clock.pendingTimers).toBe(0);
    expect(call.cancellation.listenerCount).toBe(0);
    await clock.advance(60_000);
    expect(sentAt).toEqual([0]);
  });

  it("tries a stream again that fails before its first content", async () => {
    const { clock, runtime } = virtualRuntime();
    const { send, sentAt } = scripted(runtime, [
      () => streamReply(streamOf([chunk("preamble")], broken(fail({ kind: "interrupted" })))),
      () => streamReply(streamOf([chunk("preamble"), chunk("content"), chunk("end")])),
    ]);
    const outcome = await clock.run(pipeline(retry({}, runtime)).execute(callOf(runtime, send, { stream: true })));
    if (!outcome.ok || !(outcome.body instanceof ChunkStream)) throw new Error("not a stream");
    expect(sentAt).toHaveLength(2);
    expect(await clock.run(drain(outcome.body))).toEqual(["preamble", "content", "end"]);
  });

  it("turns a stream that fails before its first content on the last try into a fault", async () => {
    const { clock, runtime } = virtualRuntime();
    const { send } = scripted(runtime, [() => streamReply(streamOf([], broken(fail({ kind: "overloaded" }))))]);
    const line = pipeline(retry({ attempts: 1 }, runtime));
    const outcome = await clock.run(line.execute(callOf(runtime, send, { stream: true })));
    expect(outcome).toMatchObject({ ok: false, kind: "overloaded", committed: false });
  });

  it("does not try a stream again that fails after its first content", async () => {
    const { clock, runtime } = virtualRuntime();
    const { send, sentAt } = scripted(runtime, [
      () => streamReply(streamOf([chunk("content")], broken(fail({ kind: "interrupted" })))),
    ]);
    const outcome = await clock.run(pipeline(retry({}, runtime)).execute(callOf(runtime, send, { stream: true })));
    if (!outcome.ok || !(outcome.body instanceof ChunkStream)) throw new Error("not a stream");
    await clock.run(drain(outcome.body));
    expect(outcome.settled.value?.fault).toMatchObject({ kind: "interrupted", committed: true });
    await clock.advance(60_000);
    expect(sentAt).toHaveLength(1);
  });

  it("does not try again what a policy within reports as committed", async () => {
    const { clock, runtime } = virtualRuntime();
    const { send, sentAt } = scripted(runtime, [() => fail({ committed: true })]);
    await clock.run(pipeline(retry({}, runtime)).execute(callOf(runtime, send)));
    expect(sentAt).toHaveLength(1);
  });

  it("adds hardly any load to an outage", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = retry({}, runtime);
    const line = pipeline(policy);
    let sent = 0;
    const send = async (): Promise<Outcome> => {
      sent++;
      return fail();
    };
    const calls = 50 * 60;
    for (let index = 0; index < calls; index++) {
      void line.execute(callOf(runtime, send));
      await clock.advance(20);
    }
    await clock.advance(30_000);
    expect(sent / calls).toBeGreaterThan(1);
    expect(sent / calls).toBeLessThanOrEqual(1.04);
    expect(policy.snapshot().budgets["test"]).toBeLessThan(1);
  });

  it("keeps one budget per provider, refilled by whole answers only", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = retry({ attempts: 2, budget: { capacity: 2, refillPerSuccess: 0.5 } }, runtime);
    const line = pipeline(policy);
    const tries = async (provider: string, outcome: () => Outcome): Promise<number> => {
      const { send, sentAt } = scripted(runtime, [outcome, outcome]);
      await clock.run(line.execute(callOf(runtime, send, { provider })));
      return sentAt.length;
    };
    expect(await tries("a", fail)).toBe(2);
    expect(await tries("a", fail)).toBe(2);
    expect(await tries("a", fail)).toBe(1);
    expect(await tries("b", fail)).toBe(2);
    await tries("a", answer);
    expect(await tries("a", fail)).toBe(1);
    await tries("a", answer);
    expect(await tries("a", fail)).toBe(2);
    expect(policy.snapshot().budgets).toEqual({ a: 0, b: 1 });
    await tries("b", answer);
    await tries("b", answer);
    expect(policy.snapshot().budgets).toEqual({ a: 0 });
  });

  it("charges a timeout twice and a rate limit nothing", async () => {
    for (const [kind, left] of [
      ["timeout", 98],
      ["network", 99],
      ["rate_limited", undefined],
    ] as const) {
      const { clock, runtime } = virtualRuntime();
      const policy = retry({ attempts: 2 }, runtime);
      const { send } = scripted(runtime, [() => fail({ kind }), () => fail({ kind })]);
      await clock.run(pipeline(policy).execute(callOf(runtime, send)));
      expect(policy.snapshot().budgets["test"]).toBe(left);
    }
  });

  it("lets a client's own retry draw on the budget, and refuses it when that is spent", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = retry({ budget: { capacity: 1 } }, runtime);
    const kinds: string[] = [];
    runtime.events.on("attempt.started", ({ kind }) => void kinds.push(kind));
    const line = pipeline(policy);
    const asking = (clientRetries: number): Promise<Outcome> =>
      clock.run(line.execute(callOf(runtime, async () => fail({ kind: "bad_request" }), { clientRetries })));
    expect(await asking(0)).toMatchObject({ kind: "bad_request" });
    expect(await asking(1)).toMatchObject({ kind: "bad_request" });
    expect(await asking(2)).toMatchObject({ kind: "refused", error: { code: "RETRY_BUDGET_SPENT", policy: "retry" } });
    expect(kinds).toEqual(["first", "retry"]);
  });

  it("can do without a budget, and change its options while running", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = retry({ budget: false, baseDelay: 0 }, runtime);
    const line = pipeline(policy);
    const tries = async (): Promise<number> => {
      const { send, sentAt } = scripted(runtime, []);
      await clock.run(line.execute(callOf(runtime, send)));
      return sentAt.length;
    };
    for (let index = 0; index < 30; index++) expect(await tries()).toBe(4);
    policy.update({ attempts: 2 });
    expect(await tries()).toBe(2);
    policy.update({ budget: { capacity: 1 } });
    expect(await tries()).toBe(2);
    expect(await tries()).toBe(1);
    expect(() => policy.update({ attempts: 0 })).toThrow(OptionError);
    expect(policy.snapshot().attempts).toBe(2);
  });

  it("refuses wrong options by name", () => {
    expect(() => retry({ attempts: 1.5 })).toThrow(/retry\.attempts/);
    expect(() => retry({ retries: 3 } as object)).toThrow(/retry\.retries/);
    expect(() => retry({ budget: { size: 3 } as object })).toThrow(/retry\.budget\.size/);
  });
});

describe("pauseAfter", () => {
  const settings = { baseDelayMs: 500, maxDelayMs: 8_000 };

  it("stays below the doubling ceiling and at or above the provider's wish", () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 20 }),
        fc.option(fc.integer({ min: 0, max: 60_000 }), { nil: undefined }),
        (seed, failures, retryAfterMs) => {
          const { ms, source } = pauseAfter(fail({ retryAfterMs }), failures, settings, seededRandom(seed));
          const ceiling = Math.min(8_000, 500 * 2 ** (failures - 1));
          expect(ms).toBeGreaterThanOrEqual(retryAfterMs ?? 0);
          expect(ms).toBeLessThanOrEqual(Math.max(ceiling, retryAfterMs ?? 0));
          if (source === "retry_after") expect(ms).toBe(retryAfterMs);
        },
      ),
    );
  });

  it("gives an overloaded provider at least twice the time", () => {
    const almostOne = (): number => 0.999;
    expect(pauseAfter(fail(), 1, settings, almostOne).ms).toBeCloseTo(499.5);
    for (const details of [{ kind: "overloaded" }, { status: 503 }, { status: 529 }] as const) {
      expect(pauseAfter(fail(details), 1, settings, almostOne).ms).toBeCloseTo(999);
    }
  });

  it("ends every pause when it is closed: the caller gets its fault, and no timer or listener stays", async () => {
    const { clock, runtime } = virtualRuntime();
    const { send, sentAt } = scripted(runtime, [() => fail({ retryAfterMs: 300_000 }), answer]);
    const policy = retry({}, runtime);
    const line = pipeline(policy);
    const call = callOf(runtime, send);
    const paused = line.execute(call);
    await clock.advance(1_000);
    await line.close();
    expect(await paused).toMatchObject({ kind: "server_error", retryAfterMs: 300_000 });
    expect(clock.pendingTimers).toBe(0);
    expect(call.cancellation.listenerCount).toBe(0);
    const late = await line.execute(callOf(runtime, async () => fail()));
    expect(late).toMatchObject({ kind: "server_error" });
    expect(sentAt).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
    expect(policy.snapshot().retries).toBe(0);
  });

  it("does not pay for a retry that its caller's abort prevented", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = retry({ budget: { capacity: 5 } }, runtime);
    const line = pipeline(policy);
    const calls = Array.from({ length: 3 }, () => callOf(runtime, async () => fail({ retryAfterMs: 10_000 })));
    const paused = calls.map((call) => line.execute(call));
    await clock.advance(1_000);
    expect(policy.snapshot().budgets).toEqual({ test: 2 });
    for (const call of calls) call.cancellation.cancel("gone");
    for (const outcome of await Promise.all(paused)) expect(outcome).toMatchObject({ kind: "aborted" });
    expect(policy.snapshot()).toMatchObject({ budgets: {}, retries: 0 });
    expect(clock.pendingTimers).toBe(0);
  });
});
