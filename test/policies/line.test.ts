import fc from "fast-check";
import { expect, it } from "vitest";
import {
  aborted,
  broken,
  type Call,
  Cancellation,
  type Chunk,
  faultOf,
  type Outcome,
  pipeline,
  streamFor,
  streamReply,
  valueReply,
  whole,
} from "../../src/core/index.ts";
import { breaker } from "../../src/policies/breaker/index.ts";
import { deadline } from "../../src/policies/deadline/index.ts";
import { pool } from "../../src/policies/pool/index.ts";
import { rateLimit } from "../../src/policies/rate-limit/index.ts";
import { retry } from "../../src/policies/retry/index.ts";
import { throttle } from "../../src/policies/throttle/index.ts";
import { timeout } from "../../src/policies/timeout/index.ts";
import { callOf, virtualRuntime } from "../support/calls.ts";

const FATES = [
  "answer",
  "server_error",
  "overloaded",
  "rate_limited",
  "quota_exhausted",
  "bad_request",
  "stream",
  "cut_early",
  "cut_late",
  "deaf",
] as const;
type Fate = (typeof FATES)[number];

const POOL_SIZE = 6;
const PERMITS = 4;
const PER_MINUTE = 60;
const MINUTE_MS = 60_000;

const caller = fc.record({
  gapMs: fc.integer({ min: 0, max: 1_500 }),
  fates: fc.array(fc.constantFrom<Fate>(...FATES), { minLength: 1, maxLength: 4 }),
  latencyMs: fc.integer({ min: 0, max: 4_000 }),
  retryAfterMs: fc.option(fc.integer({ min: 0, max: 6_000 }), { nil: undefined }),
  abortAfterMs: fc.option(fc.integer({ min: 0, max: 9_000 }), { nil: undefined, freq: 3 }),
  deadlineMs: fc.option(fc.integer({ min: 1, max: 12_000 }), { nil: undefined }),
  /** How many chunks of a stream the reader takes before it stops to read; a deadline or the attempt's limit ends it. */
  reads: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined, freq: 3 }),
  priority: fc.constantFrom(0, 1, 3, 5, 7, 9),
  model: fc.constantFrom("m", "n"),
});
type Caller = typeof caller extends fc.Arbitrary<infer T> ? T : never;

const change = fc.record({
  atMs: fc.integer({ min: 0, max: 30_000 }),
  what: fc.constantFrom("pool", "throttle", "breaker", "rateLimit", "retry", "timeout", "reset"),
});

const script = fc.record({
  callers: fc.array(caller, { minLength: 1, maxLength: 40 }),
  changes: fc.array(change, { maxLength: 4 }),
  closeAtMs: fc.option(fc.integer({ min: 0, max: 40_000 }), { nil: undefined, freq: 2 }),
});
type Script = typeof script extends fc.Arbitrary<infer T> ? T : never;

function setUp() {
  const { clock, runtime } = virtualRuntime();
  const policies = {
    deadline: deadline("60s", runtime),
    pool: pool({ concurrency: POOL_SIZE, maxQueue: 12 }, runtime),
    retry: retry({ attempts: 4, budget: { capacity: 20 } }, runtime),
    breaker: breaker({ minimumCalls: 4, probes: 2, probeTimeout: "3s", maxOpen: "4s" }, runtime),
    throttle: throttle({ initial: PERMITS, max: PERMITS, maxQueue: 8 }, runtime),
    rateLimit: rateLimit({ requestsPerMinute: PER_MINUTE, tokensPerMinute: 20_000, exact: true, maxQueue: 8 }, runtime),
    timeout: timeout({ attempt: "10s", firstToken: "3s", idle: "2s" }, runtime),
  };
  const sentAt: number[] = [];
  const atProvider = new Map<string, number>();
  const most = { slots: 0, permits: 0 };

  const wait = (call: Call, ms: number, deaf = false): Promise<boolean> =>
    new Promise((resolve) => {
      const timer = clock.timer(ms, () => {
        off();
        resolve(true);
      });
      const off = deaf
        ? () => {}
        : call.cancellation.onCancel(() => {
            timer.cancel();
            resolve(false);
          });
    });

  function streaming(call: Call, fate: Fate, arrived: () => void): Outcome {
    const rest: Chunk[] = [
      { role: "preamble", value: "" },
      ...Array.from({ length: fate === "cut_early" ? 0 : 5 }, () => ({ role: "content", value: "x" }) as const),
    ];
    const cut = faultOf({ kind: "interrupted", error: new Error("cut") });
    const end = fate === "stream" ? whole({ usage: { inputTokens: 120, outputTokens: 30 } }) : broken(cut);
    const body = streamFor(call, {
      pull: async () => {
        await wait(call, 300);
        return rest.shift() ?? end;
      },
      cancel: () => undefined,
    });
    body.settled.subscribe(arrived);
    return streamReply(body);
  }

  function sending({ fates, latencyMs, retryAfterMs }: Caller) {
    let tries = 0;
    return async (call: Call): Promise<Outcome> => {
      if (call.cancellation.cancelled) return aborted(call.cancellation.reason);
      const fate = fates[tries++ % fates.length] as Fate;
      const { target } = call;
      sentAt.push(clock.now());
      atProvider.set(target, (atProvider.get(target) ?? 0) + 1);
      most.slots = Math.max(most.slots, policies.pool.snapshot().running);
      most.permits = Math.max(most.permits, policies.throttle.snapshot()[target]?.inFlight ?? 0);
      const arrived = (): void => void atProvider.set(target, (atProvider.get(target) ?? 0) - 1);
      if (!(await wait(call, latencyMs, fate === "deaf"))) {
        arrived();
        return aborted(call.cancellation.reason);
      }
      if (fate === "stream" || fate === "cut_early" || fate === "cut_late") return streaming(call, fate, arrived);
      arrived();
      if (fate === "answer" || fate === "deaf") {
        return valueReply("hi", whole({ usage: { inputTokens: 110, outputTokens: 40 } }));
      }
      return faultOf({ kind: fate, error: new Error(fate), retryAfterMs });
    };
  }

  return { clock, runtime, policies, line: pipeline(...Object.values(policies)), sending, sentAt, atProvider, most };
}

async function run({ callers, changes, closeAtMs }: Script): Promise<void> {
  const { clock, runtime, policies, line, sending, sentAt, atProvider, most } = setUp();
  const until = (atMs: number): Promise<void> => new Promise((resolve) => void clock.timer(atMs, resolve));
  const cancellations: Cancellation[] = [];
  let startMs = 0;

  const calls = callers.map(async (options) => {
    startMs += options.gapMs;
    const { abortAfterMs, deadlineMs, priority, model, reads } = options;
    await until(startMs);
    const cancellation = new Cancellation();
    cancellations.push(cancellation);
    const scope = { priority, ...(deadlineMs !== undefined && { deadline: deadlineMs }) };
    const call = callOf(runtime, sending(options), {
      cancellation,
      model,
      scope,
      stream: options.fates[0] === "stream",
    });
    const enteredAt = clock.now();
    const timer = abortAfterMs === undefined ? undefined : clock.timer(abortAfterMs, () => cancellation.cancel("gone"));
    const outcome = await line.execute(call);
    if (outcome.ok && outcome.body.kind === "stream") {
      const { body } = outcome;
      const attemptsAtContent = call.trace.attemptCount;
      let taken = 0;
      while (reads === undefined || taken < reads) {
        if ((await body.next()) === undefined) break;
        taken++;
      }
      const settlement = await body.settled.promise();
      if (settlement.fault !== undefined && body.committed) expect(settlement.fault.committed).toBe(true);
      expect(call.trace.attemptCount).toBe(attemptsAtContent);
    }
    timer?.cancel();
    expect(clock.now() - enteredAt).toBeLessThanOrEqual(deadlineMs ?? MINUTE_MS);
    if (!outcome.ok && outcome.retryAfterMs !== undefined) {
      expect(Number.isFinite(outcome.retryAfterMs) && outcome.retryAfterMs >= 0).toBe(true);
    }
  });

  const tunings = changes.map(async ({ atMs, what }) => {
    await until(atMs);
    if (what === "pool") policies.pool.update({ concurrency: 3, maxQueue: 4 });
    else if (what === "throttle") policies.throttle.update({ initial: 2, max: 3 });
    else if (what === "breaker") policies.breaker.update({ probes: 1, window: "5s" });
    else if (what === "rateLimit") policies.rateLimit.update({ requestsPerMinute: PER_MINUTE / 2, maxQueue: 2 });
    else if (what === "retry") policies.retry.update({ attempts: 2, budget: false });
    else if (what === "timeout") policies.timeout.update({ attempt: "5s", firstToken: false });
    else policies.breaker.reset();
  });
  let closedWith = Number.POSITIVE_INFINITY;
  const closing =
    closeAtMs === undefined
      ? undefined
      : until(closeAtMs).then(async () => {
          await line.close();
          await undefined;
          closedWith = sentAt.length;
        });

  await clock.run(Promise.all([...calls, ...tunings, closing]));
  // A provider that listens to no cancellation answers into the void.
  await clock.advance(MINUTE_MS);

  for (const [resource, { reserved, settled, refunded, inFlight }] of Object.entries(runtime.ledger.balances())) {
    expect({ resource, inFlight }).toEqual({ resource, inFlight: 0 });
    expect({ resource, reserved }).toEqual({ resource, reserved: settled + refunded });
  }
  expect(runtime.ledger.account("requests").balance.settled).toBe(sentAt.length);
  expect([...atProvider.values()].every((count) => count === 0)).toBe(true);
  expect(most.slots).toBeLessThanOrEqual(POOL_SIZE);
  expect(most.permits).toBeLessThanOrEqual(PERMITS);
  for (const [index, at] of sentAt.entries()) {
    const inWindow = sentAt.slice(index).filter((other) => other - at < MINUTE_MS).length;
    expect(inWindow).toBeLessThanOrEqual(PER_MINUTE);
  }
  expect(policies.pool.snapshot()).toMatchObject({ running: 0, queued: 0 });
  expect(policies.deadline.snapshot().running).toBe(0);
  expect(policies.timeout.snapshot().running).toBe(0);
  expect(policies.rateLimit.snapshot().waiting).toBe(0);
  for (const state of Object.values(policies.throttle.snapshot())) {
    expect(state).toMatchObject({ inFlight: 0, waiting: 0 });
  }
  for (const circuit of Object.values(policies.breaker.snapshot())) expect(circuit.outstanding).toBe(0);
  expect(cancellations.map(({ listenerCount }) => listenerCount).filter((count) => count > 0)).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
  expect(sentAt.length).toBeLessThanOrEqual(closedWith);
  if (closeAtMs !== undefined) return;

  // Nothing that went wrong lasts: with a provider that is well, the line answers again.
  policies.rateLimit.update({ requestsPerMinute: 100_000, tokensPerMinute: 100_000_000 });
  const well = async (): Promise<Outcome> => valueReply("hi", whole());
  for (let round = 0; round < 20; round++) {
    await clock.advance(MINUTE_MS);
    for (const model of ["m", "n"]) await clock.run(line.execute(callOf(runtime, well, { model })));
  }
  const last = await clock.run(Promise.all(["m", "n"].map((model) => line.execute(callOf(runtime, well, { model })))));
  expect(last.map(({ ok }) => ok)).toEqual([true, true]);
  expect(clock.pendingTimers).toBe(0);
}

it("keeps every account, timer, permit and promise of a whole line, whatever callers and providers do", async () => {
  await fc.assert(fc.asyncProperty(script, run), { numRuns: 60 });
});
