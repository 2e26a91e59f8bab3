import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DeadlineExceededError, OptionError, QueueFullError, type Runtime } from "../../../src/core/index.ts";
import { pool } from "../../../src/policies/pool/index.ts";
import { createJobs, JOBS_KEPT } from "../../../src/policies/pool/jobs.ts";
import { answering, callOf, virtualRuntime } from "../../support/calls.ts";

function setUp(options: { concurrency?: number; maxQueue?: number } = {}) {
  const { clock, runtime } = virtualRuntime();
  const policy = pool(options, runtime);
  return { clock, runtime, policy, jobs: createJobs(policy, runtime) };
}

function valueAfter<T>(runtime: Runtime, ms: number, value: T): Promise<T> {
  return new Promise((resolve) => void runtime.clock.timer(ms, () => resolve(value)));
}

const escaped: unknown[] = [];
const onEscape = (reason: unknown): void => void escaped.push(reason);

describe("jobs", () => {
  beforeEach(() => {
    escaped.length = 0;
    process.on("unhandledRejection", onEscape);
  });
  afterEach(() => {
    process.off("unhandledRejection", onEscape);
    expect(escaped).toEqual([]);
  });

  it("goes from queued over running to done, and gives its result early and late", async () => {
    const { clock, runtime, jobs } = setUp({ concurrency: 1 });
    jobs.submit("a", () => valueAfter(runtime, 10, "A"));
    jobs.submit("b", () => valueAfter(runtime, 10, "B"));
    expect([jobs.status("a"), jobs.status("b"), jobs.status("c")]).toEqual(["running", "queued", undefined]);
    expect(await clock.run(jobs.result("b"))).toBe("B");
    expect(await jobs.result("a")).toBe("A");
    expect(jobs.status("b")).toBe("done");
    expect(clock.now()).toBe(20);
  });

  it("never starts a function before submit has returned", async () => {
    const { clock, jobs } = setUp();
    let started = false;
    jobs.submit("a", () => {
      started = true;
    });
    expect(started).toBe(false);
    await clock.advance(0);
    expect(started).toBe(true);
  });

  it("keeps a failure for whoever asks, and lets none escape when nobody does", async () => {
    const { clock, jobs } = setUp();
    jobs.submit("throws", () => {
      throw new Error("sync");
    });
    jobs.submit("rejects", async () => {
      throw new Error("async");
    });
    await clock.advance(10);
    expect(jobs.status("throws")).toBe("failed");
    await expect(jobs.result("rejects")).rejects.toThrow("async");
  });

  it("waits for the same slots as calls do, by priority", async () => {
    const { clock, runtime, policy, jobs } = setUp({ concurrency: 1 });
    const order: string[] = [];
    const call = policy.handle(callOf(runtime, answering(runtime, "call", 10)), (inner) => inner.send(inner));
    jobs.submit("low", () => order.push("low"), { priority: "low" });
    jobs.submit("high", () => order.push("high"), { priority: "high" });
    expect(policy.snapshot()).toMatchObject({ running: 1, queued: 2 });
    await clock.run(call);
    await clock.advance(0);
    expect(order).toEqual(["high", "low"]);
  });

  it("cancels a queued job without running it, and a running one through its signal", async () => {
    const { clock, runtime, policy, jobs } = setUp({ concurrency: 1 });
    let reason: unknown;
    let ran = false;
    jobs.submit("running", async ({ signal }) => {
      signal.addEventListener("abort", () => {
        reason = signal.reason;
      });
      await valueAfter(runtime, 100, undefined);
    });
    jobs.submit("queued", () => {
      ran = true;
    });
    await clock.advance(0);
    expect([jobs.cancel("queued"), jobs.cancel("running"), jobs.cancel("unknown")]).toEqual([true, true, false]);
    expect([jobs.status("queued"), jobs.status("running")]).toEqual(["cancelled", "cancelled"]);
    expect(reason).toMatchObject({ name: "AbortError" });
    await expect(jobs.result("queued")).rejects.toMatchObject({ name: "AbortError" });
    // Its function still runs, so its slot is still taken.
    expect(policy.snapshot().running).toBe(1);
    await clock.advance(100);
    expect(policy.snapshot().running).toBe(0);
    expect(ran).toBe(false);
    expect(jobs.cancel("running")).toBe(false);
  });

  it("does not begin a job that was cancelled in the turn it was admitted", async () => {
    const { clock, policy, jobs } = setUp();
    let ran = false;
    jobs.submit("a", () => {
      ran = true;
    });
    jobs.cancel("a");
    await clock.advance(10);
    expect(ran).toBe(false);
    expect(policy.snapshot().running).toBe(0);
  });

  it("ends with the deadline, waiting or running", async () => {
    const { clock, runtime, jobs } = setUp({ concurrency: 1 });
    jobs.submit("running", () => valueAfter(runtime, 500, "late"), { deadline: 200 });
    jobs.submit("waiting", () => "never", { deadline: 100 });
    await clock.advance(100);
    expect([jobs.status("running"), jobs.status("waiting")]).toEqual(["running", "failed"]);
    await clock.advance(100);
    await expect(jobs.result("running")).rejects.toBeInstanceOf(DeadlineExceededError);
    await expect(jobs.result("waiting")).rejects.toBeInstanceOf(DeadlineExceededError);
    await clock.advance(1_000);
    expect(jobs.status("running")).toBe("failed");
    expect(clock.pendingTimers).toBe(0);
  });

  it("makes a refused job a failed one", async () => {
    const { runtime, jobs } = setUp({ concurrency: 1, maxQueue: 0 });
    jobs.submit("a", () => valueAfter(runtime, 10, 1));
    jobs.submit("b", () => 2);
    expect(jobs.status("b")).toBe("failed");
    await expect(jobs.result("b")).rejects.toBeInstanceOf(QueueFullError);
  });

  it("refuses an id that is still known and arguments that are wrong", async () => {
    const { jobs } = setUp();
    jobs.submit("a", () => 1);
    expect(() => jobs.submit("a", () => 2)).toThrow(OptionError);
    expect(() => jobs.submit("", () => 2)).toThrow(/"job.id"/);
    expect(() => jobs.submit("b", "no" as never)).toThrow(/"job.fn"/);
    expect(() => jobs.submit("b", () => 2, { urgency: 1 } as never)).toThrow(/"job.urgency"/);
    await expect(jobs.result("unknown")).rejects.toThrow(/"job.id"/);
  });

  it("keeps the last 1,000 ended jobs and no more", async () => {
    const { clock, jobs } = setUp();
    for (let index = 0; index < JOBS_KEPT + 10; index++) jobs.submit(`j${index}`, () => index);
    await clock.advance(1);
    expect(jobs.snapshot()).toEqual({ queued: 0, running: 0, kept: JOBS_KEPT });
    expect(jobs.status("j9")).toBeUndefined();
    expect(await jobs.result("j10")).toBe(10);
    jobs.submit("j9", () => "again");
    expect(await clock.run(jobs.result("j9"))).toBe("again");
  });

  it("lets the calls of a job pass on the job's own slot, so that a pool full of jobs does not wait for itself", async () => {
    const { clock, runtime, policy, jobs } = setUp({ concurrency: 2 });
    for (let index = 0; index < 4; index++) {
      jobs.submit(`j${index}`, async () => {
        const outcome = await policy.handle(callOf(runtime, answering(runtime, "inner", 10)), (inner) =>
          inner.send(inner),
        );
        return outcome.ok;
      });
    }
    expect(await clock.run(Promise.all([0, 1, 2, 3].map((index) => jobs.result(`j${index}`))))).toEqual(
      Array(4).fill(true),
    );
    expect(clock.now()).toBe(20);
  });

  it("counts a call that outlives its job like any other", async () => {
    const { clock, runtime, policy, jobs } = setUp({ concurrency: 1 });
    let late: Promise<unknown> | undefined;
    jobs.submit("a", () => {
      late = valueAfter(runtime, 10, undefined).then(() =>
        policy.handle(callOf(runtime, answering(runtime, "late", 10)), (inner) => inner.send(inner)),
      );
    });
    await clock.advance(15);
    expect(policy.snapshot().running).toBe(1);
    await clock.run(late as Promise<unknown>);
    expect(policy.snapshot().running).toBe(0);
  });

  it("tells what is known of a job: running ones first, then queued ones, then ended ones", async () => {
    const { clock, runtime, jobs } = setUp({ concurrency: 1 });
    jobs.submit("ended", () => "value", { priority: "low", client: "a" });
    await clock.advance(1_000);
    jobs.submit("running", ({ progress }) => {
      progress(0.25);
      progress("a quarter");
      progress(7);
      progress("x".repeat(1_000));
      progress(Number.NaN);
      return valueAfter(runtime, 10_000, undefined);
    });
    jobs.submit("queued", () => undefined, { weight: 3, partition: "batch" });
    await clock.advance(500);
    const wall = runtime.clock.wall() - runtime.clock.now();
    expect(jobs.list().map(({ id }) => id)).toEqual(["running", "queued", "ended"]);
    expect(jobs.info("ended")).toEqual({
      id: "ended",
      status: "done",
      priority: 7,
      client: "a",
      partition: undefined,
      weight: 1,
      startedAt: wall,
      endedAt: wall,
      fraction: undefined,
      note: undefined,
    });
    expect(jobs.info("running")).toMatchObject({ startedAt: wall + 1_000, endedAt: undefined, fraction: 1 });
    expect(jobs.info("running")?.note).toHaveLength(200);
    expect(jobs.info("queued")).toMatchObject({
      status: "queued",
      weight: 3,
      partition: "batch",
      startedAt: undefined,
    });
    expect(jobs.info("unknown")).toBeUndefined();
    expect(jobs.list({ status: "queued" }).map(({ id }) => id)).toEqual(["queued"]);
    expect(jobs.list({ limit: 1 }).map(({ id }) => id)).toEqual(["running"]);
    expect(jobs.list({ status: "failed" })).toEqual([]);
    expect(() => jobs.list({ limit: 0 })).toThrow(/"jobs.limit"/);
    expect(() => jobs.list({ status: "lost" as never })).toThrow(/"jobs.status"/);
  });

  it("tells in events how a job goes on, without what its error says", async () => {
    const { clock, runtime, jobs } = setUp({ concurrency: 1 });
    const seen: unknown[] = [];
    for (const type of ["job.queued", "job.started", "job.progress", "job.done"] as const) {
      runtime.events.on(type, ({ v, ts, severity, callId, op, provider, model, ...event }) => void seen.push(event));
    }
    jobs.submit("first", async ({ progress }) => {
      progress(0.5);
      await valueAfter(runtime, 100, undefined);
    });
    jobs.submit("second", () => Promise.reject(new TypeError("the prompt")), { priority: "high" });
    jobs.submit("third", () => undefined);
    jobs.cancel("third");
    await clock.advance(200);
    expect(seen).toEqual([
      { type: "job.started", job: "first", waitMs: 0 },
      { type: "job.queued", job: "second", priority: 3, depth: 1 },
      { type: "job.queued", job: "third", priority: 5, depth: 2 },
      { type: "job.done", job: "third", status: "cancelled", durationMs: undefined, error: undefined },
      { type: "job.progress", job: "first", fraction: 0.5, note: undefined },
      { type: "job.done", job: "first", status: "done", durationMs: 100, error: undefined },
      { type: "job.started", job: "second", waitMs: 100 },
      { type: "job.done", job: "second", status: "failed", durationMs: 0, error: "TypeError" },
    ]);
  });

  it("cancels a great part of a long queue and runs the rest", async () => {
    const { clock, policy, jobs } = setUp({ concurrency: 1, maxQueue: 20_000 });
    let ran = 0;
    for (let index = 0; index < 20_000; index++) {
      jobs.submit(`j${index}`, () => ran++, { priority: (index % 10) as 0, client: `c${index % 7}` });
    }
    for (let index = 1; index < 20_000; index += 2) expect(jobs.cancel(`j${index}`)).toBe(true);
    expect(policy.snapshot()).toMatchObject({ queued: 9_999, running: 1 });
    await clock.advance(1_000);
    expect(ran).toBe(10_000);
    expect(policy.snapshot()).toMatchObject({ queued: 0, running: 0 });
  });
});
