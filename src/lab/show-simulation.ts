import { lineChart } from "../charts/index.ts";
import { OptionError } from "../core/index.ts";
import type { CacheSimulation, Savings } from "./simulate-cache.ts";

const percent = (share: number | undefined): string => (share === undefined ? "-" : `${(share * 100).toFixed(2)} %`);

/** The results as a table of text, one line a policy and size, under a line of what was replayed. */
export function formatSimulation({ requests, keys, owners, footprintBytes, ceiling, runs }: CacheSimulation): string {
  const titles = ["size", "policy", "hits", "bytes hit", "cost saved", "95 % interval", "latency saved", "requests/s"];
  const saved = ({ hitRatio, byteHitRatio, costSaved }: Savings) => [hitRatio, byteHitRatio, costSaved].map(percent);
  const rows = runs.map((run) => [
    percent(run.size),
    run.policy,
    ...saved(run),
    run.costSavedInterval === undefined ? "-" : run.costSavedInterval.map(percent).join(" to "),
    percent(run.latencySaved),
    Math.round(run.opsPerSecond).toLocaleString("en"),
  ]);
  const last = ["any", "(no bound)", ...saved(ceiling), "-", percent(ceiling.latencySaved), "-"];
  const table = [titles, ...rows, last];
  const widths = titles.map((_, column) => Math.max(...table.map((row) => (row[column] ?? "").length)));
  const lines = table.map((row) =>
    row.map((cell, column) => (column === 1 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))),
  );
  const count = (value: number) => Math.round(value).toLocaleString("en");
  const heading = `${count(requests)} requests, ${count(keys)} keys, ${count(owners)} owners, ${count(footprintBytes)} bytes`;
  return [heading, ...lines.map((cells) => cells.join("  ").trimEnd())].join("\n");
}

export interface PlotSimulationOptions {
  /** What to show. Default `"costSaved"`. */
  readonly of?: keyof Savings | undefined;
  /** Default one that says what is shown. */
  readonly title?: string | undefined;
}

const SHOWN: Readonly<Record<keyof Savings, string>> = {
  hitRatio: "requests answered by the cache",
  byteHitRatio: "bytes answered by the cache",
  costSaved: "cost saved",
  latencySaved: "waiting saved",
};

/** The results as a chart, a line for each policy over the sizes and one for a cache without bounds: the text of an SVG. */
export function plotSimulation(simulation: CacheSimulation, options: PlotSimulationOptions = {}): string {
  const { of = "costSaved", title } = options;
  if (!Object.hasOwn(SHOWN, of)) {
    throw new OptionError("plotSimulation.of", of, `one of ${Object.keys(SHOWN).join(", ")}`);
  }
  const { runs, ceiling } = simulation;
  const sizes = [...new Set(runs.map(({ size }) => size))].toSorted((a, b) => a - b);
  const policies = [...new Set(runs.map(({ policy }) => policy))];
  const lines = policies.map((policy) => ({
    name: policy,
    points: runs
      .filter((run) => run.policy === policy)
      .toSorted((a, b) => a.size - b.size)
      .map((run) => [run.size, run[of] ?? Number.NaN] as const),
  }));
  const bound = { name: "no bound", points: sizes.map((size) => [size, ceiling[of] ?? Number.NaN] as const) };
  const format = (share: number) => `${Number((share * 100).toPrecision(3))} %`;
  return lineChart({
    title: title ?? `${SHOWN[of][0]?.toUpperCase()}${SHOWN[of].slice(1)} by size of the cache`,
    description: `${SHOWN[of]} by ${policies.join(", ")} at ${sizes.map(format).join(", ")} of the footprint.`,
    x: { label: "size of the cache, share of all answers", scale: "log", format },
    y: { label: SHOWN[of], min: 0, format },
    series: [...lines, bound],
  });
}
