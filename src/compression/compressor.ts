import { oneOf } from "../core/index.ts";

export interface DecompressOptions {
  /** Most bytes to give; data that holds more is refused with `DECOMPRESSED_TOO_LARGE`, before they are all there. */
  readonly maxBytes: number;
}

/**
 * Makes bytes smaller and whole again. `decompress` rejects with `CompressionError` for bytes that are damaged or hold
 * too much.
 */
export interface Compressor {
  /** Short and stable: `gzip`, `zstd`, or your own. Frames carry it. At most 64 characters. */
  readonly name: string;
  compress(bytes: Uint8Array): Promise<Uint8Array>;
  decompress(bytes: Uint8Array, options: DecompressOptions): Promise<Uint8Array>;
  /** The same without a wait: for inputs so small that a thread costs more than the work. Absent: it never pays. */
  compressSync?(bytes: Uint8Array): Uint8Array;
  decompressSync?(bytes: Uint8Array, options: DecompressOptions): Uint8Array;
}

/** A pair of web streams, as `ReadableStream.pipeThrough` takes it. */
export interface ByteTransform {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** A compressor that also takes its bytes piece by piece: for streams and files. */
export interface StreamCompressor extends Compressor {
  compressStream(): ByteTransform;
  /** The stream errors with `CompressionError`. */
  decompressStream(options: DecompressOptions): ByteTransform;
}

/** `fast` for answers on their way, `balanced` for most, `maximum` for what is written once and read often. */
export type CompressionLevel = "fast" | "balanced" | "maximum";

export interface CompressorOptions {
  /** Default `"balanced"`. */
  readonly level?: CompressionLevel | undefined;
}

const LEVELS: readonly CompressionLevel[] = ["fast", "balanced", "maximum"];

export function levelOf(option: string, value: unknown): CompressionLevel {
  return oneOf(option, value ?? "balanced", LEVELS);
}

const OURS = new WeakSet<Compressor>();

/** Marks a compressor of ours: a frame may call it by its number, whatever a user's own is named. */
export function ours<T extends Compressor>(compressor: T): T {
  OURS.add(compressor);
  return compressor;
}

export function isOurs(compressor: Compressor): boolean {
  return OURS.has(compressor);
}
