import { describe, expect, it } from "vitest";
import {
  type BreakwaterEvent,
  broken,
  createRuntime,
  faultOf,
  interrupted,
  PipelineError,
  type Policy,
  pipeline,
  type Ring,
  streamReply,
  valueReply,
  whole,
} from "../../src/core/index.ts";
import { answering, callOf, drain, streamOf, virtualRuntime } from "../support/calls.ts";

function policy(name: string, ring: Ring, log: string[] = [], parts: Partial<Policy> = {}): Policy {
  return {
    name,
    ring,
    async handle(call, next) {
      log.push(`${name} in`);
      const outcome = await next(call);
      log.push(`${name} out`);
      return outcome;
    },
    ...parts,
  };
}

describe("the order of policies", () => {
  it("runs the first listed outermost", async () => {
    const log: string[] = [];
    const { runtime } = virtualRuntime();
    const line = pipeline(
      policy("a", "call", log, { runtime }),
      policy("b", "border", log),
      policy("c", "attempt", log),
    );
    const outcome = await line.execute(callOf(runtime, async () => valueReply("x", whole())));
    expect(outcome).toMatchObject({ ok: true, body: { value: "x" } });
    expect(log).toEqual(["a in", "b in", "c in", "c out", "b out", "a out"]);
  });

  it("refuses a call-ring policy inside the attempt ring", () => {
    expect(() => pipeline(policy("breaker", "attempt"), policy("cache", "call"))).toThrowError(
      /"cache" runs once per call and must stand before "breaker"/,
    );
    expect(() => pipeline(policy("retry", "border"), policy("pool", "call"))).toThrowError(PipelineError);
  });

  it("refuses two owners of retry", () => {
    expect(() => pipeline(policy("retry", "border"), policy("again", "border"))).toThrowError(/exactly one policy may/);
  });

  it("refuses what is no policy, and policies of different runtimes", () => {
    expect(() => pipeline({} as Policy)).toThrowError(/objects with `name`, `ring`/);
    expect(() => pipeline(undefined as unknown as Policy)).toThrowError(PipelineError);
    expect(() => pipeline(policy("x", "outer" as Ring))).toThrowError(PipelineError);
    const one = policy("a", "call", [], { runtime: createRuntime() });
    const other = policy("b", "call", [], { runtime: createRuntime() });
    expect(() => pipeline(one, other)).toThrowError(/another runtime/);
  });
});

describe("a failure is a value", () => {
  it("turns what a policy or the send throws into a fault that keeps the very error", async () => {
    const { runtime } = virtualRuntime();
    const bug = new Error("bug");
    const throwing = policy("bad", "call", [], {
      handle: () => {
        throw bug;
      },
    });
    expect(await pipeline(throwing).execute(callOf(runtime, answering(runtime, 1)))).toMatchObject({
      ok: false,
      kind: "unknown",
      error: bug,
    });
    const rejecting = callOf(runtime, () => Promise.reject(bug));
    expect(await pipeline().execute(rejecting)).toMatchObject({ ok: false, kind: "unknown", error: bug });
  });

  it("lets a policy call next again", async () => {
    const { runtime } = virtualRuntime();
    let sends = 0;
    const twice = policy("twice", "border", [], {
      handle: async (call, next) => {
        await next(call);
        return next(call.with({ attempt: 2 }));
      },
    });
    const call = callOf(runtime, async (attempt) => {
      sends++;
      return valueReply(attempt.attempt, whole());
    });
    expect(await pipeline(twice).execute(call)).toMatchObject({ body: { value: 2 } });
    expect(sends).toBe(2);
    expect(call.trace.attempts.map(({ number }) => number)).toEqual([1, 2]);
  });
});

describe("events of a call", () => {
  it("reports start, attempt, first content and end of a stream only when its body is over", async () => {
    const { clock, runtime } = virtualRuntime();
    const events: BreakwaterEvent[] = [];
    runtime.events.on("*", (event) => events.push(event));
    const bound = policy("bound", "call", [], { runtime });
    const call = callOf(
      runtime,
      async () =>
        streamReply(
          streamOf(
            [
              { role: "preamble", value: 0 },
              { role: "content", value: 1 },
            ],
            whole({ usage: { inputTokens: 3, outputTokens: 4 } }),
          ),
        ),
      { stream: true },
    );
    const outcome = await pipeline(bound).execute(call);
    expect(events.map(({ type }) => type)).toEqual(["call.started", "attempt.started"]);
    await clock.advance(25);
    if (outcome.ok && outcome.body.kind === "stream") await drain(outcome.body);
    expect(events.map(({ type }) => type)).toEqual([
      "call.started",
      "attempt.started",
      "call.first_chunk",
      "attempt.completed",
      "call.completed",
    ]);
    expect(events.at(-1)).toMatchObject({
      durationMs: 25,
      attempts: 1,
      usage: { inputTokens: 3, outputTokens: 4 },
      servedBy: "upstream",
    });
    expect(call.trace.explain(call)).toMatchObject({
      outcome: "answered",
      servedBy: "upstream",
      durationMs: 25,
      provider: "test",
    });
  });

  it("keeps failed, cancelled and interrupted apart", async () => {
    const { runtime } = virtualRuntime();
    const types: string[] = [];
    runtime.events.on("*", (event) => types.push(event.type));
    const line = pipeline(policy("bound", "call", [], { runtime }));
    await line.execute(
      callOf(runtime, async () => faultOf({ kind: "server_error", error: new Error("500"), status: 500 })),
    );
    await line.execute(callOf(runtime, async () => faultOf({ kind: "aborted", error: "gone" })));
    const cut = await line.execute(
      callOf(runtime, async () => streamReply(streamOf([{ role: "content", value: 1 }], broken(interrupted("cut")))), {
        stream: true,
      }),
    );
    if (cut.ok && cut.body.kind === "stream") await drain(cut.body);
    expect(types.filter((type) => type.startsWith("call.") && type !== "call.started")).toEqual([
      "call.failed",
      "call.cancelled",
      "call.first_chunk",
      "call.failed",
    ]);
    expect(types).toContain("stream.interrupted");
  });

  it("survives listeners that throw, reject, or throw about a listener that threw", async () => {
    const { runtime } = virtualRuntime();
    const seen: string[] = [];
    runtime.events.on("call.started", () => {
      throw new TypeError("listener");
    });
    runtime.events.on("call.started", () => Promise.reject(new RangeError("async listener")));
    runtime.events.on("call.started", () => seen.push("still told"));
    runtime.events.on("listener.failed", (event) => {
      seen.push(event.error);
      throw new Error("again");
    });
    const line = pipeline(policy("bound", "call", [], { runtime }));
    expect(await line.execute(callOf(runtime, async () => valueReply(1, whole())))).toMatchObject({ ok: true });
    await Promise.resolve();
    await Promise.resolve();
    expect(seen).toEqual(["TypeError", "still told", "RangeError"]);
  });

  it("builds nothing for an event that nobody wants, and stops telling who left", () => {
    const { runtime } = virtualRuntime();
    expect(runtime.events.wants("call.started")).toBe(false);
    const off = runtime.events.on("call.started", () => {});
    expect(runtime.events.wants("call.started")).toBe(true);
    off();
    off();
    expect(runtime.events.wants("call.started")).toBe(false);
    expect(runtime.events.listenerCount).toBe(0);
  });
});
