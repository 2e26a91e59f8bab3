const BLOCK = 12;
const SHORTEST = 16;
const BLOCKS_MAX = 4096;
const SLICE = 1024;

interface Match {
  /** In the pool. */
  readonly at: number;
  /** In the text that is added. */
  readonly from: number;
  readonly length: number;
}

/**
 * Text in which everything stands once that stands there more than once. What is added becomes a list: `at, length` for
 * what was there already, and `-length` for what is new and follows what was new before. After Lempel and Ziv, 1977.
 */
export class Pool {
  #text = "";
  /** Where blocks of the text begin. */
  readonly #blocks = new Map<string, number>();
  #indexed = 0;

  get text(): string {
    return this.#text;
  }

  /** Adds text that is to stand there in one piece. */
  append(text: string): void {
    this.#text += text;
  }

  add(text: string): readonly number[] {
    this.#index();
    const known = this.#text;
    const places: number[] = [];
    let literalFrom = 0;
    let at = 0;
    while (at + BLOCK <= text.length) {
      const found = this.#blocks.get(text.slice(at, at + BLOCK));
      const match = found === undefined ? undefined : longest(known, found, text, at, literalFrom);
      if (match === undefined || match.length < SHORTEST) {
        at++;
        continue;
      }
      this.#literal(text.slice(literalFrom, match.from), places);
      places.push(match.at, match.length);
      at = match.from + match.length;
      literalFrom = at;
    }
    this.#literal(text.slice(literalFrom), places);
    return places;
  }

  #literal(text: string, places: number[]): void {
    if (text === "") return;
    this.append(text);
    places.push(-text.length);
  }

  #index(): void {
    const text = this.#text;
    const stride = Math.max(BLOCK, Math.ceil(text.length / BLOCKS_MAX));
    for (; this.#indexed + BLOCK <= text.length; this.#indexed += stride) {
      const block = text.slice(this.#indexed, this.#indexed + BLOCK);
      if (!this.#blocks.has(block)) this.#blocks.set(block, this.#indexed);
    }
  }
}

/** The longest match around a block that stands at `found` in `known` and at `at` in `text`, there not before `from`. */
function longest(known: string, found: number, text: string, at: number, from: number): Match {
  const most = Math.min(found, at - from);
  let before = 0;
  while (before < most && known.charCodeAt(found - before - 1) === text.charCodeAt(at - before - 1)) before++;
  let after = BLOCK;
  while (sameSlice(known, found + after, text, at + after)) after += SLICE;
  const end = Math.min(known.length - found, text.length - at);
  while (after < end && known.charCodeAt(found + after) === text.charCodeAt(at + after)) after++;
  return { at: found - before, from: at - before, length: before + after };
}

// A long text is told again as a whole: character by character that would take a while.
function sameSlice(one: string, from: number, other: string, at: number): boolean {
  const fits = from + SLICE <= one.length && at + SLICE <= other.length;
  return fits && one.slice(from, from + SLICE) === other.slice(at, at + SLICE);
}
