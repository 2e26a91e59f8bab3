// Answers that are taken away when what they rest on changes: by tag, by pattern, by key, and all of them.
import { createOptimizer } from "breakwater";

const optimizer = createOptimizer({ environment: {}, cache: { ttl: "1d" } });

let prices = "prices of May";
let asked = 0;
const ask = (client: string, question: string, ...tags: string[]): Promise<string> =>
  optimizer.run({ client, route: "shop", tags }, () =>
    optimizer.call({ model: "gpt-4o-mini", input: question, temperature: 0 }, async () => {
      asked++;
      return `${question} By the ${prices}.`;
    }),
  );

console.log(await ask("anna", "What is tea?", "prices"));
console.log(await ask("anna", "What is tea?", "prices"), "- asked", asked, "time");

prices = "prices of June";
await optimizer.cache.invalidateTags(["prices"]);
console.log(await ask("anna", "What is tea?", "prices"), "- asked", asked, "times");

await ask("bert", "What is tea?");
await optimizer.cache.invalidateMatching({ client: "anna" });
await ask("anna", "What is tea?", "prices");
await ask("bert", "What is tea?");
console.log("after all of anna's were taken away: asked", asked, "times");

await optimizer.cache.invalidateMatching("*/*/gpt-4o*/shop");
await ask("anna", "What is tea?", "prices");
await ask("bert", "What is tea?");
console.log("after everything of that model and route: asked", asked, "times");

// What is asked for before an invalidation, and comes after it, is given to who waits and not kept.
let arrive = (_answer: string): void => {};
const slow = optimizer.run({ tags: ["prices"] }, () =>
  optimizer.call(
    { model: "m", input: "slow", temperature: 0 },
    () => new Promise<string>((resolve) => (arrive = resolve)),
  ),
);
await new Promise((resolve) => setTimeout(resolve, 10));
await optimizer.cache.invalidateTags(["prices"]);
arrive("of before");
console.log(await slow, "- kept:", optimizer.cache.stats().stores, "skipped:", optimizer.cache.stats().skipped);

await optimizer.cache.clear();
await optimizer.close();
