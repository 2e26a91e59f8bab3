import type { Guard } from "./guard.ts";
import { wordsOf } from "./words.ts";

const SCRIPTS: readonly (readonly [name: string, letter: RegExp])[] = [
  ["latin", /\p{Script=Latin}/u],
  ["cyrillic", /\p{Script=Cyrillic}/u],
  ["greek", /\p{Script=Greek}/u],
  ["arabic", /\p{Script=Arabic}/u],
  ["hebrew", /\p{Script=Hebrew}/u],
  ["devanagari", /\p{Script=Devanagari}/u],
  ["thai", /\p{Script=Thai}/u],
  ["hangul", /\p{Script=Hangul}/u],
  ["kana", /[\p{Script=Hiragana}\p{Script=Katakana}]/u],
  ["han", /\p{Script=Han}/u],
];

/** Words that are frequent in one of these languages and no words of the others. */
const FREQUENT: readonly (readonly [name: string, words: ReadonlySet<string>])[] = [
  ["en", listed("the is are what how my can you of and to for does with this")],
  ["de", listed("der das ist und ich wie nicht mein meine kann für mit ein eine auf wird")],
  ["fr", listed("le les est et je comment mon ma puis pour avec une des dans quel quelle")],
  ["es", listed("el los es y cómo mi puedo para con una del qué cuál por está")],
  ["it", listed("il gli è come mio mia posso per con una della che quale sono")],
  ["pt", listed("os é eu como meu minha posso para com uma do da qual são não")],
  ["nl", listed("de het is en ik hoe mijn kan voor met een van wat niet")],
];

function listed(words: string): ReadonlySet<string> {
  return new Set(words.split(" "));
}

function scriptsOf(text: string): string {
  return SCRIPTS.filter(([, letter]) => letter.test(text))
    .map(([name]) => name)
    .join();
}

/** The language that most of the frequent words speak for; `undefined` when none clearly does. */
function languageOf(text: string): string | undefined {
  const words = wordsOf(text);
  const counts = FREQUENT.map(([name, frequent]) => ({
    name,
    count: words.filter((word) => frequent.has(word)).length,
  }));
  const [first, second] = counts.sort((left, right) => right.count - left.count);
  if (first === undefined || second === undefined || first.count < 2) return undefined;
  return first.count > second.count ? first.name : undefined;
}

/** Objects when the questions are written in other scripts or languages: so would the answers be. */
export const languageGuard: Guard = {
  name: "language",
  admits(question, cachedQuestion) {
    if (scriptsOf(question) !== scriptsOf(cachedQuestion)) return false;
    const [language, other] = [languageOf(question), languageOf(cachedQuestion)];
    return language === undefined || other === undefined || language === other;
  },
};
