import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Cancellation,
  DeadlineExceededError,
  type Outcome,
  QueueFullError,
  type Runtime,
  type Scope,
  seededRandom,
} from "../../../src/core/index.ts";
import { createJobs, type PoolPolicy, pool } from "../../../src/policies/pool/index.ts";
import { answering, callOf, virtualRuntime } from "../../support/calls.ts";
import { percentile } from "../../support/pool-load.ts";

interface Entered {
  readonly outcome: Promise<Outcome>;
  readonly waitedMs: () => number | undefined;
}

function enter(policy: PoolPolicy, runtime: Runtime, ms: number, scope: Scope = {}, chars = 400): Entered {
  const call = callOf(runtime, answering(runtime, "answer", ms), { scope, inputChars: chars });
  let admitted = false;
  const outcome = policy.handle(call, (inner) => {
    admitted = true;
    return inner.send(inner);
  });
  return { outcome, waitedMs: () => (admitted ? call.trace.waits.queue : undefined) };
}

function errorOf(outcome: Outcome): unknown {
  return outcome.ok ? undefined : outcome.error;
}

describe("tenants", () => {
  it("take turns however many calls one of them has", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    enter(policy, runtime, 100);
    const crowd = Array.from({ length: 50 }, () => enter(policy, runtime, 100, { client: "crowd" }));
    const single = enter(policy, runtime, 100, { client: "single" });
    await clock.advance(10_000);
    expect(single.waitedMs()).toBeLessThanOrEqual(200);
    expect(crowd.every(({ waitedMs }) => waitedMs() !== undefined)).toBe(true);
  });

  it("give a place in a full queue to one that has fewer waiting", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1, maxQueue: 4 }, runtime);
    const running = enter(policy, runtime, 100);
    const crowd = Array.from({ length: 4 }, () => enter(policy, runtime, 100, { client: "crowd" }));
    const first = enter(policy, runtime, 100, { client: "single" });
    const second = enter(policy, runtime, 100, { client: "single" });
    const third = enter(policy, runtime, 100, { client: "single" });
    expect(errorOf(await third.outcome)).toBeInstanceOf(QueueFullError);
    const outcomes = await clock.run(Promise.all([running, ...crowd, first, second].map(({ outcome }) => outcome)));
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, true, false, false, true, true]);
  });

  it("have their own calls served by the earliest deadline", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    enter(policy, runtime, 100);
    const late = enter(policy, runtime, 100, { client: "a", deadline: "30s" });
    const soon = enter(policy, runtime, 100, { client: "a", deadline: "5s" });
    await clock.advance(1_000);
    expect([soon.waitedMs(), late.waitedMs()]).toEqual([100, 200]);
  });

  it("do not wait for ever behind calls of their own that are always due sooner", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    enter(policy, runtime, 1_000);
    const patient = enter(policy, runtime, 1_000);
    const hurry = (): void => {
      enter(policy, runtime, 1_000, { deadline: "20s" });
      clock.timer(900, hurry);
    };
    hurry();
    await clock.advance(90_000);
    expect(patient.waitedMs()).toBeLessThan(62_000);
  });
});

describe("partitions", () => {
  const partitions = { batch: { share: 0.25 }, chat: { share: 0.5 } };

  function running(policy: PoolPolicy): (number | undefined)[] {
    const { partitions: parts } = policy.snapshot();
    return [parts["batch"]?.running, parts["chat"]?.running];
  }

  it("lend what they do not use, and have their share back as slots come free", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 8, partitions }, runtime);
    const random = runtime.random;
    const keep = (partition: string | undefined, many: number): void => {
      for (let index = 0; index < many; index++)
        enter(policy, runtime, 50 + 100 * random(), partition === undefined ? {} : { partition });
    };
    keep("batch", 200);
    expect(running(policy)).toEqual([8, 0]);
    keep("chat", 200);
    await clock.advance(1_000);
    // A quarter and a half, of three quarters that are wanted.
    expect(running(policy)[0]).toBeGreaterThanOrEqual(2);
    expect(running(policy)[0]).toBeLessThanOrEqual(3);
    keep(undefined, 200);
    await clock.advance(1_000);
    expect(running(policy)).toEqual([2, 4]);
    expect(policy.snapshot().running).toBe(8);
  });

  it("keep their part of a full queue", async () => {
    const { runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1, maxQueue: 8, partitions }, runtime);
    enter(policy, runtime, 1_000);
    const others = Array.from({ length: 8 }, () => enter(policy, runtime, 1_000, { priority: "critical" }));
    const batch = Array.from({ length: 3 }, () =>
      enter(policy, runtime, 1_000, { priority: "background", partition: "batch" }),
    );
    expect(policy.snapshot()).toMatchObject({ queued: 8, partitions: { batch: { queued: 2 } } });
    expect(errorOf((await batch[2]?.outcome) as Outcome)).toBeInstanceOf(QueueFullError);
    expect(errorOf((await others[7]?.outcome) as Outcome)).toBeInstanceOf(QueueFullError);
    expect(errorOf((await others[6]?.outcome) as Outcome)).toBeInstanceOf(QueueFullError);
  });

  it("may change while calls wait in them", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 2, partitions }, runtime);
    const scopes: Scope[] = [{ partition: "batch" }, { partition: "chat" }, {}, { partition: "unknown" }];
    const calls = scopes.flatMap((scope) => Array.from({ length: 5 }, () => enter(policy, runtime, 100, scope)));
    await clock.advance(150);
    policy.update({ partitions: { chat: { share: 0.9 } } });
    expect(Object.keys(policy.snapshot().partitions)).toEqual(["chat"]);
    const outcomes = await clock.run(Promise.all(calls.map(({ outcome }) => outcome)));
    expect(outcomes.every(({ ok }) => ok)).toBe(true);
    expect(policy.snapshot()).toMatchObject({ running: 0, queued: 0, partitions: { chat: { running: 0, queued: 0 } } });
    expect(clock.pendingTimers).toBe(0);
  });

  it("may be added while calls that name them wait, and those can still be cancelled", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency: 1 }, runtime);
    const cancellations = Array.from({ length: 4 }, () => new Cancellation());
    const outcomes = cancellations.map((cancellation, index) => {
      const scope: Scope = { partition: "batch", ...(index === 3 && { priority: "high" }) };
      return policy.handle(callOf(runtime, answering(runtime, "answer", 100), { scope, cancellation }), (call) =>
        call.send(call),
      );
    });
    policy.update({ partitions: { batch: { share: 0.5 } } });
    expect(policy.snapshot().partitions["batch"]).toMatchObject({ queued: 3 });
    cancellations[2]?.cancel("left");
    expect(policy.snapshot()).toMatchObject({ queued: 2, queuedByPriority: { high: 1, normal: 1 } });
    await clock.advance(1_000);
    expect((await Promise.all(outcomes)).map(({ ok }) => ok)).toEqual([true, true, false, true]);
    expect(policy.snapshot()).toMatchObject({ running: 0, queued: 0 });
  });

  it("must leave one another room", () => {
    const wrong =
      (given: unknown): (() => unknown) =>
      () =>
        pool({ partitions: given as never });
    expect(wrong({ a: { share: 0.6 }, b: { share: 0.5 } })).toThrow(/"pool.partitions" .* together at most 1/);
    expect(wrong({ a: { share: 0 } })).toThrow(/"pool.partitions.a.share"/);
    expect(wrong({ a: { part: 1 } })).toThrow(/"pool.partitions.a.part"/);
    expect(wrong([0.5])).toThrow(/"pool.partitions"/);
    expect(() => pool({ partitions: { a: { share: 1 / 3 }, b: { share: 1 / 3 }, c: { share: 1 / 3 } } })).not.toThrow();
  });
});

describe("jobs of several slots", () => {
  function setUp(concurrency: number) {
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency }, runtime);
    const jobs = createJobs(policy, runtime);
    const began: string[] = [];
    const submit = (id: string, weight: number, ms: number): void => {
      const work = (): Promise<void> => {
        began.push(id);
        return new Promise((resolve) => void clock.timer(ms, () => resolve()));
      };
      jobs.submit(id, work, { weight });
    };
    return { clock, policy, jobs, submit, began };
  }

  it("let lighter ones use the slots that are too few for them", async () => {
    const { clock, submit, began } = setUp(10);
    submit("running", 8, 100);
    submit("heavy", 5, 100);
    submit("light", 1, 100);
    await clock.advance(0);
    expect(began).toEqual(["running", "light"]);
    await clock.advance(100);
    expect(began).toEqual(["running", "light", "heavy"]);
  });

  it("are not overtaken for ever", async () => {
    const { clock, policy, submit, began } = setUp(4);
    let count = 0;
    const more = (): void => {
      submit(`light${count++}`, 1, 100);
      clock.timer(20, more);
    };
    more();
    await clock.advance(200);
    submit("heavy", 4, 100);
    await clock.advance(1_000);
    expect(began).toContain("heavy");
    expect(policy.snapshot().running).toBeLessThanOrEqual(4);
  });

  it("run alone when they are heavier than the pool", async () => {
    const { clock, policy, submit, began } = setUp(2);
    submit("light", 1, 100);
    submit("huge", 50, 100);
    submit("after", 1, 100);
    await clock.advance(150);
    expect(began).toEqual(["light", "after", "huge"]);
    expect(policy.snapshot().running).toBe(2);
    await clock.advance(500);
    expect(policy.snapshot()).toMatchObject({ running: 0, queued: 0 });
  });

  it("let those behind them go on when they are cancelled at their turn", async () => {
    const { clock, jobs, submit, began } = setUp(4);
    submit("running", 3, 1_000);
    submit("heavy", 4, 100);
    for (let index = 0; index < 8; index++) submit(`light${index}`, 1, 100);
    await clock.advance(650);
    const before = began.length;
    expect(before).toBeLessThan(10);
    expect(jobs.cancel("heavy")).toBe(true);
    await clock.advance(0);
    expect(began.length).toBe(before + 1);
    await clock.advance(600);
    expect(began.length).toBe(9);
    await expect(jobs.result("heavy")).rejects.toMatchObject({ name: "AbortError" });
  });

  it("keep the slots in balance over any mix of weights, cancelling and resizing", async () => {
    const plan = fc.record({
      weight: fc.integer({ min: 1, max: 6 }),
      ms: fc.integer({ min: 1, max: 100 }),
      at: fc.nat(300),
      cancelAt: fc.option(fc.nat(500), { nil: undefined }),
      deadline: fc.option(fc.integer({ min: 1, max: 300 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(plan, { maxLength: 30 }), fc.integer({ min: 1, max: 5 }), async (plans, resized) => {
        const { clock, runtime } = virtualRuntime();
        const policy = pool({ concurrency: 4 }, runtime);
        const jobs = createJobs(policy, runtime);
        let most = 0;
        plans.forEach(({ weight, ms, at, cancelAt, deadline }, index) => {
          clock.timer(at, () => {
            const work = (): Promise<void> => {
              most = Math.max(most, policy.snapshot().running);
              return new Promise((resolve) => void clock.timer(ms, () => resolve()));
            };
            jobs.submit(`j${index}`, work, { weight, deadline });
          });
          if (cancelAt !== undefined) clock.timer(cancelAt, () => void jobs.cancel(`j${index}`));
        });
        clock.timer(150, () => policy.update({ concurrency: resized }));
        await clock.advance(10_000);
        expect(most).toBeLessThanOrEqual(Math.max(4, resized));
        expect(jobs.snapshot()).toEqual({ queued: 0, running: 0, kept: plans.length });
        expect(policy.snapshot()).toMatchObject({ running: 0, queued: 0 });
        const { reserved, settled, refunded, inFlight } = runtime.ledger.account("slots").balance;
        expect({ sum: settled + refunded, inFlight }).toEqual({ sum: reserved, inFlight: 0 });
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});

describe("the estimate of a wait", () => {
  /** What a call was told, and what its twin then waited, behind a random crowd; in service times. */
  async function toldAndWaited(random: () => number): Promise<{ told: number; waited: number }> {
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    const scope = (): Scope => ({ priority: pick(["high", "normal", "low"]), client: pick(["a", "b", "c"]) });
    const concurrency = pick([1, 2, 4]);
    const { clock, runtime } = virtualRuntime();
    const policy = pool({ concurrency, ageing: false }, runtime);
    for (let index = 0; index < 20; index++) await clock.run(enter(policy, runtime, 100).outcome);
    for (let index = 0; index < concurrency; index++) enter(policy, runtime, 100);
    const crowd = 5 + Math.floor(random() * 60);
    for (let index = 0; index < crowd; index++) enter(policy, runtime, 100, scope());
    const newcomer = scope();
    const refused = errorOf(await enter(policy, runtime, 100, { ...newcomer, deadline: 1 }).outcome);
    expect(refused).toBeInstanceOf(DeadlineExceededError);
    const twin = enter(policy, runtime, 100, newcomer);
    await clock.advance(20_000);
    return {
      told: ((refused as DeadlineExceededError).retryAfterMs ?? Number.NaN) / 100,
      waited: (twin.waitedMs() ?? Number.NaN) / 100,
    };
  }

  it("is near what a call of the same kind then waits", async () => {
    const random = seededRandom(7);
    const errors: number[] = [];
    for (let run = 0; run < 200; run++) {
      const { told, waited } = await toldAndWaited(random);
      errors.push(Math.abs(told - waited) / Math.max(5, waited));
    }
    expect(percentile(errors, 0.5)).toBeLessThan(0.1);
    expect(percentile(errors, 0.95)).toBeLessThan(0.4);
  });
});
