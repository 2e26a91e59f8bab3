import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { constants, gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  brotli,
  type CompressionError,
  type Compressor,
  deflate,
  gzip,
  lz4,
  type StreamCompressor,
  snappy,
  zstd,
} from "../../src/compression/index.ts";
import { MissingPeerError, OptionError } from "../../src/core/index.ts";

const LEVELS = ["fast", "balanced", "maximum"] as const;
const all: readonly (readonly [string, StreamCompressor])[] = [gzip, deflate, brotli, zstd].flatMap((codec) =>
  LEVELS.map((level) => [`${codec.name} ${level}`, codec({ level })] as const),
);
const contents = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }),
  fc.string({ minLength: 1, maxLength: 50 }).map((word) => Buffer.from(word.repeat(200))),
);

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as CompressionError).code;
  }
  return "nothing was thrown";
}

async function collected(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new Blob([Buffer.from(bytes)]).stream();
}

describe.each(all)("%s", (_name, compressor) => {
  it("gives back what it was given, in every form", async () => {
    await fc.assert(
      fc.asyncProperty(contents, async (content) => {
        const limits = { maxBytes: content.byteLength };
        const forms = [await compressor.compress(content), compressor.compressSync?.(content)];
        for (const packed of forms) {
          if (packed === undefined) continue;
          expect(Buffer.compare(await compressor.decompress(packed, limits), content)).toBe(0);
          expect(Buffer.compare(compressor.decompressSync?.(packed, limits) ?? content, content)).toBe(0);
        }
      }),
      { numRuns: 20 },
    );
  });

  it("gives back what passed it as a stream", async () => {
    const content = Buffer.from("a sentence that repeats itself, ".repeat(20_000));
    const packed = await collected(streamOf(content).pipeThrough(compressor.compressStream()));
    expect(packed.length).toBeLessThan(content.length / 10);
    const unpacked = streamOf(packed).pipeThrough(compressor.decompressStream({ maxBytes: content.length }));
    expect(Buffer.compare(await collected(unpacked), content)).toBe(0);
  });

  it("refuses data that hold more than is allowed", async () => {
    const bomb = await compressor.compress(new Uint8Array(1_000_000));
    const limits = { maxBytes: 999_999 };
    const error = { name: "CompressionError", code: "DECOMPRESSED_TOO_LARGE" };
    await expect(compressor.decompress(bomb, limits)).rejects.toMatchObject(error);
    expect(codeOf(() => compressor.decompressSync?.(bomb, limits))).toBe("DECOMPRESSED_TOO_LARGE");
    const stream = streamOf(bomb).pipeThrough(compressor.decompressStream(limits));
    await expect(collected(stream)).rejects.toMatchObject(error);
  });

  it("refuses data that are cut off or something else", async () => {
    const packed = await compressor.compress(Buffer.from("text ".repeat(100)));
    const limits = { maxBytes: 1_000_000 };
    const error = { code: "COMPRESSED_DAMAGED" };
    for (const bytes of [packed.subarray(0, packed.length - 5), Buffer.from("this is something else")]) {
      await expect(compressor.decompress(bytes, limits)).rejects.toMatchObject(error);
      expect(codeOf(() => compressor.decompressSync?.(bytes, limits))).toBe("COMPRESSED_DAMAGED");
      const stream = streamOf(bytes).pipeThrough(compressor.decompressStream(limits));
      await expect(collected(stream)).rejects.toMatchObject(error);
    }
  });
});

describe("a compressor of node:zlib", () => {
  it("writes what others read", async () => {
    expect(gunzipSync(await gzip().compress(Buffer.from("text"))).toString()).toBe("text");
  });

  it("has no synchronous form that would hold up the event loop for milliseconds", () => {
    expect(brotli({ level: "maximum" }).compressSync).toBeUndefined();
    expect(zstd({ level: "maximum" }).compressSync).toBeUndefined();
    expect(brotli().compressSync).toBeDefined();
  });

  it("does not take the slowest quality of brotli but for the level maximum", async () => {
    const text = Buffer.from(Array.from({ length: 500 }, (_, n) => `line ${n * n} of text`).join("\n"));
    const sizes = await Promise.all(LEVELS.map(async (level) => (await brotli({ level }).compress(text)).byteLength));
    expect(sizes[1]).toBeGreaterThan(sizes[2] as number);
    expect(sizes[0]).toBeGreaterThan(sizes[1] as number);
    expect(constants.BROTLI_DEFAULT_QUALITY).toBe(11);
  });

  it("names the option that is wrong", () => {
    expect(() => gzip({ level: "best" as "fast" })).toThrow(OptionError);
    expect(() => zstd({ levle: "fast" } as object)).toThrow('"zstd.levle"');
  });

  it("lets go of its source when whoever reads the stream leaves", async () => {
    let left = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(randomBytes(65_536)),
      cancel() {
        left = true;
      },
    });
    const limits = { maxBytes: 1e9 };
    const passed = endless.pipeThrough(gzip().compressStream()).pipeThrough(gzip().decompressStream(limits));
    const reader = passed.getReader();
    await reader.read();
    await reader.cancel();
    await expect.poll(() => left).toBe(true);
  });
});

describe.each([
  ["lz4-napi", lz4()],
  ["snappy", snappy()],
] as const)("the compressor of the package %s", (peer, compressor: Compressor) => {
  const installed = installedPeer(peer);

  it.skipIf(installed)("names the package that is missing, when it is first used", async () => {
    await expect(compressor.compress(Buffer.from("text"))).rejects.toThrow(`npm install ${peer}`);
    await expect(compressor.decompress(Buffer.from("text"), { maxBytes: 10 })).rejects.toThrow(MissingPeerError);
  });

  it.runIf(installed)("gives back what it was given", async () => {
    await fc.assert(
      fc.asyncProperty(contents, async (content) => {
        const limits = { maxBytes: content.byteLength };
        const packed = await compressor.compress(content);
        expect(Buffer.compare(await compressor.decompress(packed, limits), content)).toBe(0);
        const packedAtOnce = compressor.compressSync?.(content) as Uint8Array;
        expect(Buffer.compare(compressor.decompressSync?.(packedAtOnce, limits) as Uint8Array, content)).toBe(0);
      }),
    );
  });

  it.runIf(installed)("refuses data that hold too much, or say so, and such as are damaged", async () => {
    const packed = await compressor.compress(new Uint8Array(10_000));
    const tooLarge = { code: "DECOMPRESSED_TOO_LARGE" };
    await expect(compressor.decompress(packed, { maxBytes: 9999 })).rejects.toMatchObject(tooLarge);
    const boasting = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3]);
    await expect(compressor.decompress(boasting, { maxBytes: 1_000_000 })).rejects.toMatchObject(tooLarge);
    await expect(compressor.decompress(packed.subarray(0, 8), { maxBytes: 1e6 })).rejects.toMatchObject({
      code: "COMPRESSED_DAMAGED",
    });
    await expect(compressor.decompress(Buffer.alloc(0), { maxBytes: 1e6 })).rejects.toMatchObject({
      code: "COMPRESSED_DAMAGED",
    });
  });
});

function installedPeer(peer: string): boolean {
  try {
    createRequire(import.meta.url).resolve(peer);
    return true;
  } catch {
    return false;
  }
}
