/** A few dozen tokens: soon there, and not many events. */
const PIECE_CHARS = 200;

/** Cuts a text into the pieces in which it is told, never within a character. At least one piece. */
export function textPieces(text: string): string[] {
  const pieces: string[] = [];
  let from = 0;
  while (text.length - from > PIECE_CHARS) {
    const end = from + PIECE_CHARS;
    // The second half of a surrogate pair belongs to the first.
    const splitsPair = (text.charCodeAt(end - 1) & 0xfc00) === 0xd800 && (text.charCodeAt(end) & 0xfc00) === 0xdc00;
    const to = splitsPair ? end - 1 : end;
    pieces.push(text.slice(from, to));
    from = to;
  }
  pieces.push(text.slice(from));
  return pieces;
}
