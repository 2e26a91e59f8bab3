/**
 * Values in Redis, read by the tier and by the whole cache (key, envelope, checks), beside the bare client on the same server: one after another and 100 at once.
 * Needs redis-server.
 */
import { createClient, RESP_TYPES } from "@redis/client";
import { functionWire } from "../../src/clients/function-wire.ts";
import { Call, Cancellation, cache, createRuntime, DEFAULT_SCOPE, redis, valueReply, whole } from "../../src/index.ts";
import { startRedis } from "../../test/support/redis-server.ts";
import { median } from "../measure.ts";

const QUESTIONS = 1000;
const AT_ONCE = 100;
const ROUNDS = 7;
const ONE_BY_ONE = 3000;
const TOGETHER = 20_000;
const answer = { text: "It rains on most Mondays in November. ".repeat(80) };

const server = await startRedis();
const runtime = createRuntime();
// A busy machine must not make a miss of a hit.
const tier = redis({ url: server.url });
const policy = cache({ tiers: [tier], tierTimeout: "10s" }, runtime);
const store = tier.open(runtime);
if (store.holds !== "bytes") throw new Error("A redis tier holds bytes.");

function callOf(index: number, tags: readonly string[]): Call {
  const send = async () => valueReply(answer, whole());
  return Call.start(
    {
      operation: "chat",
      provider: "openai",
      endpoint: "https://api.openai.com/v1/chat/completions",
      model: "gpt-4o-mini",
      credential: "k",
      stream: false,
      temperature: 0,
      request: { input: index },
      wire: functionWire,
      scope: { ...DEFAULT_SCOPE, tags },
      cancellation: new Cancellation(),
      inputChars: 20,
      maxOutputTokens: undefined,
      send,
    },
    runtime.clock.now(),
  );
}

function miss(): never {
  throw new Error("The provider was asked.");
}

const client = createClient({ url: server.url });
await client.connect();
const bytes = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
const PREFIX = "breakwater:entry:";
const stored: string[] = [];
const keys: string[] = [];
const subjects: Record<string, (index: number) => Promise<unknown>> = {
  "@redis/client, GET as bytes": (index) => bytes.get(stored[index] as string),
  "redis(), a value": (index) => store.get(keys[index] as string),
  "redis(), value and two tags": async (index) => store.marks?.read(keys[index] as string, ["faq", "de"]),
  "a hit through the cache": (index) => policy.handle(callOf(index, []), miss),
  "a hit with two tags": (index) => policy.handle(callOf(QUESTIONS + index, ["faq", "de"]), miss),
};

for (let index = 0; index < QUESTIONS; index++) {
  for (const call of [callOf(index, []), callOf(QUESTIONS + index, ["faq", "de"])])
    await policy.handle(call, call.send);
}
await policy.flush();
for (const key of await client.keys(`${PREFIX}*`)) {
  stored.push(key);
  keys.push(key.slice(PREFIX.length));
}

async function oneByOne(run: (index: number) => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  for (let index = 0; index < ONE_BY_ONE; index++) await run(index % QUESTIONS);
  return (ONE_BY_ONE / (performance.now() - startedAt)) * 1000;
}

async function together(run: (index: number) => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  for (let done = 0; done < TOGETHER; done += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => run((done + index) % QUESTIONS)));
  }
  return (TOGETHER / (performance.now() - startedAt)) * 1000;
}

const figures = new Map<string, { one: number[]; many: number[] }>();
for (let round = 0; round <= ROUNDS; round++) {
  for (const [name, run] of Object.entries(subjects)) {
    const [one, many] = [await oneByOne(run), await together(run)];
    // The first round compiles.
    if (round === 0) figures.set(name, { one: [], many: [] });
    else {
      figures.get(name)?.one.push(one);
      figures.get(name)?.many.push(many);
    }
  }
}

const [anchor] = [...figures.values()];
console.log(
  `${"".padEnd(32)}${["one by one/s", "ratio", `x${AT_ONCE}/s`, "ratio"].map((t) => t.padStart(14)).join("")}`,
);
for (const [name, { one, many }] of figures) {
  const columns = [one, many].flatMap((values, index) => {
    const against = index === 0 ? anchor?.one : anchor?.many;
    const perSecond = median(values);
    return [Math.round(perSecond).toLocaleString("en"), (perSecond / median(against ?? [])).toFixed(2)];
  });
  console.log(`${name.padEnd(32)}${columns.map((text) => text.padStart(14)).join("")}`);
}

await policy.close?.();
await store.close?.();
client.destroy();
await server.stop();
