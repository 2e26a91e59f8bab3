export { AUTO_DEFAULTS, type AutoCompressor, type AutoOptions, auto } from "./auto.ts";
export { type BenchmarkOptions, type BenchmarkRow, benchmark, formatBenchmark } from "./benchmark.ts";
export type {
  ByteTransform,
  CompressionLevel,
  Compressor,
  CompressorOptions,
  DecompressOptions,
  StreamCompressor,
} from "./compressor.ts";
export { CompressionError, type CompressionErrorCode } from "./errors.ts";
export { compressFile, decompressFile, type FileOptions } from "./files.ts";
export { type Framing, framed, UNCOMPRESSED } from "./frame.ts";
export { lz4, snappy } from "./peer-compressors.ts";
export type { SavingsSnapshot } from "./savings.ts";
export { brotli, deflate, gzip, zstd } from "./zlib-compressors.ts";
