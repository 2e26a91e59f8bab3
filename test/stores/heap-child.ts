// Fills a memory tier far beyond its bound and tells how far the process has grown. Run with --expose-gc.
import { hash } from "node:crypto";
import { createRuntime, type Entry, seededRandom } from "../../src/core/index.ts";
import { memory } from "../../src/stores/index.ts";
import { entryOf } from "./entries.ts";

const BOUND = 100 * 1024 ** 2;
const random = seededRandom(1);

/** What is filled in: for each, how many sets, and an entry of its own. */
const LOADS: Readonly<Record<string, { readonly sets: number; entry(index: number): Entry }>> = {
  ascii: { sets: 60_000, entry: (index) => entryWith("The answer is forty-two. ".repeat(40 + (index % 200))) },
  cjk: { sets: 60_000, entry: (index) => entryWith("答案是四十二。".repeat(60 + (index % 200))) },
  headers: { sets: 60_000, entry: (index) => entryWith(`${index}`, { headers: 40 }) },
  tiny: { sets: 300_000, entry: (index) => entryWith(String(index % 10)) },
  sizes: { sets: 4000, entry: () => entryWith("x".repeat(Math.ceil(5 * 1024 ** 2) ** random())) },
};

// Parsed, as what comes from a provider is: a text that was built by joining would share its parts.
function own<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function entryWith(text: string, { headers = 4 } = {}): Entry {
  const names = Array.from({ length: headers }, (_, at) => [`x-header-${at}`, `value ${at} ${random()}`] as const);
  const answer = { form: "value" as const, text, head: { status: 200, headers: names } };
  const usage = { inputTokens: Math.ceil(random() * 1e6), outputTokens: 100, cachedInputTokens: 5 };
  return own(
    entryOf("", Date.now() + 3_600_000 * (1 + random()), {
      answer,
      check: hash("sha512", String(random()), "base64url"),
      cost: random(),
      tookMs: random() * 1000,
      label: `/key-1/chat/gpt-4o/route-${Math.ceil(random() * 1000)}/`,
      owner: `owner-${Math.ceil(random() * 100)}`,
      model: "gpt-4o-mini-2024-07-18",
      usage,
      tags: { faq: 1, [`user:${Math.ceil(random() * 100)}`]: 7 },
    }),
  );
}

function used(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const [load = "ascii", share = "1"] = process.argv.slice(2);
const { sets, entry } = LOADS[load] as (typeof LOADS)[string];
const tier = memory({ maxEntries: 1_000_000, maxBytes: BOUND, maxOwnerShare: Number(share) });
const store = tier.open(createRuntime());
if (store.holds !== "entries") throw new Error("A memory tier holds entries.");
const before = used();
let highest = 0;
for (let index = 0; index < sets; index++) {
  store.set(hash("sha256", String(index), "base64url"), entry(index));
  if (index % Math.ceil(sets / 8) === 0) highest = Math.max(highest, used() - before);
}
const grown = used() - before;
const { entries, bytes } = (await store.stats?.()) ?? {};
process.stdout.write(JSON.stringify({ bound: BOUND, entries, counted: bytes, grown, highest }));
