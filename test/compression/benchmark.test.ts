import { describe, expect, it } from "vitest";
import { benchmark, type Compressor, formatBenchmark, gzip } from "../../src/compression/index.ts";

const samples = [Buffer.from("a text that repeats itself. ".repeat(100)), Buffer.from("short")];

describe("a benchmark of compressors", () => {
  it("has a row for each codec and level, and a table of them", async () => {
    const rows = await benchmark(samples, { rounds: 1 });
    expect(rows.map(({ name }) => name)).toEqual([
      "auto",
      ...["gzip", "deflate", "brotli", "zstd"].flatMap((name) =>
        ["fast", "balanced", "maximum"].map((level) => `${name} ${level}`),
      ),
    ]);
    for (const row of rows) {
      expect(row.bytes).toBe(2805);
      expect(row.ratio).toBeCloseTo(row.bytes / row.compressedBytes);
      expect(row.ratio).toBeGreaterThan(5);
      for (const time of [row.compress, row.decompress]) expect(time.p99).toBeGreaterThanOrEqual(time.p50);
    }
    const lines = formatBenchmark(rows).split("\n");
    expect(lines.length).toBe(rows.length + 1);
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
  });

  it("measures what it is given", async () => {
    const compressors = { mine: gzip({ level: "fast" }) };
    expect(await benchmark(samples, { compressors, rounds: 1 })).toMatchObject([{ name: "mine" }]);
    expect(await benchmark([], { compressors })).toMatchObject([{ ratio: 1, compress: { p50: 0, p99: 0 } }]);
  });

  it("fails for a compressor that does not give back what it was given", async () => {
    const lossy: Compressor = {
      name: "lossy",
      compress: async (bytes) => bytes.subarray(1),
      decompress: async (bytes) => bytes,
    };
    await expect(benchmark(samples, { compressors: { lossy } })).rejects.toThrow("lossy");
  });

  it("names the option that is wrong", async () => {
    await expect(benchmark(samples, { rounds: 0 })).rejects.toThrow('"benchmark.rounds"');
    await expect(benchmark(samples, { round: 1 } as object)).rejects.toThrow('"benchmark.round"');
  });
});
