// A SQLite file that is damaged while it is in use: no call fails, and a new file is begun.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOptimizer, type Optimizer, sqlite } from "breakwater";

const folder = mkdtempSync(join(tmpdir(), "breakwater-"));
const path = join(folder, "cache.db");
const open = (): Optimizer => createOptimizer({ cache: { ttl: "1d", tiers: [sqlite({ path, durable: true })] } });

let asked = 0;
const ask = (optimizer: Optimizer, input: number): Promise<string> =>
  optimizer.call({ model: "my-model", input }, async () => `answer ${++asked}`);
const askAll = (optimizer: Optimizer): Promise<string[]> =>
  Promise.all(Array.from({ length: 100 }, (_, input) => ask(optimizer, input)));

const first = open();
await askAll(first);
await first.close();

const second = open();
await askAll(second);
console.log("asked once, restarted, asked again:", asked, "calls reached the provider");
await second.close();

writeFileSync(path, Buffer.alloc(100_000, 0xa5));
const third = open();
third.on("cache.tier_rebuilt", ({ tier }) => console.log(`the ${tier} file was damaged: put aside and begun anew`));
await askAll(third);
await askAll(third);
console.log("damaged, then asked twice:         ", asked, "calls reached the provider");
await third.close();

console.log(readdirSync(folder).map((name) => name.replace(/\d+$/, "<time>")));
rmSync(folder, { recursive: true });
