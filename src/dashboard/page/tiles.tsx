import type { Points, TileName, TileView, View } from "../view.ts";
import { amount, brief, dollars, type Format, percent, seconds } from "./format.ts";

interface TileKind {
  readonly title: string;
  readonly format: Format;
  readonly unit?: string;
  /** Which way is better; absent where neither is. */
  readonly better?: "more" | "less";
  readonly of: string;
}

const KINDS: Readonly<Record<TileName, TileKind>> = {
  calls: { title: "Calls", format: amount, unit: "/ min", of: "calls" },
  success: { title: "Answered", format: percent, better: "more", of: "calls" },
  latency: { title: "Duration, p95", format: seconds, better: "less", of: "calls" },
  firstChunk: { title: "First content, p95", format: seconds, better: "less", of: "streams" },
  tokens: { title: "Tokens in / out", format: brief, unit: "/ min", of: "calls" },
  cost: { title: "Cost", format: dollars, unit: "/ h", better: "less", of: "calls" },
};

export function Tiles({ view }: { readonly view: View }) {
  return (
    <section class="tiles" aria-label="Key figures">
      {(Object.entries(KINDS) as [TileName, TileKind][]).map(([name, kind]) => (
        <Tile key={name} kind={kind} tile={view.tiles[name]} view={view} isUnpriced={name === "cost" && !view.priced} />
      ))}
    </section>
  );
}

interface TileProps {
  readonly kind: TileKind;
  readonly tile: TileView;
  readonly view: View;
  readonly isUnpriced: boolean;
}

function Tile({ kind, tile, view, isUnpriced }: TileProps) {
  const { title, format, unit, of } = kind;
  const hasValue = tile.value !== null;
  return (
    <article class="tile">
      <h3>{title}</h3>
      <p class={`value ${hasValue ? (tile.second === undefined ? "" : "two") : "none"}`}>
        {isUnpriced ? "no prices set" : hasValue ? format(tile.value) : "no data"}
        {hasValue && tile.second !== undefined && <> / {format(tile.second)}</>}
        {hasValue && unit !== undefined && <small> {unit}</small>}
      </p>
      <p class="beside">
        <Delta kind={kind} tile={tile} />
        {hasValue && (
          <span class="n">
            {amount(tile.n)} {of} in {view.query.window} min
          </span>
        )}
      </p>
      <Sparkline points={tile.spark} />
    </article>
  );
}

function Delta({ kind, tile: { value, previous } }: { readonly kind: TileKind; readonly tile: TileView }) {
  if (value === null || previous === null) return null;
  const { format, better } = kind;
  const isSame = format(value) === format(previous);
  const direction = value > previous ? "more" : "less";
  const judged = isSame || better === undefined ? "" : better === direction ? "good" : "bad";
  return (
    <span class={`delta ${judged}`}>
      <span aria-hidden="true">{isSame ? "=" : direction === "more" ? "▲" : "▼"}</span> was {format(previous)}
    </span>
  );
}

const WIDTH = 150;
const HEIGHT = 34;

/** The last 15 minutes. A gap is a gap, and where nothing is known there is only a dashed ground line. */
function Sparkline({ points }: { readonly points: Points }) {
  const values = points.map(([, value]) => value);
  const max = Math.max(0, ...values.map((value) => value ?? 0)) || 1;
  const x = (index: number): number => (index / Math.max(1, points.length - 1)) * WIDTH;
  const y = (value: number): number => HEIGHT - 2 - (value / max) * (HEIGHT - 4);
  let line = "";
  const alone: { readonly at: number; readonly value: number }[] = [];
  for (const [index, value] of values.entries()) {
    if (value === null) continue;
    const starts = (values[index - 1] ?? null) === null;
    if (starts && (values[index + 1] ?? null) === null) alone.push({ at: x(index), value: y(value) });
    line += `${starts ? "M" : "L"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
  }
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <line class="ground" x1="0" x2={WIDTH} y1={HEIGHT - 1} y2={HEIGHT - 1} />
      {line !== "" && <path class="line" d={line} />}
      {alone.map(({ at, value }) => (
        <path key={at} class="line" d={`M${Math.max(0, at - 1.5)} ${value}h3`} />
      ))}
    </svg>
  );
}
