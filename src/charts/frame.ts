import { type Scale, shortNumber } from "./scale.ts";
import { element, escaped, text, textWidth } from "./svg.ts";
import { COLORS, DASHES, STYLE } from "./theme.ts";

/** What every chart has around its drawing. */
export interface FrameOptions {
  readonly title: string;
  /** What is to be seen, in a sentence, for who cannot see it. Default made of the title and the names of the series. */
  readonly description?: string | undefined;
  /** Pixels; default 760 by 440. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** Where the drawing itself lies. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export interface Axis {
  readonly label: string;
  readonly scale: Scale;
  readonly format: (value: number) => string;
}

const WIDTH = 760;
const HEIGHT = 440;
const MARGIN = 20;
const TITLE_SIZE = 16;
const NAME_SIZE = 12;
const TICK_SIZE = 11;
const SWATCH = 18;
const ROW = 20;

export interface Frame {
  readonly area: Area;
  /** The whole picture around `drawing`, which lies over the grid. */
  around(drawing: string): string;
}

/** Lays out title, legend and axes. `bottom` is the room below the drawing, and `below` what is drawn there. */
export function frameOf(
  options: FrameOptions,
  names: readonly string[],
  y: Axis,
  bottom: number,
  below: (area: Area) => string,
): Frame {
  const width = options.width ?? WIDTH;
  const height = options.height ?? HEIGHT;
  const legend = legendOf(names, width);
  const labels = y.scale.ticks.map(y.format);
  const left = MARGIN + ROW + Math.max(0, ...labels.map((label) => textWidth(label, TICK_SIZE))) + 6;
  const top = MARGIN + ROW + 12 + legend.height;
  const area = { left, top, width: width - left - MARGIN - 8, height: height - top - bottom };
  const around = (drawing: string): string => {
    const description = options.description ?? `Chart of ${names.join(", ")}.`;
    const content = [
      `<title>${escaped(options.title)}</title><desc>${escaped(description)}</desc>`,
      STYLE,
      element("rect", { class: "bw-back", width, height, rx: 6 }),
      text(options.title, {
        class: "bw-title",
        x: MARGIN,
        y: MARGIN + 12,
        "font-size": TITLE_SIZE,
        "font-weight": 600,
      }),
      element("g", { transform: `translate(${MARGIN} ${MARGIN + ROW + 8})` }, legend.markup),
      rowsOf(y, area),
      below(area),
      drawing,
    ];
    const attributes = { xmlns: "http://www.w3.org/2000/svg", role: "img", "aria-label": options.title };
    return element("svg", { ...attributes, width, height, viewBox: `0 0 ${width} ${height}` }, content.join("\n"));
  };
  return { area, around };
}

/** The grid and the labels of the axis that stands. */
function rowsOf({ label, scale, format }: Axis, { left, top, width, height }: Area): string {
  const rows = scale.ticks.map((tick) => {
    const y = top + height * (1 - scale.place(tick));
    const grid = element("line", { class: "bw-grid", x1: left, x2: left + width, y1: y, y2: y });
    const place = { class: "bw-tick", x: left - 6, y: y + 4, "font-size": TICK_SIZE, "text-anchor": "end" };
    return grid + text(format(tick), place);
  });
  const [x, y] = [MARGIN + 6, top + height / 2];
  const turned = { class: "bw-label", transform: `rotate(-90 ${x} ${y})`, x, y, "font-size": NAME_SIZE };
  return rows.join("") + text(label, { ...turned, "text-anchor": "middle" });
}

/** The axis that lies, with its label `depth` below it. */
export function axisBelow({ left, top, width, height }: Area, label: string, depth: number, ticks: string): string {
  const y = top + height;
  const line = element("line", { class: "bw-axis", x1: left, x2: left + width, y1: y, y2: y });
  const place = { class: "bw-label", x: left + width / 2, "font-size": NAME_SIZE, "text-anchor": "middle" };
  return line + ticks + text(label, { ...place, y: y + depth });
}

/** The label of a tick at `x`. */
export function tickBelow(content: string, x: number, y: number): string {
  return text(content, { class: "bw-tick", x, y: y + 17, "font-size": TICK_SIZE, "text-anchor": "middle" });
}

function legendOf(names: readonly string[], width: number): { markup: string; height: number } {
  if (names.length < 2) return { markup: "", height: 0 };
  let [x, y] = [0, 0];
  const parts = names.map((name, index) => {
    const taken = SWATCH + 6 + textWidth(name, NAME_SIZE) + 14;
    if (x > 0 && x + taken > width - 2 * MARGIN) [x, y] = [0, y + ROW];
    const swatch = element("line", { ...strokeOf(index), x1: x, x2: x + SWATCH, y1: y + 8, y2: y + 8 });
    const label = text(name, { class: "bw-name", x: x + SWATCH + 6, y: y + 12, "font-size": NAME_SIZE });
    x += taken;
    return swatch + label;
  });
  return { markup: parts.join(""), height: y + ROW + 8 };
}

/** How the line of a series is drawn. */
export function strokeOf(index: number): Readonly<Record<string, string | number | undefined>> {
  return { class: `bw-line${index % COLORS}`, "stroke-width": 2, "stroke-dasharray": dashOf(index) };
}

function dashOf(index: number): string | undefined {
  return DASHES[Math.floor(index / COLORS) % DASHES.length];
}

export const defaultFormat = shortNumber;
