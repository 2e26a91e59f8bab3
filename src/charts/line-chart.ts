import { type Axis, axisBelow, defaultFormat, type FrameOptions, frameOf, strokeOf, tickBelow } from "./frame.ts";
import { fits, type ScaleKind, scaleOf } from "./scale.ts";
import { element, escaped, short, text } from "./svg.ts";
import { COLORS } from "./theme.ts";

export interface AxisOptions {
  readonly label: string;
  /** Default `"linear"`; `"log"` leaves out what is not above 0. */
  readonly scale?: ScaleKind | undefined;
  /** Where the axis begins and ends; default what the points need. */
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** How values are written; default at most four digits, thousands as `k`. */
  readonly format?: ((value: number) => string) | undefined;
}

export interface LineSeries {
  readonly name: string;
  /** In the order they are joined; what is not finite is left out, and `null` breaks the line. */
  readonly points: readonly (readonly [x: number, y: number | null])[];
  /** Stays at a value until the next; default a straight line between them. */
  readonly step?: boolean | undefined;
}

export interface LineChartOptions extends FrameOptions {
  readonly x: AxisOptions;
  readonly y: AxisOptions;
  readonly series: readonly LineSeries[];
}

const BOTTOM = 62;
const LABEL_DEPTH = 38;
const TICKS_X = 8;
const TICKS_Y = 6;
// More than these would hide the line.
const DOTS_MAX = 40;

/** A chart of lines or steps, as the text of an SVG picture that needs nothing else. */
export function lineChart(options: LineChartOptions): string {
  const { x, y } = options;
  const series = options.series.map((each) => ({
    ...each,
    points: each.points.filter(([at, value]) => fits(at, x.scale) && (value === null || fits(value, y.scale))),
  }));
  const points = series.flatMap((each) => each.points).filter(isKnown);
  const across = axisOf(
    x,
    points.map(([at]) => at),
    TICKS_X,
    false,
  );
  const up = axisOf(
    y,
    points.map(([, value]) => value),
    TICKS_Y,
    true,
  );
  const names = series.map(({ name }) => name);
  const frame = frameOf(options, names, up, BOTTOM, (area) => {
    const ticks = across.scale.ticks.map((tick) =>
      tickBelow(across.format(tick), area.left + area.width * across.scale.place(tick), area.top + area.height),
    );
    return axisBelow(area, across.label, LABEL_DEPTH, ticks.join(""));
  });
  const { left, top, width, height } = frame.area;
  if (points.length === 0) {
    const place = { class: "bw-label", x: left + width / 2, y: top + height / 2, "font-size": 14 };
    return frame.around(text("No data", { ...place, "text-anchor": "middle" }));
  }
  const drawn = series.map(({ name, points: own, step }, index) => {
    const runs = runsOf(own).map((run) =>
      run.map(([at, value]) => {
        const label = `${name}: ${across.format(at)}, ${up.format(value)}`;
        return { x: left + width * across.scale.place(at), y: top + height * (1 - up.scale.place(value)), label };
      }),
    );
    const d = runs.map((run) => pathOf(run, step === true)).join("");
    const cap = runs.some((run) => run.length === 1) ? "round" : undefined;
    const line = element("path", { ...strokeOf(index), "stroke-linejoin": "round", "stroke-linecap": cap, d });
    const places = runs.flat();
    return line + (places.length > DOTS_MAX ? "" : places.map((place) => dot(place, index)).join(""));
  });
  return frame.around(drawn.join("\n"));
}

type Known = readonly [x: number, y: number];

function isKnown(point: readonly [number, number | null]): point is Known {
  return point[1] !== null;
}

/** The stretches between breaks. */
function runsOf(points: LineSeries["points"]): Known[][] {
  const runs: Known[][] = [[]];
  for (const point of points) {
    if (isKnown(point)) runs.at(-1)?.push(point);
    else runs.push([]);
  }
  return runs.filter((run) => run.length > 0);
}

function axisOf(options: AxisOptions, values: readonly number[], count: number, widen: boolean): Axis {
  const { label, scale = "linear", format = defaultFormat } = options;
  const lowest = values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const highest = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const min = options.min ?? (values.length > 0 ? lowest : scale === "log" ? 1 : 0);
  const max = options.max ?? (values.length > 0 ? Math.max(highest, min) : min + 1);
  return { label, format, scale: scaleOf(scale, { min, max }, count, widen) };
}

interface Place {
  readonly x: number;
  readonly y: number;
  readonly label: string;
}

function pathOf(places: readonly Place[], step: boolean): string {
  const [first] = places;
  // A line of no length, whose round ends are a dot.
  if (places.length === 1 && first !== undefined) return `M${short(first.x)} ${short(first.y)}h0`;
  return places
    .map(({ x, y }, index) => {
      if (index === 0) return `M${short(x)} ${short(y)}`;
      return step ? `H${short(x)}V${short(y)}` : `L${short(x)} ${short(y)}`;
    })
    .join("");
}

function dot({ x, y, label }: Place, index: number): string {
  const attributes = { class: `bw-dot bw-fill${index % COLORS}`, cx: x, cy: y, r: 3.5, "stroke-width": 1 };
  return element("circle", attributes, `<title>${escaped(label)}</title>`);
}
