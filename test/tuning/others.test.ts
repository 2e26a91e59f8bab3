import { describe, expect, it } from "vitest";
import { type EventMap, type EventType, OptionError } from "../../src/core/index.ts";
import { createOptimizer, type OptimizerOptions } from "../../src/index.ts";
import type { Optimizer } from "../../src/optimizer.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { type AutoTuneOptions, autoTune } from "../../src/tuning/index.ts";
import { SAMPLES } from "../monitor/samples.ts";
import { aCall } from "../monitor/support.ts";

interface Rig {
  readonly clock: VirtualClock;
  readonly optimizer: Optimizer;
  tell<T extends EventType>(type: T, change?: Partial<EventMap[T]>): void;
  option(policy: string): Record<string, unknown> & { limits: { attempt: number } };
  update(policy: string, options: object): void;
  minutes(count: number, happens: (rig: Rig) => void): Promise<void>;
}

function rigOf(options: OptimizerOptions = {}): Rig {
  const clock = new VirtualClock();
  const monitor = { defaultAlerts: false, evaluateEvery: "1h" } as const;
  const optimizer = createOptimizer({ cache: false, monitor, ...options, clock, environment: {} });
  const { runtime, policies } = optimizer.line;
  const call = aCall(runtime);
  const rig: Rig = {
    clock,
    optimizer,
    tell: (type, change) => runtime.events.emit(type, call, { ...SAMPLES[type], ...change }),
    option: (policy) => optimizer.stats().policies[policy] as ReturnType<Rig["option"]>,
    update: (name, change) => {
      const found = policies.find((policy) => policy.name === name) as { update?(options: object): void } | undefined;
      found?.update?.(change);
    },
    async minutes(count, happens) {
      for (let minute = 0; minute < count; minute++) {
        for (let n = 0; n < 20; n++) happens(rig);
        await clock.advance(60_000);
      }
    },
  };
  return rig;
}

/** Answers that come long before the timeout. */
function quick({ tell }: Rig): void {
  tell("attempt.completed", { durationMs: 2_000, usage: undefined });
  tell("call.completed", { durationMs: 2_000 });
}

/** Calls that wait longer for a place than for their answer. */
function queued({ tell }: Rig): void {
  tell("attempt.completed", { durationMs: 1_000, usage: undefined });
  tell("pool.dequeued", { waitMs: 2_000 });
  tell("call.completed", { durationMs: 3_000 });
}

/** Calls that are answered at once, and as many retries that fail. */
function useless({ tell }: Rig): void {
  tell("attempt.completed", { durationMs: 900, kind: "first", usage: undefined });
  tell("attempt.failed", { kind: "retry", errorType: "server_error", usage: undefined });
  tell("call.completed", { durationMs: 900 });
}

const AGGRESSIVE: AutoTuneOptions = { level: "aggressive" };

describe("an option that somebody else changes during a trial", () => {
  it("is theirs when tuning stops before it has looked again", async () => {
    const rig = rigOf();
    const tuner = autoTune(rig.optimizer, AGGRESSIVE);
    await rig.minutes(31, quick);
    expect(rig.option("timeout").limits.attempt).toBe(300_000);
    rig.update("timeout", { attempt: 120_000 });
    tuner.stop();
    expect(rig.option("timeout").limits.attempt).toBe(120_000);
    expect(tuner.history().at(-1)?.state).toBe("superseded");
    await rig.optimizer.close();
  });

  it("is theirs when its kind is disabled before it has looked again", async () => {
    const rig = rigOf();
    const tuner = autoTune(rig.optimizer, AGGRESSIVE);
    await rig.minutes(31, quick);
    rig.update("timeout", { attempt: 120_000 });
    tuner.disable("timeout_high");
    expect(rig.option("timeout").limits.attempt).toBe(120_000);
    tuner.stop();
    await rig.optimizer.close();
  });
});

describe("an option that lies outside of the bounds", () => {
  it("comes nearer by steps", async () => {
    const rig = rigOf({ retry: { attempts: 6 } });
    const tuner = autoTune(rig.optimizer, { bounds: { "retry.attempts": { max: 2 } } });
    await rig.minutes(40, useless);
    expect(tuner.history().map(({ from, to }) => [from, to])).toEqual([[6, 5]]);
    tuner.stop();
    await rig.optimizer.close();
  });

  it("is not pulled the other way", async () => {
    const pool = { pool: { concurrency: 1_000 } } as const;
    const rig = rigOf(pool);
    const tuner = autoTune(rig.optimizer, AGGRESSIVE);
    tuner.disable("timeout_high");
    const seen = new Set<unknown>();
    await rig.minutes(60, (its) => {
      queued(its);
      seen.add(its.option("pool")["concurrency"]);
    });
    tuner.stop();
    expect([...seen]).toEqual([1_000]);
    await rig.optimizer.close();
  });
});

/** Two of twelve attempts meet the provider's limit. */
function throttled({ tell }: Rig): void {
  tell("attempt.completed", { durationMs: 900, usage: undefined });
  tell("call.completed", { durationMs: 900 });
  if (rare++ % 5 === 0) tell("attempt.failed", { errorType: "rate_limited", usage: undefined });
}
let rare = 0;

describe("a profile that is chosen during a trial", () => {
  it("takes back what it says nothing of, since what comes after is another line", async () => {
    const rig = rigOf();
    const tuner = autoTune(rig.optimizer);
    await rig.minutes(31, throttled);
    expect(tuner.history().at(-1)).toMatchObject({ kind: "rate_limit_high", from: undefined, state: "watching" });
    rig.optimizer.tune("batch");
    expect(tuner.history().at(-1)).toMatchObject({ state: "rolled_back", reason: "the profile became batch" });
    tuner.stop();
    await rig.optimizer.close();
  });
});

describe("an optimizer that is closed during a trial", () => {
  it("can be left by the tuner, which leaves no timer behind", async () => {
    const rig = rigOf();
    const tuner = autoTune(rig.optimizer, AGGRESSIVE);
    await rig.minutes(31, quick);
    await rig.optimizer.close();
    await rig.minutes(10, () => {});
    tuner.stop();
    expect(tuner.history().at(-1)?.state).toBe("rolled_back");
    expect(rig.clock.pendingTimers).toBe(0);
  });
});

describe("a line", () => {
  it("is tuned by one at a time", async () => {
    const rig = rigOf();
    const first = autoTune(rig.optimizer);
    expect(() => autoTune(rig.optimizer)).toThrow(OptionError);
    first.stop();
    const second = autoTune(rig.optimizer);
    first.stop();
    expect(() => autoTune(rig.optimizer)).toThrow(OptionError);
    second.stop();
    await rig.optimizer.close();
  });
});
