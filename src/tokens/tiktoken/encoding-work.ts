const LETTERS = 0;
const DIGITS = 1;
const SPACES = 2;
const MARKS = 3;

const KIND_OF_ASCII = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  if (/[a-z]/i.test(char)) return LETTERS;
  if (/\d/.test(char)) return DIGITS;
  return /\s/.test(char) ? SPACES : MARKS;
});

const NON_ASCII_BYTES_MAX = 3;
/**
 * A run of so many bytes takes as long again for being merged as for being read. Half of what was measured, for two runs
 * may be merged as one piece.
 */
const MERGE_BYTES = 500;
/** The tokenizer's pieces of digits have at most three. */
const DIGITS_MAX = 3;

/**
 * How much work it is at most to encode `text`: 1 for each byte, and for each run of one kind of characters the square of
 * its bytes / 500, for byte-pair merging takes a time that grows with the square of a piece. Stops looking when it is more
 * than `enough`, and never looks at more characters than that.
 */
export function encodingWork(text: string, enough: number): number {
  let work = 0;
  let kind = SPACES;
  let run = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    // Whatever is not ASCII may belong to the run before it and to the one after it.
    const next = code < 128 ? (KIND_OF_ASCII[code] as number) : kind;
    if (next !== kind || (kind === DIGITS && run >= DIGITS_MAX)) {
      work += run + (run * run) / MERGE_BYTES;
      kind = next;
      run = 0;
    }
    run += code < 128 ? 1 : NON_ASCII_BYTES_MAX;
    if (work + run + (run * run) / MERGE_BYTES > enough) return Number.POSITIVE_INFINITY;
  }
  return work + run + (run * run) / MERGE_BYTES;
}
