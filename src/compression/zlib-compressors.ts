import { constants as limits } from "node:buffer";
import { Duplex, type Transform } from "node:stream";
import * as zlib from "node:zlib";
import { knownKeys } from "../core/index.ts";
import {
  type ByteTransform,
  type CompressionLevel,
  type CompressorOptions,
  type DecompressOptions,
  levelOf,
  ours,
  type StreamCompressor,
} from "./compressor.ts";
import { CompressionError, damaged, tooLarge } from "./errors.ts";

/** gzip (RFC 1952). Levels 1, 6 and 9. Throws `OptionError`. */
export function gzip(options: CompressorOptions = {}): StreamCompressor {
  const level = deflateLevel("gzip", options);
  return zlibCompressor({
    name: "gzip",
    settings: { level },
    read: {},
    slow: false,
    compress: zlib.gzip,
    compressSync: zlib.gzipSync,
    decompress: zlib.gunzip,
    decompressSync: zlib.gunzipSync,
    compressing: zlib.createGzip,
    decompressing: zlib.createGunzip,
  });
}

/** Deflate in its zlib form (RFC 1950), which HTTP calls `deflate`. Levels 1, 6 and 9. Throws `OptionError`. */
export function deflate(options: CompressorOptions = {}): StreamCompressor {
  const level = deflateLevel("deflate", options);
  return zlibCompressor({
    name: "deflate",
    settings: { level },
    read: {},
    slow: false,
    compress: zlib.deflate,
    compressSync: zlib.deflateSync,
    decompress: zlib.inflate,
    decompressSync: zlib.inflateSync,
    compressing: zlib.createDeflate,
    decompressing: zlib.createInflate,
  });
}

const BROTLI_QUALITY: Readonly<Record<CompressionLevel, number>> = { fast: 1, balanced: 4, maximum: 11 };

/** Brotli (RFC 7932). Qualities 1, 4 and 11; the last takes milliseconds for a few kilobytes. Throws `OptionError`. */
export function brotli(options: CompressorOptions = {}): StreamCompressor {
  const level = readLevel("brotli", options);
  return zlibCompressor<zlib.BrotliOptions>({
    name: "brotli",
    settings: { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY[level] } },
    read: {},
    slow: level === "maximum",
    compress: zlib.brotliCompress,
    compressSync: zlib.brotliCompressSync,
    decompress: zlib.brotliDecompress,
    decompressSync: zlib.brotliDecompressSync,
    compressing: zlib.createBrotliCompress,
    decompressing: zlib.createBrotliDecompress,
  });
}

const ZSTD_LEVEL: Readonly<Record<CompressionLevel, number>> = { fast: 1, balanced: 3, maximum: 19 };

/** Whether this Node.js has Zstandard: 22.15 and newer. */
export const ZSTD_AVAILABLE: boolean = typeof zlib.zstdCompress === "function";

/**
 * Zstandard (RFC 8878). Levels 1, 3 and 19. Throws `OptionError`, and `CompressionError` (`CODEC_UNAVAILABLE`) on
 * Node.js older than 22.15.
 */
export function zstd(options: CompressorOptions = {}): StreamCompressor {
  const level = readLevel("zstd", options);
  if (!ZSTD_AVAILABLE) {
    const message = `zstd needs Node.js 22.15 or newer; this is ${process.versions.node}.`;
    throw new CompressionError("CODEC_UNAVAILABLE", message);
  }
  return zlibCompressor<zlib.ZstdOptions>({
    name: "zstd",
    settings: { params: { [zlib.constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL[level] } },
    read: {},
    slow: level === "maximum",
    compress: zlib.zstdCompress,
    compressSync: zlib.zstdCompressSync,
    decompress: zlib.zstdDecompress,
    decompressSync: zlib.zstdDecompressSync,
    compressing: zlib.createZstdCompress,
    decompressing: zlib.createZstdDecompress,
  });
}

/** Raw deflate (RFC 1951) at level 1 with a preset dictionary that reader and writer must share. */
export function deflateWith(dictionary: Uint8Array): StreamCompressor {
  return zlibCompressor<zlib.ZlibOptions>({
    name: "deflate",
    // Less memory to clear than by default: for a small input that is most of the work.
    settings: { level: 1, memLevel: 6, windowBits: 14, dictionary },
    read: { dictionary },
    slow: false,
    compress: zlib.deflateRaw,
    compressSync: zlib.deflateRawSync,
    decompress: zlib.inflateRaw,
    decompressSync: zlib.inflateRawSync,
    compressing: zlib.createDeflateRaw,
    decompressing: zlib.createInflateRaw,
  });
}

interface Sizes {
  readonly chunkSize: number;
  readonly maxOutputLength?: number;
}

type OneShot<Settings> = (
  bytes: Uint8Array,
  settings: Settings & Sizes,
  done: (error: Error | null, result: Buffer) => void,
) => void;

type OneShotSync<Settings> = (bytes: Uint8Array, settings: Settings & Sizes) => Buffer;

/** What `node:zlib` has for one format. */
interface Format<Settings> {
  readonly name: string;
  readonly settings: Settings;
  readonly read: Settings;
  /** Too slow for the event loop, even for a small input. */
  readonly slow: boolean;
  readonly compress: OneShot<Settings>;
  readonly compressSync: OneShotSync<Settings>;
  readonly decompress: OneShot<Settings>;
  readonly decompressSync: OneShotSync<Settings>;
  compressing(settings: Settings): Transform;
  decompressing(settings: Settings): Transform;
}

function zlibCompressor<Settings>(format: Format<Settings>): StreamCompressor {
  const { name, settings, read } = format;
  const compressor: StreamCompressor = {
    name,
    compress: (bytes) => once(format.compress, bytes, { ...settings, chunkSize: chunkFor(bytes.byteLength) }),
    async decompress(bytes, options) {
      try {
        return await once(format.decompress, bytes, { ...read, ...sizesFor(bytes, options) });
      } catch (error) {
        throw errorOf(name, error, options);
      }
    },
    decompressSync(bytes, options) {
      try {
        return format.decompressSync(bytes, { ...read, ...sizesFor(bytes, options) });
      } catch (error) {
        throw errorOf(name, error, options);
      }
    },
    compressStream: () => webPair(format.compressing(settings)),
    decompressStream: (options) => bounded(name, webPair(format.decompressing(read)), options),
  };
  if (!format.slow) {
    compressor.compressSync = (bytes) =>
      format.compressSync(bytes, { ...settings, chunkSize: chunkFor(bytes.byteLength) });
  }
  return ours(compressor);
}

function once<Settings>(work: OneShot<Settings>, bytes: Uint8Array, settings: Settings & Sizes): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    work(bytes, settings, (error, result) => (error === null ? resolve(result) : reject(error)));
  });
}

const CHUNK_MIN = 1024;
const CHUNK_MAX = 65_536;

// Node allocates this much for every piece of output, used or not.
function chunkFor(bytes: number): number {
  return Math.min(CHUNK_MAX, Math.max(CHUNK_MIN, bytes));
}

function sizesFor(bytes: Uint8Array, { maxBytes }: DecompressOptions): Sizes {
  // One byte at least: Node refuses a limit of 0.
  const maxOutputLength = Math.max(1, Math.min(maxBytes, limits.MAX_LENGTH));
  return { maxOutputLength, chunkSize: chunkFor(Math.min(maxOutputLength, bytes.byteLength * 4)) };
}

function errorOf(name: string, error: unknown, { maxBytes }: DecompressOptions): CompressionError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ERR_BUFFER_TOO_LARGE" ? tooLarge(name, maxBytes) : damaged(name, error);
}

function webPair(transform: Transform): ByteTransform {
  return Duplex.toWeb(transform) as ByteTransform;
}

/** `pair`, whose output errors as soon as it is longer than `maxBytes`. */
function bounded(name: string, pair: ByteTransform, options: DecompressOptions): ByteTransform {
  let bytes = 0;
  const reader = pair.readable.getReader();
  const readable = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        bytes += value.byteLength;
        if (bytes > options.maxBytes) throw tooLarge(name, options.maxBytes);
        controller.enqueue(value);
      } catch (error) {
        const reason = error instanceof CompressionError ? error : damaged(name, error);
        controller.error(reason);
        await reader.cancel(reason).catch(() => {});
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return { readable, writable: pair.writable };
}

function readLevel(name: string, options: CompressorOptions): CompressionLevel {
  knownKeys(name, options, ["level"]);
  return levelOf(`${name}.level`, options.level);
}

const DEFLATE_LEVEL: Readonly<Record<CompressionLevel, number>> = { fast: 1, balanced: 6, maximum: 9 };

function deflateLevel(name: string, options: CompressorOptions): number {
  return DEFLATE_LEVEL[readLevel(name, options)];
}
