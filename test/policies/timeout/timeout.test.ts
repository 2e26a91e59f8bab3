import { describe, expect, it } from "vitest";
import {
  type Call,
  Cancellation,
  type Chunk,
  ChunkStream,
  OptionError,
  type Outcome,
  pipeline,
  type Runtime,
  type Settlement,
  seededRandom,
  streamFor,
  streamReply,
  UpstreamTimeoutError,
  whole,
} from "../../../src/core/index.ts";
import { TIMEOUT_DEFAULTS, timeout } from "../../../src/policies/timeout/index.ts";
import { answering, callOf, drain, jsonWire, virtualRuntime } from "../../support/calls.ts";

type Step = readonly [afterMs: number, role: Chunk["role"]];

/** A `send` that streams: the head after `headMs`, then a chunk after each pause; then the end. */
function streaming(runtime: Runtime, headMs: number, steps: readonly Step[], cancelled: unknown[] = []) {
  return (call: Call): Promise<Outcome> => {
    const rest = [...steps];
    const pull = (): Promise<Chunk | Settlement> =>
      new Promise((resolve) => {
        const step = rest.shift();
        if (step === undefined) resolve(whole());
        else runtime.clock.timer(step[0], () => resolve({ role: step[1], value: step[1] }));
      });
    const source = { pull, cancel: (reason: unknown) => void cancelled.push(reason) };
    return new Promise((resolve) => {
      runtime.clock.timer(headMs, () => resolve(streamReply(streamFor(call, source))));
    });
  };
}

const never = (): Promise<Outcome> => new Promise(() => {});

function faultPhase(outcome: Outcome): string {
  if (outcome.ok) return "answered";
  return outcome.error instanceof UpstreamTimeoutError ? outcome.error.phase : outcome.kind;
}

function bodyOf(outcome: Outcome): ChunkStream {
  if (!outcome.ok || !(outcome.body instanceof ChunkStream)) throw new Error("not a stream");
  return outcome.body;
}

describe("timeout", () => {
  it("lets an answer in time pass and leaves no timer and no listener", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(timeout({}, runtime));
    const call = callOf(runtime, answering(runtime, "hi", 59_000));
    const outcome = await clock.run(line.execute(call));
    expect(outcome).toMatchObject({ ok: true, body: { value: "hi" } });
    expect(clock.pendingTimers).toBe(0);
    expect(call.cancellation.listenerCount).toBe(0);
  });

  it("ends an attempt at its limit, cancels it and says so", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = timeout({ attempt: "2s" }, runtime);
    const fired: unknown[] = [];
    runtime.events.on("timeout.fired", (event) => fired.push(event));
    let cancellation = new Cancellation();
    const call = callOf(runtime, (sent) => {
      cancellation = sent.cancellation;
      return never();
    });
    const outcome = await clock.run(pipeline(policy).execute(call));
    expect(clock.now()).toBe(2_000);
    expect(outcome).toMatchObject({ kind: "timeout", retryable: true, committed: false });
    expect(faultPhase(outcome)).toBe("attempt");
    expect(cancellation.cancelled).toBe(true);
    expect(call.cancellation.cancelled).toBe(false);
    expect(call.cancellation.listenerCount).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    expect(fired).toMatchObject([{ phase: "attempt", limitMs: 2_000, elapsedMs: 2_000 }]);
    expect(policy.snapshot()).toMatchObject({ running: 0, fired: { attempt: 1 } });
  });

  it("gives a streamed call its first-token limit before the head, a whole one only the attempt's", async () => {
    for (const [stream, phase, at] of [
      [true, "firstToken", 1_000],
      [false, "attempt", 5_000],
    ] as const) {
      const { clock, runtime } = virtualRuntime();
      const line = pipeline(timeout({ attempt: "5s", firstToken: "1s" }, runtime));
      const outcome = await clock.run(line.execute(callOf(runtime, never, { stream })));
      expect(faultPhase(outcome)).toBe(phase);
      expect(clock.now()).toBe(at);
    }
  });

  it("counts the time before the head towards the first token", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(timeout({ firstToken: "3s" }, runtime));
    const send = streaming(runtime, 2_000, [
      [500, "preamble"],
      [600, "content"],
    ]);
    const stream = bodyOf(await clock.run(line.execute(callOf(runtime, send, { stream: true }))));
    expect(await clock.run(drain(stream))).toEqual(["preamble"]);
    expect(clock.now()).toBe(3_000);
    expect(faultPhase(stream.settled.value?.fault as Outcome)).toBe("firstToken");
    await clock.advance(60_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it("does not take a slow reader for a slow provider", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(timeout({ attempt: false, firstToken: "3s", idle: "1s" }, runtime));
    const send = streaming(runtime, 100, [
      [100, "content"],
      [900, "content"],
      [900, "end"],
    ]);
    const stream = bodyOf(await clock.run(line.execute(callOf(runtime, send, { stream: true }))));
    for (let chunks = 0; chunks < 3; chunks++) {
      await clock.advance(30_000);
      await clock.run(stream.next());
    }
    expect(await clock.run(stream.next())).toBeUndefined();
    expect(stream.settled.value?.fault).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
  });

  it("ends a stream that pauses too long after content, as committed, and cancels its source", async () => {
    const { clock, runtime } = virtualRuntime();
    const cancelled: unknown[] = [];
    const line = pipeline(timeout({ idle: "1s" }, runtime));
    const send = streaming(
      runtime,
      0,
      [
        [10, "content"],
        [990, "content"],
        [5_000, "content"],
      ],
      cancelled,
    );
    const stream = bodyOf(await clock.run(line.execute(callOf(runtime, send, { stream: true }))));
    expect(await clock.run(drain(stream))).toEqual(["content", "content"]);
    expect(clock.now()).toBe(2_000);
    expect(stream.settled.value?.fault).toMatchObject({ kind: "timeout", committed: true, error: { phase: "idle" } });
    expect(cancelled).toHaveLength(1);
  });

  it("does not take keep-alive events for progress", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(timeout({ idle: "1s" }, runtime));
    const send = streaming(runtime, 0, [
      [10, "content"],
      [400, "other"],
      [400, "other"],
      [400, "other"],
    ]);
    const stream = bodyOf(await clock.run(line.execute(callOf(runtime, send, { stream: true }))));
    await clock.run(drain(stream));
    expect(clock.now()).toBe(1_010);
    expect(stream.settled.value?.fault).toMatchObject({ error: { phase: "idle" } });
  });

  it("ends a stream at the attempt's limit however lively it is", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(timeout({ attempt: "5s" }, runtime));
    const lively = Array.from({ length: 100 }, (): Step => [100, "content"]);
    const stream = bodyOf(
      await clock.run(line.execute(callOf(runtime, streaming(runtime, 0, lively), { stream: true }))),
    );
    await clock.run(drain(stream));
    expect(clock.now()).toBe(5_000);
    expect(stream.settled.value?.fault).toMatchObject({ error: { phase: "attempt" } });
  });

  it("arms no more than one timer at a time", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(timeout({}, runtime));
    const send = streaming(
      runtime,
      0,
      Array.from({ length: 50 }, (): Step => [0, "content"]),
    );
    const stream = bodyOf(await clock.run(line.execute(callOf(runtime, send, { stream: true }))));
    for (let index = 0; index < 50; index++) {
      expect(clock.pendingTimers).toBeLessThanOrEqual(1);
      await clock.run(stream.next());
    }
  });

  it("closes a reply that comes after the limit", async () => {
    const { clock, runtime } = virtualRuntime();
    const cancelled: unknown[] = [];
    const line = pipeline(timeout({ attempt: "1s" }, runtime));
    const deaf = streaming(runtime, 3_000, [[0, "content"]], cancelled);
    // Does not listen to its cancellation.
    const send = (call: Call) => deaf(call.with({ cancellation: new Cancellation() }));
    const outcome = await clock.run(line.execute(callOf(runtime, send)));
    expect(faultPhase(outcome)).toBe("attempt");
    expect(cancelled).toHaveLength(0);
    await clock.advance(3_000);
    expect(cancelled).toHaveLength(1);
  });

  it("leaves a caller's own abort an abort", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(timeout({}, runtime));
    const call = callOf(runtime, answering(runtime, "hi", 10_000));
    const running = line.execute(call);
    call.cancellation.cancel(new Error("left"));
    expect(await clock.run(running)).toMatchObject({ kind: "aborted" });
    expect(clock.pendingTimers).toBe(0);
  });

  it("ends a stream that trickles, however short its pauses are", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = timeout({ minTokensPerSecond: 1, speedWindow: "30s" }, runtime);
    const lively = Array.from({ length: 100 }, (): Step => [200, "content"]);
    const trickling = Array.from({ length: 100 }, (): Step => [5_000, "content"]);
    const send = streaming(runtime, 0, [...lively, ...trickling]);
    const stream = bodyOf(await clock.run(pipeline(policy).execute(callOf(runtime, send, { stream: true }))));
    await clock.run(drain(stream));
    expect(stream.settled.value?.fault).toMatchObject({ kind: "timeout", committed: true, error: { phase: "speed" } });
    // 20 s of good speed; then 30 tokens did not come within 30 s of waiting.
    expect(clock.now()).toBeGreaterThan(40_000);
    expect(clock.now()).toBeLessThanOrEqual(50_000);
    expect(policy.snapshot().fired).toEqual({ attempt: 0, firstToken: 0, idle: 0, speed: 1 });
  });

  it("measures speed by what chunks say, and only while the reader waits", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(timeout({ minTokensPerSecond: 10, attempt: false }, runtime));
    const wire = { ...jsonWire, contentText: () => "x".repeat(200) };
    // Fifty tokens in each chunk, one chunk every 4 s, read by somebody who takes a minute for each.
    const send = streaming(
      runtime,
      0,
      Array.from({ length: 50 }, (): Step => [4_000, "content"]),
    );
    const stream = bodyOf(await clock.run(line.execute(callOf(runtime, send, { stream: true, wire }))));
    for (let chunks = 0; chunks < 50; chunks++) {
      await clock.run(stream.next());
      await clock.advance(60_000);
    }
    expect(await clock.run(stream.next())).toBeUndefined();
    expect(stream.settled.value?.fault).toBeUndefined();
  });

  it("kills no healthy stream, though single gaps are ten times the usual one", async () => {
    const { clock, runtime } = virtualRuntime();
    const random = seededRandom(7);
    const policy = timeout({ firstToken: "5s", idle: "1s", minTokensPerSecond: 5, speedWindow: "5s" }, runtime);
    const line = pipeline(policy);
    const gap = (): number => (random() < 0.02 ? 300 : 20 + random() * 20);
    const streams = Array.from({ length: 500 }, async () => {
      const send = streaming(
        runtime,
        300,
        Array.from({ length: 200 }, (): Step => [gap(), random() < 0.1 ? "other" : "content"]),
      );
      const stream = bodyOf(await line.execute(callOf(runtime, send, { stream: true })));
      await drain(stream);
      return stream.settled.value?.fault;
    });
    expect((await clock.run(Promise.all(streams))).filter((fault) => fault !== undefined)).toEqual([]);
    expect(policy.snapshot()).toMatchObject({ running: 0, fired: { attempt: 0, firstToken: 0, idle: 0, speed: 0 } });
  });

  it("learns how soon first tokens come, and rises again when they no longer do", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = timeout({ firstToken: "60s", adaptiveFirstToken: { min: "1s" } }, runtime);
    const line = pipeline(policy);
    const first = async (ms: number, inputChars = 1_000): Promise<string> => {
      const send = streaming(runtime, 0, [[ms, "content"]]);
      const options = { stream: true, inputChars } as const;
      const stream = bodyOf(await clock.run(line.execute(callOf(runtime, send, options))));
      await clock.run(drain(stream));
      const fault = stream.settled.value?.fault;
      return fault === undefined ? "answered" : faultPhase(fault);
    };
    for (let index = 0; index < 100; index++) expect(await first(900)).toBe("answered");
    expect(await first(2_500)).toBe("answered");
    expect(await first(9_000)).toBe("firstToken");
    expect(await first(9_000, 100_000)).toBe("answered");
    let tries = 0;
    while ((await first(9_000)) !== "answered") tries++;
    expect(tries).toBeLessThan(5);
  });

  it("does nothing when every part is off", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(timeout({ attempt: false, firstToken: false, idle: false }, runtime));
    expect(await clock.run(line.execute(callOf(runtime, answering(runtime, "hi", 1e9))))).toMatchObject({ ok: true });
  });

  it("applies changed limits to attempts that begin later and keeps the others", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = timeout({ idle: "7s" }, runtime);
    const before = pipeline(policy).execute(callOf(runtime, never));
    policy.update({ attempt: "1s", firstToken: false });
    expect(policy.snapshot().limits).toEqual({
      attempt: 1_000,
      firstToken: null,
      idle: 7_000,
      speed: null,
    });
    expect(faultPhase(await clock.run(pipeline(policy).execute(callOf(runtime, never))))).toBe("attempt");
    expect(clock.now()).toBe(1_000);
    await clock.run(before);
    expect(clock.now()).toBe(60_000);
  });

  it("refuses wrong options by name", () => {
    expect(() => timeout({ attempt: "soon" as "1s" })).toThrow(/timeout\.attempt/);
    expect(() => timeout({ total: "1s" } as object)).toThrow(OptionError);
    expect(() => timeout({ minTokensPerSecond: 0 })).toThrow(/timeout\.minTokensPerSecond/);
    expect(() => timeout({ speedWindow: 10 })).toThrow(/timeout\.speedWindow/);
    expect(() => timeout({ adaptiveFirstToken: { times: 0 } })).toThrow(/timeout\.adaptiveFirstToken\.times/);
    expect(TIMEOUT_DEFAULTS).toMatchObject({
      attempt: "60s",
      firstToken: "20s",
      idle: "15s",
      minTokensPerSecond: false,
    });
  });
});
