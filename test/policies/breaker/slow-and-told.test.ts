import { describe, expect, it } from "vitest";
import {
  type Call,
  CircuitBreakerOpenError,
  faultOf,
  type Outcome,
  type Policy,
  pipeline,
  type Runtime,
  type Settlement,
  sleep,
  streamFor,
  streamReply,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { breaker } from "../../../src/policies/breaker/index.ts";
import type { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { answering, callOf, drain, virtualRuntime } from "../../support/calls.ts";

const KEY = "test/m/k";

/** Streams whose first token comes after `firstMs` and whose end a second later. */
function speaking(runtime: Runtime, firstMs: number) {
  return async (call: Call): Promise<Outcome> => {
    let pulls = 0;
    const pull = async () => {
      pulls++;
      await sleep(runtime, call, pulls === 1 ? firstMs : 1_000);
      return pulls === 1 ? { role: "content" as const, value: "token" } : (whole() as Settlement);
    };
    return streamReply(streamFor(call, { pull, cancel: () => undefined }));
  };
}

async function ask(
  { clock, runtime }: { readonly clock: VirtualClock; readonly runtime: Runtime },
  policies: readonly Policy[],
  send: (call: Call) => Promise<Outcome>,
): Promise<Outcome> {
  const outcome = await clock.run(pipeline(...policies).execute(callOf(runtime, send)));
  if (outcome.ok && outcome.body.kind === "stream") await clock.run(drain(outcome.body));
  return outcome;
}

const failing = async (): Promise<Outcome> => faultOf({ kind: "server_error", error: new Error("500") });

describe("slow calls", () => {
  it("open the circuit when most first tokens come late, though every answer is good", async () => {
    const virtual = virtualRuntime();
    const opened: unknown[] = [];
    virtual.runtime.events.on("breaker.opened", (event) => opened.push(event));
    const policy = breaker({ slowCallDuration: "2s", slowCallRate: 0.8, window: "10m" }, virtual.runtime);
    for (const ms of [100, 100, 3_000, 3_000, 3_000, 3_000, 3_000, 3_000, 3_000, 3_000]) {
      await ask(virtual, [policy], speaking(virtual.runtime, ms));
    }
    expect(opened).toMatchObject([{ reason: "slow_calls", slowCallRate: 0.8, failureRate: 0, samples: 10 }]);
    expect(policy.snapshot()[KEY]?.state).toBe("open");
  });

  it("do not open it where nobody has said what is slow", async () => {
    const virtual = virtualRuntime();
    const policy = breaker({ window: "10m" }, virtual.runtime);
    for (let index = 0; index < 12; index++) await ask(virtual, [policy], speaking(virtual.runtime, 20_000));
    expect(policy.snapshot()[KEY]).toMatchObject({ state: "closed", samples: 12, slowCallRate: 0 });
  });

  it("are not those that answer soon and speak for long", async () => {
    const virtual = virtualRuntime();
    const policy = breaker({ slowCallDuration: "900ms" }, virtual.runtime);
    for (let index = 0; index < 12; index++) await ask(virtual, [policy], speaking(virtual.runtime, 500));
    expect(policy.snapshot()[KEY]).toMatchObject({ state: "closed", slowCallRate: 0 });
  });

  it("are not those that waited at a limit of ours", async () => {
    const virtual = virtualRuntime();
    const waits: Policy = {
      name: "limit",
      ring: "attempt",
      async handle(call, next) {
        await sleep(virtual.runtime, call, 10_000);
        return next(call);
      },
    };
    const policy = breaker({ slowCallDuration: "2s", window: "10m" }, virtual.runtime);
    for (let index = 0; index < 12; index++) {
      await ask(virtual, [policy, waits], answering(virtual.runtime, "hi", 500));
    }
    expect(policy.snapshot()[KEY]).toMatchObject({ samples: 12, slowCallRate: 0 });
  });

  it("open a half-open circuit again", async () => {
    const virtual = virtualRuntime();
    const policy = breaker({ slowCallDuration: "2s", halfOpenAfter: "1s" }, virtual.runtime);
    for (let index = 0; index < 10; index++) await ask(virtual, [policy], failing);
    await virtual.clock.advance(1_000);
    await ask(virtual, [policy], speaking(virtual.runtime, 2_500));
    expect(policy.snapshot()[KEY]?.state).toBe("open");
  });
});

describe("the ramp", () => {
  it("tells those it refuses a time at which they pass, and not all of them the same", async () => {
    const virtual = virtualRuntime();
    const policy = breaker({ halfOpenAfter: "10s" }, virtual.runtime);
    for (let index = 0; index < 10; index++) await ask(virtual, [policy], failing);
    await virtual.clock.advance(10_000);
    for (let index = 0; index < 3; index++) await ask(virtual, [policy], async () => valueReply("hi", whole()));
    const never = (): Promise<Outcome> => new Promise(() => {});
    const times: number[] = [];
    for (let index = 0; index < 1_000; index++) {
      void policy
        .handle(callOf(virtual.runtime, never), (call) => call.send(call))
        .then((outcome) => {
          if (!outcome.ok && outcome.error instanceof CircuitBreakerOpenError)
            times.push(outcome.error.retryAfterMs ?? 0);
        });
    }
    await virtual.clock.advance(0);
    expect(times.length).toBeGreaterThan(850);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(10_000);
    const perSecond = Map.groupBy(times, (ms) => Math.floor(ms / 1_000));
    expect(Math.max(...[...perSecond.values()].map(({ length }) => length))).toBeLessThan(times.length / 5);
    await virtual.clock.advance(Math.min(...times));
    expect(policy.isClosed(callOf(virtual.runtime, never))).toBe(true);
  });
});

describe("what other processes tell", () => {
  it("opens a circuit for so long, and closes it by their probes with a ramp", async () => {
    const virtual = virtualRuntime();
    const opened: unknown[] = [];
    virtual.runtime.events.on("breaker.opened", (event) => opened.push(event));
    const policy = breaker({}, virtual.runtime);
    const call = callOf(virtual.runtime, failing);
    policy.adopt(KEY, { state: "open", openForMs: 5_000 });
    policy.adopt(KEY, { state: "open", openForMs: 2_000 });
    expect(opened).toMatchObject([{ key: KEY, reason: "told", openForMs: 5_000, callId: undefined }]);
    expect(await ask(virtual, [policy], failing)).toMatchObject({ kind: "refused", retryAfterMs: 5_000 });
    expect(policy.isClosed(call)).toBe(false);
    await virtual.clock.advance(3_000);
    policy.adopt(KEY, { state: "closed" });
    expect(policy.snapshot()[KEY]).toMatchObject({ state: "closed", ramping: true });
    expect(policy.isClosed(call)).toBe(false);
    await virtual.clock.advance(3_000);
    expect(policy.isClosed(call)).toBe(true);
  });

  it("locks a credential and frees it", async () => {
    const virtual = virtualRuntime();
    const policy = breaker({}, virtual.runtime);
    policy.adopt("test/*/k", { state: "open", openForMs: 60_000 });
    expect(await ask(virtual, [policy], failing)).toMatchObject({ kind: "refused", retryAfterMs: 60_000 });
    policy.adopt("test/*/k", { state: "closed" });
    expect(await ask(virtual, [policy], failing)).toMatchObject({ kind: "server_error" });
  });

  it("is checked", () => {
    expect(() => breaker().adopt(KEY, { state: "open", openForMs: 0 })).toThrow(/breaker.adopt.openForMs/);
    expect(() => breaker({ slowCallRate: 0 })).toThrow(/breaker.slowCallRate/);
    expect(() => breaker({ slowCallDuration: 0 })).toThrow(/breaker.slowCallDuration/);
  });
});
