/**
 * `npm run sim -- [--seeds 1000] [--from 1] [--seed N] [--steps 40]`: simulates one seed after another and checks every
 * rule. A seed that breaks one is printed with its smallest scenario and the command that runs it again. The seeds run
 * in a thread of their own, so that one that never ends can be named.
 */
import { parseArgs } from "node:util";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { formatSimulatedRun, type SimulatedRun, shrinkSimulation, simulate } from "../src/lab/index.ts";

interface Plan {
  readonly from: number;
  readonly until: number;
  readonly steps: number;
  readonly single: boolean;
  /** The seed that runs now, and whether to stop. */
  readonly shared: Int32Array;
}

const SHOWN_MAX = 5;
const TOLD_EVERY = 1000;
const HANGS_AFTER_MS = 60_000;

if (isMainThread) supervise(readPlan());
else await runSeeds(workerData as Plan);

function readPlan(): Plan {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      seed: { type: "string" },
      steps: { type: "string", default: "40" },
    },
  });
  const single = values.seed !== undefined;
  const from = wholeNumber(single ? "seed" : "from", values.seed ?? values.from);
  const until = from + (single ? 1 : wholeNumber("seeds", values.seeds));
  const shared = new Int32Array(new SharedArrayBuffer(8));
  return { from, until, steps: wholeNumber("steps", values.steps), single, shared };
}

function supervise(plan: Plan): void {
  const { shared, steps } = plan;
  const worker = new Worker(new URL(import.meta.url), { workerData: plan });
  let seen = -1;
  const watchdog = setInterval(() => {
    const seed = Atomics.load(shared, 0);
    if (seed === seen) {
      console.log(`Seed ${seed} does not come to an end; again: npm run sim -- --seed ${seed} --steps ${steps}`);
      process.exit(1);
    }
    seen = seed;
  }, HANGS_AFTER_MS);
  process.once("SIGINT", () => Atomics.store(shared, 1, 1));
  worker.on("exit", (code) => {
    clearInterval(watchdog);
    process.exitCode = code;
  });
}

async function runSeeds({ from, until, steps, single, shared }: Plan): Promise<void> {
  const failed: number[] = [];
  const totals = { seeds: 0, calls: 0, attempts: 0, steps: 0, simulatedMs: 0 };
  const startedAt = performance.now();
  const perSecond = (): string => ((totals.seeds * 1000) / (performance.now() - startedAt)).toFixed(0);
  const stopped = (): boolean => Atomics.load(shared, 1) === 1;

  for (let seed = from; seed < until && !stopped(); seed++) {
    Atomics.store(shared, 0, seed);
    const run = await simulate({ seed, steps });
    totals.seeds++;
    totals.calls += Object.values(run.ends).reduce((sum, count) => sum + count, 0);
    totals.attempts += run.attempts;
    totals.steps += run.steps;
    totals.simulatedMs += run.simulatedMs;
    if (run.violations.length > 0) {
      failed.push(seed);
      if (failed.length <= SHOWN_MAX) await tell(seed, steps, run);
    } else if (single) {
      console.log(formatSimulatedRun(run));
    }
    if (totals.seeds % TOLD_EVERY === 0) {
      console.log(`${totals.seeds} seeds, ${failed.length} broke a rule, ${perSecond()} a second`);
    }
  }

  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const end =
    failed.length === 0 ? "every rule held" : `${failed.length} broke a rule: ${failed.slice(0, 50).join(", ")}`;
  console.log(
    `${stopped() ? "Stopped: " : ""}${totals.seeds} seeds in ${seconds} s (${perSecond()} a second): ${totals.calls} calls, ` +
      `${totals.attempts} attempts, ${totals.steps} checks, ${(totals.simulatedMs / 3_600_000).toFixed(1)} simulated hours; ${end}`,
  );
  process.exitCode = failed.length > 0 ? 1 : 0;
}

async function tell(seed: number, steps: number, run: SimulatedRun): Promise<void> {
  console.log(`\n${formatSimulatedRun(await shrinkSimulation(run))}`);
  console.log(`again: npm run sim -- --seed ${seed} --steps ${steps}\n`);
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`--${name} takes a whole number, not ${text}.`);
  return process.exit(2);
}
