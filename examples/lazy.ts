// Values, methods and objects that are loaded when they are wanted, once for all who want them.
import { lazy, lazyFunction, lazyObject, partsOf, preloadAll } from "breakwater/lazy";

const load = async <T>(name: string, value: T, ms = 20): Promise<T> => {
  await new Promise((resolve) => setTimeout(resolve, ms));
  console.log(`  loaded ${name}`);
  return value;
};

const tools = lazyObject({
  encoder: () => load("encoder", { encode: (text: string) => text.split(/\s+/) }),
  template: lazy(() => load("template", "Explain {topic} in one sentence."), { priority: "high" }),
  fill: lazyFunction(() => load("fill", (template: string, topic: string) => template.replace("{topic}", topic))),
});

console.log("nothing is loaded yet; three want the same:");
const words = await Promise.all([1, 2, 3].map(async () => (await tools.encoder).encode("two words").length));
console.log(words);

console.log("the rest, the most urgent first:");
console.log(await preloadAll(Object.values(partsOf(tools)), { concurrency: 1 }));
console.log(await tools.fill(await tools.template, "rain"));

console.log("a value that is refreshed while the old one is given:");
let version = 0;
const prices = lazy(() => load(`price list ${++version}`, version), { strategy: "cached", ttl: "50ms", grace: "1h" });
console.log(await prices.get());
await new Promise((resolve) => setTimeout(resolve, 60));
console.log(await prices.get());
await new Promise((resolve) => setTimeout(resolve, 25));
console.log(await prices.get());
