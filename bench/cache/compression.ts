// What compressing and encrypting an entry costs and saves, beside what Node's own functions do by default.
// Run with: node --expose-gc bench/cache/compression.ts
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import {
  auto,
  benchmark,
  brotli,
  type Compressor,
  deflate,
  formatBenchmark,
  gzip,
  UNCOMPRESSED,
  zstd,
} from "../../src/compression/index.ts";
import type { Entry } from "../../src/core/index.ts";
import { readEncryption } from "../../src/policies/cache/encryption.ts";
import { EntryCodec } from "../../src/policies/cache/envelope.ts";
import { median, medianMicroseconds } from "../measure.ts";

const FIXTURES = join(import.meta.dirname, "../../test/fixtures/wire");
const answers = readFileSync(join(FIXTURES, "responses.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.stringify(JSON.parse(line).response, null, 2));
const streams = readdirSync(FIXTURES)
  .filter((file) => file.endsWith(".sse"))
  .map((file) => readFileSync(join(FIXTURES, file), "utf8"));

/** Node's functions with the settings that they have when nobody says otherwise. */
const byDefault: Readonly<Record<string, Compressor>> = {
  "gzip, Node's default": {
    name: "gzip",
    compress: async (bytes) => gzipSync(bytes),
    decompress: async (bytes) => gunzipSync(bytes),
  },
  "brotli, Node's default": {
    name: "brotli",
    compress: async (bytes) => brotliCompressSync(bytes),
    decompress: async (bytes) => brotliDecompressSync(bytes),
  },
};

async function compressors(): Promise<void> {
  const between = (from: number, to: number): Uint8Array[] =>
    [...answers, ...streams]
      .filter((text) => text.length >= from && text.length < to)
      .slice(0, 24)
      .map((text) => Buffer.from(text));
  const sizes: Readonly<Record<string, Uint8Array[]>> = {
    "1 to 2 KB": between(1024, 2048),
    "2 to 16 KB": between(2048, 16_384),
    "16 to 200 KB": [...between(16_385, 200_000), Buffer.from(streams.join(""))],
  };
  for (const [size, samples] of Object.entries(sizes)) {
    const few = samples.reduce((sum, { byteLength }) => sum + byteLength, 0) > 100_000;
    const compressors = {
      auto: auto(),
      "deflate fast": deflate({ level: "fast" }),
      "gzip fast": gzip({ level: "fast" }),
      "brotli fast": brotli({ level: "fast" }),
      "zstd fast": zstd({ level: "fast" }),
      ...byDefault,
    };
    console.log(`\n${samples.length} answers of ${size}`);
    console.log(formatBenchmark(await benchmark(samples, { compressors, rounds: few ? 5 : 60 })));
  }
}

async function entries(): Promise<void> {
  const text = JSON.stringify({
    id: "chatcmpl-1",
    choices: [{ message: { content: answers.join(" ").slice(0, 2900) } }],
  });
  const at = Date.now();
  const entry: Entry = {
    answer: { form: "value", text, head: { status: 200, headers: [["content-type", "application/json"]] } },
    check: randomBytes(32).toString("base64url"),
    createdAt: at,
    freshUntil: at + 3_600_000,
    expiresAt: at + 3_600_000,
    tookMs: 812.5,
    cost: 350,
    label: "/chat/gpt-4o/",
    owner: "k",
    model: "gpt-4o-2024-08-06",
    usage: { inputTokens: 13, outputTokens: 70 },
    tags: { faq: 3 },
    sweep: 0,
  };
  const key = randomBytes(32).toString("base64url");
  const keyring = readEncryption("encryption", { keys: { k: randomBytes(32) }, current: "k" });
  const json = Buffer.from(JSON.stringify(entry));
  const candidates: Record<string, { calls: number; run: () => Promise<unknown> }> = {};
  const bytes: Record<string, number> = { "JSON of the whole entry": json.byteLength };
  candidates["write JSON of the whole entry"] = { calls: 2000, run: async () => Buffer.from(JSON.stringify(entry)) };
  candidates["read JSON of the whole entry"] = { calls: 2000, run: async () => JSON.parse(json.toString()) };
  for (const [name, compression, encryption] of [
    ["plain", UNCOMPRESSED, undefined],
    ["encrypted", UNCOMPRESSED, keyring],
    ["auto", auto(), undefined],
    ["auto, encrypted", auto(), keyring],
  ] as const) {
    const codec = new EntryCodec(() => ({ compression, encryption, maxEntryBytes: 4e6, shared: false }));
    const written = (await codec.encode(key, entry, () => {})) as Uint8Array;
    bytes[name] = written.byteLength;
    candidates[`write ${name}`] = { calls: 2000, run: async () => codec.encode(key, entry, () => {}) };
    candidates[`read ${name}`] = { calls: 2000, run: async () => codec.decode(key, entry.owner, written) };
  }
  const times = await medianMicroseconds(candidates);
  const anchor = bytes["JSON of the whole entry"] as number;
  console.log(`An entry of ${text.length} characters`);
  console.log(
    `${"".padEnd(26)}${["bytes", "of JSON", "write us", "read us"].map((title) => title.padStart(10)).join("")}`,
  );
  for (const [name, size] of Object.entries(bytes)) {
    const figures = [
      String(size),
      (size / anchor).toFixed(2),
      (times[`write ${name}`] as number).toFixed(1),
      (times[`read ${name}`] as number).toFixed(1),
    ];
    console.log(`${name.padEnd(26)}${figures.map((figure) => figure.padStart(10)).join("")}`);
  }
}

/** The median, over rounds of `work`, of the longest time that the event loop could do nothing else. */
async function longestBlock(work: () => Promise<unknown>): Promise<number> {
  const longest: number[] = [];
  for (let round = 0; round < 15; round++) {
    let block = 0;
    let last = performance.now();
    let done = false;
    const tick = (): void => {
      const now = performance.now();
      block = Math.max(block, now - last);
      last = now;
      if (!done) setImmediate(tick);
    };
    setImmediate(tick);
    await work();
    await new Promise((resolve) => setImmediate(resolve));
    done = true;
    longest.push(block);
  }
  return median(longest);
}

async function blocks(): Promise<void> {
  const log = Buffer.from(streams.join("").repeat(4));
  console.log(`\nLongest block of the event loop, ${Math.round(log.byteLength / 1024)} KB of a stream's events, ms`);
  const compressor = auto();
  const works = {
    auto: async () => compressor.decompress(await compressor.compress(log), { maxBytes: log.byteLength }),
    "gzipSync, Node's default": async () => gunzipSync(gzipSync(log)),
  };
  for (const [name, work] of Object.entries(works)) {
    await work();
    console.log(`${name.padEnd(26)}${(await longestBlock(work)).toFixed(2).padStart(10)}`);
  }
}

await entries();
await blocks();
await compressors();
