import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EventMap, type EventType, OptionError, seededRandom } from "../../src/core/index.ts";
import { createOptimizer, type OptimizerOptions } from "../../src/index.ts";
import type { Optimizer } from "../../src/optimizer.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { type AutoTuneOptions, autoTune, TUNABLE_KINDS } from "../../src/tuning/index.ts";
import { SAMPLES } from "../monitor/samples.ts";
import { aCall } from "../monitor/support.ts";
import { worldOf } from "../reports/support.ts";

interface Policies {
  readonly retry: { readonly attempts: number };
  readonly timeout: { readonly limits: { readonly attempt: number } };
  readonly pool: { readonly concurrency: number };
}

interface Rig {
  readonly clock: VirtualClock;
  readonly optimizer: Optimizer;
  readonly random: () => number;
  tell<T extends EventType>(type: T, change?: Partial<EventMap[T]>): void;
  options(): Policies;
  /** Has so many calls end each minute, as `happens` says with the options as they are. */
  minutes(count: number, happens: (rig: Rig) => void, calls?: number): Promise<void>;
}

function rigOf(options: OptimizerOptions = {}): Rig {
  const clock = new VirtualClock();
  const monitor = { defaultAlerts: false, evaluateEvery: "1h" } as const;
  const optimizer = createOptimizer({ cache: false, monitor, ...options, clock, environment: {} });
  const { runtime } = optimizer.line;
  const call = aCall(runtime);
  const rig: Rig = {
    clock,
    optimizer,
    random: seededRandom(7),
    tell: (type, change) => runtime.events.emit(type, call, { ...SAMPLES[type], ...change }),
    options: () => optimizer.stats().policies as unknown as Policies,
    async minutes(count, happens, calls = 20) {
      for (let minute = 0; minute < count; minute++) {
        for (let n = 0; n < calls; n++) happens(rig);
        await clock.advance(60_000);
      }
    },
  };
  return rig;
}

/** A call of which each attempt fails in 6 % of the cases. */
function flaky(rig: Rig): void {
  const { attempts } = rig.options().retry;
  let failed = 0;
  while (failed < attempts && rig.random() < 0.06) failed++;
  const isAnswered = failed < attempts;
  if (failed > 0 && isAnswered) rig.tell("attempt.completed", { kind: "retry", usage: undefined });
  if (isAnswered) rig.tell("call.completed", { durationMs: 900 });
  else rig.tell("call.failed", { errorType: "server_error" });
  if (!isAnswered) rig.tell("retry.exhausted", { by: "attempts" });
}

/** The same, but attempts make no difference. */
function hopeless(rig: Rig): void {
  if (rig.random() >= 0.06) {
    rig.tell("call.completed", { durationMs: 900 });
    return;
  }
  rig.tell("call.failed", { errorType: "server_error" });
  rig.tell("retry.exhausted", { by: "attempts" });
}

interface Mood {
  readonly fails: number;
  readonly slow: number;
  readonly throttled: number;
  readonly timesOut: number;
  readonly waits: number;
}

function happen({ tell, random }: Rig, { fails, slow, throttled, timesOut, waits }: Mood): void {
  const durationMs = 1_000 + 18_000 * slow * random();
  if (random() < throttled / 5) tell("attempt.failed", { errorType: "rate_limited", usage: undefined });
  if (random() < timesOut / 5) tell("timeout.fired", { phase: "attempt" });
  if (random() < fails) tell("attempt.failed", { kind: "retry", errorType: "server_error", usage: undefined });
  tell("attempt.completed", { durationMs, kind: random() < fails / 2 ? "retry" : "first", usage: undefined });
  tell("pool.dequeued", { waitMs: durationMs * waits });
  if (random() < fails / 4) {
    tell("call.failed", { durationMs, errorType: "server_error" });
    tell("retry.exhausted", { by: "attempts" });
  } else {
    tell("call.completed", { durationMs });
  }
}

function stepsOf({ optimizer, clock }: Rig): string[] {
  const steps: string[] = [];
  const note = (what: string, { kind, from, to }: { kind: string; from: number | undefined; to: number }) =>
    steps.push(`${Math.round(clock.now() / 60_000)} ${what} ${kind} ${from} ${to}`);
  optimizer.on("tuning.applied", (event) => void note("applied", event));
  optimizer.on("tuning.kept", (event) => void note("kept", event));
  optimizer.on("tuning.rolled_back", (event) => void note("rolled_back", event));
  return steps;
}

const ONE_ATTEMPT = { retry: { attempts: 1 } } as const;

describe("automatic tuning", () => {
  it("keeps a change that did good, and tells of every step", async () => {
    const rig = rigOf(ONE_ATTEMPT);
    const steps = stepsOf(rig);
    const tuner = autoTune(rig.optimizer, { level: "advanced" });
    await rig.minutes(90, flaky);
    expect(steps.slice(0, 2)).toEqual(["30 applied retry_few 1 2", "65 kept retry_few 1 2"]);
    expect(rig.options().retry.attempts).toBeGreaterThanOrEqual(2);
    expect(tuner.history()[0]).toMatchObject({
      kind: "retry_few",
      option: "retry.attempts",
      state: "kept",
      reason: "answered got better",
    });
    tuner.stop();
    await rig.optimizer.close();
  });

  it("takes back what did no good, and waits longer each time before it tries again", async () => {
    const rig = rigOf(ONE_ATTEMPT);
    const steps = stepsOf(rig);
    const tuner = autoTune(rig.optimizer, { level: "advanced" });
    await rig.minutes(12 * 60, hopeless, 10);
    const applied = steps.filter((step) => step.includes("applied")).map((step) => Number(step.split(" ")[0]));
    expect(tuner.history().every(({ state }) => state === "rolled_back")).toBe(true);
    expect(rig.options().retry.attempts).toBe(1);
    const gaps = applied.slice(1).map((at, index) => at - (applied[index] as number));
    expect(gaps).toEqual(gaps.toSorted((a, b) => a - b));
    expect(applied.length).toBeLessThanOrEqual(4);
    tuner.stop();
    await rig.optimizer.close();
  });

  it("takes back what harms before it has looked at all of it", async () => {
    const rig = rigOf({ pool: { concurrency: 10 } });
    const steps = stepsOf(rig);
    const tuner = autoTune(rig.optimizer, { level: "aggressive" });
    tuner.disable("timeout_high");
    await rig.minutes(70, ({ tell, options, random }) => {
      const slow = options().pool.concurrency > 10 ? 10 : 1;
      tell("pool.dequeued", { waitMs: 600 * slow * (0.5 + random()) });
      tell("call.completed", { durationMs: 1_000 * slow * (0.5 + random()) });
    });
    expect(steps).toEqual(["30 applied pool_small 10 15", "55 rolled_back pool_small 10 15"]);
    expect(tuner.history()[0]?.reason).toBe("p95 got worse");
    expect(rig.options().pool.concurrency).toBe(10);
    tuner.stop();
    await rig.optimizer.close();
  });

  it("changes nothing at level none but what was enabled, and nothing that was disabled", async () => {
    const rig = rigOf(ONE_ATTEMPT);
    const steps = stepsOf(rig);
    const tuner = autoTune(rig.optimizer, { level: "none" });
    await rig.minutes(60, flaky);
    expect([steps, tuner.kinds]).toEqual([[], []]);
    tuner.enable("retry_few");
    await rig.minutes(10, flaky);
    expect(steps).toEqual(["65 applied retry_few 1 2"]);
    tuner.disable("retry_few");
    expect(steps.at(-1)).toBe("70 rolled_back retry_few 1 2");
    await rig.minutes(120, flaky);
    expect(steps).toHaveLength(2);
    expect(rig.options().retry.attempts).toBe(1);
    tuner.stop();
    await rig.optimizer.close();
  });

  it("takes back what it has not judged when it is stopped, and leaves no timer behind", async () => {
    const rig = rigOf(ONE_ATTEMPT);
    const timers = rig.clock.pendingTimers;
    const tuner = autoTune(rig.optimizer, { level: "advanced" });
    await rig.minutes(40, flaky);
    expect(rig.options().retry.attempts).toBe(2);
    tuner.stop();
    expect(rig.options().retry.attempts).toBe(1);
    expect(rig.clock.pendingTimers).toBe(timers);
    expect(tuner.history().at(-1)).toMatchObject({ state: "rolled_back", reason: "stopped" });
    await rig.optimizer.close();
  });

  it("leaves the say to who changes the option meanwhile", async () => {
    const rig = rigOf();
    const tuner = autoTune(rig.optimizer, { level: "aggressive" });
    const quick = ({ tell }: Rig): void => {
      tell("attempt.completed", { durationMs: 2_000, usage: undefined });
      tell("call.completed", { durationMs: 2_000 });
    };
    await rig.minutes(40, quick);
    expect(rig.options().timeout.limits.attempt).toBe(300_000);
    rig.optimizer.tune("interactive");
    await rig.minutes(10, quick);
    expect(rig.options().timeout.limits.attempt).toBe(45_000);
    expect(tuner.history()[0]).toMatchObject({ state: "superseded", from: 600_000, to: 300_000 });
    tuner.stop();
    await rig.optimizer.close();
  });

  it("never leaves the bounds it was given", async () => {
    const rig = rigOf();
    const bounds = { "timeout.attempt": { min: 200_000 } };
    const tuner = autoTune(rig.optimizer, { level: "aggressive", bounds });
    await rig.minutes(240, ({ tell }) => {
      tell("attempt.completed", { durationMs: 2_000, usage: undefined });
      tell("call.completed", { durationMs: 2_000 });
    });
    expect(rig.options().timeout.limits.attempt).toBe(200_000);
    expect(tuner.history().map(({ from, to }) => [from, to])).toEqual([
      [600_000, 300_000],
      [300_000, 200_000],
    ]);
    tuner.stop();
    await rig.optimizer.close();
  });

  it("does nothing with too few calls to tell", async () => {
    const rig = rigOf(ONE_ATTEMPT);
    const tuner = autoTune(rig.optimizer, { level: "aggressive" });
    await rig.minutes(180, hopeless, 3);
    expect(tuner.history()).toEqual([]);
    tuner.stop();
    await rig.optimizer.close();
  });

  it("makes a line better whose only attempt often fails, with a simulated provider", async () => {
    const monitor = { defaultAlerts: false, evaluateEvery: "1h" } as const;
    const faults = ({ chance }: { chance: number }) => (chance < 0.08 ? ("overloaded" as const) : undefined);
    const { optimizer, traffic } = worldOf({ monitor, ...ONE_ATTEMPT, breaker: false }, { faults });
    const answered = () =>
      optimizer.monitor.read("breakwater.calls", {
        aggregate: "ratio",
        share: { outcome: "success" },
        window: "25m",
      }) as number;
    const tuner = autoTune(optimizer, { level: "advanced" });
    await traffic(30, 16);
    const before = answered();
    await traffic(45, 16);
    expect(before).toBeLessThan(0.95);
    expect(answered()).toBeGreaterThan(0.97);
    expect(tuner.history().map(({ state }) => state)).toEqual(["kept"]);
    tuner.stop();
    await optimizer.close();
  });

  it("whatever happens, stays within bounds, judges one change at a time, and leaves what was kept", async () => {
    const bounds = {
      "retry.attempts": { min: 1, max: 5 },
      "pool.concurrency": { min: 4, max: 20 },
      "timeout.attempt": { min: 5_000, max: 100_000 },
    };
    const share = fc.integer({ min: 0, max: 20 }).map((n) => n / 20);
    const mood = fc.record({ fails: share, slow: share, throttled: share, timesOut: share, waits: share });
    let [applied, stayed] = [0, 0];
    const level = fc.constantFrom("basic", "advanced", "aggressive");
    await fc.assert(
      fc.asyncProperty(fc.array(mood, { minLength: 10, maxLength: 20 }), level, async (moods, chosen) => {
        const rig = rigOf({ retry: { attempts: 2 }, pool: { concurrency: 8 }, timeout: { attempt: "20s" } });
        const quick = { every: "1m", slices: 4, coolDown: 0, minCount: 40 } as const;
        const tuner = autoTune(rig.optimizer, { ...quick, level: chosen, bounds });
        let open = 0;
        let most = 0;
        rig.optimizer.on("tuning.applied", () => {
          most = Math.max(most, ++open);
          applied++;
        });
        rig.optimizer.on("tuning.kept", () => {
          open--;
          stayed++;
        });
        rig.optimizer.on("tuning.rolled_back", () => void open--);
        for (const one of moods) {
          await rig.minutes(7, (its) => happen(its, one), 20);
          const { retry, pool, timeout } = rig.options();
          expect(retry.attempts).toSatisfy((value) => value >= 1 && value <= 5);
          expect(pool.concurrency).toSatisfy((value) => value >= 4 && value <= 20);
          expect(timeout.limits.attempt).toSatisfy((value) => value >= 5_000 && value <= 100_000);
        }
        tuner.stop();
        expect(open).toBe(0);
        expect(most).toBeLessThanOrEqual(1);
        const kept = (option: string, start: number): number =>
          tuner.history().findLast((entry) => entry.option === option && entry.state === "kept")?.to ?? start;
        expect(rig.options().retry.attempts).toBe(kept("retry.attempts", 2));
        expect(rig.options().pool.concurrency).toBe(kept("pool.concurrency", 8));
        expect(rig.options().timeout.limits.attempt).toBe(kept("timeout.attempt", 20_000));
        await rig.optimizer.close();
      }),
      { numRuns: 15, seed: 1 },
    );
    expect(applied).toBeGreaterThan(20);
    expect(stayed).toBeGreaterThan(0);
  });

  it("refuses options that are wrong", async () => {
    const { optimizer } = rigOf();
    const wrong: readonly AutoTuneOptions[] = [
      { level: "wild" as never },
      { every: "1s" },
      { slices: 3 },
      { minCount: 5 },
      { coolDown: "soon" as never },
      { bounds: { "timeout.attempt": { min: 10, max: 5 } } },
      { bounds: { "cache.ttl": {} } as never },
      { colour: "red" } as never,
    ];
    for (const options of wrong) expect(() => autoTune(optimizer, options)).toThrow(OptionError);
    const tuner = autoTune(optimizer, { level: "none" });
    expect(() => tuner.enable("prompt_order" as never)).toThrow(OptionError);
    for (const kind of TUNABLE_KINDS) tuner.enable(kind);
    expect(tuner.kinds).toEqual(TUNABLE_KINDS);
    tuner.stop();
    await optimizer.close();
  });
});
