import { describe, expect, it } from "vitest";
import {
  faultOf,
  type Outcome,
  type PriorityName,
  pipeline,
  ThrottleError,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { type ThrottleOptions, throttle } from "../../../src/policies/throttle/index.ts";
import { ScriptedConditions } from "../../conditions/scripted-conditions.ts";
import { callOf, virtualRuntime } from "../../support/calls.ts";

const KEY = "test/m/k";
const ok = async (): Promise<Outcome> => valueReply("answer", whole());
const dead = async (): Promise<Outcome> => faultOf({ kind: "overloaded", error: new Error("503") });

function setUp(options: ThrottleOptions) {
  const { clock, runtime } = virtualRuntime();
  const policy = throttle(options, runtime);
  const line = pipeline(policy);
  /** Sends `count` calls of each priority; gives how many were refused here. */
  const send = async (count: number, send: typeof ok, priorities: readonly PriorityName[] = ["normal"]) => {
    const refused = new Map(priorities.map((priority) => [priority, 0]));
    for (let index = 0; index < count; index++) {
      for (const priority of priorities) {
        const outcome = await line.execute(callOf(runtime, send, { scope: { priority } }));
        if (!outcome.ok && outcome.error instanceof ThrottleError) {
          refused.set(priority, (refused.get(priority) ?? 0) + 1);
        }
      }
    }
    return refused;
  };
  return { clock, runtime, policy, send };
}

describe("client throttling", () => {
  it("sends a dead provider a tenth of the calls, and all again once it accepts them", async () => {
    const { policy, send } = setUp({ adaptive: false, clientThrottling: true });
    await send(50, ok);
    await send(2_000, dead);
    expect(policy.snapshot()[KEY]?.refusing).toBe(0.9);
    const outage = await send(1_000, dead);
    expect(outage.get("normal")).toBeGreaterThan(850);
    expect(outage.get("normal")).toBeLessThan(950);
    await send(500, ok);
    expect(policy.snapshot()[KEY]?.refusing).toBe(0);
    expect((await send(100, ok)).get("normal")).toBe(0);
  });

  it("refuses the least urgent first", async () => {
    const { send } = setUp({ adaptive: false, clientThrottling: true });
    const priorities = ["high", "normal", "low"] as const;
    await send(300, dead, priorities);
    const refused = await send(300, dead, priorities);
    expect(refused.get("low")).toBe(300);
    expect(refused.get("normal")).toBeGreaterThan(290);
    expect(refused.get("high")).toBeLessThan(260);
  });

  it("does not hold the caller's mistakes, limits and aborts against the provider", async () => {
    const { policy, send } = setUp({ adaptive: false, clientThrottling: true });
    for (const kind of ["bad_request", "rate_limited", "aborted", "bad_credential", "quota_exhausted"] as const) {
      await send(100, async () => faultOf({ kind, error: new Error(kind) }));
    }
    expect(policy.snapshot()[KEY]?.refusing).toBe(0);
  });

  it("is off unless asked for, and can be switched while running", async () => {
    const { policy, send } = setUp({ adaptive: false });
    expect((await send(100, dead)).get("normal")).toBe(0);
    policy.update({ clientThrottling: { k: 1.5 } });
    expect((await send(200, dead)).get("normal")).toBeGreaterThan(50);
    policy.update({ clientThrottling: false });
    expect((await send(100, dead)).get("normal")).toBe(0);
    expect(() => policy.update({ clientThrottling: { k: 0 } })).toThrow(/"throttle.clientThrottling.k"/);
  });

  it("tells why it refused", async () => {
    const { runtime, send } = setUp({ adaptive: false, clientThrottling: { window: "1m" } });
    const seen = new Set<unknown>();
    runtime.events.on("throttle.rejected", ({ reason, retryAfterMs }) => seen.add(`${reason} ${retryAfterMs}`));
    await send(200, dead);
    expect([...seen]).toEqual(["provider_refuses 3000"]);
  });
});

describe("shedding by the process's own condition", () => {
  it("adds a tenth of the calls with each bad sample, least urgent first, and takes it back", async () => {
    const source = new ScriptedConditions();
    const { clock, policy, send } = setUp({ conditions: { loopDelay: "100ms", source } });
    const priorities = ["high", "normal", "low"] as const;
    await send(100, ok, priorities);
    source.set({ loopDelay: 400 });
    await clock.advance(2_000);
    expect(policy.snapshot()[KEY]?.shedding).toBe(0.2);
    const refused = await send(100, ok, priorities);
    expect([...refused]).toEqual([
      ["high", 0],
      ["normal", 0],
      ["low", expect.any(Number)],
    ]);
    expect(refused.get("low")).toBeGreaterThan(40);
    await clock.advance(20_000);
    expect(policy.snapshot()[KEY]?.shedding).toBe(0.9);
    source.set({ loopDelay: 5 });
    await clock.advance(9_000);
    expect(policy.snapshot()[KEY]?.shedding).toBe(0);
    expect((await send(50, ok)).get("normal")).toBe(0);
    policy.close();
    expect(clock.pendingTimers).toBe(0);
    expect(source.closed).toBe(true);
  });

  it("can be switched on and off while running, and leaves no timer", () => {
    const { clock, policy } = setUp({});
    const source = new ScriptedConditions();
    policy.update({ conditions: { memory: 0.9, source } });
    expect(clock.pendingTimers).toBe(1);
    policy.update({ conditions: false });
    expect(clock.pendingTimers).toBe(0);
    expect(source.closed).toBe(true);
    expect(() => policy.update({ conditions: { disk: 1 } as never })).toThrow(/"throttle.conditions.disk"/);
  });
});
