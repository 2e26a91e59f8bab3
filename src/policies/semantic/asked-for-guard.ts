import type { Guard } from "./guard.ts";
import { wordsOf } from "./words.ts";

const KINDS: ReadonlyMap<string, string> = new Map([
  ["who", "person"],
  ["whom", "person"],
  ["whose", "person"],
  ["when", "time"],
  ["where", "place"],
  ["why", "reason"],
]);

const AMOUNTS: ReadonlySet<string> = new Set(["many", "much", "long", "often", "far", "old", "big", "tall", "fast"]);

function kindsOf(text: string): string {
  const words = wordsOf(text);
  const kinds = words.flatMap((word, index) => {
    const next = words[index + 1] ?? "";
    if (word === "how" && AMOUNTS.has(next)) return [`amount of ${next}`];
    return KINDS.get(word) ?? [];
  });
  return [...new Set(kinds)].sort().join();
}

/** Objects when the questions ask for other kinds of things: when, where, who, why, how much. */
export const askedForGuard: Guard = {
  name: "asked_for",
  admits: (question, cachedQuestion) => kindsOf(question) === kindsOf(cachedQuestion),
};
