import { CALLS, DURATION, FIRST_CHUNK, RETRIES, TIMEOUTS, UNANSWERED, WAIT } from "./metric-names.ts";
import type { Readings } from "./readings.ts";
import type { ChartName, ChartView, Points, SeriesView } from "./view.ts";

const SERIES_MAX = 6;
const PERCENTILES = ["p50", "p95", "p99"] as const;

export function chartsOf(readings: Readings): Record<ChartName, ChartView> {
  return {
    latency: {
      series: known(PERCENTILES.flatMap((aggregate) => named(readings.lines(DURATION, { aggregate }), aggregate))),
      n: readings.value(DURATION, { aggregate: "count" }) ?? 0,
    },
    firstChunk: {
      series: largest(readings.lines(FIRST_CHUNK, { aggregate: "p95" }, "model")),
      n: readings.value(FIRST_CHUNK, { aggregate: "count" }) ?? 0,
    },
    errors: perMinute(readings, CALLS, "error_type", UNANSWERED),
    servedBy: perMinute(readings, CALLS, "served_by", { outcome: "success" }),
    retries: perMinute(readings, RETRIES, "reason"),
    waits: {
      series: inSeconds(largest(readings.lines(WAIT, { aggregate: "p95" }, "reason"))),
      n: readings.value(WAIT, { aggregate: "count" }) ?? 0,
    },
    timeouts: perMinute(readings, TIMEOUTS, "phase"),
    loop: { series: loopLines(readings), n: null },
  };
}

function loopLines(readings: Readings): readonly SeriesView[] {
  const unfiltered = readings.ofEverything();
  return known([
    ...named(unfiltered.lines("nodejs.eventloop.delay.p99", { aggregate: "max" }), "p99"),
    ...named(unfiltered.lines("nodejs.eventloop.delay.max", { aggregate: "max" }), "max"),
  ]);
}

function known(lines: readonly SeriesView[]): readonly SeriesView[] {
  return lines.filter(({ points }) => points.some(([, value]) => value !== null));
}

function named(lines: readonly SeriesView[], label: string): SeriesView[] {
  return lines.map(({ points }) => ({ label, points }));
}

/** A counter as calls a minute, split by a label. */
function perMinute(
  readings: Readings,
  metric: string,
  by: string,
  labels: Readonly<Record<string, string | readonly string[]>> = {},
): ChartView {
  const lines = readings.lines(metric, { aggregate: "rate", labels }, by);
  return { series: largest(lines).map(({ label, points }) => ({ label, points: scaled(points, 60) })), n: null };
}

function inSeconds(lines: readonly SeriesView[]): readonly SeriesView[] {
  return lines.map(({ label, points }) => ({ label: label.replaceAll("_", " "), points: scaled(points, 0.001) }));
}

function scaled(points: Points, factor: number): Points {
  return points.map(([at, value]) => [at, value === null ? null : value * factor]);
}

/** The lines with most in them. In the order of their names, so that a colour stays with its line. */
function largest(lines: readonly SeriesView[]): readonly SeriesView[] {
  const sums = lines.map((line) => ({ line, sum: line.points.reduce((sum, [, value]) => sum + (value ?? 0), 0) }));
  return sums
    .filter(({ sum }) => sum > 0)
    .sort((a, b) => b.sum - a.sum)
    .slice(0, SERIES_MAX)
    .map(({ line }) => line)
    .sort((a, b) => a.label.localeCompare(b.label, "en"));
}
