import { describe, expect, it } from "vitest";
import {
  type Call,
  type Chunk,
  ChunkStream,
  DeadlineExceededError,
  type Outcome,
  pipeline,
  type Runtime,
  type Settlement,
  streamFor,
  streamReply,
} from "../../../src/core/index.ts";
import { deadline } from "../../../src/policies/deadline/index.ts";
import { rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { answering, callOf, drain, virtualRuntime } from "../../support/calls.ts";

const never = (): Promise<Outcome> => new Promise(() => {});

/** A stream that gives content every `everyMs` and never ends by itself. */
function endless(runtime: Runtime, everyMs: number) {
  return async (call: Call): Promise<Outcome> => {
    const pull = (): Promise<Chunk | Settlement> =>
      new Promise((resolve) => {
        runtime.clock.timer(everyMs, () => resolve({ role: "content", value: "x" }));
      });
    return streamReply(streamFor(call, { pull, cancel: () => {} }));
  };
}

describe("deadline", () => {
  it("passes the earlier of its own and the scope's deadline on", async () => {
    for (const [scope, expected] of [
      [{}, 10_000],
      [{ deadline: "4s" }, 4_000],
      [{ deadline: "40s" }, 10_000],
    ] as const) {
      const { clock, runtime } = virtualRuntime();
      let seen: number | undefined;
      const send = (call: Call) => {
        seen = call.deadline;
        return answering(runtime, "hi")(call);
      };
      await clock.run(pipeline(deadline("10s", runtime)).execute(callOf(runtime, send, { scope })));
      expect(seen).toBe(expected);
      expect(clock.pendingTimers).toBe(0);
    }
  });

  it("refuses a call that is not over in time, even if nobody within listens", async () => {
    const { clock, runtime } = virtualRuntime();
    const fired: unknown[] = [];
    runtime.events.on("timeout.fired", (event) => fired.push(event));
    const policy = deadline({ total: "3s" }, runtime);
    const call = callOf(runtime, never);
    const outcome = await clock.run(pipeline(policy).execute(call));
    expect(clock.now()).toBe(3_000);
    expect(outcome).toMatchObject({ kind: "refused", retryable: false, status: 504 });
    expect(outcome.ok ? undefined : outcome.error).toBeInstanceOf(DeadlineExceededError);
    expect(fired).toMatchObject([{ phase: "total", limitMs: 3_000, elapsedMs: 3_000 }]);
    expect(call.cancellation.listenerCount).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    expect(policy.snapshot()).toEqual({ totalMs: 3_000, running: 0, exceeded: 1 });
  });

  it("keeps the scope's deadline when it has none of its own", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(deadline(false, runtime));
    await clock.run(line.execute(callOf(runtime, never, { scope: { deadline: "2s" } })));
    expect(clock.now()).toBe(2_000);
    const free = await clock.run(line.execute(callOf(runtime, answering(runtime, "hi", 1e9))));
    expect(free.ok).toBe(true);
  });

  it("ends a stream that is under way", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(deadline("1s", runtime));
    const outcome = await clock.run(line.execute(callOf(runtime, endless(runtime, 300), { stream: true })));
    if (!outcome.ok || !(outcome.body instanceof ChunkStream)) throw new Error("not a stream");
    expect(await clock.run(drain(outcome.body))).toEqual(["x", "x", "x"]);
    expect(clock.now()).toBe(1_000);
    expect(outcome.settled.value?.fault).toMatchObject({ kind: "refused", committed: true });
    await clock.advance(1_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it("holds for a call that waits for a rate limit: it is refused at once when it cannot make it", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(deadline("5s", runtime), rateLimit({ requestsPerMinute: 2 }, runtime));
    const send = answering(runtime, "hi");
    await clock.run(line.execute(callOf(runtime, send)));
    const late = await clock.run(line.execute(callOf(runtime, send)));
    expect(clock.now()).toBe(0);
    expect(late).toMatchObject({ kind: "refused", retryAfterMs: 30_000, error: { code: "RATE_LIMITED" } });
  });

  it("leaves a caller's own abort an abort", async () => {
    const { clock, runtime } = virtualRuntime();
    const call = callOf(runtime, answering(runtime, "hi", 5_000));
    const running = pipeline(deadline("10s", runtime)).execute(call);
    call.cancellation.cancel(new Error("left"));
    expect(await clock.run(running)).toMatchObject({ kind: "aborted" });
    expect(clock.pendingTimers).toBe(0);
  });

  it("refuses a call whose deadline has passed without sending it", async () => {
    const { clock, runtime } = virtualRuntime();
    let sent = 0;
    const call = callOf(runtime, async () => {
      sent++;
      return never();
    });
    await clock.advance(1_000);
    const outcome = await pipeline(deadline("10s", runtime)).execute(call.with({ deadline: 500 }));
    expect(outcome).toMatchObject({ kind: "refused" });
    expect(sent).toBe(0);
  });

  it("applies a changed limit to calls that begin later", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = deadline({}, runtime);
    expect(policy.snapshot().totalMs).toBe(300_000);
    policy.update({ total: "1s" });
    await clock.run(pipeline(policy).execute(callOf(runtime, never)));
    expect(clock.now()).toBe(1_000);
    expect(() => policy.update({ total: -1 })).toThrow(/deadline\.total/);
    expect(() => deadline({ attempt: "1s" } as object, runtime)).toThrow(/deadline\.attempt/);
  });
});
