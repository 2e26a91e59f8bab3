import fc from "fast-check";
import { expect, it } from "vitest";
import {
  aborted,
  type Call,
  Cancellation,
  type Chunk,
  type FaultKind,
  faultOf,
  type Outcome,
  pipeline,
  type Runtime,
  type Settlement,
  sleep,
  streamFor,
  streamReply,
  valueReply,
  whole,
} from "../../src/core/index.ts";
import { breaker } from "../../src/policies/breaker/index.ts";
import { budget } from "../../src/policies/budget/index.ts";
import { coalesce } from "../../src/policies/coalesce/index.ts";
import { deadline } from "../../src/policies/deadline/index.ts";
import { hedge } from "../../src/policies/hedge/index.ts";
import { pool } from "../../src/policies/pool/index.ts";
import { rateLimit } from "../../src/policies/rate-limit/index.ts";
import { retry } from "../../src/policies/retry/index.ts";
import { throttle } from "../../src/policies/throttle/index.ts";
import { timeout } from "../../src/policies/timeout/index.ts";
import { callOf, drain, virtualRuntime } from "../support/calls.ts";

const KINDS: readonly FaultKind[] = ["rate_limited", "overloaded", "server_error", "bad_request", "bad_credential"];
const DAY_MS = 86_400_000;

const ask = fc.record({
  do: fc.constant("ask" as const),
  question: fc.integer({ min: 0, max: 5 }),
  priority: fc.constantFrom(0 as const, 3 as const, 5 as const, 9 as const),
  client: fc.constantFrom("a", "b", "c"),
  partition: fc.constantFrom(undefined, "batch", "live"),
  streams: fc.boolean(),
  takesMs: fc.integer({ min: 0, max: 3_000 }),
  fault: fc.option(fc.constantFrom(...KINDS), { nil: undefined, freq: 3 }),
  retryAfterMs: fc.constantFrom(undefined, 0, 500, 100_000, Number.NaN),
  usage: fc.constantFrom(undefined, 1, 500, 50_000, Number.NaN),
  abortAfterMs: fc.option(fc.integer({ min: 0, max: 4_000 }), { nil: undefined }),
});

const change = fc.oneof(
  fc.record({
    do: fc.constant("pool" as const),
    concurrency: fc.integer({ min: 1, max: 5 }),
    maxQueue: fc.constantFrom(0, 3, 100),
  }),
  fc.record({
    do: fc.constant("partitions" as const),
    partitions: fc.constantFrom({}, { batch: { share: 0.3 } }, { batch: { share: 0.2 }, live: { share: 0.5 } }),
  }),
  fc.record({
    do: fc.constant("rateLimit" as const),
    requestsPerMinute: fc.constantFrom(1, 30, 6_000),
    tokensPerMinute: fc.constantFrom(100, 20_000, 1e9),
    concurrency: fc.constantFrom(1, 3, 100),
    perClient: fc.constantFrom({}, { requestsPerMinute: 20 }, { concurrency: 1 }),
    exact: fc.boolean(),
    maxQueue: fc.constantFrom(0, 2, 100),
  }),
  fc.record({
    do: fc.constant("throttle" as const),
    initial: fc.integer({ min: 1, max: 4 }),
    maxQueue: fc.constantFrom(0, 2, 100),
  }),
  fc.record({
    do: fc.constant("breaker" as const),
    probes: fc.integer({ min: 1, max: 3 }),
    minimumCalls: fc.integer({ min: 1, max: 5 }),
  }),
  fc.record({
    do: fc.constant("retry" as const),
    attempts: fc.integer({ min: 1, max: 4 }),
    commit: fc.constantFrom("firstContent" as const, "complete" as const),
  }),
  fc.record({ do: fc.constant("wall" as const), days: fc.integer({ min: -40, max: 40 }) }),
);
const pause = fc.record({ do: fc.constant("pause" as const), ms: fc.constantFrom(0, 1, 200, 5_000) });
const script = fc.array(
  fc.oneof({ weight: 5, arbitrary: ask }, { weight: 2, arbitrary: change }, { weight: 2, arbitrary: pause }),
  {
    minLength: 1,
    maxLength: 60,
  },
);

type Ask = typeof ask extends fc.Arbitrary<infer T> ? T : never;

function lineWith(runtime: Runtime) {
  const policies = {
    deadline: deadline("2m", runtime),
    coalesce: coalesce({}, runtime),
    pool: pool({ concurrency: 3 }, runtime),
    retry: retry({ attempts: 3, afterCommit: "restart" }, runtime),
    hedge: hedge({ minDelay: 10, budget: 1 }, runtime),
    budget: budget({ dollarsPerDay: 5, prices: { m: { input: 10, output: 30 } } }, runtime),
    breaker: breaker({ halfOpenAfter: 100 }, runtime),
    throttle: throttle({ initial: 3 }, runtime),
    rateLimit: rateLimit({ requestsPerMinute: 600 }, runtime),
    timeout: timeout({ attempt: "20s", firstToken: "5s", idle: "5s" }, runtime),
  };
  return { policies, line: pipeline(...Object.values(policies)) };
}

function answerOf(runtime: Runtime, { streams, takesMs, fault, retryAfterMs, usage }: Ask) {
  const told = whole({ usage: usage === undefined ? undefined : { inputTokens: usage, outputTokens: usage } });
  return async (call: Call): Promise<Outcome> => {
    if ((await sleep(runtime, call, takesMs / 2)) !== undefined) return aborted(call.cancellation.reason);
    const failure = fault === undefined ? undefined : faultOf({ kind: fault, error: new Error(fault), retryAfterMs });
    if (!streams) return failure ?? valueReply("answer", told);
    const chunks: (Chunk | Settlement)[] = [
      { role: "content", value: "a" },
      ...(failure === undefined ? [{ role: "content", value: "b" } as const, told] : [{ ...told, fault: failure }]),
    ];
    const pull = async (): Promise<Chunk | Settlement> => {
      await sleep(runtime, call, takesMs / 2);
      return chunks.shift() ?? told;
    };
    return streamReply(streamFor(call, { pull, cancel: () => undefined }));
  };
}

it("loses, leaks and double counts nothing, whatever changes while calls wait and run", async () => {
  const property = fc.asyncProperty(script, fc.boolean(), async (steps, closes) => {
    const { clock, runtime } = virtualRuntime();
    const { policies, line } = lineWith(runtime);
    const outcomes: Promise<unknown>[] = [];
    const cancellations: Cancellation[] = [];
    const start = (step: Ask): void => {
      const cancellation = new Cancellation();
      cancellations.push(cancellation);
      const { priority, client, partition, streams } = step;
      const call = callOf(runtime, answerOf(runtime, step), {
        request: { input: step.question },
        stream: streams,
        scope: { priority, client, partition },
        cancellation,
      });
      outcomes.push(
        line
          .execute(call)
          .then((outcome) => (outcome.ok && outcome.body.kind === "stream" ? drain(outcome.body) : undefined)),
      );
      if (step.abortAfterMs !== undefined) clock.timer(step.abortAfterMs, () => cancellation.cancel("gave up"));
    };
    for (const { do: what, ...rest } of steps) {
      if (what === "ask") start({ do: what, ...rest } as Ask);
      else if (what === "pause") await clock.advance((rest as { ms: number }).ms);
      else if (what === "wall") clock.shiftWall((rest as { days: number }).days * DAY_MS);
      else {
        const policy: { update(options: object): void } = policies[what === "partitions" ? "pool" : what];
        policy.update(rest);
      }
    }
    if (closes) await line.close();
    await clock.run(Promise.all(outcomes));
    await line.close();
    await clock.advance(0);
    for (const balance of Object.values(runtime.ledger.balances())) {
      expect(Math.abs(balance.inFlight)).toBeLessThan(1e-6);
      expect(balance.reserved).toBeCloseTo(balance.settled + balance.refunded, 5);
    }
    expect(policies.pool.snapshot()).toMatchObject({ running: 0, queued: 0 });
    expect(policies.rateLimit.snapshot()).toMatchObject({ running: 0, waiting: 0 });
    for (const target of Object.values(policies.throttle.snapshot()))
      expect(target).toMatchObject({ inFlight: 0, waiting: 0 });
    for (const circuit of Object.values(policies.breaker.snapshot())) expect(circuit.outstanding).toBe(0);
    expect(policies.coalesce.snapshot().flights).toBe(0);
    expect(policies.budget.snapshot().heldDollars).toBeCloseTo(0, 6);
    expect(policies.timeout.snapshot().running + policies.deadline.snapshot().running).toBe(0);
    expect(cancellations.reduce((count, { listenerCount }) => count + listenerCount, 0)).toBe(0);
  });
  await fc.assert(property, { numRuns: 300 });
}, 60_000);
