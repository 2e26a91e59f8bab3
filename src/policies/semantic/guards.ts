import { askedForGuard } from "./asked-for-guard.ts";
import type { Guard } from "./guard.ts";
import { languageGuard } from "./language-guard.ts";
import { namesGuard } from "./names-guard.ts";
import { negationGuard } from "./negation-guard.ts";
import { numbersGuard } from "./numbers-guard.ts";
import { orderGuard } from "./order-guard.ts";
import { sameWordsGuard } from "./same-words-guard.ts";

export type { Guard } from "./guard.ts";
export { askedForGuard, languageGuard, namesGuard, negationGuard, numbersGuard, orderGuard, sameWordsGuard };

/** The default ones. They know English best: for another language bring your own. */
export const GUARDS: readonly Guard[] = [
  numbersGuard,
  namesGuard,
  negationGuard,
  orderGuard,
  askedForGuard,
  languageGuard,
];

/** The first guard that objects. One that throws objects. */
export function objectingGuard(guards: readonly Guard[], question: string, cachedQuestion: string): Guard | undefined {
  return guards.find((guard) => {
    try {
      return !guard.admits(question, cachedQuestion);
    } catch {
      return true;
    }
  });
}
