import type { Guard } from "./guard.ts";
import { contentWordsOf } from "./words.ts";

/** Share of the shorter question's words from which on the two are made of the same ones. */
const SAME_WORDS = 0.6;

/**
 * Objects when two questions are made of mostly the same words in another order: "dollars to euros" is not "euros to
 * dollars". Against texts made of another's words so that their vectors are alike.
 */
export const orderGuard: Guard = {
  name: "order",
  admits(question, cachedQuestion) {
    const [words, others] = [contentWordsOf(question), contentWordsOf(cachedQuestion)];
    const [said, alsoSaid] = [new Set(words), new Set(others)];
    const shared = [...said].filter((word) => alsoSaid.has(word));
    if (shared.length < SAME_WORDS * Math.min(said.size, alsoSaid.size)) return true;
    const inOtherOrder = [...alsoSaid].filter((word) => said.has(word));
    return shared.every((word, index) => word === inOtherOrder[index]);
  },
};
