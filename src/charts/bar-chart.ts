import { axisBelow, defaultFormat, type FrameOptions, frameOf, tickBelow } from "./frame.ts";
import type { AxisOptions } from "./line-chart.ts";
import { fits, scaleOf } from "./scale.ts";
import { element, escaped, text, textWidth } from "./svg.ts";
import { COLORS } from "./theme.ts";

export interface BarSeries {
  readonly name: string;
  /** One for each category, in their order; what is not finite has no bar. */
  readonly values: readonly number[];
}

export interface BarChartOptions extends FrameOptions {
  readonly x: { readonly label: string; readonly categories: readonly string[] };
  /** Begins at 0 unless it is logarithmic. */
  readonly y: AxisOptions;
  readonly series: readonly BarSeries[];
}

const LABEL_DEPTH = 38;
const BELOW_LABEL = 24;
const TICKS = 6;
const GROUP_SHARE = 0.78;
const LABEL_SIZE = 11;
const LABEL_LENGTH_MAX = 24;
const SLOPE_DEGREES = 30;

/** A chart of bars in groups, one group a category, as the text of an SVG picture that needs nothing else. */
export function barChart(options: BarChartOptions): string {
  const { x, y, series } = options;
  const { scale: kind = "linear", format = defaultFormat } = y;
  const scale = scaleOf(kind, rangeOf(options), TICKS, true);
  const labels = labelsOf(options);
  const names = series.map(({ name }) => name);
  const frame = frameOf(options, names, { label: y.label, scale, format }, labels.depth + BELOW_LABEL, (area) => {
    const band = area.width / Math.max(1, labels.texts.length);
    const foot = area.top + area.height;
    const ticks = labels.texts.map((label, index) => {
      const at = area.left + band * (index + 0.5);
      return labels.sloping ? slopingLabel(label, at, foot) : tickBelow(label, at, foot);
    });
    return axisBelow(area, x.label, labels.depth, ticks.join(""));
  });
  const { left, top, width, height } = frame.area;
  const band = width / Math.max(1, x.categories.length);
  const bar = (band * GROUP_SHARE) / Math.max(1, series.length);
  const foot = kind === "log" ? 0 : Math.min(1, Math.max(0, scale.place(0)));
  const drawn = series.flatMap(({ name, values }, index) =>
    x.categories.map((category, at) => {
      const value = values[at] ?? Number.NaN;
      if (!fits(value, kind)) return "";
      const [low, high] = [Math.min(foot, scale.place(value)), Math.max(foot, scale.place(value))];
      const place = {
        class: `bw-fill${index % COLORS}`,
        x: left + band * (at + (1 - GROUP_SHARE) / 2) + bar * index,
        y: top + height * (1 - high),
        width: Math.max(1, bar - 1),
        height: height * (high - low),
        "fill-opacity": index < COLORS ? undefined : 0.6,
      };
      return element("rect", place, `<title>${escaped(`${name}, ${category}: ${format(value)}`)}</title>`);
    }),
  );
  return frame.around(drawn.join("\n"));
}

function rangeOf({ y, series }: BarChartOptions): { min: number; max: number } {
  const { scale: kind = "linear" } = y;
  const values = series.flatMap((each) => each.values).filter((value) => fits(value, kind));
  const highest = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const lowest = values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  if (values.length === 0) return { min: kind === "log" ? 1 : 0, max: kind === "log" ? 10 : 1 };
  // The lowest bar of a logarithmic chart must have a height, too.
  const min = y.min ?? (kind === "log" ? lowest / 2 : Math.min(0, lowest));
  const max = y.max ?? Math.max(highest, kind === "log" ? min * 10 : 0);
  return { min, max: max > min ? max : min + 1 };
}

/** What stands below the axis, and how deep the label of the axis lies. */
function labelsOf({ width = 760, x }: BarChartOptions): { texts: string[]; sloping: boolean; depth: number } {
  const texts = x.categories.map((category) =>
    category.length > LABEL_LENGTH_MAX ? `${category.slice(0, LABEL_LENGTH_MAX - 1)}…` : category,
  );
  const longest = Math.max(0, ...texts.map((each) => textWidth(each, LABEL_SIZE)));
  const sloping = longest + 6 > (width - 110) / Math.max(1, texts.length);
  const slope = Math.sin((SLOPE_DEGREES * Math.PI) / 180);
  return { texts, sloping, depth: LABEL_DEPTH + (sloping ? longest * slope : 0) };
}

function slopingLabel(content: string, x: number, y: number): string {
  const place = { class: "bw-tick", x: x + 4, y: y + 14, "font-size": LABEL_SIZE, "text-anchor": "end" };
  return text(content, { ...place, transform: `rotate(-${SLOPE_DEGREES} ${x + 4} ${y + 14})` });
}
