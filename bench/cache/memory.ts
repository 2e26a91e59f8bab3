/**
 * Operations a second of the memory tier with an entry of 3 KB, beside a bare Map: 2,000 hot entries, then 100,000 that
 * are asked for by Zipf's law in a tier which has room for a third of them, so that most sets let another entry go.
 */
import { hash } from "node:crypto";
import { createRuntime, type Entry, type EntryStore, seededRandom } from "../../src/core/index.ts";
import { gdsf, lru, sieve, wTinyLfu } from "../../src/stores/eviction/index.ts";
import { memory } from "../../src/stores/index.ts";
import { median } from "../measure.ts";

const HOT = 2000;
const KEYS = 100_000;
const ROUNDS = 5;
const random = seededRandom(1);
const keys = Array.from({ length: KEYS }, (_, index) => hash("sha256", String(index), "base64url"));
const popular = Uint32Array.from({ length: 500_000 }, () => Math.floor((KEYS + 1) ** random()) - 1);

function entryOf(index: number): Entry {
  const now = Date.now();
  return {
    answer: { form: "value", text: "x".repeat(3000), head: { status: 200, headers: [] } },
    check: "check",
    createdAt: now,
    freshUntil: now + 3_600_000,
    expiresAt: now + 3_600_000 + index,
    tookMs: 500,
    cost: 100 + (index % 1000),
    label: "/chat/m/",
    owner: `owner-${index % 10}`,
    model: "m",
    usage: undefined,
    tags: {},
    sweep: 0,
  };
}
const entries = keys.map((_, index) => entryOf(index));

type Store = Pick<EntryStore, "get" | "set">;

function opened(tier: ReturnType<typeof memory>): Store {
  const store = tier.open(createRuntime());
  if (store.holds !== "entries") throw new Error("A memory tier holds entries.");
  return store;
}

function perSecond(count: number, operation: (index: number) => void): number {
  const rates = Array.from({ length: ROUNDS }, () => {
    const startedAt = performance.now();
    for (let index = 0; index < count; index++) operation(index);
    return (count / (performance.now() - startedAt)) * 1000;
  });
  return median(rates);
}

function measure(name: string, hot: Store, full: Store, anchor?: readonly number[]): readonly number[] {
  const rates = [
    perSecond(300_000, (index) => hot.set(keys[index % HOT] as string, entries[index % HOT] as Entry)),
    perSecond(2_000_000, (index) => void hot.get(keys[(index * 7919) % HOT] as string)),
    perSecond(popular.length, (index) => {
      const at = popular[index] as number;
      const key = keys[at] as string;
      if (full.get(key) === undefined) full.set(key, entries[at] as Entry);
    }),
  ];
  const cells = rates.map((rate, column) => {
    const ratio = anchor === undefined ? "" : ` (${(rate / (anchor[column] as number)).toFixed(2)}x)`;
    return `${Math.round(rate).toLocaleString("en")}${ratio}`.padStart(24);
  });
  console.log(`${name.padEnd(34)}${cells.join("")}`);
  return rates;
}

const titles = ["set, hot", "get, hot", "get or set, full"].map((title) => title.padStart(24));
console.log(`${"operations a second".padEnd(34)}${titles.join("")}`);
const anchor = measure("Map, without bounds", new Map<string, Entry>(), new Map<string, Entry>());
const tiers = {
  "memory()": {},
  "memory({ eviction: lru() })": { eviction: lru() },
  "memory({ eviction: sieve() })": { eviction: sieve() },
  "memory({ eviction: wTinyLfu() })": { eviction: wTinyLfu() },
  "memory({ maxOwnerShare: 0.2 })": { maxOwnerShare: 0.2, eviction: gdsf() },
};
for (const [name, options] of Object.entries(tiers)) {
  const hot = opened(memory(options));
  const full = opened(memory({ ...options, maxEntries: Math.floor(KEYS / 3), maxBytes: "1gb" }));
  measure(name, hot, full, anchor);
}
