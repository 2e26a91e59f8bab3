import { describe, expect, it } from "vitest";
import {
  aborted,
  broken,
  type Call,
  Cancellation,
  type Chunk,
  ChunkStream,
  DeadlineExceededError,
  type Fault,
  faultOf,
  NotCanonicalError,
  OptionError,
  type Outcome,
  pipeline,
  QueueFullError,
  type Reply,
  type Runtime,
  refusal,
  type Settlement,
  streamFor,
  streamReply,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { COALESCE_DEFAULTS, coalesce } from "../../../src/policies/coalesce/index.ts";
import { pool } from "../../../src/policies/pool/index.ts";
import { answering, callOf, drain, jsonWire, virtualRuntime } from "../../support/calls.ts";

const CROWD = 1000;

/** A `send` that counts its calls and remembers them. */
function counted(send: (call: Call) => Promise<Outcome>) {
  const sent: Call[] = [];
  return {
    sent,
    send: (call: Call) => {
      sent.push(call);
      return send(call);
    },
  };
}

/** A `send` that streams one chunk of text every `everyMs`. */
function streaming(runtime: Runtime, values: readonly unknown[], everyMs: number, end: Settlement = whole()) {
  const cancelled: Fault[] = [];
  let pulls = 0;
  const send = async (call: Call): Promise<Outcome> => {
    const rest: Chunk[] = values.map((value) => ({ role: "content", value }));
    const pull = (): Promise<Chunk | Settlement> => {
      pulls++;
      return new Promise((resolve) => {
        runtime.clock.timer(everyMs, () => resolve(rest.shift() ?? end));
      });
    };
    return streamReply(streamFor(call, { pull, cancel: (reason) => void cancelled.push(reason) }));
  };
  return { send, cancelled, pulls: () => pulls };
}

function streamIn(outcome: Outcome | undefined): ChunkStream {
  if (outcome?.ok !== true || !(outcome.body instanceof ChunkStream)) throw new Error("not a stream");
  return outcome.body;
}

function valueIn(outcome: Outcome | undefined): unknown {
  if (outcome?.ok !== true || outcome.body.kind !== "value") throw new Error("not a value");
  return outcome.body.value;
}

const servedBy = (outcomes: readonly Outcome[], by: Reply["servedBy"]): number =>
  outcomes.filter((outcome) => outcome.ok && outcome.servedBy === by).length;

describe("coalesce with whole answers", () => {
  it("asks once for 1,000 identical calls and leaves no timer and no listener", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = coalesce({}, runtime);
    const line = pipeline(policy);
    const { sent, send } = counted(answering(runtime, "hi", 100));
    const calls = Array.from({ length: CROWD }, () => callOf(runtime, send));
    const outcomes = await clock.run(Promise.all(calls.map((call) => line.execute(call))));
    expect(sent).toHaveLength(1);
    expect(outcomes.map(valueIn)).toEqual(new Array(CROWD).fill("hi"));
    expect([servedBy(outcomes, "upstream"), servedBy(outcomes, "coalesced")]).toEqual([1, CROWD - 1]);
    expect(calls.map((call) => call.cancellation.listenerCount)).toEqual(new Array(CROWD).fill(0));
    expect(sent[0]?.cancellation.listenerCount).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    expect(policy.snapshot()).toMatchObject({ flights: 0, joined: CROWD - 1 });
  });

  it("gives everybody the one error of the provider", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({}, runtime));
    const error = new Error("503");
    const { sent, send } = counted(async (call) => {
      await answering(runtime, "", 50)(call);
      return faultOf({ kind: "server_error", error, status: 503 });
    });
    const calls = Array.from({ length: CROWD }, () => callOf(runtime, send));
    const outcomes = await clock.run(Promise.all(calls.map((call) => line.execute(call))));
    expect(sent).toHaveLength(1);
    expect(outcomes.every((outcome) => !outcome.ok && outcome.error === error)).toBe(true);
    expect(calls.every((call) => call.cancellation.listenerCount === 0)).toBe(true);
  });

  it("asks again once the answer is there", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({}, runtime));
    const { sent, send } = counted(answering(runtime, "hi", 10));
    await clock.run(line.execute(callOf(runtime, send)));
    await clock.run(line.execute(callOf(runtime, send)));
    expect(sent).toHaveLength(2);
  });

  it("settles the first caller at once when it gives up, and answers the others", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({}, runtime));
    const { sent, send } = counted(answering(runtime, "hi", 100));
    const calls = Array.from({ length: 10 }, () => callOf(runtime, send));
    const outcomes = calls.map((call) => line.execute(call));
    calls[0]?.cancellation.cancel("bored");
    expect(await outcomes[0]).toMatchObject({ ok: false, kind: "aborted", error: "bored" });
    expect(clock.now()).toBe(0);
    const others = await clock.run(Promise.all(outcomes.slice(1)));
    expect(others.map(valueIn)).toEqual(new Array(9).fill("hi"));
    expect(sent).toHaveLength(1);
    // Somebody has to stand for the call that was made.
    expect(servedBy(others, "upstream")).toBe(1);
  });

  it("cancels the provider when all have given up, and not before", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({}, runtime));
    const { sent, send } = counted(answering(runtime, "hi", 100));
    const calls = Array.from({ length: 5 }, () => callOf(runtime, send));
    const outcomes = calls.map((call) => line.execute(call));
    for (const call of calls.slice(0, 4)) call.cancellation.cancel("bored");
    expect(sent[0]?.cancellation.cancelled).toBe(false);
    calls[4]?.cancellation.cancel("the last");
    expect(sent[0]?.cancellation.cancelled).toBe(true);
    expect(await Promise.all(outcomes)).toEqual(
      [...new Array(4).fill("bored"), "the last"].map((reason) => aborted(reason)),
    );
    expect(clock.pendingTimers).toBe(0);
  });

  it("starts anew for a caller that comes after all have given up", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({}, runtime));
    const { sent, send } = counted(answering(runtime, "hi", 100));
    const first = callOf(runtime, send);
    const left = line.execute(first);
    first.cancellation.cancel("bored");
    const second = line.execute(callOf(runtime, send));
    expect(valueIn(await clock.run(second))).toBe("hi");
    expect(await left).toMatchObject({ kind: "aborted" });
    expect(sent).toHaveLength(2);
  });

  it("refuses a call that was cancelled before, without asking", async () => {
    const { runtime } = virtualRuntime();
    const { sent, send } = counted(answering(runtime, "hi", 100));
    const cancellation = new Cancellation();
    cancellation.cancel("early");
    const outcome = await pipeline(coalesce({}, runtime)).execute(callOf(runtime, send, { cancellation }));
    expect(outcome).toMatchObject({ kind: "aborted", error: "early" });
    expect(sent).toHaveLength(0);
  });

  it("gives everybody a value of their own", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({}, runtime));
    const send = answering(runtime, { list: [{ n: 1 }] }, 10);
    const outcomes = await clock.run(
      Promise.all([line.execute(callOf(runtime, send)), line.execute(callOf(runtime, send))]),
    );
    const [mine, yours] = outcomes.map(valueIn) as { list: { n: number }[] }[];
    (mine?.list[0] as { n: number }).n = 2;
    mine?.list.push({ n: 3 });
    expect(yours).toEqual({ list: [{ n: 1 }] });
  });
});

describe("coalesce with streams", () => {
  const values = Array.from({ length: 20 }, (_, index) => `chunk ${index}`);

  it("asks once for 1,000 identical calls and gives each the whole stream", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = coalesce({}, runtime);
    const line = pipeline(policy);
    const stream = streaming(runtime, values, 10);
    const { sent, send } = counted(stream.send);
    const calls = Array.from({ length: CROWD }, () => callOf(runtime, send, { stream: true }));
    const outcomes = await Promise.all(calls.map((call) => line.execute(call)));
    const read = await clock.run(Promise.all(outcomes.map((outcome) => drain(streamIn(outcome)))));
    expect(sent).toHaveLength(1);
    expect(read).toEqual(new Array(CROWD).fill(values));
    // One pull for each chunk, and one for the end.
    expect(stream.pulls()).toBe(values.length + 1);
    expect(outcomes.every((outcome) => outcome.ok && outcome.settled.value?.fault === undefined)).toBe(true);
    expect(calls.every((call) => call.cancellation.listenerCount === 0)).toBe(true);
    expect(sent[0]?.cancellation.listenerCount).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    expect(policy.snapshot().flights).toBe(0);
  });

  it("gives who joins in the middle everything from the first chunk on", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({}, runtime));
    const { sent, send } = counted(streaming(runtime, values, 10).send);
    const early = streamIn(await line.execute(callOf(runtime, send, { stream: true })));
    for (let count = 0; count < 5; count++) await clock.run(early.next());
    const late = await line.execute(callOf(runtime, send, { stream: true }));
    expect(late).toMatchObject({ servedBy: "coalesced" });
    const before = clock.now();
    const first = [];
    for (let count = 0; count < 5; count++) first.push((await streamIn(late).next())?.value);
    expect(first).toEqual(values.slice(0, 5));
    expect(clock.now()).toBe(before);
    // The early one does not ask for more, and yet the late one goes on.
    expect(await clock.run(drain(streamIn(late)))).toEqual(values.slice(5));
    expect(await clock.run(drain(early))).toEqual(values.slice(5));
    expect(sent).toHaveLength(1);
  });

  it("does not pull before somebody asks", async () => {
    const { clock, runtime } = virtualRuntime();
    const stream = streaming(runtime, values, 10);
    const outcome = await pipeline(coalesce({}, runtime)).execute(callOf(runtime, stream.send, { stream: true }));
    await clock.advance(1000);
    expect(stream.pulls()).toBe(0);
    await clock.run(streamIn(outcome).next());
    await clock.advance(1000);
    expect(stream.pulls()).toBe(1);
  });

  it("goes on for the others when the first caller leaves, and cancels the provider with the last", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({}, runtime));
    const stream = streaming(runtime, values, 10);
    const { sent, send } = counted(stream.send);
    const calls = Array.from({ length: 3 }, () => callOf(runtime, send, { stream: true }));
    const [first, second, third] = (await Promise.all(calls.map((call) => line.execute(call)))).map(streamIn);
    await clock.run(first?.next() ?? Promise.reject());
    const waiting = first?.next();
    calls[0]?.cancellation.cancel("bored");
    expect(await waiting).toBeUndefined();
    expect(first?.settled.value?.fault).toMatchObject({ kind: "aborted", error: "bored" });
    expect((await clock.run(second?.next() ?? Promise.reject()))?.value).toBe("chunk 0");
    second?.fail(aborted("closed"));
    expect(stream.cancelled).toEqual([]);
    expect((await clock.run(third?.next() ?? Promise.reject()))?.value).toBe("chunk 0");
    third?.fail(faultOf({ kind: "timeout", error: "the last" }));
    expect(stream.cancelled).toMatchObject([{ kind: "timeout", error: "the last" }]);
    expect(sent[0]?.cancellation.cancelled).toBe(true);
    expect(calls.every((call) => call.cancellation.listenerCount === 0)).toBe(true);
  });

  it("ends with the failure of the provider for everybody, each after what it has read", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({}, runtime));
    const fault = faultOf({ kind: "interrupted", error: new Error("cut") });
    const cut = broken(fault, { inputTokens: 1, outputTokens: 2 });
    const { sent, send } = counted(streaming(runtime, ["a", "b"], 10, cut).send);
    const [fast, slow, idle] = (
      await Promise.all([1, 2, 3].map(() => line.execute(callOf(runtime, send, { stream: true }))))
    ).map(streamIn);
    expect(await clock.run(drain(fast as ChunkStream))).toEqual(["a", "b"]);
    expect(fast?.settled.value).toMatchObject({ fault: { kind: "interrupted", committed: true }, usage: cut.usage });
    expect(await clock.run(drain(slow as ChunkStream))).toEqual(["a", "b"]);
    expect(slow?.settled.value?.fault?.kind).toBe("interrupted");
    expect(idle?.settled.isOpen).toBe(false);
    expect(sent).toHaveLength(1);
  });

  it("tells a reader that has read everything of a failure even while it does not ask", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({}, runtime));
    let upstream: ChunkStream | undefined;
    const inner = streaming(runtime, ["a", "b"], 10);
    const send = async (call: Call): Promise<Outcome> => {
      const outcome = await inner.send(call);
      upstream = streamIn(outcome);
      return outcome;
    };
    const reader = streamIn(await line.execute(callOf(runtime, send, { stream: true })));
    await clock.run(reader.next());
    upstream?.fail(faultOf({ kind: "timeout", error: new Error("too slow") }));
    expect(reader.settled.value?.fault?.kind).toBe("timeout");
  });

  it("lets nobody join beyond the buffer and cuts off a reader that falls behind by more", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({ maxBuffer: 100 }, runtime));
    const big = Array.from({ length: 10 }, (_, index) => String(index).repeat(30));
    const { sent, send } = counted(streaming(runtime, big, 10).send);
    const request = { stream: true };
    const fast = streamIn(await line.execute(callOf(runtime, send, request)));
    const slow = streamIn(await line.execute(callOf(runtime, send, request)));
    for (let count = 0; count < 3; count++) await clock.run(fast.next());
    expect(slow.settled.isOpen).toBe(false);
    await clock.run(fast.next());
    expect(slow.settled.value?.fault?.kind).toBe("interrupted");
    const late = await line.execute(callOf(runtime, send, request));
    expect(late).toMatchObject({ servedBy: "upstream" });
    expect(sent).toHaveLength(2);
    expect(await clock.run(drain(fast))).toEqual(big.slice(4));
  });

  it("holds no more than the buffer of chunks that are empty", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = coalesce({ maxBuffer: 100 }, runtime);
    const { send } = streaming(runtime, new Array(50).fill(""), 1);
    const reader = streamIn(await pipeline(policy).execute(callOf(runtime, send, { stream: true })));
    for (let count = 0; count < 20; count++) await clock.run(reader.next());
    // Nobody can join: the beginning has been let go.
    expect(policy.snapshot().flights).toBe(0);
  });

  it("takes a reader that leaves after the last word for one that has the whole answer", async () => {
    const { runtime } = virtualRuntime();
    const end = whole({ usage: { inputTokens: 1, outputTokens: 2 } });
    const send = async (call: Call): Promise<Outcome> => {
      const rest: Chunk[] = [
        { role: "content", value: "a" },
        { role: "end", value: "done" },
      ];
      return streamReply(streamFor(call, { pull: async () => rest.shift() ?? end, cancel: () => end }));
    };
    const line = pipeline(coalesce({}, runtime));
    const [fast, slow] = (
      await Promise.all([1, 2].map(() => line.execute(callOf(runtime, send, { stream: true }))))
    ).map(streamIn) as [ChunkStream, ChunkStream];
    await fast.next();
    await fast.next();
    fast.fail(aborted("has all"));
    expect(fast.settled.value).toBe(end);
    expect(await drain(slow)).toEqual(["a", "done"]);
    expect(slow.settled.value).toBe(end);
  });

  it("lets others read on after one left with all, though the source cannot tell what it came to", async () => {
    const { runtime } = virtualRuntime();
    const send = async (call: Call): Promise<Outcome> => {
      const rest: Chunk[] = [
        { role: "content", value: "a" },
        { role: "end", value: "done" },
      ];
      return streamReply(streamFor(call, { pull: async () => rest.shift() ?? whole(), cancel: () => undefined }));
    };
    const line = pipeline(coalesce({}, runtime));
    const [fast, slow] = (
      await Promise.all([1, 2].map(() => line.execute(callOf(runtime, send, { stream: true }))))
    ).map(streamIn) as [ChunkStream, ChunkStream];
    await fast.next();
    await fast.next();
    fast.fail(aborted("has all"));
    expect(await drain(slow)).toEqual(["a", "done"]);
    expect([fast, slow].map((stream) => stream.settled.value?.fault)).toEqual([undefined, undefined]);
  });

  it("counts what a stream has cost once, however it ends and whoever leaves", async () => {
    const usage = { inputTokens: 1, outputTokens: 2 };
    const cut = broken(faultOf({ kind: "interrupted", error: new Error("cut") }), usage);
    for (const end of [whole({ usage }), cut]) {
      for (const leaving of [[], [0], [0, 1], [0, 1, 2]]) {
        const { clock, runtime } = virtualRuntime();
        const line = pipeline(coalesce({}, runtime));
        const send = async (call: Call): Promise<Outcome> => {
          const rest: Chunk[] = [{ role: "content", value: "a" }];
          const cancel = (reason: Fault): Settlement => broken(reason, usage);
          return streamReply(streamFor(call, { pull: async () => rest.shift() ?? end, cancel }));
        };
        const ends: { type: string; usage: unknown; servedBy?: unknown }[] = [];
        for (const type of ["call.completed", "call.failed", "call.cancelled"] as const) {
          runtime.events.on(type, (event) => void ends.push(event));
        }
        const calls = [1, 2, 3].map(() => callOf(runtime, send, { stream: true }));
        const streams = (await Promise.all(calls.map((call) => line.execute(call)))).map(streamIn);
        await streams[0]?.next();
        for (const index of leaving) calls[index]?.cancellation.cancel("bored");
        await clock.run(Promise.all(streams.map(drain)));
        expect(ends).toHaveLength(3);
        const paid = ends.filter((event) => event.usage !== undefined && event.servedBy !== "coalesced");
        expect(paid, `${leaving} of ${end.fault?.kind}`).toHaveLength(1);
      }
    }
  });

  it("gives every reader chunks of its own", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({}, runtime));
    const { send } = streaming(runtime, [{ n: 1 }], 10);
    const mine = streamIn(await line.execute(callOf(runtime, send, { stream: true })));
    const yours = streamIn(await line.execute(callOf(runtime, send, { stream: true })));
    const chunk = await clock.run(mine.next());
    (chunk?.value as { n: number }).n = 2;
    expect((await clock.run(yours.next()))?.value).toEqual({ n: 1 });
  });

  it("cancels a stream that begins after all have left", async () => {
    const { clock, runtime } = virtualRuntime();
    const cancelled: Fault[] = [];
    const source = { pull: () => new Promise<never>(() => {}), cancel: (reason: Fault) => void cancelled.push(reason) };
    const send = (): Promise<Outcome> =>
      new Promise((resolve) => {
        runtime.clock.timer(50, () => resolve(streamReply(new ChunkStream(source))));
      });
    const call = callOf(runtime, send, { stream: true });
    const outcome = pipeline(coalesce({}, runtime)).execute(call);
    call.cancellation.cancel("bored");
    expect(await outcome).toMatchObject({ kind: "aborted" });
    await clock.advance(100);
    expect(cancelled).toMatchObject([{ kind: "aborted", error: "bored" }]);
  });
});

describe("coalesce and time", () => {
  /** Refuses a call that has less than `ms` left. */
  const needing =
    (runtime: Runtime, ms: number) =>
    async (call: Call): Promise<Outcome> => {
      await answering(runtime, "", 10)(call);
      if (call.admitBy - runtime.clock.now() >= ms) return valueReply("hi", whole());
      return refusal(new DeadlineExceededError("no time", { policy: "pool" }));
    };

  it("sends the follower with the most time when the first call is refused for want of it, once", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({}, runtime));
    const { sent, send } = counted(needing(runtime, 5000));
    const deadlines = [1000, 500, 6000, undefined, 1000];
    const outcomes = await clock.run(
      Promise.all(
        deadlines.map((deadline) => {
          const scope = deadline === undefined ? {} : { deadline };
          return line.execute(callOf(runtime, send, { scope }));
        }),
      ),
    );
    expect(outcomes.map((outcome) => outcome.ok)).toEqual([false, false, true, true, false]);
    expect(sent.map((call) => call.deadline)).toEqual([1000, Number.POSITIVE_INFINITY]);
  });

  it("gives up after the second refusal", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({}, runtime));
    const { sent, send } = counted(needing(runtime, 50_000));
    const outcomes = await clock.run(
      Promise.all(
        ([1, 2, 3] as const).map((n) => line.execute(callOf(runtime, send, { scope: { deadline: n * 1000 } }))),
      ),
    );
    expect(outcomes.map((outcome) => outcome.ok)).toEqual([false, false, false]);
    expect(sent).toHaveLength(2);
  });

  it("does not send another after a refusal that time does not help", async () => {
    const { clock, runtime } = virtualRuntime();
    const line = pipeline(coalesce({}, runtime));
    const { sent, send } = counted(async () => refusal(new QueueFullError("full", { policy: "pool" })));
    const outcomes = await clock.run(
      Promise.all([
        line.execute(callOf(runtime, send, { scope: { deadline: 1000 } })),
        line.execute(callOf(runtime, send)),
      ]),
    );
    expect(outcomes.map((outcome) => outcome.ok)).toEqual([false, false]);
    expect(sent).toHaveLength(1);
  });
});

describe("what coalesce takes for identical", () => {
  async function upstreamCalls(
    options: Parameters<typeof coalesce>[0],
    ...pairs: readonly Parameters<typeof callOf>[2][]
  ): Promise<number> {
    const { clock, runtime } = virtualRuntime();
    const { sent, send } = counted(answering(runtime, "hi", 10));
    const line = pipeline(coalesce(options, runtime));
    await clock.run(Promise.all(pairs.map((pair) => line.execute(callOf(runtime, send, pair)))));
    return sent.length;
  }

  it("is the same question of the same caller in the same shape", async () => {
    expect(await upstreamCalls({}, {}, {})).toBe(1);
    expect(await upstreamCalls({}, { request: { input: "a" } }, { request: { input: "b" } })).toBe(2);
    expect(await upstreamCalls({}, { model: "a" }, { model: "b" })).toBe(2);
    expect(await upstreamCalls({}, { credential: "a" }, { credential: "b" })).toBe(2);
    expect(await upstreamCalls({}, { scope: { client: "a" } }, { scope: { client: "b" } })).toBe(2);
    expect(await upstreamCalls({}, { stream: false }, { stream: true })).toBe(2);
  });

  it("is nothing that must not be cached", async () => {
    const stateful = { ...jsonWire, identity: () => ({ bypass: "stateful" }) };
    const unreadable = {
      ...jsonWire,
      identity: () => {
        throw new NotCanonicalError("no");
      },
    };
    expect(await upstreamCalls({}, { wire: stateful }, { wire: stateful })).toBe(2);
    expect(await upstreamCalls({}, { wire: unreadable }, { wire: unreadable })).toBe(2);
    expect(await upstreamCalls({}, { scope: { cache: "bypass" } }, { scope: { cache: "bypass" } })).toBe(2);
  });

  it("keeps who wants a fresh answer apart from who does not", async () => {
    const refresh = { scope: { cache: "refresh" } } as const;
    expect(await upstreamCalls({}, {}, refresh, refresh, {})).toBe(2);
  });

  it("is only what asks for temperature 0 when told so", async () => {
    const at = (temperature?: number) => ({ request: { input: "hi", temperature } });
    expect(await upstreamCalls({ when: "deterministic" }, at(0), at(0))).toBe(1);
    expect(await upstreamCalls({ when: "deterministic" }, at(1), at(1))).toBe(2);
    expect(await upstreamCalls({ when: "deterministic" }, at(), at())).toBe(2);
  });
});

describe("the options and the state of coalesce", () => {
  it("have the documented defaults and name what is wrong", () => {
    expect(COALESCE_DEFAULTS).toEqual({ when: "always", maxBuffer: "4mb" });
    expect(() => coalesce({ maxBuffer: 0 })).toThrow(OptionError);
    expect(() => coalesce({ when: "never" as "always" })).toThrow(/coalesce\.when/);
    expect(() => coalesce({ size: 1 } as object)).toThrow(/coalesce\.size/);
  });

  it("change while running, all or nothing", () => {
    const { runtime } = virtualRuntime();
    const policy = coalesce({}, runtime);
    policy.update({ maxBuffer: "1kb" });
    expect(() => policy.update({ when: "deterministic", maxBuffer: -1 })).toThrow(/coalesce\.maxBuffer/);
    expect(policy.snapshot()).toEqual({ when: "always", maxBufferBytes: 1024, flights: 0, joined: 0 });
  });

  it("tell of every call that joined", async () => {
    const { clock, runtime } = virtualRuntime();
    const followers: number[] = [];
    runtime.events.on("coalesce.joined", (event) => followers.push(event.followers));
    const line = pipeline(coalesce({}, runtime));
    const send = answering(runtime, "hi", 10);
    await clock.run(Promise.all([1, 2, 3].map(() => line.execute(callOf(runtime, send)))));
    expect(followers).toEqual([1, 2]);
  });
});

describe("coalesce and priority", () => {
  function crowded() {
    const { clock, runtime } = virtualRuntime();
    const waitingLine = pool({ concurrency: 1 }, runtime);
    const policy = coalesce({}, runtime);
    const line = pipeline(policy, waitingLine);
    const { sent, send } = counted(answering(runtime, "answer", 1_000));
    const ask = (
      question: string,
      priority: "critical" | "normal" | "background",
      cancellation = new Cancellation(),
    ) => {
      const call = callOf(runtime, send, { request: { input: question }, scope: { priority }, cancellation });
      return { call, outcome: line.execute(call).then((outcome) => ({ outcome, at: clock.now() })) };
    };
    const crowd = (): void => {
      for (let n = 0; n < 20; n++) ask(`question ${n}`, "normal");
    };
    return { clock, runtime, policy, waitingLine, sent, ask, crowd };
  }

  it("goes by the most urgent who asks, as long as nothing was sent", async () => {
    const { clock, policy, waitingLine, sent, ask, crowd } = crowded();
    crowd();
    const first = ask("shared", "background");
    const urgent = ask("shared", "critical");
    const last = ask("shared", "normal");
    expect(waitingLine.snapshot()).toMatchObject({ queued: 20, queuedByPriority: { critical: 1, background: 0 } });
    await clock.advance(100_000);
    for (const { outcome } of [first, urgent, last])
      expect(await outcome).toMatchObject({ outcome: { ok: true }, at: 2_000 });
    expect(sent.filter(({ request }) => (request as { input: string }).input === "shared")).toEqual([
      expect.objectContaining({ id: urgent.call.id }),
    ]);
    expect(policy.snapshot().flights).toBe(0);
    expect(waitingLine.snapshot()).toMatchObject({ running: 0, queued: 0 });
  });

  it("leaves a call alone that was sent", async () => {
    const { clock, sent, ask } = crowded();
    const first = ask("shared", "background");
    await clock.advance(500);
    const urgent = ask("shared", "critical");
    await clock.advance(10_000);
    expect(await first.outcome).toMatchObject({ outcome: { ok: true, servedBy: "upstream" }, at: 1_000 });
    expect(await urgent.outcome).toMatchObject({ outcome: { ok: true, servedBy: "coalesced" }, at: 1_000 });
    expect(sent).toHaveLength(1);
  });

  it("answers the others when the urgent one leaves, and cancels when all have", async () => {
    const { clock, runtime, policy, waitingLine, ask, crowd } = crowded();
    crowd();
    const [leaves, stays] = [new Cancellation(), new Cancellation()];
    const first = ask("shared", "background", stays);
    const urgent = ask("shared", "critical", leaves);
    leaves.cancel("left");
    expect(await urgent.outcome).toMatchObject({ outcome: { kind: "aborted" } });
    await clock.advance(2_000);
    expect(await first.outcome).toMatchObject({ outcome: { ok: true }, at: 2_000 });
    const again = ask("again", "background", stays);
    const both = ask("again", "critical", leaves);
    expect(await both.outcome).toMatchObject({ outcome: { kind: "aborted" } });
    stays.cancel("left");
    expect(await again.outcome).toMatchObject({ outcome: { kind: "aborted" } });
    await clock.advance(100_000);
    expect(policy.snapshot().flights).toBe(0);
    expect(waitingLine.snapshot()).toMatchObject({ running: 0, queued: 0 });
    expect(runtime.ledger.account("slots").balance.inFlight).toBe(0);
  });
});
