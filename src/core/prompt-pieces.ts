/** A piece of a prompt, by the hash of its characters. */
export interface PromptPiece {
  readonly hash: number;
  readonly chars: number;
}

const CHARS_MAX = 16_384;
const PIECE_MIN = 64;
const PIECE_MAX = 1024;
// One character in 128 ends a piece, after the least length.
const END_MASK = 0x7f00_0000;
const FNV_OFFSET = 0x811c_9dc5;
const FNV_PRIME = 0x0100_0193;

const GEAR = gearTable();

/**
 * Cuts texts into pieces of 64 to 1,024 characters where their content says so: a word more at the beginning changes one
 * piece and not all that follow. Reads the first 16,384 characters.
 *
 * Algorithm: content-defined chunking with a gear hash (Xia et al., FastCDC, USENIX ATC 2016); pieces are named by FNV-1a.
 */
export function promptPieces(texts: readonly string[]): PromptPiece[] {
  const pieces: PromptPiece[] = [];
  let left = CHARS_MAX;
  for (const text of texts) {
    if (left <= 0) break;
    cut(text, Math.min(text.length, left), pieces);
    left -= text.length;
  }
  return pieces;
}

// The end of a text is the end of a piece: what comes after it is said by somebody else.
function cut(text: string, end: number, pieces: PromptPiece[]): void {
  for (let start = 0; start < end; ) {
    const last = Math.min(start + PIECE_MAX, end);
    let gear = 0;
    let hash = FNV_OFFSET;
    let at = start;
    for (; at < last; ) {
      const code = text.charCodeAt(at++);
      hash = Math.imul(hash ^ code, FNV_PRIME);
      gear = ((gear << 1) + (GEAR[code & 0xff] as number)) | 0;
      if ((gear & END_MASK) === 0 && at - start >= PIECE_MIN) break;
    }
    pieces.push({ hash: hash >>> 0, chars: at - start });
    start = at;
  }
}

// Fixed numbers without a pattern: the same in every process (xorshift32, Marsaglia 2003).
function gearTable(): Int32Array {
  let state = 0x9e37_79b9;
  return Int32Array.from({ length: 256 }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state | 0;
  });
}
