import { functionOf, integerIn, knownKeys, numberIn } from "../../core/index.ts";
import { createOptimizer } from "../../optimizer.ts";
import { ask } from "./caller.ts";
import { drawScenario, type TrafficOptions } from "./draw-scenario.ts";
import type { CallerEnd } from "./record.ts";
import type { Action, Scenario, SimulatedOptimizer, SimulatedProviderOptions, Violation } from "./scenario.ts";
import { settlePromises } from "./seeded-clock.ts";
import { Watch } from "./watch.ts";
import { type CreateOptimizer, createWorld, type World } from "./world.ts";

export interface SimulateOptions {
  /** The same seed and options give the same run. Default 1. */
  readonly seed?: number | undefined;
  /** Options of the optimizer; not given: drawn from the seed. Tiers outside the process make runs unrepeatable. */
  readonly optimizer?: SimulatedOptimizer | undefined;
  /** The provider; not given: drawn from the seed. */
  readonly provider?: SimulatedProviderOptions | undefined;
  /** Who asks what; what is not given is drawn from the seed. */
  readonly traffic?: TrafficOptions | undefined;
  /** Share of the requests that meet a fault, 0 to 1; not given: drawn from the seed. */
  readonly faults?: number | undefined;
  /** How much happens: calls, changes, faults. 1 to 100,000. Default 40. */
  readonly steps?: number | undefined;
  /** A scenario of an earlier run, instead of all that is drawn. */
  readonly scenario?: Scenario | undefined;
  /** Makes what is simulated, such as a line of your own. Default `createOptimizer`. */
  readonly create?: CreateOptimizer | undefined;
}

/** A run and what was found. */
export interface SimulatedRun {
  readonly seed: number;
  readonly scenario: Scenario;
  /** Rules that did not hold, at most 10; empty when all is well. */
  readonly violations: readonly Violation[];
  /** How the callers' calls ended. */
  readonly ends: Readonly<Record<CallerEnd, number>>;
  /** Requests to providers and calls of functions. */
  readonly attempts: number;
  readonly simulatedMs: number;
  /** How often time went on. */
  readonly steps: number;
  /** Of everything that happened: two runs are the same when their digests are. */
  readonly digest: string;
}

export const SIMULATE_DEFAULTS = { seed: 1, steps: 40 } as const;

const OPTION_KEYS = ["seed", "optimizer", "provider", "traffic", "faults", "steps", "scenario", "create"];
// Far more than the longest answers and all retries take.
const STEPS_PER_ACTION_MAX = 2_000;

type JobAction = Extract<Action, { readonly kind: "job" }>;

/**
 * Runs an optimizer in virtual time against a provider that fails, with callers who ask, give up, read slowly and leave,
 * while options change; and checks after every step that what the line promises still holds. Everything is drawn from
 * the seed, so a failing run can be had again.
 *
 * Throws `OptionError`.
 */
export async function simulate(options: SimulateOptions = {}): Promise<SimulatedRun> {
  knownKeys("simulate", options, OPTION_KEYS);
  const { optimizer, provider, traffic, faults } = options;
  const seed = integerIn("simulate.seed", options.seed ?? SIMULATE_DEFAULTS.seed, 0, 0xffff_ffff);
  const steps = integerIn("simulate.steps", options.steps ?? SIMULATE_DEFAULTS.steps, 1, 100_000);
  const faultRate = faults === undefined ? undefined : numberIn("simulate.faults", faults, 0, 1);
  const create = options.create === undefined ? createOptimizer : functionOf("simulate.create", options.create);
  const scenario = options.scenario ?? drawScenario(seed, { optimizer, provider, traffic, faultRate, steps });
  return run(scenario, create);
}

async function run(scenario: Scenario, create: CreateOptimizer): Promise<SimulatedRun> {
  const world = createWorld(scenario, create);
  const watch = new Watch(world);
  const stepsMax = (scenario.actions.length + 10) * STEPS_PER_ACTION_MAX;
  for (const action of scenario.actions) world.clock.timer(action.at, () => perform(world, watch, action));
  await settlePromises();
  // Timers in the background may go on for as long as the optimizer is open.
  while (world.clock.awaitedTimers > 0 && watch.violations.length === 0 && (await world.clock.step())) {
    watch.step();
    if (watch.steps > stepsMax) watch.failed("endless", `something still goes on after ${stepsMax} steps`);
  }
  const simulatedMs = world.clock.now();
  if (watch.violations.length === 0) watch.idle();
  await closeOnce(world);
  // What the end of the world would do: callers who were lost must not keep timers for the next run.
  for (const { controller, end } of world.records) if (end === undefined) controller.abort();
  await settlePromises();
  if (watch.violations.length === 0) watch.closed();
  return {
    seed: scenario.seed,
    scenario,
    violations: watch.violations,
    ends: endsOf(world),
    attempts: watch.book.attemptsStarted,
    simulatedMs,
    steps: watch.steps,
    digest: watch.book.digest.toString(16).padStart(8, "0"),
  };
}

function perform(world: World, watch: Watch, action: Action): void {
  const { optimizer, provider } = world;
  switch (action.kind) {
    case "ask":
      ask(world, action);
      break;
    case "tune":
      optimizer.tune(action.profile);
      break;
    case "invalidate":
      void (action.tag === undefined ? optimizer.cache.clear() : optimizer.cache.invalidateTags([action.tag]));
      break;
    case "limits":
      provider.setLimits(action.limits);
      break;
    case "fault":
      if (action.fault === undefined) provider.clearFault();
      else provider.setFault(action.fault);
      break;
    case "job":
      submit(world, action);
      break;
    case "close":
      closeOnce(world).catch((error: unknown) => watch.failed("close", String(error)));
      break;
  }
}

function submit(world: World, { id, takes, cancelAfter }: JobAction): void {
  const { optimizer, clock, jobs, scenario } = world;
  if (world.closedAt !== undefined || scenario.optimizer.pool === false) return;
  optimizer.submit(id, () => new Promise<void>((resolve) => clock.timer(takes, resolve)));
  jobs.add(id);
  const ended = (): void => void jobs.delete(id);
  optimizer.result(id).then(ended, ended);
  if (cancelAfter === undefined) return;
  clock.timer(cancelAfter, () => {
    if (world.closedAt === undefined) optimizer.cancel(id);
  });
}

async function closeOnce(world: World): Promise<void> {
  if (world.closedAt !== undefined) return;
  world.closedAt = world.clock.now();
  await world.optimizer.close();
}

function endsOf({ records }: World): Record<CallerEnd, number> {
  const ends: Record<CallerEnd, number> = { answered: 0, failed: 0, aborted: 0, left: 0 };
  for (const { end } of records) if (end !== undefined) ends[end]++;
  return ends;
}
