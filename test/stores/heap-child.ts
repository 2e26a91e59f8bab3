// Fills a memory tier far beyond its bound and tells how much the heap has grown. Run with --expose-gc.
import { hash } from "node:crypto";
import { createRuntime } from "../../src/core/index.ts";
import { memory } from "../../src/stores/index.ts";
import { entryOf } from "./entries.ts";

const BOUND = 64 * 1024 ** 2;

function heapUsed(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

const store = memory({ maxEntries: 1_000_000, maxBytes: BOUND }).open(createRuntime());
if (store.holds !== "entries") throw new Error("A memory tier holds entries.");
const before = heapUsed();
for (let index = 0; index < 60_000; index++) {
  // Parsed, as an answer is: a text that was built by joining would share its parts.
  const text = JSON.parse(JSON.stringify(`${"答案是四十二。".repeat(60 + (index % 200))}${index}`));
  const key = hash("sha256", String(index), "base64url");
  store.set(key, entryOf(text, Date.now() + 3_600_000, { check: hash("sha512", String(index), "base64url") }));
}
const grown = heapUsed() - before;
process.stdout.write(JSON.stringify({ bound: BOUND, counted: (await store.stats?.())?.bytes, grown }));
