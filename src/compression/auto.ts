import { type Bytes, byteCount, knownKeys, numberIn } from "../core/index.ts";
import type { Compressor, DecompressOptions } from "./compressor.ts";
import { dictionary } from "./dictionary.ts";
import { dictionaryFrame, type Framing, framed, plainFrame, SYNC_COMPRESS_MAX, unpackFrame } from "./frame.ts";
import { Savings, type SavingsSnapshot } from "./savings.ts";
import { deflateWith, gzip, ZSTD_AVAILABLE, zstd } from "./zlib-compressors.ts";

export interface AutoOptions {
  /** Smaller inputs stay as they are. Default `"1kb"`. */
  readonly minBytes?: Bytes | undefined;
  /** What must be saved, 0 to 1 of the input; otherwise it stays as it is. Default 0.1. */
  readonly minSaved?: number | undefined;
}

export const AUTO_DEFAULTS = { minBytes: "1kb", minSaved: 0.1 } as const satisfies AutoOptions;

/** Chooses for each input, and writes frames: what any codec of ours wrote in one, it reads. */
export interface AutoCompressor extends Compressor, Framing {
  readonly name: "auto";
  snapshot(): { readonly minBytes: number; readonly minSaved: number; readonly contents: SavingsSnapshot };
}

/**
 * Picks what pays: nothing below `minBytes`; up to 16 KB raw deflate at level 1 with a preset dictionary of LLM replies,
 * at once; above that zstd at level 1, or gzip at level 1 where Node.js has no zstd, off the event loop. What saves
 * less than `minSaved` stays as it is, and kinds of content that never save it are tried only now and then.
 * Throws `OptionError`.
 */
export function auto(options: AutoOptions = {}): AutoCompressor {
  knownKeys("auto", options, Object.keys(AUTO_DEFAULTS));
  const minBytes = byteCount("auto.minBytes", options.minBytes ?? AUTO_DEFAULTS.minBytes);
  const minSaved = numberIn("auto.minSaved", options.minSaved ?? AUTO_DEFAULTS.minSaved, 0, 1);
  const small = deflateWith(dictionary());
  const large = framed(ZSTD_AVAILABLE ? zstd({ level: "fast" }) : gzip({ level: "fast" }));
  const savings = new Savings(minSaved);

  const judged = (bytes: Uint8Array, frame: Uint8Array, content: string): Uint8Array => {
    const saved = 1 - frame.byteLength / bytes.byteLength;
    savings.record(content, saved);
    return saved < minSaved ? plainFrame(bytes) : frame;
  };
  const packSmall = (bytes: Uint8Array): Uint8Array =>
    dictionaryFrame(bytes.byteLength, (small.compressSync as SyncCompress)(bytes));
  const pack = (bytes: Uint8Array, content = ""): Uint8Array | Promise<Uint8Array> => {
    if (bytes.byteLength < minBytes || !savings.worthTrying(content)) return plainFrame(bytes);
    if (bytes.byteLength <= SYNC_COMPRESS_MAX) return judged(bytes, packSmall(bytes), content);
    return Promise.resolve(large.pack(bytes)).then((frame) => judged(bytes, frame, content));
  };
  return {
    name: "auto",
    pack,
    unpack: (frame, limits) => unpackFrame(frame, limits),
    compress: async (bytes) => pack(bytes),
    decompress: async (bytes: Uint8Array, limits: DecompressOptions) => unpackFrame(bytes, limits),
    snapshot: () => ({ minBytes, minSaved, contents: savings.snapshot() }),
  };
}

type SyncCompress = NonNullable<Compressor["compressSync"]>;
