// Any function, answered from the cache when its arguments are equal, until something that it tells has changed.
import { cached, createOptimizer, invalidates } from "breakwater";

const optimizer = createOptimizer();
const prices = new Map([
  ["tea", 300],
  ["milk", 120],
]);
let lookups = 0;

const priceOf = cached(
  async (item: string, { currency }: { currency: string }) => {
    lookups++;
    return `${(prices.get(item) ?? 0) / 100} ${currency}`;
  },
  { optimizer, name: "priceOf", ttl: "10m", tags: (item) => [`price:${item}`] },
);
const setPrice = invalidates(async (item: string, cents: number) => void prices.set(item, cents), {
  optimizer,
  tags: ({ args: [item] }) => [`price:${item}`],
});

console.log(
  "10 callers at once:",
  new Set(await Promise.all(Array.from({ length: 10 }, () => priceOf("tea", { currency: "euro" })))),
);
console.log("another item:      ", await priceOf("milk", { currency: "euro" }));
console.log("lookups:           ", lookups);

await setPrice("tea", 320);
console.log(
  "after a change:    ",
  await priceOf("tea", { currency: "euro" }),
  "and",
  await priceOf("milk", { currency: "euro" }),
);
console.log("lookups:           ", lookups);
await optimizer.close();
