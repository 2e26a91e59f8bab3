// Operations a second of every cache tier for a value of 3 KB, beside the parts they rest on. Needs redis-server.
// Run with: node bench/cache/stores.ts
import { hash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import KeyvRedis from "@keyv/redis";
import { createClient, RESP_TYPES } from "@redis/client";
import { Keyv } from "keyv";
import { createRuntime, type Entry } from "../../src/core/index.ts";
import { keyv, memory, redis, sqlite, type Tier } from "../../src/stores/index.ts";
import { startRedis } from "../../test/support/redis-server.ts";

const TTL_MS = 3_600_000;
const AT_ONCE = 100;
const keys = Array.from({ length: 2000 }, (_, index) => hash("sha256", String(index), "base64url"));
const bytes = randomBytes(3072);
const text = bytes.toString("base64").slice(0, 3072);
const entry: Entry = {
  answer: { form: "value", text, head: { status: 200, headers: [["content-type", "application/json"]] } },
  check: keys[0] as string,
  createdAt: Date.now(),
  freshUntil: Date.now() + TTL_MS,
  expiresAt: Date.now() + TTL_MS,
  tookMs: 500,
  cost: 1,
  label: "/chat/m/",
  owner: "",
  model: "m",
  usage: { inputTokens: 100, outputTokens: 50 },
  tags: {},
  sweep: 0,
};

/** One thing to measure: how it sets and gets; `sync` when neither gives a promise. */
interface Subject {
  readonly name: string;
  readonly sync?: boolean;
  set(key: string): unknown;
  get(key: string): unknown;
}

function keyAt(index: number): string {
  return keys[(index * 7919) % keys.length] as string;
}

async function oneByOne(operation: (key: string) => unknown, sync: boolean, count: number): Promise<number> {
  const startedAt = performance.now();
  if (sync) for (let index = 0; index < count; index++) operation(keyAt(index));
  else for (let index = 0; index < count; index++) await operation(keyAt(index));
  return (count / (performance.now() - startedAt)) * 1000;
}

async function manyAtOnce(operation: (key: string) => unknown, count: number): Promise<number> {
  const startedAt = performance.now();
  for (let done = 0; done < count; done += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => operation(keyAt(done + index))));
  }
  return (count / (performance.now() - startedAt)) * 1000;
}

/** The better of two rounds, so that neither compiling nor a neighbour on the machine decides. */
async function best(measure: () => Promise<number>): Promise<string> {
  const perSecond = Math.max(await measure(), await measure());
  return Math.round(perSecond).toLocaleString("en").padStart(12);
}

async function report({ name, sync = false, set, get }: Subject): Promise<void> {
  const count = sync ? 1_000_000 : 10_000;
  const columns = [await best(() => oneByOne(set, sync, count)), await best(() => oneByOne(get, sync, count))];
  if (!sync) columns.push(await best(() => manyAtOnce(set, count)), await best(() => manyAtOnce(get, count)));
  if ((await get(keyAt(0))) === undefined) throw new Error(`${name} did not keep its values.`);
  console.log(`${name.padEnd(32)}${columns.join("")}`);
}

function subject(name: string, tier: Tier): Subject & { close(): unknown } {
  const store = tier.open(createRuntime());
  const close = (): unknown => store.close?.();
  return store.holds === "entries"
    ? { name, sync: true, set: (key) => store.set(key, entry), get: (key) => store.get(key), close }
    : { name, set: (key) => store.set(key, bytes, TTL_MS), get: (key) => store.get(key), close };
}

async function reportTier(name: string, tier: Tier): Promise<void> {
  const each = subject(name, tier);
  await report(each);
  await each.close();
}

const server = await startRedis();
const folder = mkdtempSync(join(tmpdir(), "breakwater-bench-"));
const titles = ["set/s", "get/s", `set/s x${AT_ONCE}`, `get/s x${AT_ONCE}`];
console.log(`${"".padEnd(32)}${titles.map((title) => title.padStart(12)).join("")}`);

const map = new Map<string, Entry>();
await report({ name: "Map", sync: true, set: (key) => map.set(key, entry), get: (key) => map.get(key) });
await reportTier("memory()", memory());

const client = createClient({ url: server.url });
await client.connect();
const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
await report({
  name: "@redis/client, bytes",
  set: (key) => client.set(key, bytes, { PX: TTL_MS }),
  get: (key) => binary.get(key),
});
await reportTier("redis()", redis({ url: server.url }));
const overRedis = new Keyv(new KeyvRedis(server.url));
await report({
  name: "Keyv over @keyv/redis, text",
  set: (key) => overRedis.set(key, text, TTL_MS),
  get: (key) => overRedis.get(key),
});
await reportTier("keyv() over @keyv/redis", keyv(overRedis));

await reportTier("sqlite() in a file", sqlite({ path: join(folder, "cache.db") }));
await reportTier('sqlite() ":memory:"', sqlite({ path: ":memory:" }));
const overMap = new Keyv();
await report({ name: "Keyv over a Map, text", set: (key) => overMap.set(key, text), get: (key) => overMap.get(key) });
await reportTier("keyv() over a Map", keyv(new Keyv()));

client.destroy();
await overRedis.disconnect();
await server.stop();
rmSync(folder, { recursive: true });
