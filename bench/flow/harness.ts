/** What the experiments on flow control share: several seeds, virtual time, load, medians, and figures beside their bounds. */
import { type Random, seededRandom } from "../../src/core/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { median } from "../measure.ts";

export const SEEDS: readonly number[] = [1, 2, 3, 4, 5];

/** One run of an experiment, with time and chance of its own. */
export interface Trial {
  readonly seed: number;
  readonly clock: VirtualClock;
  readonly random: Random;
}

export type Figures = Readonly<Record<string, number>>;

/** The figures of every seed, and the median of each. */
export interface Measured<F extends Figures> {
  readonly runs: readonly F[];
  readonly median: F;
}

/** Runs `experiment` once per seed, one after another. */
export async function overSeeds<F extends Figures>(
  experiment: (trial: Trial) => Promise<F>,
  seeds: readonly number[] = SEEDS,
): Promise<Measured<F>> {
  const runs: F[] = [];
  for (const seed of seeds) {
    runs.push(await experiment({ seed, clock: new VirtualClock(), random: seededRandom(seed) }));
  }
  const names = Object.keys(runs[0] ?? {});
  const medians = names.map((name) => [name, median(runs.map((run) => run[name] as number))]);
  return { runs, median: Object.fromEntries(medians) as F };
}

/** `workers` that ask again as soon as they are answered: a backlog without end. Lets `forMs` pass. */
export async function keepBusy(
  clock: VirtualClock,
  { workers, forMs }: { readonly workers: number; readonly forMs: number },
  ask: (n: number, worker: number) => Promise<unknown>,
): Promise<void> {
  const until = clock.now() + forMs;
  let asked = 0;
  const work = async (worker: number): Promise<void> => {
    while (clock.now() < until) {
      const before = clock.now();
      await ask(asked++, worker);
      // A refusal takes no time: without a pause its worker would ask for ever in the same instant.
      if (clock.now() === before) await new Promise<void>((resolve) => clock.timer(1, resolve));
    }
  };
  const working = Array.from({ length: workers }, (_, worker) => work(worker));
  const failed = Promise.all(working);
  failed.catch(() => {});
  await clock.advance(forMs);
}

/**
 * Calls that arrive whether or not earlier ones are answered: evenly, or, given `random`, as a Poisson process. Lets
 * `forMs` pass; those still under way then go on. `ask` must not reject.
 */
export async function arrive(
  clock: VirtualClock,
  { perSecond, forMs, random }: { readonly perSecond: number; readonly forMs: number; readonly random?: Random },
  ask: (n: number) => Promise<unknown>,
): Promise<void> {
  const until = clock.now() + forMs;
  for (let n = 0; ; n++) {
    const gap = (1000 / perSecond) * (random === undefined ? 1 : -Math.log(1 - random()));
    if (clock.now() + gap > until) break;
    await clock.advance(gap);
    void ask(n);
  }
  await clock.advance(until - clock.now());
}

/** What a figure must be. */
export interface Bound {
  readonly text: string;
  holds(value: number): boolean;
}

export const atLeast = (bound: number): Bound => ({ text: `>= ${bound}`, holds: (value) => value >= bound });
export const atMost = (bound: number): Bound => ({ text: `<= ${bound}`, holds: (value) => value <= bound });

/** On how many seeds the bound of each figure holds. */
export function seedsThatHold<F extends Figures>(
  { runs }: Measured<F>,
  bounds: Readonly<Partial<Record<keyof F & string, Bound>>>,
): Record<string, number> {
  const held = Object.entries<Bound | undefined>(bounds).map(([name, bound]) => [
    name,
    runs.filter((run) => bound?.holds(run[name] as number)).length,
  ]);
  return Object.fromEntries(held);
}

/** Prints the medians as a table, a candidate on each line; with `bounds`, below it how the first one keeps them. */
export function printFigures<F extends Figures>(
  title: string,
  candidates: Readonly<Record<string, Measured<F>>>,
  bounds?: Readonly<Partial<Record<keyof F & string, Bound>>>,
): void {
  const all = Object.entries(candidates);
  const first = all[0];
  if (first === undefined) return;
  const columns = Object.keys(first[1].median);
  const nameWidth = Math.max(...all.map(([name]) => name.length));
  const widths = columns.map((column) => Math.max(10, column.length));
  const row = (name: string, cells: readonly string[]): string =>
    [name.padEnd(nameWidth), ...cells.map((cell, index) => cell.padStart(widths[index] as number))].join("  ");
  console.log(`\n${title} (median of ${first[1].runs.length} seeds)\n`);
  console.log(row("", columns));
  for (const [name, { median: figures }] of all) {
    console.log(
      row(
        name,
        columns.map((column) => shown(figures[column])),
      ),
    );
  }
  const [name, measured] = first;
  if (bounds === undefined) return;
  for (const [figure, seeds] of Object.entries(seedsThatHold(measured, bounds))) {
    const values = measured.runs.map((run) => run[figure] as number);
    const range = `${shown(Math.min(...values))} to ${shown(Math.max(...values))}`;
    const bound = (bounds as Readonly<Record<string, Bound>>)[figure]?.text;
    console.log(`${name}: ${figure} ${bound} on ${seeds} of ${measured.runs.length} seeds (${range})`);
  }
}

function shown(value: number | undefined): string {
  if (value === undefined) return "";
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(value < 1 ? 4 : 2);
}
