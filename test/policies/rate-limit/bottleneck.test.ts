import Bottleneck from "bottleneck";
import { afterEach, describe, expect, it } from "vitest";
import {
  type Call,
  type Chunk,
  ChunkStream,
  createRuntime,
  type Outcome,
  pipeline,
  RateLimitError,
  streamReply,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { callOf, drain } from "../../support/calls.ts";

const limiters: Bottleneck[] = [];
const bottleneck = (options: Bottleneck.ConstructorOptions): Bottleneck => {
  const limiter = new Bottleneck(options);
  limiters.push(limiter);
  return limiter;
};

afterEach(async () => {
  for (const limiter of limiters.splice(0)) await limiter.disconnect();
});

/** A `send` whose calls end when they are told to. */
function held() {
  const ends: (() => void)[] = [];
  let sent = 0;
  let notify: () => void = () => {};
  const send = (): Promise<Outcome> =>
    new Promise((resolve) => {
      sent++;
      ends.push(() => resolve(valueReply("hi", whole())));
      notify();
    });
  return {
    send,
    ends,
    get sent() {
      return sent;
    },
    next: () =>
      new Promise<void>((resolve) => {
        notify = resolve;
      }),
  };
}

describe("rateLimit with a Bottleneck of the user's", () => {
  it("passes calls through it and lets an urgent one go first", async () => {
    const runtime = createRuntime();
    const limiter = bottleneck({ maxConcurrent: 1 });
    const line = pipeline(rateLimit({ limiter }, runtime));
    const provider = held();
    const order: string[] = [];
    const ask = (name: string, priority: "critical" | "background") => {
      const send = async (): Promise<Outcome> => {
        order.push(name);
        return valueReply(name, whole({ usage: { inputTokens: 10, outputTokens: 5 } }));
      };
      return line.execute(callOf(runtime, send, { scope: { priority } }));
    };
    const started = provider.next();
    const first = line.execute(callOf(runtime, provider.send));
    await started;
    const rest = [ask("last", "background"), ask("urgent", "critical")];
    while (limiter.queued() < 2) await new Promise((resolve) => setImmediate(resolve));
    provider.ends[0]?.();
    expect((await Promise.all([first, ...rest])).map((outcome) => outcome.ok)).toEqual([true, true, true]);
    expect(order).toEqual(["urgent", "last"]);
    expect(runtime.ledger.account("requests").balance).toMatchObject({ settled: 3, inFlight: 0 });
  });

  it("keeps a slot until the body of a stream is over", async () => {
    const runtime = createRuntime();
    const limiter = bottleneck({ maxConcurrent: 1 });
    const line = pipeline(rateLimit({ limiter }, runtime));
    const chunk: Chunk = { role: "content", value: "x" };
    const chunks = [chunk, chunk];
    const stream = new ChunkStream({ pull: async () => chunks.shift() ?? whole(), cancel: () => {} });
    const outcome = await line.execute(callOf(runtime, async () => streamReply(stream), { stream: true }));
    if (!outcome.ok || !(outcome.body instanceof ChunkStream)) throw new Error("not a stream");
    expect(await limiter.running()).toBe(1);
    await drain(outcome.body);
    await limiter.schedule(async () => {});
    expect(limiter.counts().EXECUTING).toBe(0);
  });

  it("settles a caller that gives up at once, sends nothing for it and keeps no slot", async () => {
    const runtime = createRuntime();
    const policy = rateLimit({ limiter: bottleneck({ maxConcurrent: 1 }) }, runtime);
    const line = pipeline(policy);
    const provider = held();
    const started = provider.next();
    const first = line.execute(callOf(runtime, provider.send));
    await started;
    const call = callOf(runtime, provider.send);
    const waiting = line.execute(call);
    call.cancellation.cancel(new Error("left"));
    expect(await waiting).toMatchObject({ kind: "aborted" });
    expect(policy.snapshot()).toMatchObject({ engine: "bottleneck", waiting: 0, admitted: 1 });
    const third = line.execute(callOf(runtime, provider.send));
    const startedAgain = provider.next();
    provider.ends[0]?.();
    await first;
    await startedAgain;
    provider.ends[1]?.();
    expect(await third).toMatchObject({ ok: true });
    expect(provider.sent).toBe(2);
  });

  it("refuses what Bottleneck drops, and what has no turn in time", async () => {
    const runtime = createRuntime();
    const limiter = bottleneck({ maxConcurrent: 1, highWater: 1, strategy: Bottleneck.strategy.OVERFLOW });
    const line = pipeline(rateLimit({ limiter }, runtime));
    const provider = held();
    const started = provider.next();
    const first = line.execute(callOf(runtime, provider.send));
    await started;
    const late = line.execute(callOf(runtime, provider.send, { scope: { deadline: "20ms" } }));
    const dropped = await line.execute(callOf(runtime, provider.send));
    expect(dropped).toMatchObject({ kind: "refused", retryable: false });
    expect(dropped.ok ? undefined : dropped.error).toBeInstanceOf(RateLimitError);
    expect(await late).toMatchObject({ kind: "refused", error: { code: "RATE_LIMITED" } });
    provider.ends[0]?.();
    await first;
  });

  it("gives each target a limiter of its own in a group", async () => {
    const runtime = createRuntime();
    const group = new Bottleneck.Group({ maxConcurrent: 1 });
    const line = pipeline(rateLimit({ limiter: group }, runtime));
    const sent: string[] = [];
    const ask = (model: string) =>
      line.execute(
        callOf(
          runtime,
          async (call: Call) => {
            sent.push(call.model);
            return valueReply("hi", whole());
          },
          { model },
        ),
      );
    await Promise.all([ask("a"), ask("b"), ask("a")]);
    expect(sent.toSorted()).toEqual(["a", "a", "b"]);
    expect(group.keys().toSorted()).toEqual(["test/a/k", "test/b/k"]);
    await group.disconnect();
  });

  it("lets those who wait go when it is closed", async () => {
    const runtime = createRuntime();
    const policy = rateLimit({ limiter: bottleneck({ maxConcurrent: 1 }) }, runtime);
    const line = pipeline(policy);
    const provider = held();
    const started = provider.next();
    const first = line.execute(callOf(runtime, provider.send));
    await started;
    const waiting = line.execute(callOf(runtime, provider.send));
    policy.close();
    expect(await waiting).toMatchObject({ kind: "refused", error: { code: "CLOSED" } });
    provider.ends[0]?.();
    expect(await first).toMatchObject({ ok: true });
  });

  it("takes no limits of ours beside it", () => {
    const limiter = bottleneck({ maxConcurrent: 1 });
    expect(() => rateLimit({ limiter, requestsPerMinute: 5 })).toThrow(/rateLimit\.limiter/);
    expect(() => rateLimit({ limiter }).update({ learn: false })).toThrow(/rateLimit/);
    expect(() => rateLimit({}).update({ limiter })).toThrow(/rateLimit\.limiter/);
  });
});
