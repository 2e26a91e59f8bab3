import { createRequire } from "node:module";
import { MissingPeerError } from "../core/index.ts";
import { type Compressor, type DecompressOptions, ours } from "./compressor.ts";
import { damaged, tooLarge } from "./errors.ts";

/**
 * LZ4 by the package `lz4-napi` 2, loaded when it is first used: the fastest, and the least dense. Its block format with
 * the length before it. Every function fails with `MissingPeerError` where the package is not installed.
 */
export function lz4(): Compressor {
  return peerCompressor<Lz4>({
    name: "lz4",
    peer: "lz4-napi",
    lengthOf: (bytes) => (bytes.byteLength < 4 ? undefined : viewOf(bytes).getUint32(0, true)),
    compress: (peer, bytes) => peer.compress(bytes),
    compressSync: (peer, bytes) => peer.compressSync(bytes),
    decompress: (peer, bytes) => peer.uncompress(bytes),
    decompressSync: (peer, bytes) => peer.uncompressSync(bytes),
  });
}

/**
 * Snappy by the package `snappy` 7, loaded when it is first used. Its block format. Every function fails with
 * `MissingPeerError` where the package is not installed.
 */
export function snappy(): Compressor {
  return peerCompressor<Snappy>({
    name: "snappy",
    peer: "snappy",
    lengthOf: varint,
    compress: (peer, bytes) => peer.compress(bytes),
    compressSync: (peer, bytes) => peer.compressSync(bytes),
    decompress: (peer, bytes) => peer.uncompress(bytes, AS_BUFFER),
    decompressSync: (peer, bytes) => peer.uncompressSync(bytes, AS_BUFFER),
  });
}

interface Lz4 {
  compress(bytes: Buffer): Promise<Buffer>;
  compressSync(bytes: Buffer): Buffer;
  uncompress(bytes: Buffer): Promise<Buffer>;
  uncompressSync(bytes: Buffer): Buffer;
}

interface Snappy {
  compress(bytes: Buffer): Promise<Buffer>;
  compressSync(bytes: Buffer): Buffer;
  uncompress(bytes: Buffer, options: typeof AS_BUFFER): Promise<Buffer>;
  uncompressSync(bytes: Buffer, options: typeof AS_BUFFER): Buffer;
}

const AS_BUFFER = { asBuffer: true };

interface Peer<Module> {
  readonly name: string;
  readonly peer: string;
  /** How many bytes the data says that it holds. Both packages allocate as much before they read on. */
  lengthOf(bytes: Uint8Array): number | undefined;
  compress(module: Module, bytes: Buffer): Promise<Buffer>;
  compressSync(module: Module, bytes: Buffer): Buffer;
  decompress(module: Module, bytes: Buffer): Promise<Buffer>;
  decompressSync(module: Module, bytes: Buffer): Buffer;
}

const load = createRequire(import.meta.url);

function peerCompressor<Module>(peer: Peer<Module>): Compressor {
  const { name } = peer;
  let loaded: Module | undefined;
  const loadPeer = (): Module => {
    try {
      loaded ??= load(peer.peer) as Module;
      return loaded;
    } catch (cause) {
      throw new MissingPeerError(peer.peer, `${name}()`, cause);
    }
  };
  const check = (bytes: Uint8Array, { maxBytes }: DecompressOptions): void => {
    const length = peer.lengthOf(bytes);
    if (length === undefined) throw damaged(name);
    if (length > maxBytes) throw tooLarge(name, maxBytes);
  };
  return ours({
    name,
    compress: async (bytes) => peer.compress(loadPeer(), bufferOf(bytes)),
    compressSync: (bytes) => peer.compressSync(loadPeer(), bufferOf(bytes)),
    async decompress(bytes, options) {
      const module = loadPeer();
      check(bytes, options);
      return peer.decompress(module, bufferOf(bytes)).catch((cause: unknown) => {
        throw damaged(name, cause);
      });
    },
    decompressSync(bytes, options) {
      const module = loadPeer();
      check(bytes, options);
      try {
        return peer.decompressSync(module, bufferOf(bytes));
      } catch (cause) {
        throw damaged(name, cause);
      }
    },
  });
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// The length before Snappy's blocks: seven bits a byte, the lowest first, at most 32 bits.
function varint(bytes: Uint8Array): number | undefined {
  let value = 0;
  for (let index = 0; index < Math.min(5, bytes.byteLength); index++) {
    const byte = bytes[index] as number;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value;
  }
  return undefined;
}
