/**
 * Invalidation over 100,000 entries in memory, Redis and SQLite, with a second cache on the same Redis that has a memory
 * of its own. Anchors: walking through all entries, as a store without generations must, and a bare Redis message.
 * Needs redis-server. Run with: node --expose-gc bench/cache/invalidation.ts
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@redis/client";
import { functionWire } from "../../src/clients/function-wire.ts";
import {
  type CachePolicy,
  Call,
  Cancellation,
  cache,
  createRuntime,
  DEFAULT_SCOPE,
  memory,
  redis,
  sqlite,
  valueReply,
  whole,
} from "../../src/index.ts";
import { startRedis } from "../../test/support/redis-server.ts";
import { median } from "../measure.ts";

const ENTRIES = 100_000;
const ROUNDS = 300;
const TENANTS = 10;
const MODELS = ["gpt-1", "gpt-1-mini", "gpt-2", "other"];

const folder = mkdtempSync(join(tmpdir(), "breakwater-bench-"));
const server = await startRedis();
const tiers = () => [
  memory({ maxEntries: 2 * ENTRIES, maxBytes: "1gb" }),
  redis({ url: server.url }),
  sqlite({ path: join(folder, "cache.db") }),
];
const [runtime, otherRuntime] = [createRuntime(), createRuntime()];
const here = cache({ tiers: tiers(), tierTimeout: "10s", lease: false, ttl: "1h" }, runtime);
const elsewhere = cache({ tiers: tiers(), tierTimeout: "10s", lease: false, ttl: "1h" }, otherRuntime);

const answer = { text: "It rains on most Mondays. ".repeat(4) };
const send = async () => valueReply(answer, whole());
const asked = { count: 0 };
const provider = async () => {
  asked.count++;
  return valueReply(answer, whole());
};

function callOf(index: number): Call {
  return Call.start(
    {
      operation: "chat",
      provider: "openai",
      endpoint: "https://api.openai.com/v1/chat/completions",
      model: MODELS[index % MODELS.length] as string,
      credential: "k",
      stream: false,
      temperature: 0,
      request: { input: index },
      wire: functionWire,
      scope: {
        ...DEFAULT_SCOPE,
        client: `tenant${Math.floor(index / MODELS.length) % TENANTS}`,
        tags: ["all", `tag ${index % 100}`],
      },
      cancellation: new Cancellation(),
      inputChars: 20,
      maxOutputTokens: undefined,
      send,
    },
    runtime.clock.now(),
  );
}

async function fill(policy: CachePolicy): Promise<void> {
  for (let from = 0; from < ENTRIES; from += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, index) => policy.handle(callOf(from + index), send)));
    await policy.flush();
  }
}

/** How many of all entries memory still gives; microseconds for each, and for the slowest in a thousand. */
async function readAll(): Promise<{ hits: number; micros: number; slowest: number }> {
  asked.count = 0;
  here.tier("redis").disable();
  here.tier("sqlite").disable();
  const startedAt = performance.now();
  const each: number[] = [];
  for (let index = 0; index < ENTRIES; index++) {
    const call = callOf(index);
    const callAt = performance.now();
    await here.handle(call, provider);
    each.push(performance.now() - callAt);
    // As a server does: what others tell is heard meanwhile.
    if (index % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const micros = ((performance.now() - startedAt) * 1000) / ENTRIES;
  here.tier("redis").enable();
  here.tier("sqlite").enable();
  return { hits: ENTRIES - asked.count, micros, slowest: percentile(each, 0.999) * 1000 };
}

function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN;
}

const rows: [string, string][] = [];
const show = (what: string, figure: string) => rows.push([what, figure]);
const micro = (ms: number) => `${(ms * 1000).toFixed(1)} µs`;

const filling = performance.now();
await fill(here);
console.log(`filled ${ENTRIES} entries in three tiers in ${((performance.now() - filling) / 1000).toFixed(1)} s`);

// The anchor: whoever has no generations looks at every entry.
const plain = new Map(
  Array.from({ length: ENTRIES }, (_, index) => [`key ${index}`, { tags: ["all", `tag ${index % 100}`] }]),
);
const walks = Array.from({ length: 9 }, () => {
  const startedAt = performance.now();
  for (const [, { tags }] of plain) if (tags.includes("nothing")) throw new Error("found");
  return performance.now() - startedAt;
});

const [locals, totals, told]: number[][] = [[], [], []];
for (let round = 0; round < ROUNDS; round++) {
  const heard = new Promise<number>((resolve) => {
    const off = otherRuntime.events.on("cache.invalidated", ({ by }) => {
      if (by !== "elsewhere") return;
      off();
      resolve(performance.now());
    });
  });
  const startedAt = performance.now();
  const done = here.invalidateTags([`round ${round}`]);
  locals?.push(performance.now() - startedAt);
  await done;
  totals?.push(performance.now() - startedAt);
  told?.push((await heard) - startedAt);
}

const [publisher, subscriber] = [createClient({ url: server.url }), createClient({ url: server.url })];
await Promise.all([publisher.connect(), subscriber.connect()]);
let arrived = (_at: number): void => {};
await subscriber.subscribe("bench", () => arrived(performance.now()));
const messages: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const startedAt = performance.now();
  const at = new Promise<number>((resolve) => {
    arrived = resolve;
  });
  await publisher.publish("bench", "x");
  messages.push((await at) - startedAt);
}

let gaps = 0;
runtime.events.on("cache.gap", () => {
  gaps++;
});
const before = await readAll();
const patterns: number[] = [];
for (let round = 0; round <= 50; round++) {
  const startedAt = performance.now();
  await here.invalidateMatching(round === 50 ? "tenant3/*/gpt-1*/*" : `nobody${round}/*/gpt-1*/*`);
  patterns.push(performance.now() - startedAt);
}
const afterPattern = await readAll();
const expected = ENTRIES - Array.from({ length: ENTRIES }, (_, index) => index).filter(isSwept).length;

await here.invalidateTags(["all"]);
const afterAll = await readAll();

const alone = cache({ tiers: [memory({ maxEntries: 2 * ENTRIES, maxBytes: "1gb" })] }, runtime);
await fill(alone);
const clearing = performance.now();
const cleared = alone.clear();
const clearBlock = performance.now() - clearing;
await cleared;

function isSwept(index: number): boolean {
  const { scope, model } = callOf(index);
  return scope.client === "tenant3" && model.startsWith("gpt-1");
}

show(
  "a tag: this process, until the call returns, p50 / p99",
  `${micro(median(locals ?? []))} / ${micro(percentile(locals ?? [], 0.99))}`,
);
show("  anchor: a walk through 100,000 entries, p50", micro(median(walks)));
show("  ratio", `${(median(walks) / median(locals ?? [])).toFixed(0)} times faster`);
show(
  "a tag: Redis and SQLite have taken note, p50 / p99",
  `${micro(median(totals ?? []))} / ${micro(percentile(totals ?? [], 0.99))}`,
);
show(
  "a tag: the other cache was told, p50 / p99",
  `${micro(median(told ?? []))} / ${micro(percentile(told ?? [], 0.99))}`,
);
show(
  "  anchor: PUBLISH until the message is here, p50 / p99",
  `${micro(median(messages))} / ${micro(percentile(messages, 0.99))}`,
);
show(
  "a pattern: Redis and SQLite have taken note, p50 / max of 51",
  `${micro(median(patterns))} / ${micro(Math.max(...patterns))}`,
);
show("  entries left after it / expected", `${afterPattern.hits} / ${expected}`);
show(
  "a hit in memory before / after 51 patterns",
  `${before.micros.toFixed(2)} µs / ${afterPattern.micros.toFixed(2)} µs`,
);
show("times that memory was emptied, for something may be missed", String(gaps));
show("after the tag of all: entries left", String(afterAll.hits));
show("  a call that meets an invalid entry, p99.9", `${afterAll.slowest.toFixed(0)} µs`);
show("clear() of 100,000 entries in memory: until the call returns", micro(clearBlock));
for (const [what, figure] of rows) console.log(`${what.padEnd(64)} ${figure}`);

publisher.destroy();
subscriber.destroy();
await Promise.all([here.close(), elsewhere.close(), alone.close()]);
await server.stop();
rmSync(folder, { recursive: true });
