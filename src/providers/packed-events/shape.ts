/** JSON strings, with the colon that makes one a name; and numbers. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const QUOTE = 34;
const BACKSLASH = 92;

/** Text cut at its JSON strings and numbers; there is one piece more than there are tokens. */
export interface Tokens {
  readonly pieces: readonly string[];
  readonly tokens: readonly string[];
  /** Equal for texts that differ in their tokens only. */
  readonly key: string;
}

export function tokensOf(text: string): Tokens {
  const pieces: string[] = [];
  const tokens: string[] = [];
  let key = "";
  let from = 0;
  for (const match of text.matchAll(TOKENS)) {
    if (match[1] !== undefined) continue;
    const [token] = match;
    const piece = text.slice(from, match.index);
    pieces.push(piece);
    tokens.push(token);
    key += `${piece.length}${token.charCodeAt(0) === QUOTE ? "s" : "n"}${piece}`;
    from = match.index + token.length;
  }
  pieces.push(text.slice(from));
  return { pieces, tokens, key: `${key}e${text.slice(from)}` };
}

/** Texts that differ in some JSON strings and numbers only: what they share, and for each place the tokens there. */
export class Shape {
  /** What stands before, between and after the columns. */
  pieces: readonly string[];
  /** Where the texts differ, one token for each row. */
  columns: readonly string[][] = [];
  rows = 1;
  /** Characters of all pieces. */
  sharedLength: number;
  readonly #cut: Tokens;
  /** By token; absent for one that has been the same in every row. */
  readonly #columns: (string[] | undefined)[];
  readonly #ends: number[] = [];

  constructor(text: string, cut: Tokens) {
    this.pieces = [text];
    this.sharedLength = text.length;
    this.#cut = cut;
    this.#columns = cut.tokens.map(() => undefined);
  }

  /** Takes the text as the next row, if it differs only where others did. */
  takes(text: string): boolean {
    const { pieces, columns } = this;
    const ends = this.#ends;
    let at = 0;
    for (let index = 0; index < columns.length; index++) {
      const piece = pieces[index] as string;
      // Six times as fast as `startsWith`, which compares character by character.
      if (text.slice(at, at + piece.length) !== piece) return false;
      at = tokenEnd(text, at + piece.length);
      if (at < 0) return false;
      ends[index] = at;
    }
    const last = pieces[columns.length] as string;
    if (text.length !== at + last.length || text.slice(at) !== last) return false;
    at = 0;
    for (let index = 0; index < columns.length; index++) {
      const end = ends[index] as number;
      columns[index]?.push(text.slice(at + (pieces[index] as string).length, end));
      at = end;
    }
    this.rows++;
    return true;
  }

  /** Takes a text of the same key as the next row; it may differ in more places. */
  widen({ tokens }: Tokens): void {
    for (const [index, token] of tokens.entries()) {
      const same = this.#cut.tokens[index] as string;
      if (token !== same) this.#columns[index] ??= new Array<string>(this.rows).fill(same);
      this.#columns[index]?.push(token);
    }
    this.rows++;
    this.columns = this.#columns.filter((column) => column !== undefined);
    this.pieces = this.#narrowPieces();
    this.sharedLength = this.pieces.reduce((sum, { length }) => sum + length, 0);
  }

  #narrowPieces(): readonly string[] {
    const { pieces, tokens } = this.#cut;
    const narrow: string[] = [];
    let text = pieces[0] as string;
    for (const [index, token] of tokens.entries()) {
      if (this.#columns[index] === undefined) {
        text += token;
      } else {
        narrow.push(text);
        text = "";
      }
      text += pieces[index + 1];
    }
    return [...narrow, text];
  }
}

/** Where the JSON string or number that begins at `at` ends; -1 where none does. */
function tokenEnd(text: string, at: number): number {
  return text.charCodeAt(at) === QUOTE ? stringEnd(text, at + 1) : numberEnd(text, at);
}

function stringEnd(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  return -1;
}

const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

function numberEnd(text: string, from: number): number {
  NUMBER.lastIndex = from;
  return NUMBER.test(text) ? NUMBER.lastIndex : -1;
}
