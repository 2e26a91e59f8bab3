import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ByteTransform, DecompressOptions, StreamCompressor } from "./compressor.ts";
import { UnfinishedFiles } from "./unfinished-files.ts";
import { gzip } from "./zlib-compressors.ts";

export interface FileOptions {
  /** Default `gzip()`. */
  readonly compressor?: StreamCompressor | undefined;
  /** Stops the work; the promise rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compresses the file `from` into the file `to`, piece by piece. `to` is replaced when all is written and on the disk,
 * not before: after a failure, an abort or Ctrl-C it is what it was, and nothing is left beside it. Rejects with the
 * error of the file system, or the reason of `signal`.
 */
export function compressFile(from: string, to: string, options: FileOptions = {}): Promise<void> {
  return rewrite(from, to, (options.compressor ?? gzip()).compressStream(), options.signal);
}

/**
 * Restores what `compressFile` wrote with the same compressor; what is said there of `to` holds here too. Rejects with
 * `CompressionError` for a damaged file, or one that holds more than `maxBytes`.
 */
export function decompressFile(from: string, to: string, options: FileOptions & DecompressOptions): Promise<void> {
  const { compressor = gzip(), signal, maxBytes } = options;
  return rewrite(from, to, compressor.decompressStream({ maxBytes }), signal);
}

const unfinished = new UnfinishedFiles();

async function rewrite(from: string, to: string, change: ByteTransform, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  // In the same folder: a file can be renamed only within its file system.
  const part = join(dirname(to), `.${basename(to)}.${randomUUID()}.part`);
  unfinished.add(part);
  try {
    await write(from, part, change, signal);
    await rename(part, to);
  } catch (error) {
    await rm(part, { force: true });
    throw signal?.aborted === true ? signal.reason : error;
  } finally {
    unfinished.delete(part);
  }
}

async function write(from: string, part: string, change: ByteTransform, signal?: AbortSignal): Promise<void> {
  const { mode } = await stat(from);
  const target = createWriteStream(part, { flags: "wx", mode, flush: true });
  try {
    const options = signal === undefined ? {} : { signal };
    await pipeline(createReadStream(from), Duplex.fromWeb(change as WebPair), target, options);
  } finally {
    // Until then the file may still come to be.
    if (!target.closed) await once(target, "close");
  }
}

// The types of Node's own web streams are apart from the global ones, which they are.
type WebPair = Parameters<typeof Duplex.fromWeb>[0];
