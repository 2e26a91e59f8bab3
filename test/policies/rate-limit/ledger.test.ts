import fc from "fast-check";
import { expect, it } from "vitest";
import {
  broken,
  type Call,
  Cancellation,
  type Chunk,
  ChunkStream,
  faultOf,
  type Outcome,
  pipeline,
  streamFor,
  streamReply,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { deadline } from "../../../src/policies/deadline/index.ts";
import { rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { callOf, drain, virtualRuntime } from "../../support/calls.ts";

const fates = ["answer", "unreported", "fault", "limited", "stream", "cut"] as const;
const step = fc.record({
  gapMs: fc.integer({ min: 0, max: 2_000 }),
  fate: fc.constantFrom(...fates),
  latencyMs: fc.integer({ min: 0, max: 5_000 }),
  abortAfterMs: fc.option(fc.integer({ min: 0, max: 8_000 }), { nil: undefined }),
  deadlineMs: fc.option(fc.integer({ min: 1, max: 10_000 }), { nil: undefined }),
  client: fc.constantFrom("a", "b", undefined),
  priority: fc.constantFrom(1, 5, 9),
});

it("settles what it reserves exactly once, whatever becomes of the calls", async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
    const { clock, runtime } = virtualRuntime();
    const policy = rateLimit(
      { requestsPerMinute: 120, tokensPerMinute: 30_000, perClient: { requestsPerMinute: 40 }, exact: true },
      runtime,
    );
    const line = pipeline(policy);
    const usage = { inputTokens: 120, outputTokens: 30 };
    let sent = 0;

    const endings: Record<(typeof fates)[number], (call: Call) => Outcome> = {
      answer: () => valueReply("hi", whole({ usage })),
      unreported: () => valueReply("hi", whole()),
      fault: () => faultOf({ kind: "server_error", error: new Error("500") }),
      limited: () => faultOf({ kind: "rate_limited", error: new Error("429"), retryAfterMs: 500 }),
      stream: (call) => streaming(call, whole({ usage })),
      cut: (call) => streaming(call, broken(faultOf({ kind: "interrupted", error: new Error("cut") }))),
    };
    const streaming = (call: Call, end: ReturnType<typeof whole>): Outcome => {
      const rest: Chunk[] = Array.from({ length: 5 }, () => ({ role: "content", value: "x" }));
      const pull = async () => {
        await new Promise<void>((resolve) => void clock.timer(200, resolve));
        return rest.shift() ?? end;
      };
      return streamReply(streamFor(call, { pull, cancel: () => {} }));
    };

    const running = steps.map(async ({ fate, latencyMs, client, priority, deadlineMs, abortAfterMs }, index) => {
      const startMs = steps.slice(0, index + 1).reduce((sum, { gapMs }) => sum + gapMs, 0);
      await new Promise<void>((resolve) => void clock.timer(startMs, resolve));
      const cancellation = new Cancellation();
      const send = (call: Call): Promise<Outcome> => {
        sent++;
        return new Promise((resolve) => {
          const timer = clock.timer(latencyMs, () => resolve(endings[fate](call)));
          call.cancellation.onCancel((reason) => {
            timer.cancel();
            resolve(faultOf({ kind: "aborted", error: reason }));
          });
        });
      };
      const scope = { client, priority, deadline: deadlineMs } as const;
      const call = callOf(runtime, send, { cancellation, scope, stream: fate === "stream" || fate === "cut" });
      if (abortAfterMs !== undefined) clock.timer(abortAfterMs, () => cancellation.cancel(new Error("left")));
      const outcome = await line.execute(call);
      if (outcome.ok && outcome.body instanceof ChunkStream) await drain(outcome.body);
    });
    await clock.run(Promise.all(running));

    for (const balance of Object.values(runtime.ledger.balances())) {
      expect(balance.inFlight).toBe(0);
      expect(balance.reserved).toBeCloseTo(balance.settled + balance.refunded);
    }
    expect(runtime.ledger.account("requests").balance.settled).toBe(sent);
    expect(policy.snapshot().waiting).toBe(0);
    await clock.advance(10_000);
    expect(clock.pendingTimers).toBe(0);
  });
  await fc.assert(property, { numRuns: 60 });
});

it("counts the request and the tokens of a stream that a deadline of ours ended", async () => {
  const { clock, runtime } = virtualRuntime();
  const line = pipeline(deadline("1s", runtime), rateLimit({ requestsPerMinute: 1, exact: true }, runtime));
  const endless = async (call: Call): Promise<Outcome> =>
    streamReply(streamFor(call, { pull: () => new Promise(() => {}), cancel: () => undefined }));
  const outcome = await line.execute(callOf(runtime, endless));
  if (!outcome.ok || outcome.body.kind !== "stream") throw new Error("no stream");
  const end = clock.run(drain(outcome.body));
  expect(await end).toEqual([]);
  expect(outcome.settled.value?.fault?.kind).toBe("refused");
  expect(runtime.ledger.account("requests").balance).toMatchObject({ reserved: 1, settled: 1, inFlight: 0 });
  expect(runtime.ledger.account("tokens").balance).toMatchObject({ settled: 108, settledAs: { atLeast: 108 } });
  expect((await line.execute(callOf(runtime, async () => valueReply("hi", whole())))).ok).toBe(false);
});
