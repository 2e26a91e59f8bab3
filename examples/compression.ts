// What each compressor makes of an answer, and what answers take in a SQLite file: plain, compressed, encrypted.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOptimizer, sqlite } from "breakwater";
import { auto, benchmark, brotli, compressFile, formatBenchmark, gzip, zstd } from "breakwater/compression";

const answer = {
  id: "chatcmpl-1",
  object: "chat.completion",
  model: "my-model",
  choices: [
    {
      index: 0,
      message: {
        role: "assistant",
        content: Array.from({ length: 20 }, (_, n) => `Step ${n + 1}: check part ${n * n} of the order.`).join("\n"),
      },
      finish_reason: "stop",
    },
  ],
  usage: { prompt_tokens: 20, completion_tokens: 260, total_tokens: 280 },
};
const sample = Buffer.from(JSON.stringify(answer, null, 2));
const compressors = { auto: auto(), gzip: gzip(), "brotli fast": brotli({ level: "fast" }), zstd: zstd() };
console.log(`An answer of ${sample.length} bytes`);
console.log(formatBenchmark(await benchmark([sample], { compressors })));

const folder = mkdtempSync(join(tmpdir(), "breakwater-"));
const encryption = { keys: { first: randomBytes(32) }, current: "first" };
const ways = {
  plain: { compression: false },
  compressed: { compression: "auto" },
  encrypted: { compression: "auto", encryption },
} as const;
console.log("\n500 answers in a SQLite file, bytes");
for (const [way, settings] of Object.entries(ways)) {
  const path = join(folder, `${way}.db`);
  // 500 answers are written at once here, which no call waits for.
  const cache = { tiers: [sqlite({ path })], tierTimeout: "5s", ...settings } as const;
  const optimizer = createOptimizer({ cache, pool: { concurrency: 8 } });
  const questions = Array.from({ length: 500 }, (_, n) => ({ model: "my-model", input: `Steps of order ${n}?` }));
  await Promise.all(questions.map((question) => optimizer.call(question, async () => answer)));
  await optimizer.cache.flush();
  const { bytes } = await optimizer.cache.tier("sqlite").stats();
  const hit = await optimizer.call({ model: "my-model", input: "Steps of order 7?" }, async () => undefined);
  console.log(way.padEnd(12), String(bytes).padStart(8), hit === undefined ? "not kept" : "read back");
  await optimizer.close();
}

const path = join(folder, "plain.db");
await compressFile(path, `${path}.gz`);
console.log(`The plain file: ${statSync(path).size} bytes, by compressFile ${statSync(`${path}.gz`).size}`);
rmSync(folder, { recursive: true });
