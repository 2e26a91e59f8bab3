import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const FOLDER = join(import.meta.dirname, "../fixtures/prompts");

function rows<T>(name: string): readonly T[] {
  const text = gunzipSync(readFileSync(join(FOLDER, `${name}.jsonl.gz`))).toString();
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
}

/** Questions of bank customers, each with one of 77 intents. */
export const bankingQuestions = (): readonly { readonly text: string; readonly category: string }[] =>
  rows("banking77");
/** A statement and one that says the same; so do all pairs of a group. */
export const similarPairs = (): readonly {
  readonly origin: string;
  readonly similar: string;
  readonly group: number;
}[] => rows("gptcache-similar-pairs");
/** Problems, no two of which have the same answer for the same reason. */
export const schoolProblems = (): readonly { readonly question: string }[] => rows("gsm8k-questions");
