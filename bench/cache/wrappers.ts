/** What a hit of a cached function costs beside the same hit of `optimizer.call`. */
import { createOptimizer } from "../../src/index.ts";
import { cached } from "../../src/wrappers/index.ts";
import { medianMicroseconds } from "../measure.ts";

const CALLS = 5_000;
const HIT_KEYS = 100;

const optimizer = createOptimizer({ environment: {} });
const question = (n: number) => ({ id: `item ${n % HIT_KEYS}`, currency: "euro", options: { fresh: true, limit: 10 } });
const load = async ({ id, currency }: ReturnType<typeof question>) => ({
  id,
  price: `3 ${currency}`,
  tags: ["a", "b"],
});
const loadCached = cached(load, { optimizer });
const loadByKey = cached(load, { optimizer, name: "by key", key: ({ id, currency }) => [id, currency] });

const times = await medianMicroseconds({
  "optimizer.call": {
    calls: CALLS,
    run: (n) => optimizer.call({ model: "load", input: question(n), operation: "function" }, () => load(question(n))),
  },
  "cached(fn)": { calls: CALLS, run: (n) => loadCached(question(n)) },
  "cached(fn, { key })": { calls: CALLS, run: (n) => loadByKey(question(n)) },
});
await optimizer.close();

const anchor = times["optimizer.call"] ?? Number.NaN;
console.log("A hit in memory, a question of 80 characters (median of 9 rounds)");
console.table(
  Object.fromEntries(
    Object.entries(times).map(([name, micros]) => [
      name,
      { "µs a call": micros.toFixed(1), "of optimizer.call": `${(micros / anchor).toFixed(2)}x` },
    ]),
  ),
);
