import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type BreakwaterEvent,
  type Call,
  Cancellation,
  ClosedError,
  DeadlineExceededError,
  type Fault,
  faultOf,
  OptionError,
  type Outcome,
  QueueFullError,
  type Runtime,
  streamReply,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { type PoolPolicy, pool } from "../../../src/policies/pool/index.ts";
import { answering, type CallOptions, callOf, drain, streamOf, virtualRuntime } from "../../support/calls.ts";

function passing(policy: PoolPolicy, runtime: Runtime, ms: number, options: CallOptions = {}): Promise<Outcome> {
  const call = callOf(runtime, answering(runtime, "answer", ms), options);
  return policy.handle(call, (inner) => inner.send(inner));
}

function errorOf(outcome: Outcome): unknown {
  return outcome.ok ? undefined : outcome.error;
}

/** Measures enough calls for the pool to know its service time. */
async function warm(policy: PoolPolicy, runtime: Runtime, advance: (ms: number) => Promise<void>, ms: number) {
  for (let index = 0; index < 20; index++) {
    const done = passing(policy, runtime, ms);
    await advance(ms);
    await done;
  }
}

describe("pool", () => {
  it("runs no more than `concurrency` calls at once and all of them in the end", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 3 }, runtime);
    let running = 0;
    let most = 0;
    const calls = Array.from({ length: 20 }, () => {
      const call = callOf(runtime, answering(runtime, "answer", 100));
      return policy.handle(call, async (inner) => {
        most = Math.max(most, ++running);
        const outcome = await inner.send(inner);
        running--;
        return outcome;
      });
    });
    const outcomes = await clock.run(Promise.all(calls));
    expect(most).toBe(3);
    expect(outcomes.every((outcome) => outcome.ok)).toBe(true);
    expect(clock.now()).toBe(700);
    expect(policy.snapshot()).toMatchObject({ running: 0, queued: 0 });
  });

  it("holds the slot of a stream until the stream has ended", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    const stream = streamOf([{ role: "content", value: "a" }]);
    await policy.handle(
      callOf(runtime, async () => streamReply(stream)),
      (inner) => inner.send(inner),
    );
    const second = passing(policy, runtime, 0);
    await clock.advance(1_000);
    expect(policy.snapshot()).toMatchObject({ running: 1, queued: 1 });
    await drain(stream);
    await clock.run(second);
    expect(policy.snapshot()).toMatchObject({ running: 0, queued: 0 });
  });

  it("gives the slot back when the call fails", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    const failing = callOf(runtime, async () => faultOf({ kind: "server_error", error: new Error("500") }));
    await policy.handle(failing, (inner) => inner.send(inner));
    expect((await clock.run(passing(policy, runtime, 0))).ok).toBe(true);
    expect(runtime.ledger.account("slots").balance).toMatchObject({
      reserved: 2,
      settled: 2,
      refunded: 0,
      inFlight: 0,
    });
  });

  it("admits urgent calls first and by weight, and records the wait", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    const order: string[] = [];
    const enter = (priority: "critical" | "low"): Call => {
      const call = callOf(runtime, answering(runtime, "answer", 10), { scope: { priority } });
      void policy.handle(call, (inner) => {
        order.push(priority);
        return inner.send(inner);
      });
      return call;
    };
    enter("low");
    enter("low");
    const low = enter("low");
    const critical = enter("critical");
    await clock.advance(100);
    expect(order).toEqual(["low", "critical", "low", "low"]);
    expect(critical.trace.waits.queue).toBe(10);
    expect(low.trace.waits.queue).toBe(30);
  });

  it("does not let a newcomer take the slot that a waiting call is about to get", async () => {
    // The newcomer comes in each of the turns around the one in which the slot is given back.
    for (let turns = 0; turns < 10; turns++) {
      const { clock, runtime } = virtualRuntime();
      const policy = pool({ concurrency: 1, maxQueue: 2 }, runtime);
      const order: string[] = [];
      const enter = (name: string): Promise<Outcome> =>
        policy.handle(callOf(runtime, answering(runtime, name, 10)), async (inner) => {
          order.push(name);
          const outcome = await inner.send(inner);
          if (name !== "first") return outcome;
          void (async () => {
            for (let turn = 0; turn < turns; turn++) await undefined;
            await enter("newcomer");
          })();
          return outcome;
        });
      void enter("first");
      void enter("waiting");
      await clock.advance(100);
      expect(order).toEqual(["first", "waiting", "newcomer"]);
    }
  });

  it("refuses with QueueFullError when the queue is full, with a truthful retryAfterMs once it has measured", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 2, maxQueue: 3 }, runtime);
    const fill = (): Promise<Outcome>[] => Array.from({ length: 5 }, () => passing(policy, runtime, 100));

    const before = fill();
    const unknown = errorOf(await passing(policy, runtime, 100));
    expect(unknown).toBeInstanceOf(QueueFullError);
    expect((unknown as QueueFullError).retryAfterMs).toBeUndefined();
    await clock.run(Promise.all(before));

    await warm(policy, runtime, (ms) => clock.advance(ms), 100);
    const after = fill();
    const refused = errorOf(await passing(policy, runtime, 100)) as QueueFullError;
    expect(refused.retryAfterMs).toBe(200);
    await clock.advance(refused.retryAfterMs ?? 0);
    expect((await clock.run(passing(policy, runtime, 100))).ok).toBe(true);
    await Promise.all(after);
  });

  it("gives the place of the latest of the least urgent calls to a more urgent newcomer when full", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1, maxQueue: 2 }, runtime);
    const running = passing(policy, runtime, 100);
    const stays = passing(policy, runtime, 100, { scope: { priority: "low" } });
    const displaced = passing(policy, runtime, 100, { scope: { priority: "low" } });
    const urgent = passing(policy, runtime, 100, { scope: { priority: "high" } });
    expect(errorOf(await displaced)).toBeInstanceOf(QueueFullError);
    expect(errorOf(await passing(policy, runtime, 100, { scope: { priority: "low" } }))).toBeInstanceOf(QueueFullError);
    const outcomes = await clock.run(Promise.all([running, stays, urgent]));
    expect(outcomes.every((outcome) => outcome.ok)).toBe(true);
  });

  it("refuses a waiting call when its time to be admitted runs out", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    const running = passing(policy, runtime, 1_000);
    const late = await clock.run(passing(policy, runtime, 0, { scope: { deadline: 250 } }));
    expect(errorOf(late)).toBeInstanceOf(DeadlineExceededError);
    expect(clock.now()).toBe(250);
    expect(policy.snapshot().queued).toBe(0);
    expect((await clock.run(running)).ok).toBe(true);
  });

  it("refuses at once, after 20 measured calls, one that clearly cannot be admitted in time", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    await warm(policy, runtime, (ms) => clock.advance(ms), 100);
    const backlog = Array.from({ length: 10 }, () => passing(policy, runtime, 100));
    const startedAt = clock.now();
    const hopeless = errorOf(await passing(policy, runtime, 0, { scope: { deadline: 200 } }));
    expect(clock.now()).toBe(startedAt);
    expect(hopeless).toBeInstanceOf(DeadlineExceededError);
    expect((hopeless as DeadlineExceededError).retryAfterMs).toBe(1_000);
    // Not clearly: this one waits, and makes it.
    const close = passing(policy, runtime, 0, { scope: { deadline: 1_101 } });
    expect((await clock.run(close)).ok).toBe(true);
    await clock.run(Promise.all(backlog));
  });

  it("refuses at once one that could begin in time and clearly not end", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    await warm(policy, runtime, (ms) => clock.advance(ms), 1_000);
    const backlog = Array.from({ length: 26 }, () => passing(policy, runtime, 1_000));
    const startedAt = clock.now();
    expect(errorOf(await passing(policy, runtime, 1_000, { scope: { deadline: "27s" } }))).toBeInstanceOf(
      DeadlineExceededError,
    );
    expect(clock.now()).toBe(startedAt);
    expect((await clock.run(passing(policy, runtime, 1_000, { scope: { deadline: "30s" } }))).ok).toBe(true);
    await clock.run(Promise.all(backlog));
  });

  it("settles a cancelled waiting call at once and leaves no timer and no listener", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    void passing(policy, runtime, 1_000);
    const cancellation = new Cancellation();
    const timers = clock.pendingTimers;
    const waiting = passing(policy, runtime, 0, { cancellation, scope: { deadline: "1h" } });
    expect(clock.pendingTimers).toBe(timers + 1);
    cancellation.cancel("enough");
    const fault = (await waiting) as Fault;
    expect(fault).toMatchObject({ kind: "aborted", error: "enough" });
    expect(clock.now()).toBe(0);
    expect(clock.pendingTimers).toBe(timers);
    expect(cancellation.listenerCount).toBe(0);
    expect(policy.snapshot().queued).toBe(0);
    expect(await passing(policy, runtime, 0, { cancellation })).toMatchObject({ kind: "aborted" });
  });

  it("grows and shrinks while it runs, without dropping a call", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    const calls = Array.from({ length: 8 }, () => passing(policy, runtime, 100));
    policy.update({ concurrency: 4 });
    expect(policy.snapshot()).toMatchObject({ running: 4, queued: 4 });
    policy.update({ concurrency: 2 });
    await clock.advance(100);
    expect(policy.snapshot()).toMatchObject({ concurrency: 2, running: 2, queued: 2, maxQueue: 10_000 });
    expect((await clock.run(Promise.all(calls))).every((outcome) => outcome.ok)).toBe(true);
  });

  it("refuses waiting calls and newcomers when it is closed, and lets running ones end", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    const running = passing(policy, runtime, 100);
    const waiting = passing(policy, runtime, 100, { scope: { deadline: "1h" } });
    policy.close();
    expect(errorOf(await waiting)).toBeInstanceOf(ClosedError);
    expect(errorOf(await passing(policy, runtime, 100))).toBeInstanceOf(ClosedError);
    expect((await clock.run(running)).ok).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it("tells of queueing and refusals", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1, maxQueue: 1 }, runtime);
    const seen: BreakwaterEvent[] = [];
    runtime.events.on("*", (event) => void seen.push(event));
    const first = passing(policy, runtime, 50);
    const second = passing(policy, runtime, 50);
    await passing(policy, runtime, 50);
    await clock.run(Promise.all([first, second]));
    expect(seen).toMatchObject([
      { type: "pool.queued", depth: 1, priority: 5, provider: "test" },
      { type: "pool.rejected", reason: "full", depth: 1, retryAfterMs: undefined },
      { type: "pool.dequeued", waitMs: 50, depth: 0 },
    ]);
  });

  it("names the option that is wrong", () => {
    expect(() => pool({ concurrency: 0 })).toThrow(/"pool.concurrency" is 0/);
    expect(() => pool({ maxQueue: 1.5 })).toThrow(OptionError);
    expect(() => pool({ size: 3 } as never)).toThrow(/"pool.size"/);
    expect(() => pool().update({ concurrency: -1 })).toThrow(OptionError);
  });

  it("conserves slots and answers every call over any mix of calls", async () => {
    const callPlan = fc.record({
      at: fc.nat(300),
      ms: fc.nat(100),
      priority: fc.integer({ min: 0, max: 9 }) as fc.Arbitrary<0>,
      deadline: fc.option(fc.integer({ min: 1, max: 200 }), { nil: undefined }),
      cancelAt: fc.option(fc.nat(200), { nil: undefined }),
      end: fc.constantFrom("answer", "fault", "stream"),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(callPlan, { maxLength: 40 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(6),
        async (plans, concurrency, maxQueue) => {
          const { clock, runtime } = virtualRuntime();
          const policy = pool({ concurrency, maxQueue }, runtime);
          let answered = 0;
          let running = 0;
          for (const plan of plans) {
            clock.timer(plan.at, () => {
              const cancellation = new Cancellation();
              if (plan.cancelAt !== undefined) clock.timer(plan.cancelAt, () => cancellation.cancel("no more"));
              const call = callOf(runtime, answering(runtime, "answer", plan.ms), {
                cancellation,
                scope: { priority: plan.priority, deadline: plan.deadline },
              });
              const outcome = policy.handle(call, async (inner) => {
                running++;
                expect(running).toBeLessThanOrEqual(concurrency);
                const sent = await inner.send(inner);
                if (!sent.ok || plan.end === "answer") running--;
                if (!sent.ok || plan.end === "answer") return sent;
                if (plan.end === "fault") {
                  running--;
                  return faultOf({ kind: "network", error: new Error("reset") });
                }
                const stream = streamOf([{ role: "content", value: 1 }]);
                stream.settled.subscribe(() => running--);
                clock.timer(10, () => void drain(stream));
                return streamReply(stream);
              });
              void outcome.then(() => answered++);
            });
          }
          await clock.advance(20_000);
          expect(answered).toBe(plans.length);
          expect(policy.snapshot()).toMatchObject({ running: 0, queued: 0 });
          const { reserved, settled, refunded, inFlight } = runtime.ledger.account("slots").balance;
          expect({ sum: settled + refunded, inFlight }).toEqual({ sum: reserved, inFlight: 0 });
          expect(clock.pendingTimers).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("answers with what `next` gave, unchanged", async () => {
    const { runtime } = virtualRuntime();
    const reply = valueReply("same", whole());
    const policy = pool({}, runtime);
    expect(
      await policy.handle(
        callOf(runtime, async () => reply),
        (inner) => inner.send(inner),
      ),
    ).toBe(reply);
  });

  it("keeps its limit when a listener of its own event asks for a slot", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    let most = 0;
    const late: Promise<Outcome>[] = [];
    runtime.events.on("pool.dequeued", () => {
      if (late.length === 0) late.push(passing(policy, runtime, 100));
      most = Math.max(most, policy.snapshot().running);
    });
    const calls = [passing(policy, runtime, 100), passing(policy, runtime, 100)];
    await clock.advance(100);
    expect(policy.snapshot()).toMatchObject({ running: 1, queued: 1 });
    await clock.run(Promise.all([...calls, ...late]));
    expect(most).toBe(1);
    expect(clock.now()).toBe(300);
  });

  it("does not refuse a background call whose share of the turns comes within its deadline", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    await warm(policy, runtime, (ms) => clock.advance(ms), 100);
    const crowd = Array.from({ length: 100 }, () => passing(policy, runtime, 100));
    const background = passing(policy, runtime, 100, { scope: { priority: "background", deadline: "2s" } });
    expect((await clock.run(background)).ok).toBe(true);
    await clock.run(Promise.all(crowd));
  });
});
