// A semantic cache: it watches until it has proof, then serves what is asked in other words, and never what guards forbid.
import { createOptimizer } from "breakwater";
import { semantic } from "breakwater/semantic";

// In place of an embedding model: counts of three letters in a row.
const embed = async (texts: string[]): Promise<number[][]> =>
  texts.map((text) => {
    const vector = new Array<number>(512).fill(0);
    const letters = ` ${text.toLowerCase().replace(/[^a-z0-9]+/g, " ")} `;
    for (let at = 0; at + 3 <= letters.length; at++) {
      let hash = 7;
      for (const letter of letters.slice(at, at + 3)) hash = (hash * 31 + letter.charCodeAt(0)) % 512;
      vector[hash] = (vector[hash] ?? 0) + 1;
    }
    return vector;
  });

const optimizer = createOptimizer({
  environment: {},
  semantic: semantic({
    embed,
    embedder: "three-letters@1",
    mode: "verified",
    maxErrorRate: 0.05,
    minSimilarity: 0.7,
    levels: 1,
    // In place of a model that reads both answers.
    judge: async ({ cachedAnswer, freshAnswer }) => cachedAnswer === freshAnswer,
  }),
});
optimizer.on("semantic.enabled", ({ minSimilarity, errorBound, judged }) =>
  console.log(
    `serving from ${minSimilarity} on: ${judged} judged, error below ${(100 * (errorBound ?? 1)).toFixed(1)} %`,
  ),
);

let asked = 0;
const price = (question: string): string => `${/\d+/.exec(question)?.[0] ?? "?"}.99`;
const ask = (input: string, client = "ann"): Promise<string> =>
  optimizer.call(
    { model: "my-model", input },
    async () => {
      asked++;
      return price(input);
    },
    { client },
  );
async function show(input: string, client?: string): Promise<void> {
  const before = asked;
  const answer = await ask(input, client);
  console.log(`${asked === before ? "served" : "asked "}  ${answer.padEnd(6)} ${client ?? "ann"}: ${input}`);
}

for (let item = 1; item <= 120; item++) {
  await ask(`What is the price of item ${item} in your shop?`);
  await ask(`Hi, what is the price of item ${item} in your shop?`);
}
console.log(`${asked} of 240 calls asked\n`);

await show("What is the price of item 500 in your shop?");
await show("Hello, what is the price of item 500 in your shop, please?");
await show("What is the price of item 501 in your shop?");
await show("What is not the price of item 500 in your shop?");
await show("Hello, what is the price of item 500 in your shop, please?", "bob");
await optimizer.close();
