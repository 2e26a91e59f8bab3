import type { ChartName, ChartView, Points, SeriesView, View } from "../view.ts";

/** The view after an update: its charts hold only the last steps, which take the place of the same ones before. */
export function merged(before: View, update: View): View {
  const charts = Object.fromEntries(
    Object.entries(update.charts).map(([name, chart]) => [
      name,
      mergedChart(before.charts[name as ChartName], chart, update),
    ]),
  );
  return { ...update, charts: charts as View["charts"] };
}

function mergedChart(before: ChartView, update: ChartView, { at, query }: View): ChartView {
  const from = at - query.window * 60_000;
  const labels = new Set([...update.series, ...before.series].map(({ label }) => label));
  const series = [...labels].map((label): SeriesView => {
    const old = pointsOf(before, label);
    const next = pointsOf(update, label);
    return { label, points: joined(old, next).filter(([time]) => time >= from - stepOf(old, next)) };
  });
  // A line that nothing was said of for as long as is shown is gone.
  const alive = series.filter(({ points, label }) => pointsOf(update, label).length > 0 || hasValue(points));
  return { n: update.n, series: inOrder(alive, update) };
}

function pointsOf({ series }: ChartView, label: string): Points {
  return series.find((one) => one.label === label)?.points ?? [];
}

/** Steps that begin within half a step of each other are the same one: clocks are corrected. */
function joined(old: Points, next: Points): Points {
  const first = next[0]?.[0];
  if (first === undefined) return old;
  const half = stepOf(old, next) / 2;
  return [...old.filter(([time]) => time < first - half), ...next];
}

function stepOf(...lists: readonly Points[]): number {
  for (const points of lists) {
    const [first, second] = points;
    if (first !== undefined && second !== undefined) return second[0] - first[0];
  }
  return 0;
}

function hasValue(points: Points): boolean {
  return points.some(([, value]) => value !== null && value !== 0);
}

// Percentiles come in their own order, everything else by name: lines keep their place when others come and go.
function inOrder(series: readonly SeriesView[], update: ChartView): readonly SeriesView[] {
  const isKnown = series.every(({ label }) => update.series.some((one) => one.label === label));
  if (isKnown) return update.series.flatMap(({ label }) => series.filter((one) => one.label === label));
  return [...series].sort((a, b) => a.label.localeCompare(b.label, "en"));
}
