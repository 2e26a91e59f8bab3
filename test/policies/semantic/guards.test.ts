import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  askedForGuard,
  GUARDS,
  type Guard,
  languageGuard,
  namesGuard,
  negationGuard,
  numbersGuard,
  orderGuard,
  sameWordsGuard,
} from "../../../src/policies/semantic/index.ts";
import { bankingQuestions } from "../../support/prompts.ts";

const CASES: readonly { guard: Guard; same: readonly [string, string][]; different: readonly [string, string][] }[] = [
  {
    guard: numbersGuard,
    same: [
      ["Send 1,000 euros", "send 1000 euros"],
      ["What are three good books?", "What are 3 good books?"],
      ["Is this one right?", "Is this right?"],
      ["My card came on the 3rd", "My card came on the 3"],
    ],
    different: [
      ["Convert 5 miles to km", "Convert 6 miles to km"],
      ["5 of 10", "10 of 5"],
      ["Release notes of v2.1", "Release notes of v2.2"],
      ["Can I pay $ 20?", "Can I pay € 20?"],
      ["Who came second?", "Who came third?"],
      ["Is ٣ prime?", "Is ٤ prime?"],
      ["What is 1.5 + 2?", "What is 15 + 2?"],
    ],
  },
  {
    guard: namesGuard,
    same: [
      ["What is the weather in Paris?", "what is the weather in paris"],
      ["Hi, My card was stolen", "My card was stolen"],
      ["Tell me about Anna's cat", "Tell me about Anna"],
    ],
    different: [
      ["What is the weather in Paris?", "What is the weather in London?"],
      ["Fly from Oslo to Rome", "Fly from Rome to Oslo"],
      ["Does LOAD_HU exist?", "Does LOAD_MU exist?"],
      ["Reset the password of ann@example.org", "Reset the password of bob@example.org"],
      ["Paris weather today?", "London weather today?"],
      ["How does the iPhone charge?", "How does the Pixel charge?"],
    ],
  },
  {
    guard: negationGuard,
    same: [
      ["I can't log in", "I cannot log in"],
      ["No, it doesn't exist", "it does not exist"],
      ["How do I start?", "How do I begin?"],
    ],
    different: [
      ["Can I cancel?", "Can't I cancel?"],
      ["Which foods are safe?", "Which foods are not safe?"],
      ["How do I enable 2FA?", "How do I disable 2FA?"],
      ["Enabling sync", "Disabling sync"],
      ["Is it possible?", "Is it impossible?"],
      ["How do I subscribe?", "How do I unsubscribe?"],
      ["What rises before noon?", "What rises after noon?"],
      ["Kann ich das essen?", "Kann ich das nicht essen?"],
      ["Rice with salt", "Rice without salt"],
    ],
  },
  {
    guard: orderGuard,
    same: [
      ["How do I convert dollars to euros?", "Please, how can I convert dollars to euros?"],
      ["Where is my parcel?", "I have been waiting for a letter"],
    ],
    different: [
      ["convert dollars to euros", "convert euros to dollars"],
      ["A dog bites a man", "A man bites a dog"],
    ],
  },
  {
    guard: askedForGuard,
    same: [["Where is my card?", "Can you tell me where my card is?"]],
    different: [
      ["When was Bach born?", "Where was Bach born?"],
      ["Who wrote it?", "Why did he write it?"],
      ["How many people live there?", "How long do people live there?"],
    ],
  },
  {
    guard: languageGuard,
    same: [
      ["What is the capital of Norway?", "what's the capital of norway"],
      ["ok", "gut"],
    ],
    different: [
      ["Wie ist das Wetter und wo ist mein Hut?", "How is the weather and where is my hat?"],
      ["What is love?", "Что такое любовь?"],
      ["¿Cómo es el clima y qué es mi sombrero?", "Comment est le climat et quel est mon chapeau ?"],
    ],
  },
  {
    guard: sameWordsGuard,
    same: [["Could you tell me where the nearest station is?", "Where are the nearest stations?"]],
    different: [["I would like to cancel my account", "I would like to cancel my order"]],
  },
];

describe.each(CASES.map((one) => [one.guard.name, one] as const))(
  "the guard of %s",
  (_name, { guard, same, different }) => {
    it.each(same)("admits %j beside %j", (one, other) => {
      expect(guard.admits(one, other)).toBe(true);
    });

    it.each(different)("objects to %j beside %j", (one, other) => {
      expect(guard.admits(one, other)).toBe(false);
    });
  },
);

describe("every guard", () => {
  const questions = bankingQuestions().map(({ text }) => text);
  const anyText = fc.oneof(fc.constantFrom(...questions), fc.string({ unit: "grapheme", maxLength: 80 }));
  const all = [...GUARDS, sameWordsGuard];

  it("admits a question beside itself", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(all.filter((guard) => !guard.admits(text, text)).map(({ name }) => name)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it("says the same whichever question comes first", () => {
    fc.assert(
      fc.property(anyText, anyText, (one, other) => {
        for (const guard of all) expect(guard.admits(one, other), guard.name).toBe(guard.admits(other, one));
      }),
      { numRuns: 500 },
    );
  });

  it("takes time in proportion to the text, whatever is in it", () => {
    const nasty = ["A", "a.", "1,", "_", "n't ", "A'", "é", " ", "9"].map((piece) =>
      piece.repeat(20_000 / piece.length),
    );
    // A pattern that looks back over and over would take minutes here, and the test's time with it.
    for (const guard of all) for (const text of nasty) expect(typeof guard.admits(text, `${text}x`)).toBe("boolean");
  });
});
