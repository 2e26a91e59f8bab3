import { type Compressor, type DecompressOptions, isOurs } from "./compressor.ts";
import { DICTIONARY_VERSION, dictionary } from "./dictionary.ts";
import { CompressionError, damaged, tooLarge } from "./errors.ts";
import { lz4, snappy } from "./peer-compressors.ts";
import { brotli, deflate, deflateWith, gzip, zstd } from "./zlib-compressors.ts";

/**
 * Bytes that say how they are compressed, so that what was written with one setting is read with any:
 *
 * | bytes | what |
 * |---|---|
 * | 1 | codec: see `CODECS`; 0 is none |
 * | 1 | version of the preset dictionary, 0 for none; length of the name for a codec of the user's own |
 * | 4 | length of the content, big-endian |
 * | ... | name of a codec of the user's own, UTF-8 |
 * | ... | what the codec made of the content |
 */
export interface Framing {
  readonly name: string;
  /**
   * A frame around `bytes`: at once where they are few, otherwise the work is done off the event loop. `content` names
   * what kind of content it is, for whoever learns what pays.
   */
  pack(bytes: Uint8Array, content?: string): Uint8Array | Promise<Uint8Array>;
  /** The content of a frame. Throws or rejects with `CompressionError`. */
  unpack(frame: Uint8Array, options: DecompressOptions): Uint8Array | Promise<Uint8Array>;
}

/** Largest content that is worked on at once: about half a millisecond of the event loop at worst. */
export const SYNC_COMPRESS_MAX = 16_384;
const SYNC_DECOMPRESS_MAX = 65_536;

const HEAD_BYTES = 6;
const NONE = 0;
const OWN = 255;

// What a number means is in the data of others: never change one.
const CODECS = { deflateDictionary: 1, gzip: 2, deflate: 3, brotli: 4, zstd: 5, lz4: 6, snappy: 7 } as const;

type CodecName = keyof typeof CODECS;

/** Frames whose content is compressed by `compressor`. One of the user's own reads only what one of its name wrote. */
export function framed(compressor: Compressor): Framing {
  const codec = codecNumber(compressor);
  const own = codec === undefined ? compressor : undefined;
  const name = codec === undefined ? Buffer.from(compressor.name) : NO_NAME;
  const wrap = (bytes: Uint8Array, packed: Uint8Array): Uint8Array =>
    packed.byteLength < bytes.byteLength
      ? frameOf(codec ?? OWN, name.length, bytes.byteLength, name, packed)
      : plainFrame(bytes);
  return {
    name: compressor.name,
    pack: (bytes) =>
      compressor.compressSync !== undefined && bytes.byteLength <= SYNC_COMPRESS_MAX
        ? wrap(bytes, compressor.compressSync(bytes))
        : compressor.compress(bytes).then((packed) => wrap(bytes, packed)),
    unpack: (frame, options) => unpackFrame(frame, options, own),
  };
}

/** Frames whose content is as it is. They read what any codec of ours wrote. */
export const UNCOMPRESSED: Framing = {
  name: "none",
  pack: plainFrame,
  unpack: (frame, options) => unpackFrame(frame, options),
};

/** A frame around what the codec of the preset dictionary made of `length` bytes. */
export function dictionaryFrame(length: number, packed: Uint8Array): Uint8Array {
  return frameOf(CODECS.deflateDictionary, DICTIONARY_VERSION, length, NO_NAME, packed);
}

export function plainFrame(bytes: Uint8Array): Uint8Array {
  return frameOf(NONE, 0, bytes.byteLength, NO_NAME, bytes);
}

/** The content of a frame. Throws or rejects with `CompressionError`. */
export function unpackFrame(
  frame: Uint8Array,
  options: DecompressOptions,
  own?: Compressor,
): Uint8Array | Promise<Uint8Array> {
  if (frame.byteLength < HEAD_BYTES) throw damaged("frame");
  const view = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const length = view.readUInt32BE(2);
  if (length > options.maxBytes) throw tooLarge("frame", options.maxBytes);
  const codec = view[0] as number;
  if (codec === NONE) return whole(view.subarray(HEAD_BYTES), length);
  const payloadAt = codec === OWN ? HEAD_BYTES + (view[1] as number) : HEAD_BYTES;
  const payload = view.subarray(payloadAt);
  const compressor =
    codec === OWN ? ownCodec(view.toString("utf8", HEAD_BYTES, payloadAt), own) : builtIn(codec, view[1] as number);
  const exactly = { maxBytes: length };
  return compressor.decompressSync !== undefined && length <= SYNC_DECOMPRESS_MAX
    ? whole(compressor.decompressSync(payload, exactly), length)
    : compressor.decompress(payload, exactly).then((content) => whole(content, length));
}

const NO_NAME = Buffer.alloc(0);

function frameOf(codec: number, detail: number, length: number, name: Uint8Array, payload: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + name.byteLength + payload.byteLength);
  frame[0] = codec;
  frame[1] = detail;
  frame.writeUInt32BE(length, 2);
  frame.set(name, HEAD_BYTES);
  frame.set(payload, HEAD_BYTES + name.byteLength);
  return frame;
}

function whole(content: Uint8Array, length: number): Uint8Array {
  if (content.byteLength !== length) throw damaged("frame");
  return content;
}

function codecNumber(compressor: Compressor): number | undefined {
  return isOurs(compressor) ? CODECS[compressor.name as CodecName] : undefined;
}

function ownCodec(name: string, own: Compressor | undefined): Compressor {
  if (own?.name === name) return own;
  throw new CompressionError("CODEC_UNAVAILABLE", `A frame was written by a compressor "${name}" that is not in use.`);
}

const READERS = new Map<number, Compressor>();

function builtIn(codec: number, version: number): Compressor {
  if ((codec === CODECS.deflateDictionary ? DICTIONARY_VERSION : 0) !== version) throw unknown();
  const known = READERS.get(codec);
  if (known !== undefined) return known;
  const made = readerOf(codec);
  READERS.set(codec, made);
  return made;
}

function readerOf(codec: number): Compressor {
  switch (codec) {
    case CODECS.deflateDictionary:
      return deflateWith(dictionary());
    case CODECS.gzip:
      return gzip();
    case CODECS.deflate:
      return deflate();
    case CODECS.brotli:
      return brotli();
    case CODECS.zstd:
      return zstd();
    case CODECS.lz4:
      return lz4();
    case CODECS.snappy:
      return snappy();
    default:
      throw unknown();
  }
}

function unknown(): CompressionError {
  return new CompressionError("CODEC_UNAVAILABLE", "A frame was written by a codec that this version does not know.");
}
