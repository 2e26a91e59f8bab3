/** Words of any language, in order, lower-case: letters, digits, and what joins them within a word. */
export function wordsOf(text: string): readonly string[] {
  return originalWordsOf(text).map((word) => word.toLowerCase());
}

/** The same as they are written. */
export function originalWordsOf(text: string): readonly string[] {
  return text.replaceAll("’", "'").match(WORD) ?? [];
}

const WORD = /[\p{L}\p{M}\p{N}]+(?:['_.@/:+-]+[\p{L}\p{M}\p{N}]+)*/gu;

/** Whether two lists hold the same, in the same order. */
export function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((item, index) => item === right[index]);
}

/** Words that say little of what a question is about. */
export const FUNCTION_WORDS: ReadonlySet<string> = new Set(
  (
    "a about am an and any are as at be been being but by can could did do does doing for from had has have having he " +
    "her here hers him his how i if in into is it its just let me might my myself of on or our ours please shall she " +
    "should so some such tell than that the their them then there these they this those to too us very was we were " +
    "what when where which who whom whose why will with would you your yours i'm i've i'd i'll it's that's what's " +
    "there's"
  ).split(" "),
);

/** The words that a question is about, in order. */
export function contentWordsOf(text: string): readonly string[] {
  return wordsOf(text).filter((word) => !FUNCTION_WORDS.has(word));
}
