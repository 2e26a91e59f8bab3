import type { Guard } from "./guard.ts";
import { FUNCTION_WORDS, originalWordsOf, wordsOf } from "./words.ts";

const CAPITALISED = /^\p{Lu}/u;
const SENTENCE = /[.!?\n]+\s+/u;
/** Not a word of a language: an acronym, a name of code or a product, an address. */
const SPELT = /\p{Lu}.*\p{Lu}|\p{Ll}\p{Lu}|[_@/:]|\p{L}\p{N}|\p{N}\p{L}/u;
const POSSESSIVE = /['’]s$/;

/**
 * Names, in order: words with a capital letter, and what is spelt as no plain word is (`LOAD_HU`, `iPhone`, an address).
 * The first word of a sentence has its capital for another reason, unless it is spelt like that.
 */
function namesOf(text: string): readonly string[] {
  return text.split(SENTENCE).flatMap((sentence) =>
    originalWordsOf(sentence)
      .filter((word, index) => SPELT.test(word) || (index > 0 && CAPITALISED.test(word)))
      .map((word) => word.toLowerCase().replace(POSSESSIVE, ""))
      .filter((word) => !FUNCTION_WORDS.has(word)),
  );
}

function leadsOf(text: string): readonly string[] {
  return text
    .split(SENTENCE)
    .flatMap((sentence) => originalWordsOf(sentence).slice(0, 1))
    .filter((word) => CAPITALISED.test(word))
    .map((word) => word.toLowerCase());
}

// A name in one question must be in the other, whatever its capitals: people write "paris".
function missesNameOf(text: string, other: string): boolean {
  const said = new Set(wordsOf(other).map((word) => word.replace(POSSESSIVE, "")));
  return namesOf(text).some((name) => !said.has(name));
}

function inOrder(left: readonly string[], right: readonly string[]): boolean {
  const known = new Set(right);
  const shared = left.filter((name) => known.has(name));
  let at = -1;
  return shared.every((name) => {
    at = right.indexOf(name, at + 1);
    return at >= 0;
  });
}

/**
 * Objects when a name of one question is not in the other, or they come in another order ("from Oslo to Rome" is not
 * "from Rome to Oslo"). A sentence that begins with a name begins with the same one in both, or not with a name: which
 * of the two it is, only the other question can tell.
 */
export const namesGuard: Guard = {
  name: "names",
  admits(question, cachedQuestion) {
    if (missesNameOf(question, cachedQuestion) || missesNameOf(cachedQuestion, question)) return false;
    const [names, others] = [namesOf(question), namesOf(cachedQuestion)];
    return inOrder(names, others) && inOrder(others, names) && !differInLead(question, cachedQuestion);
  },
};

// "Paris weather today" and "London weather today": all but the first word of a sentence is the same.
function differInLead(question: string, cachedQuestion: string): boolean {
  const [words, others] = [new Set(wordsOf(question)), new Set(wordsOf(cachedQuestion))];
  const strange = (lead: string, said: ReadonlySet<string>): boolean => !said.has(lead) && !FUNCTION_WORDS.has(lead);
  return (
    leadsOf(question).some((lead) => strange(lead, others)) &&
    leadsOf(cachedQuestion).some((lead) => strange(lead, words))
  );
}
