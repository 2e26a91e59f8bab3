import { packLengths } from "./lengths.ts";
import { Pool } from "./pool.ts";
import { Shape, tokensOf } from "./shape.ts";

/** Beyond that many, what is new is taken down as it is. */
const SHAPES_MAX = 64;
/** With more runs, or fewer rows a run, each row is taken down. */
const RUNS_MAX = 64;
const ROWS_A_RUN = 4;

/**
 * The tokens of one place: the same for so many rows each; counted on with the events; or each in full, told by their
 * lengths: they stand in the pool, strings without their quotation marks.
 */
export type PackedColumn =
  | { readonly runs: readonly (readonly [token: string, rows: number])[] }
  | { readonly from: number }
  | { readonly strings: string }
  | { readonly tokens: string };

/** What stands before the pool. In the pool are the columns of all shapes, then what is new in their pieces. */
export interface PackedHeader {
  readonly shapes: readonly (readonly [pieces: readonly (readonly number[])[], columns: readonly PackedColumn[]])[];
  /** Which shape so many events in a row have. */
  readonly order: readonly (readonly [shape: number, events: number])[];
}

/**
 * Takes down the events of a stream in little more than the text of its answer, and so that they can be given again
 * exactly: events that differ in a few places share all the rest, and what is told again at the end is kept once.
 */
export class EventPacker {
  readonly #shapes: Shape[] = [];
  readonly #byKey = new Map<string, number>();
  readonly #order: [shape: number, events: number][] = [];
  /** The shape that takes what no other does, once there are too many. */
  #other: number | undefined;
  #size = 0;

  /** About how many characters it will take. */
  get size(): number {
    return this.#size;
  }

  add(event: string): void {
    const last = this.#order.at(-1);
    const shape = last === undefined ? undefined : this.#shapes[last[0]];
    if (last !== undefined && shape?.takes(event)) {
      last[1]++;
      this.#size += event.length - shape.sharedLength + 1;
    } else {
      this.#size += event.length;
      this.#note(this.#placeOf(event));
    }
  }

  #note(shape: number): void {
    const last = this.#order.at(-1);
    if (last?.[0] === shape) last[1]++;
    else this.#order.push([shape, 1]);
  }

  #placeOf(event: string): number {
    const cut = tokensOf(event);
    const known = this.#byKey.get(cut.key);
    if (known !== undefined) {
      this.#shapes[known]?.widen(cut);
      return known;
    }
    if (this.#shapes.length < SHAPES_MAX) {
      this.#byKey.set(cut.key, this.#shapes.length);
      return this.#shapes.push(new Shape(event, cut)) - 1;
    }
    const anything = { pieces: ["", ""], tokens: [event], key: "" };
    if (this.#other === undefined) this.#other = this.#shapes.push(new Shape(event, anything)) - 1;
    else this.#shapes[this.#other]?.widen(anything);
    return this.#other;
  }

  /** Everything so far as one text. */
  finish(): string {
    const pool = new Pool();
    const places = this.#eventsByShape();
    const columns = this.#shapes.map((shape, index) =>
      shape.columns.map((tokens) => packedColumn(tokens, places[index] as number[], pool)),
    );
    const shapes = this.#shapes.map(({ pieces }, index) => {
      return [pieces.map((piece) => pool.add(piece)), columns[index] as PackedColumn[]] as const;
    });
    const header: PackedHeader = { shapes, order: this.#order };
    return `${JSON.stringify(header)}\n${pool.text}`;
  }

  /** Which events each shape has. */
  #eventsByShape(): number[][] {
    const places = this.#shapes.map((): number[] => []);
    let event = 0;
    for (const [shape, events] of this.#order) {
      for (const end = event + events; event < end; event++) places[shape]?.push(event);
    }
    return places;
  }
}

function packedColumn(tokens: readonly string[], events: readonly number[], pool: Pool): PackedColumn {
  const from = countedFrom(tokens, events);
  if (from !== undefined) return { from };
  const runs = runsOf(tokens);
  if (runs !== undefined) return { runs };
  const areStrings = tokens.every(isString);
  const texts = areStrings ? tokens.map((token) => token.slice(1, -1)) : tokens;
  pool.append(texts.join(""));
  return areStrings ? { strings: packLengths(texts) } : { tokens: packLengths(texts) };
}

const QUOTE = 34;

function isString(token: string): boolean {
  return token.length > 1 && token.charCodeAt(0) === QUOTE && token.charCodeAt(token.length - 1) === QUOTE;
}

/** What the first event would have, where every event has one more than the one before. */
function countedFrom(tokens: readonly string[], events: readonly number[]): number | undefined {
  const from = Number(tokens[0]) - (events[0] as number);
  if (!Number.isSafeInteger(from)) return undefined;
  return tokens.every((token, row) => token === String(from + (events[row] as number))) ? from : undefined;
}

function runsOf(tokens: readonly string[]): [token: string, rows: number][] | undefined {
  const runs: [string, number][] = [];
  const most = Math.min(RUNS_MAX, tokens.length / ROWS_A_RUN);
  for (const token of tokens) {
    const last = runs.at(-1);
    if (last?.[0] === token) last[1]++;
    else if (runs.push([token, 1]) > most) return undefined;
  }
  return runs;
}
