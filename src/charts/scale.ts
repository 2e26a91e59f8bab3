/** How an axis is divided. */
export type ScaleKind = "linear" | "log";

/** From values to places between 0 and 1, with the ticks that lie between them. */
export interface Scale {
  readonly ticks: readonly number[];
  place(value: number): number;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

// What is larger, or nearer to 0, no chart can show.
const LARGEST = 1e100;
const CLOSEST = 1e-15;

/** Whether a scale has a place for `value`. */
export function fits(value: number, kind: ScaleKind = "linear"): boolean {
  return Math.abs(value) <= LARGEST && (kind === "linear" || value >= 1 / LARGEST);
}

const STEPS = [1, 2, 2.5, 5, 10] as const;

/**
 * A scale over `range` with about `count` round ticks. With `widen` it begins and ends at a tick. A range that is empty
 * is made one wide; a logarithmic one begins above 0.
 */
export function scaleOf(kind: ScaleKind, range: Range, count: number, widen: boolean): Scale {
  return kind === "log" ? logScale(range, count, widen) : linearScale(range, count, widen);
}

function linearScale({ min: from, max: to }: Range, count: number, widen: boolean): Scale {
  const [min, max] = tellsApart(from, to) ? [from, to] : around(from);
  const step = stepOf((max - min) / Math.max(1, count));
  const first = widen ? Math.floor(min / step + 1e-9) : Math.ceil(min / step - 1e-9);
  const last = widen ? Math.ceil(max / step - 1e-9) : Math.floor(max / step + 1e-9);
  // From the number of steps, so that no error adds up; rounded to what the step can tell.
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => rounded((first + index) * step, step));
  const [low, high] = widen ? [ticks[0] ?? min, ticks.at(-1) ?? max] : [min, max];
  return { ticks, place: (value) => (value - low) / (high - low) };
}

// Closer together than numbers of their size can be told apart by, values are one.
function tellsApart(from: number, to: number): boolean {
  return to - from > 1e-9 * Math.max(Math.abs(from), Math.abs(to)) && to - from > CLOSEST;
}

function around(value: number): [number, number] {
  const half = Math.max(0.5, Math.abs(value) / 2);
  return [value - half, value + half];
}

function stepOf(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return (STEPS.find((step) => step * power >= least * (1 - 1e-9)) ?? 10) * power;
}

function rounded(value: number, step: number): number {
  const decimals = Math.min(20, Math.max(0, 1 - Math.floor(Math.log10(step))));
  return Number(value.toFixed(decimals)) + 0;
}

function logScale({ min: from, max: to }: Range, count: number, widen: boolean): Scale {
  const [min, max] = to > from * (1 + 1e-9) ? [from, to] : [from / 2, from * 2];
  const decades = Math.log10(max) - Math.log10(min);
  const marks = decades * 2 > count ? [1] : decades * 3 > count ? [1, 3] : [1, 2, 5];
  const all: number[] = [];
  const every = Math.max(1, Math.ceil(decades / Math.max(1, count)));
  for (let power = Math.floor(Math.log10(min)) - 1; power <= Math.ceil(Math.log10(max)) + 1; power++) {
    if (power % every === 0) all.push(...marks.map((mark) => Number(`${mark}e${power}`)));
  }
  const below = all.findLastIndex((tick) => tick <= min * (1 + 1e-9));
  const above = all.findIndex((tick) => tick >= max * (1 - 1e-9));
  const inside = all.filter((tick) => tick >= min * (1 - 1e-9) && tick <= max * (1 + 1e-9));
  const ticks = widen ? all.slice(Math.max(0, below), above < 0 ? undefined : above + 1) : inside;
  const [low, high] = widen ? [ticks[0] ?? min, ticks.at(-1) ?? max] : [min, max];
  return { ticks, place: (value) => Math.log(value / low) / Math.log(high / low) };
}

const UNITS = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const;

/** A number as an axis shows it: at most four digits, thousands as `k`, millions as `M`. */
export function shortNumber(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const [unit, letter] = UNITS.find(([from]) => size >= from && size >= 10_000) ?? [1, ""];
  const digits = Number((value / unit).toPrecision(4));
  return Math.abs(digits) < 1e-4 ? digits.toExponential() : `${digits}${letter}`;
}
