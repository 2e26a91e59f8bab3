import { unpackLengths } from "./lengths.ts";
import type { PackedColumn, PackedHeader } from "./pack.ts";

/** Events in a row that have the same shape. */
export interface Stretch {
  readonly events: number;
  event(index: number): string;
  /** The text in which alone they differ, that of all joined; `undefined` when they differ in something else. */
  readonly text: string | undefined;
  /** One event that has `text` in that place. `text` is the inside of a JSON string. */
  withText(text: string): string;
}

/** The events that an `EventPacker` took down. */
export interface PackedEvents {
  readonly stretches: readonly Stretch[];
  /** One event of each shape. */
  readonly samples: readonly string[];
}

interface Column {
  /** Where in the pool it ends. */
  readonly end: number;
  token(row: number, event: number): string;
  /** The insides of the strings of rows, joined. */
  joined?(row: number, rows: number): string;
}

interface ReadShape {
  readonly pieces: readonly string[];
  readonly columns: readonly Column[];
}

/** Reads what `EventPacker.finish` gave. Throws for anything else. */
export function unpackEvents(packed: string): PackedEvents {
  const headerEnd = packed.indexOf("\n");
  const header = JSON.parse(packed.slice(0, headerEnd)) as PackedHeader;
  const pool = packed.slice(headerEnd + 1);
  const rows = rowsOf(header);
  let at = 0;
  const columns = header.shapes.map(([, packed], shape) =>
    packed.map((column) => {
      const read = readColumn(column, rows[shape] as number, pool, at);
      at = read.end;
      return read;
    }),
  );
  const shapes = header.shapes.map(([packed], shape) => {
    const pieces = packed.map((places) => {
      let text = "";
      for (let index = 0; index < places.length; index++) {
        const place = places[index] as number;
        const from = place < 0 ? at : place;
        const length = place < 0 ? -place : (places[++index] as number);
        text += pool.slice(from, from + length);
        if (place < 0) at += length;
      }
      return text;
    });
    return { pieces, columns: columns[shape] as Column[] };
  });
  const samples: string[] = [];
  const rowsSoFar = shapes.map(() => 0);
  const stretches: Stretch[] = [];
  let event = 0;
  for (const [index, events] of header.order) {
    const shape = shapes[index] as ReadShape;
    const row = rowsSoFar[index] as number;
    if (row === 0) samples.push(eventOf(shape, 0, event));
    stretches.push(stretchOf(shape, row, event, events));
    rowsSoFar[index] = row + events;
    event += events;
  }
  return { stretches, samples };
}

/** The events one by one. */
export function* eventsOf({ stretches }: PackedEvents): Generator<string, void> {
  for (const stretch of stretches) for (let index = 0; index < stretch.events; index++) yield stretch.event(index);
}

function rowsOf({ shapes, order }: PackedHeader): number[] {
  const rows = shapes.map(() => 0);
  for (const [shape, events] of order) rows[shape] = (rows[shape] as number) + events;
  return rows;
}

function readColumn(column: PackedColumn, rows: number, pool: string, at: number): Column {
  if ("from" in column) return { end: at, token: (_row, event) => String(column.from + event) };
  if ("runs" in column) {
    const tokens = column.runs.flatMap(([token, count]) => new Array<string>(count).fill(token));
    return { end: at, token: (row) => tokens[row] as string };
  }
  const starts = unpackLengths("strings" in column ? column.strings : column.tokens, rows, at);
  const end = starts[rows] as number;
  const inside = (row: number, count: number): string => pool.slice(starts[row], starts[row + count]);
  if ("tokens" in column) return { end, token: (row) => inside(row, 1) };
  return { end, token: (row) => `"${inside(row, 1)}"`, joined: inside };
}

function eventOf({ pieces, columns }: ReadShape, row: number, event: number): string {
  let text = pieces[0] as string;
  for (let index = 0; index < columns.length; index++) {
    text += (columns[index] as Column).token(row, event) + (pieces[index + 1] as string);
  }
  return text;
}

function stretchOf(shape: ReadShape, row: number, event: number, events: number): Stretch {
  const { pieces, columns } = shape;
  const varying = columns.filter((column) => !isSame(column, row, event, events));
  const [only] = varying.length === 1 ? varying : [];
  const place = only === undefined ? -1 : columns.indexOf(only);
  return {
    events,
    event: (index) => eventOf(shape, row + index, event + index),
    text: only?.joined?.(row, events),
    withText: (text) => {
      const at = (index: number): string => {
        return index === place ? `"${text}"` : (columns[index] as Column).token(row, event);
      };
      return pieces.slice(1).reduce((before, piece, index) => before + at(index) + piece, pieces[0] as string);
    },
  };
}

function isSame(column: Column, row: number, event: number, events: number): boolean {
  const first = column.token(row, event);
  for (let index = 1; index < events; index++) if (column.token(row + index, event + index) !== first) return false;
  return true;
}
