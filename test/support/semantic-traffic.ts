import { type Random, seededRandom } from "../../src/core/index.ts";
import { bankingQuestions, schoolProblems, similarPairs } from "./prompts.ts";

export type Kind =
  | "banking"
  | "paraphrase"
  | "reworded"
  | "problem"
  | "template"
  | "negated"
  | "other number"
  | "other entity"
  | "same words";

/** A question, and what it means: two of the same meaning may have the same answer, others must not. */
export interface Labelled {
  readonly text: string;
  readonly meaning: string;
  readonly kind: Kind;
}

type Maker = (random: Random, asked: readonly Labelled[]) => Labelled | undefined;

/** How often each kind comes, in any unit. */
const SHARES: readonly (readonly [kind: Kind, share: number])[] = [
  ["banking", 20],
  ["paraphrase", 8],
  ["reworded", 34],
  ["problem", 5],
  ["template", 13],
  ["negated", 5],
  ["other number", 5],
  ["other entity", 5],
  ["same words", 5],
];

/** `count` questions in the order in which they come, repeatable by seed. No text comes twice. */
export function labelledTraffic(count: number, seed: number): readonly Labelled[] {
  const random = seededRandom(seed);
  const makers = makersOf(random);
  const asked: Labelled[] = [];
  const texts = new Set<string>();
  for (let tries = 0; asked.length < count && tries < 20 * count; tries++) {
    const made = makers[kindAt(random())](random, asked);
    if (made === undefined || texts.has(made.text)) continue;
    texts.add(made.text);
    asked.push(made);
  }
  return asked;
}

function kindAt(chance: number): Kind {
  let left = chance * SHARES.reduce((sum, [, share]) => sum + share, 0);
  for (const [kind, share] of SHARES) {
    left -= share;
    if (left < 0) return kind;
  }
  return "banking";
}

function makersOf(random: Random): Readonly<Record<Kind, Maker>> {
  const banking = shuffled(bankingQuestions(), random).values();
  const problems = shuffled(schoolProblems(), random).values();
  const statements = shuffled(
    similarPairs().flatMap(({ origin, similar, group }) => [origin, similar].map((text) => ({ text, group }))),
    random,
  ).values();
  return {
    banking: () => {
      const { value } = banking.next();
      return value && { text: value.text, meaning: `banking ${value.category}`, kind: "banking" };
    },
    paraphrase: () => {
      const { value } = statements.next();
      return value && { text: value.text, meaning: `pair ${value.group}`, kind: "paraphrase" };
    },
    problem: () => {
      const { value } = problems.next();
      return value && { text: value.question, meaning: `problem ${value.question}`, kind: "problem" };
    },
    template: (chance) => templated(chance),
    reworded: (chance, asked) => {
      const question = pick(asked, chance);
      return question && { text: reworded(question.text, chance), meaning: question.meaning, kind: "reworded" };
    },
    negated: (chance, asked) => changed(negate, "negated", chance, asked),
    "other number": (chance, asked) => changed(otherNumber, "other number", chance, asked),
    "other entity": (chance, asked) => otherTemplate(chance, asked, "other entity"),
    "same words": (chance, asked) => otherTemplate(chance, asked, "same words"),
  };
}

const GREETINGS = ["Hi, ", "Hello, ", "Hey, ", "Quick question: ", "Please tell me: ", "Could you tell me, ", "So, "];
const THANKS = [" Thanks!", " Thank you.", " Please.", " Please tell me."];

/** The same question with other little words: what people do most. */
function reworded(text: string, random: Random): string {
  const way = Math.floor(random() * 4);
  if (way === 0) return text.toLowerCase().replace(/[.?!]+$/, "");
  if (way === 1) return `${text}${pick(THANKS, random)}`;
  const greeted = `${pick(GREETINGS, random)}${text.replace(/^\p{Lu}(?=\p{Ll})/u, (first) => first.toLowerCase())}`;
  return way === 2 ? greeted : `${greeted}${pick(THANKS, random)}`;
}

const CITIES = ["Oslo", "Rome", "Lima", "Cairo", "Tokyo", "Boston", "Madrid", "Vienna", "Dublin", "Sydney", "Prague"];
const TEMPLATES: readonly ((from: string, to: string, count: number) => string)[] = [
  (from, to) => `How long is the flight from ${from} to ${to}?`,
  (from, to, count) => `What does a ticket for ${count} people from ${from} to ${to} cost?`,
  (from, to) => `Can I take my dog on the train from ${from} to ${to}?`,
  (from, to, count) => `Is ${from} more expensive than ${to} for a stay of ${count} days?`,
  (from, to) => `Send my parcel in ${from} to the office in ${to}`,
];

function templated(random: Random): Labelled | undefined {
  const [from, to] = [pick(CITIES, random), pick(CITIES, random)];
  const template = pick(TEMPLATES, random);
  if (template === undefined || from === undefined || to === undefined || from === to) return undefined;
  const text = template(from, to, 2 + Math.floor(random() * 8));
  return { text, meaning: `template ${text}`, kind: "template" };
}

/** A question of the same template with another city, or the same two the other way round. */
function otherTemplate(random: Random, asked: readonly Labelled[], kind: "other entity" | "same words") {
  const question = pick(
    asked.filter((one) => one.kind === "template"),
    random,
  );
  const cities = CITIES.filter((city) => question?.text.includes(city));
  const [one, other] = cities;
  if (question === undefined || one === undefined || other === undefined) return undefined;
  const strange = pick(
    CITIES.filter((city) => !cities.includes(city)),
    random,
  );
  const swap = new Map(
    kind === "other entity"
      ? [[one, strange ?? ""]]
      : [
          [one, other],
          [other, one],
        ],
  );
  const text = question.text.replace(/\p{Lu}\p{Ll}+/gu, (word) => swap.get(word) ?? word);
  return { text, meaning: `template ${text}`, kind };
}

/** Kinds whose text is the question itself, and not one made of another. */
const ORIGINAL: ReadonlySet<Kind> = new Set(["banking", "problem", "template"]);

// What a change of a question means depends on its words alone, so the same change of a rewording is not made.
function changed(
  change: (text: string, random: Random) => string | undefined,
  kind: Kind,
  random: Random,
  asked: readonly Labelled[],
): Labelled | undefined {
  const question = pick(asked, random);
  if (question === undefined || !ORIGINAL.has(question.kind)) return undefined;
  const text = change(question.text, random);
  if (text === undefined) return undefined;
  return { text, meaning: `${question.kind === "template" ? "template" : kind} ${text}`, kind };
}

const NEGATIONS: readonly (readonly [RegExp, string])[] = [
  [/\bcan\b/, "can not"],
  [/\b(is|are|was|were|will|should|would|could|do|does|did)\b/, "$1 not"],
  [/\bI (want|need|like|have)\b/, "I don't $1"],
  [/\bwith\b/, "without"],
];

function negate(text: string): string | undefined {
  if (/\bnot\b|n't\b|\bno\b|\bwithout\b|\bnever\b/i.test(text)) return undefined;
  const rule = NEGATIONS.find(([pattern]) => pattern.test(text));
  return rule === undefined ? undefined : text.replace(rule[0], rule[1]);
}

function otherNumber(text: string, random: Random): string | undefined {
  if (!/\d/.test(text)) return undefined;
  return text.replace(/\d+/, (number) => String(Number(number) + 1 + Math.floor(random() * 9)));
}

function pick<T>(items: readonly T[], random: Random): T | undefined {
  return items[Math.floor(random() * items.length)];
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const copy = [...items];
  for (let at = copy.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [copy[at], copy[other]] = [copy[other] as T, copy[at] as T];
  }
  return copy;
}
