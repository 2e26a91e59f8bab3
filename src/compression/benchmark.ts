import { integerIn, knownKeys } from "../core/index.ts";
import { auto } from "./auto.ts";
import type { CompressionLevel, Compressor } from "./compressor.ts";
import { brotli, deflate, gzip, ZSTD_AVAILABLE, zstd } from "./zlib-compressors.ts";

export interface BenchmarkOptions {
  /** What to measure, by the name to show. Default: `auto()`, and every codec of `node:zlib` at every level. */
  readonly compressors?: Readonly<Record<string, Compressor>> | undefined;
  /** Times that each sample is compressed and decompressed. Default 20. */
  readonly rounds?: number | undefined;
}

/** How one compressor did with the samples. Times are microseconds per 1,024 bytes of input, the wait included. */
export interface BenchmarkRow {
  readonly name: string;
  readonly bytes: number;
  readonly compressedBytes: number;
  /** Bytes before by bytes after. */
  readonly ratio: number;
  readonly compress: { readonly p50: number; readonly p99: number };
  readonly decompress: { readonly p50: number; readonly p99: number };
}

const ROUNDS = 20;
const WARM_UPS = 3;

/**
 * Measures compressors with samples of the user's own, which should be of the size and kind that will be compressed:
 * each by its synchronous form where it has one. Answers in the order of `compressors`. Rejects with `OptionError`.
 */
export async function benchmark(
  samples: readonly Uint8Array[],
  options: BenchmarkOptions = {},
): Promise<BenchmarkRow[]> {
  knownKeys("benchmark", options, ["compressors", "rounds"]);
  const rounds = integerIn("benchmark.rounds", options.rounds ?? ROUNDS, 1);
  const rows: BenchmarkRow[] = [];
  for (const [name, compressor] of Object.entries(options.compressors ?? everyLevel())) {
    rows.push(await measured(name, compressor, samples, rounds));
  }
  return rows;
}

/** The rows as a table, one line each. */
export function formatBenchmark(rows: readonly BenchmarkRow[]): string {
  const lines = rows.map((row) => [
    row.name,
    row.ratio.toFixed(2),
    ...[row.compress, row.decompress].flatMap(({ p50, p99 }) => [p50.toFixed(1), p99.toFixed(1)]),
  ]);
  const cells = [TITLES, ...lines];
  const widths = TITLES.map((_, column) => Math.max(...cells.map((line) => (line[column] as string).length)));
  return cells
    .map((line) => line.map((cell, column) => pad(cell, widths[column] as number, column)).join("  "))
    .join("\n");
}

const TITLES = ["compressor", "ratio", "comp p50", "comp p99", "decomp p50", "decomp p99 (us/KB)"];

function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}

function everyLevel(): Record<string, Compressor> {
  const codecs = [gzip, deflate, brotli, ...(ZSTD_AVAILABLE ? [zstd] : [])];
  const levels: readonly CompressionLevel[] = ["fast", "balanced", "maximum"];
  const compressors: Record<string, Compressor> = { auto: auto() };
  for (const codec of codecs) {
    for (const level of levels) {
      const compressor = codec({ level });
      compressors[`${compressor.name} ${level}`] = compressor;
    }
  }
  return compressors;
}

async function measured(
  name: string,
  compressor: Compressor,
  samples: readonly Uint8Array[],
  rounds: number,
): Promise<BenchmarkRow> {
  const compressTimes: number[] = [];
  const decompressTimes: number[] = [];
  let bytes = 0;
  let compressedBytes = 0;
  for (let round = -WARM_UPS; round < rounds; round++) {
    for (const sample of samples) {
      const limits = { maxBytes: sample.byteLength };
      const perKb = 1024 / Math.max(1, sample.byteLength);
      const startedAt = performance.now();
      const packed = compressor.compressSync?.(sample) ?? (await compressor.compress(sample));
      const packedAt = performance.now();
      const unpacked = compressor.decompressSync?.(packed, limits) ?? (await compressor.decompress(packed, limits));
      const doneAt = performance.now();
      if (unpacked.byteLength !== sample.byteLength) throw new Error(`${name} does not give back what it was given.`);
      if (round < 0) continue;
      compressTimes.push((packedAt - startedAt) * 1000 * perKb);
      decompressTimes.push((doneAt - packedAt) * 1000 * perKb);
      if (round > 0) continue;
      bytes += sample.byteLength;
      compressedBytes += packed.byteLength;
    }
  }
  const ratio = compressedBytes === 0 ? 1 : bytes / compressedBytes;
  return { name, bytes, compressedBytes, ratio, compress: spread(compressTimes), decompress: spread(decompressTimes) };
}

function spread(times: number[]): { p50: number; p99: number } {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}
