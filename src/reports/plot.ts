import { lineChart, png } from "../charts/index.ts";
import { integerIn, knownKeys, textOf } from "../core/index.ts";
import type { Monitor, Timeline, TimelineOptions } from "../monitor/index.ts";

export interface PlotOptions extends TimelineOptions {
  /** Default the metric's name, with what is made of it. */
  readonly title?: string;
  /** Pixels, 200 to 4,000. Default 760 by 440. */
  readonly width?: number;
  readonly height?: number;
}

const LINES_MAX = 12;
const PIXELS = [200, 4_000] as const;

/**
 * A metric's last minutes as the text of an SVG picture that needs nothing else, light or dark as its reader prefers.
 * Where there was no data the line is broken. With `by` at most 12 lines, those with the largest values. Throws
 * `OptionError`.
 */
export function plot(monitor: Monitor, metric: string, options: PlotOptions = {}): string {
  const { title, width, height, ...asked } = options;
  if (title !== undefined) textOf("plot.title", title);
  for (const [name, value] of Object.entries({ width, height })) {
    if (value !== undefined) integerIn(`plot.${name}`, value, ...PIXELS);
  }
  knownKeys("plot", asked, ["aggregate", "minutes", "stepSeconds", "labels", "share", "by"]);
  const lines = monitor.timeline(metric, asked);
  const shown = lines.toSorted((a, b) => peakOf(b) - peakOf(a)).slice(0, LINES_MAX);
  const end = shown[0]?.points.at(-1)?.[0] ?? 0;
  const how = asked.aggregate === undefined ? metric : `${metric} (${asked.aggregate})`;
  const left = lines.length - shown.length;
  return lineChart({
    title: title ?? how,
    ...(width !== undefined && { width }),
    ...(height !== undefined && { height }),
    x: { label: `minutes before ${new Date(end).toISOString().slice(0, 16).replace("T", " ")} UTC`, format: minutes },
    y: { label: unitOf(monitor, metric, asked), min: least(shown) },
    series: shown.map(({ labels, points }, index) => ({
      name: nameOf(labels, asked, metric) + (left > 0 && index === shown.length - 1 ? ` (${left} more not shown)` : ""),
      points: points.map(([at, value]) => [(at - end) / 60_000, value] as const),
    })),
  });
}

/** The same as a PNG picture, in light colours. Needs the package `@resvg/resvg-js`. Throws `MissingPeerError`, `OptionError`. */
export async function plotPng(monitor: Monitor, metric: string, options: PlotOptions = {}): Promise<Uint8Array> {
  return png(plot(monitor, metric, options));
}

function peakOf({ points }: Timeline): number {
  return points.reduce((most, [, value]) => Math.max(most, value ?? 0), 0);
}

// A chart that begins above 0 makes little of much.
function least(lines: readonly Timeline[]): number {
  return Math.min(0, ...lines.flatMap(({ points }) => points.map(([, value]) => value ?? 0)));
}

function nameOf(labels: Timeline["labels"], { by, labels: filter }: PlotOptions, metric: string): string {
  if (by !== undefined) return labels[by] ?? metric;
  return (
    Object.values(filter ?? {})
      .flat()
      .join(", ") || metric
  );
}

function unitOf(monitor: Monitor, metric: string, { aggregate }: PlotOptions): string {
  const found = monitor.metrics().find(({ name }) => name === metric);
  if (aggregate === "ratio") return "share";
  const unit = aggregate === "count" ? "count" : (found?.unit ?? "1").replace(/[{}]/g, "");
  const isRate = aggregate === "rate" || (aggregate === undefined && found?.kind === "counter");
  return isRate ? `${unit} per second` : unit === "1" ? "value" : unit;
}

function minutes(value: number): string {
  return String(Number(value.toFixed(2)) + 0);
}
