/**
 * What a batch of embeddings costs that is known already, half known, or not at all; and how many inputs are sent.
 * Anchor: the same bytes from a provider that has them ready, through a line without a cache.
 */
import { createFetch } from "../../src/clients/index.ts";
import { pipeline, seededRandom } from "../../src/core/index.ts";
import { cache, memory } from "../../src/index.ts";
import { median } from "../measure.ts";

const DIMENSIONS = 1536;
const BATCH = 100;
const random = seededRandom(1);
const vectors = Array.from({ length: 50 }, () => Float32Array.from({ length: DIMENSIONS }, () => random() - 0.5));
const packed = vectors.map(({ buffer }) => Buffer.from(buffer).toString("base64"));
const numbers = vectors.map((vector) => Array.from(vector));
let [asked, sent] = [0, 0];

const provider: typeof fetch = async (_input, init) => {
  const { input, encoding_format } = JSON.parse(String(init?.body));
  asked++;
  sent += input.length;
  const given = encoding_format === "base64" ? packed : numbers;
  const data = input.map((_: string, index: number) => ({ object: "embedding", index, embedding: given[index % 50] }));
  const usage = { prompt_tokens: input.length * 8, total_tokens: input.length * 8 };
  return Response.json({ object: "list", data, model: "text-embedding-3-small", usage });
};

const cached = () => createFetch(pipeline(cache({ tiers: [memory({ maxBytes: "512mb" })] })), { fetch: provider });

async function ask(send: typeof fetch, input: readonly string[], encoding_format: string): Promise<string> {
  const body = JSON.stringify({ model: "text-embedding-3-small", input, encoding_format });
  return (await send("https://api.openai.com/v1/embeddings", { method: "POST", body })).text();
}

const sentences = (from: number, count = BATCH) =>
  Array.from({ length: count }, (_, index) => `Sentence number ${from + index}.`);

const FORMATS = ["base64", "float"];
const ROUNDS = 15;

/** Milliseconds in each format; `prepare` makes what is asked in each round. */
async function row(
  name: string,
  prepare: (format: string) => Promise<(round: number) => Promise<unknown>>,
): Promise<void> {
  const costs: string[] = [];
  for (const format of FORMATS) {
    const run = await prepare(format);
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const startedAt = performance.now();
      await run(round);
      times.push(performance.now() - startedAt);
    }
    costs.push(median(times).toFixed(2).padStart(9));
  }
  console.log(name.padEnd(40), ...costs);
}

console.log(`milliseconds for ${BATCH} inputs of ${DIMENSIONS} dimensions, median of ${ROUNDS} rounds`);
console.log(" ".repeat(40), ...FORMATS.map((format) => format.padStart(9)));
await row("bytes that are ready, no cache (anchor)", async (format) => {
  const text = await ask(provider, sentences(0), format);
  const line = createFetch(pipeline(), { fetch: async () => new Response(text) });
  return () => ask(line, sentences(0), format);
});
await row("all known", async (format) => {
  const send = cached();
  await ask(send, sentences(0), format);
  return () => ask(send, sentences(0), format);
});
await row("half known", async (format) => {
  const send = cached();
  await ask(send, sentences(0, 50), format);
  return (round) => ask(send, [...sentences(0, 50), ...sentences(1000 * (round + 1), 50)], format);
});
await row("nothing known", async (format) => {
  const send = cached();
  return (round) => ask(send, sentences(1000 * round), format);
});

// Each pass embeds the whole collection again, in another order, with 50 documents more.
[asked, sent] = [0, 0];
const send = cached();
let wanted = 0;
for (let pass = 0; pass < 10; pass++) {
  const documents = sentences(0, 500 + pass * 50).sort(() => random() - 0.5);
  for (let at = 0; at < documents.length; at += BATCH) {
    const batch = documents.slice(at, at + BATCH);
    wanted += batch.length;
    await ask(send, batch, "base64");
  }
}
console.log(`\n10 passes over a growing collection: ${wanted} inputs wanted, ${sent} sent in ${asked} requests`);
if (sent !== 950) process.exitCode = 1;
