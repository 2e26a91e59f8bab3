import { AsyncLocalStorage } from "node:async_hooks";
import { durationMs, type Random, seededRandom } from "../../core/index.ts";
import type { Optimizer, OptimizerOptions } from "../../optimizer.ts";
import type { DeadlinePolicy } from "../../policies/deadline/index.ts";
import { createProviderModel, type FaultSpec, type ProviderModel } from "../../testing/index.ts";
import { FAULTS } from "./draw-scenario.ts";
import type { CallRecord } from "./record.ts";
import type { Scenario } from "./scenario.ts";
import { SeededClock } from "./seeded-clock.ts";

export type CreateOptimizer = (options: OptimizerOptions) => Optimizer;

/** Everything that one run consists of. */
export interface World {
  readonly scenario: Scenario;
  readonly clock: SeededClock;
  readonly provider: ProviderModel;
  readonly optimizer: Optimizer;
  readonly records: CallRecord[];
  /** Jobs that were submitted and have not ended. */
  readonly jobs: Set<string>;
  /** The record of the caller whose code runs now. */
  readonly caller: AsyncLocalStorage<CallRecord>;
  closedAt: number | undefined;
  /** Lets some promises settle, so that what comes next falls between others in an order of chance. */
  hops(): Promise<void>;
}

const STARTED_AT = Date.UTC(2026, 0, 1);
const HOPS_MAX = 12;
// A generator for each purpose, so that more draws of one do not change the others.
const STREAMS = { order: 0x1f3d, hops: 0x2e5b, policies: 0x3c79 } as const;

export function createWorld(scenario: Scenario, create: CreateOptimizer): World {
  const { seed, faultRate } = scenario;
  const clock = new SeededClock(seededRandom(seed ^ STREAMS.order), STARTED_AT);
  const provider = createProviderModel({
    ...scenario.provider,
    seed,
    clock,
    faults: ({ chance }) => faultOf(chance, faultRate),
  });
  const hops = hopper(seededRandom(seed ^ STREAMS.hops));
  const optimizer = create({
    ...scenario.optimizer,
    ...withConditions(scenario, clock),
    clock,
    random: seededRandom(seed ^ STREAMS.policies),
    environment: {},
    fetch: async (input, init) => {
      await hops();
      return provider.fetch(input, init);
    },
  });
  const caller = new AsyncLocalStorage<CallRecord>();
  return { scenario, clock, provider, optimizer, records: [], jobs: new Set(), caller, closedAt: undefined, hops };
}

// What the process's condition is follows from the time alone, so that a scenario is plain data and can be had again.
function withConditions({ optimizer: { throttle }, seed }: Scenario, clock: SeededClock): OptimizerOptions {
  if (typeof throttle !== "object" || typeof throttle.conditions !== "object") return {};
  const source = { read: () => readingAt(clock.now(), seed) };
  return { throttle: { ...throttle, conditions: { ...throttle.conditions, source } } };
}

const CONDITION_LASTS_MS = 500;

function readingAt(now: number, seed: number) {
  const isBad = seededRandom(seed ^ Math.floor(now / CONDITION_LASTS_MS))() < 0.3;
  const nothing = { cpuMicros: 0, cpus: 1, heapBytes: 0, heapLimitBytes: 1, loopActiveMs: 0, loopIdleMs: 0 };
  return { ...nothing, memoryBytes: isBad ? 1 : 0, memoryLimitBytes: 1, loopDelayMs: isBad ? 100 : 0 };
}

/** The policy of that name, where the line has it. */
export function policyOf<T>({ optimizer }: World, name: string): T | undefined {
  return optimizer.line.policies.find((policy) => policy.name === name) as T | undefined;
}

/** The longest that a call may take: as the options say, or else as the line does. */
export function totalMs(world: World): number {
  const { timeout } = world.scenario.optimizer;
  const told = typeof timeout === "object" ? timeout.total : undefined;
  if (told !== undefined) return told === false ? Number.POSITIVE_INFINITY : durationMs("timeout.total", told);
  return policyOf<DeadlinePolicy>(world, "deadline")?.snapshot().totalMs ?? Number.POSITIVE_INFINITY;
}

// The one number decides both whether there is a fault and which.
function faultOf(chance: number, rate: number): FaultSpec | undefined {
  return chance < rate ? FAULTS[Math.floor((chance / rate) * FAULTS.length)] : undefined;
}

function hopper(random: Random): () => Promise<void> {
  return async () => {
    for (let left = Math.floor(random() * HOPS_MAX); left > 0; left--) await undefined;
  };
}
