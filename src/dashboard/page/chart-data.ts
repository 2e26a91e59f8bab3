import type { ChartView } from "../view.ts";

export interface ChartData {
  /** Unix seconds, as uPlot wants them. */
  readonly times: readonly number[];
  readonly labels: readonly string[];
  /** Number of the colour of each label. */
  readonly colors: readonly number[];
  /** What each line was, step by step. */
  readonly values: readonly (readonly (number | null)[])[];
  /** What is drawn: the times, then the lines; stacked ones are sums, the highest first, so that each covers the next. */
  readonly drawn: readonly (readonly (number | null)[])[];
}

const COLORS = 8;

// What has the same meaning has the same colour, wherever it stands in the list and on every page.
const FIXED: Readonly<Record<string, number>> = {
  primary: 0,
  cache: 2,
  coalesced: 5,
  fallback: 1,
  hedge: 6,
  semantic: 4,
};

/** Colours of the labels that a chart has shown: each keeps its own while the page is open. */
export class Palette {
  #given = new Map<string, number>();

  colorOf(label: string): number {
    const fixed = FIXED[label];
    if (fixed !== undefined) return fixed;
    const color = this.#given.get(label) ?? this.#given.size % COLORS;
    this.#given.set(label, color);
    return color;
  }
}

export function dataOf({ series }: ChartView, isStacked: boolean, palette: Palette): ChartData {
  const times = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b);
  const values = series.map(({ points }) => {
    const known = new Map(points);
    return times.map((at) => known.get(at) ?? null);
  });
  const labels = series.map(({ label }) => label);
  const seconds = times.map((at) => at / 1000);
  return {
    times: seconds,
    labels,
    colors: labels.map((label) => palette.colorOf(label)),
    values,
    drawn: [seconds, ...(isStacked ? stacked(values) : values)],
  };
}

function stacked(values: readonly (readonly (number | null)[])[]): (number | null)[][] {
  const sums: (number | null)[][] = [];
  for (const line of values) {
    const below = sums.at(-1);
    sums.push(line.map((value, index) => plus(below?.[index] ?? null, value)));
  }
  return sums.reverse();
}

function plus(a: number | null, b: number | null): number | null {
  return a === null && b === null ? null : (a ?? 0) + (b ?? 0);
}
