import type { Guard } from "./guard.ts";
import { sameList } from "./words.ts";

// "One" and "first" are as often no numbers; beside another number they are missed as one.
const NUMBER_WORDS: ReadonlyMap<string, string> = new Map(
  (
    "zero - two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen " +
    "eighteen nineteen twenty"
  )
    .split(" ")
    .map((word, number) => [word, String(number)] as const)
    .concat([
      ["thirty", "30"],
      ["forty", "40"],
      ["fifty", "50"],
      ["sixty", "60"],
      ["seventy", "70"],
      ["eighty", "80"],
      ["ninety", "90"],
      ["hundred", "100"],
      ["thousand", "1000"],
      ["million", "1000000"],
      ["billion", "1000000000"],
      ["second", "2"],
      ["third", "3"],
      ["twice", "2"],
      ["double", "2"],
      ["triple", "3"],
      ["half", "1/2"],
      ["quarter", "1/4"],
      ["dozen", "12"],
    ]),
);

const NUMBER = /[\p{L}]*\p{Nd}+(?:[.,:/-]\p{Nd}+)*[\p{L}%°]*|[\p{Sc}]|\p{L}+/gu;
const THOUSANDS = /(?<=\d),(?=\d{3}(?!\d))/g;

/** Numbers, in digits or words, with the letters that touch them (`10k`, `v2.1`, `3rd`) and signs of currency. */
function numbersOf(text: string): readonly string[] {
  const found: string[] = [];
  for (const [match] of text.normalize("NFKC").toLowerCase().matchAll(NUMBER)) {
    if (/\p{Nd}|\p{Sc}/u.test(match)) found.push(match.replace(THOUSANDS, "").replace(/(?<=\d)(st|nd|rd|th)$/, ""));
    else if (NUMBER_WORDS.has(match)) found.push(NUMBER_WORDS.get(match) as string);
  }
  return found;
}

/** Objects unless both hold the same numbers in the same order: "5 of 10" is not "10 of 5". */
export const numbersGuard: Guard = {
  name: "numbers",
  admits: (question, cachedQuestion) => sameList(numbersOf(question), numbersOf(cachedQuestion)),
};
