import { describe, expect, it } from "vitest";
import { callThrough, runInScope } from "../../../src/clients/index.ts";
import { type Line, pipeline } from "../../../src/core/index.ts";
import { createJobs, type PoolPolicy, pool } from "../../../src/policies/pool/index.ts";
import type { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { virtualRuntime } from "../../support/calls.ts";

interface SetUp {
  readonly clock: VirtualClock;
  readonly line: Line;
  readonly policy: PoolPolicy;
  /** A call that takes 100 ms; `at` is told when it begins. */
  readonly leaf: (name: string) => Promise<string>;
  readonly running: () => number;
  readonly most: () => number;
}

function setUp(concurrency: number, maxQueue = 100): SetUp {
  const { clock, runtime } = virtualRuntime();
  const policy = pool({ concurrency, maxQueue }, runtime);
  const line = pipeline(policy);
  let [now, most] = [0, 0];
  const leaf = (name: string): Promise<string> =>
    callThrough(line, { model: "leaf", input: name }, async () => {
      most = Math.max(most, ++now);
      await new Promise<void>((resolve) => void clock.timer(100, () => resolve()));
      now--;
      return name;
    });
  return { clock, line, policy, leaf, running: () => now, most: () => most };
}

function outer<T>(line: Line, fn: () => Promise<T>): Promise<T> {
  return callThrough(line, { model: "outer", input: "" }, fn);
}

describe("calls within a call", () => {
  it("pass on the slot of the call that waits for them, at any depth", async () => {
    const { clock, line, leaf, policy } = setUp(1);
    const result = outer(line, () => outer(line, () => outer(line, () => leaf("deep"))));
    expect(await clock.run(result)).toBe("deep");
    expect(clock.now()).toBe(100);
    expect(policy.snapshot()).toMatchObject({ running: 0, queued: 0 });
  });

  it("that are made at once have the slot one after the other", async () => {
    const { clock, line, leaf, most, policy } = setUp(1);
    const result = outer(line, () => Promise.all(["a", "b", "c"].map(leaf)));
    expect(await clock.run(result)).toEqual(["a", "b", "c"]);
    expect(clock.now()).toBe(300);
    expect(most()).toBe(1);
    expect(policy.snapshot()).toMatchObject({ running: 0, queued: 0 });
  });

  it("use free slots besides, and never more than there are", async () => {
    const { clock, line, leaf, most, policy } = setUp(3);
    const result = outer(line, () => Promise.all(["a", "b", "c", "d", "e", "f"].map(leaf)));
    expect(await clock.run(result)).toHaveLength(6);
    expect(clock.now()).toBe(200);
    expect(most()).toBe(3);
    expect(policy.snapshot()).toMatchObject({ running: 0, queued: 0 });
  });

  it("end although every slot is held by a call that makes some", async () => {
    const { clock, line, leaf, most, policy } = setUp(4);
    const results = Array.from({ length: 12 }, (_, index) =>
      outer(line, () => Promise.all(["x", "y", "z"].map((name) => leaf(`${index}${name}`)))),
    );
    expect((await clock.run(Promise.all(results))).flat()).toHaveLength(36);
    expect(most()).toBe(4);
    expect(policy.snapshot()).toMatchObject({ running: 0, queued: 0 });
  });

  it("keep the slot when the call that made them has ended first", async () => {
    const { clock, line, leaf, running, policy } = setUp(1);
    let left: Promise<string> | undefined;
    await clock.run(
      outer(line, async () => {
        left = leaf("left behind");
      }),
    );
    const other = leaf("other");
    await clock.advance(50);
    expect(running()).toBe(1);
    expect(policy.snapshot()).toMatchObject({ running: 1, queued: 1 });
    expect(await clock.run(Promise.all([left, other]))).toEqual(["left behind", "other"]);
    expect(clock.now()).toBe(200);
  });

  it("give the slot back when they fail", async () => {
    const { clock, line, leaf, policy } = setUp(1);
    const result = outer(line, async () => {
      await callThrough(line, { model: "leaf", input: "" }, () => Promise.reject(new Error("no"))).catch(() => {});
      return leaf("after");
    });
    expect(await clock.run(result)).toBe("after");
    expect(policy.snapshot().running).toBe(0);
  });

  it("of a job have its slot one after the other", async () => {
    const { clock, leaf, most, policy } = setUp(1);
    const jobs = createJobs(policy, policy.runtime);
    jobs.submit("job", () => Promise.all(["a", "b"].map(leaf)));
    expect(await clock.run(jobs.result("job"))).toEqual(["a", "b"]);
    expect(clock.now()).toBe(200);
    expect(most()).toBe(1);
  });

  it("of a job have the scope in which it was submitted, not that of whoever made room for it", async () => {
    const { clock, line, leaf, policy } = setUp(1);
    const jobs = createJobs(policy, policy.runtime);
    const clients: unknown[] = [];
    line.runtime.events.on("call.completed", ({ client }) => void clients.push(client));
    const first = runInScope({ client: "first" }, () => leaf("first"));
    runInScope({ client: "second" }, () => jobs.submit("second", () => leaf("second")));
    jobs.submit("none", () => leaf("none"));
    await clock.run(Promise.all([first, jobs.result("second"), jobs.result("none")]));
    expect(clients).toEqual(["first", "second", undefined]);
  });
});
