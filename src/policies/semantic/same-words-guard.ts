import type { Guard } from "./guard.ts";
import { contentWordsOf } from "./words.ts";

/**
 * Objects unless both questions are about the same words, inflection aside. Not one of `GUARDS`: it leaves only what is
 * said in other little words ("please", "can you tell me"), and is for embedders that tell words and not meanings.
 */
export const sameWordsGuard: Guard = {
  name: "same_words",
  admits(question, cachedQuestion) {
    const [words, others] = [stemsOf(question), stemsOf(cachedQuestion)];
    return words.size === others.size && [...words].every((word) => others.has(word));
  },
};

const INFLECTION = /(?:'s|ies|es|s|ed|ing|y)$/;

function stemsOf(text: string): ReadonlySet<string> {
  return new Set(contentWordsOf(text).map((word) => (word.length > 4 ? word.replace(INFLECTION, "") : word)));
}
