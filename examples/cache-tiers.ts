// Memory over a SQLite file: answers survive a restart, and tags take them away again.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOptimizer, memory, type Optimizer, sqlite } from "breakwater";

const folder = mkdtempSync(join(tmpdir(), "breakwater-"));
const open = (): Optimizer =>
  createOptimizer({
    cache: { ttl: "1d", tiers: [memory({ maxBytes: "64mb" }), sqlite({ path: join(folder, "cache.db") })] },
  });

let asked = 0;
const ask = (optimizer: Optimizer): Promise<string> =>
  optimizer.call({ model: "my-model", input: "Opening hours?" }, async () => `answer ${++asked}`, { tags: ["faq"] });

const first = open();
console.log("first process:  ", await ask(first), "/", await ask(first));
await first.close();

const second = open();
console.log("after a restart:", await ask(second), second.stats().cacheHits);
await second.cache.invalidateTags(["faq"]);
console.log("after a change: ", await ask(second));
await second.close();
rmSync(folder, { recursive: true });
