import type uPlot from "uplot";
import type { ChartData } from "./chart-data.ts";
import type { Format } from "./format.ts";

export interface Frame {
  readonly data: ChartData;
  readonly format: Format;
  readonly isStacked: boolean;
  /** The right edge, milliseconds since the Unix epoch. */
  readonly at: number;
  readonly minutes: number;
  readonly width: number;
  readonly height: number;
}

type Current = () => Pick<Frame, "data" | "at" | "minutes"> & { readonly onIndex: (index: number | null) => void };

/** What uPlot is told. Colours are asked for at every drawing, so that they follow the scheme. */
export function optionsOf({ data, format, isStacked, width, height }: Frame, current: Current): uPlot.Options {
  const colors = isStacked ? data.colors.toReversed() : data.colors;
  return {
    width,
    height,
    padding: [8, 6, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "breakwater" }, drag: { x: false, y: false }, points: { size: 6 }, y: false },
    scales: {
      x: { time: true, range: () => rangeOf(current()) },
      y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.08 : 1] },
    },
    series: [
      {},
      ...colors.map((color) => ({
        stroke: () => variable(`--series-${color}`),
        width: 1.6,
        ...(isStacked && { fill: () => variable(`--series-${color}`) }),
        points: { show: false },
        spanGaps: false,
      })),
    ],
    axes: [timeAxis(), valueAxis(format)],
    hooks: {
      setCursor: [(plot) => current().onIndex(plot.cursor.idx ?? null)],
      drawClear: [shadeGaps],
      draw: [(plot) => drawLonely(plot, colors)],
    },
  };
}

function rangeOf({ at, minutes }: { readonly at: number; readonly minutes: number }): [number, number] {
  return [at / 1000 - minutes * 60, at / 1000];
}

const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

function timeAxis(): uPlot.Axis {
  return {
    stroke: () => variable("--faint"),
    grid: { stroke: () => variable("--grid"), width: 1 },
    ticks: { show: false },
    font: FONT,
    size: 26,
    gap: 4,
    space: 52,
    values: (_plot, splits) => splits.map(timeText),
  };
}

function valueAxis(format: Format): uPlot.Axis {
  return {
    stroke: () => variable("--faint"),
    grid: { stroke: () => variable("--grid"), width: 1 },
    ticks: { show: false },
    font: FONT,
    size: 58,
    gap: 6,
    space: 34,
    values: (_plot, splits) => splits.map((value) => format(value)),
  };
}

function timeText(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (part: number): string => String(part).padStart(2, "0");
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return date.getSeconds() === 0 ? minutes : `${minutes}:${two(date.getSeconds())}`;
}

/** Steps of which nothing is known get another ground, so that they do not look like a zero. */
function shadeGaps(plot: uPlot): void {
  const [times, ...lines] = plot.data;
  const [from, to] = [plot.scales["x"]?.min, plot.scales["x"]?.max];
  const step = (times[1] ?? 0) - (times[0] ?? 0);
  if (from === undefined || to === undefined || step <= 0) return;
  const known = times.filter((_, index) => lines.some((line) => (line[index] ?? null) !== null));
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = variable("--gap");
  let end = from;
  for (const start of [...known, to]) {
    if (start - end > step * 0.5) fill(plot, end, Math.min(start, to), bbox);
    end = Math.max(end, start + step);
  }
  ctx.restore();
}

function fill(plot: uPlot, from: number, to: number, bbox: uPlot.BBox): void {
  const left = Math.max(bbox.left, plot.valToPos(from, "x", true));
  const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, "x", true));
  if (right > left) plot.ctx.fillRect(left, bbox.top, right - left, bbox.height);
}

/** A step between two gaps has no line: it gets a dot. */
function drawLonely(plot: uPlot, colors: readonly number[]): void {
  const [times, ...lines] = plot.data;
  const { ctx } = plot;
  for (const [line, values] of lines.entries()) {
    ctx.fillStyle = variable(`--series-${colors[line]}`);
    for (const [index, value] of values.entries()) {
      const isLonely = (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null;
      const time = times[index];
      if (value === null || value === undefined || !isLonely || time === undefined) continue;
      ctx.beginPath();
      ctx.arc(plot.valToPos(time, "x", true), plot.valToPos(value, "y", true), 2.5 * devicePixelRatio, 0, 2 * Math.PI);
      ctx.fill();
    }
  }
}

function variable(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}
