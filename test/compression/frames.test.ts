import { hash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DICTIONARY_VERSION, dictionary } from "../../src/compression/dictionary.ts";
import {
  auto,
  brotli,
  type CompressionError,
  type Compressor,
  deflate,
  type Framing,
  framed,
  gzip,
  UNCOMPRESSED,
  zstd,
} from "../../src/compression/index.ts";

const PROSE = "The quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. ";
const writers: readonly Framing[] = [
  UNCOMPRESSED,
  auto(),
  auto({ minBytes: 0, minSaved: 0 }),
  ...[gzip(), deflate(), brotli({ level: "fast" }), zstd(), brotli({ level: "maximum" })].map(framed),
];
const own: Compressor = {
  name: "own",
  compress: async (bytes) => bytes.subarray(1),
  decompress: async (bytes) => Buffer.concat([Buffer.from("a"), bytes]),
};

async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    return (error as CompressionError).code;
  }
  return "nothing was thrown";
}

describe("a frame", () => {
  it("is read whatever it was written with, small or large", async () => {
    const contents = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      fc.nat(400).map((times) => Buffer.from(PROSE.repeat(times))),
    );
    await fc.assert(
      fc.asyncProperty(contents, async (content) => {
        for (const writer of writers) {
          const frame = await writer.pack(content);
          for (const reader of writers) {
            const read = await reader.unpack(frame, { maxBytes: content.byteLength });
            expect(Buffer.compare(read, content)).toBe(0);
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  it("takes no more than six bytes more than its content", async () => {
    for (const writer of writers) {
      for (const size of [0, 1, 2000, 100_000]) {
        expect((await writer.pack(randomBytes(size))).byteLength).toBeLessThanOrEqual(size + 6);
      }
    }
  });

  it("is made at once for a small content and off the event loop for a large one", async () => {
    for (const writer of [auto(), framed(gzip()), framed(brotli())]) {
      const small = writer.pack(Buffer.from(PROSE.repeat(100)));
      expect(small).toBeInstanceOf(Uint8Array);
      expect(writer.unpack(small as Uint8Array, { maxBytes: 1e6 })).toBeInstanceOf(Uint8Array);
      const large = writer.pack(Buffer.from(PROSE.repeat(10_000)));
      expect(large).toBeInstanceOf(Promise);
      expect(writer.unpack(await large, { maxBytes: 1e6 })).toBeInstanceOf(Promise);
    }
    expect(framed(brotli({ level: "maximum" })).pack(Buffer.from(PROSE))).toBeInstanceOf(Promise);
  });

  it("holds no more than it says, and no more than is allowed", async () => {
    for (const writer of writers) {
      const frame = Buffer.from(await writer.pack(Buffer.from(PROSE.repeat(100))));
      expect(await codeOf(() => writer.unpack(frame, { maxBytes: 8599 }))).toBe("DECOMPRESSED_TOO_LARGE");
      frame.writeUInt32BE(8000, 2);
      expect(await codeOf(() => writer.unpack(frame, { maxBytes: 1e6 }))).not.toBe("nothing was thrown");
      frame.writeUInt32BE(9000, 2);
      expect(await codeOf(() => writer.unpack(frame, { maxBytes: 1e6 }))).toBe("COMPRESSED_DAMAGED");
    }
  });

  it("of an unknown codec or dictionary is refused, as is one that is cut off", async () => {
    const read = (...bytes: number[]): Promise<string> =>
      codeOf(() => UNCOMPRESSED.unpack(Buffer.from(bytes), { maxBytes: 100 }));
    expect(await read(77, 0, 0, 0, 0, 1, 1)).toBe("CODEC_UNAVAILABLE");
    expect(await read(1, DICTIONARY_VERSION + 1, 0, 0, 0, 1, 1)).toBe("CODEC_UNAVAILABLE");
    expect(await read(0, 0, 0, 0, 0)).toBe("COMPRESSED_DAMAGED");
    expect(await read()).toBe("COMPRESSED_DAMAGED");
  });

  it("of a user's own compressor is read by it alone, even under the name of one of ours", async () => {
    const frame = await framed(own).pack(Buffer.from("abc"));
    expect(String(await framed(own).unpack(frame, { maxBytes: 3 }))).toBe("abc");
    expect(await codeOf(() => auto().unpack(frame, { maxBytes: 3 }))).toBe("CODEC_UNAVAILABLE");
    const namesake = { ...own, name: "gzip" };
    const taken = await framed(namesake).pack(Buffer.from("abc"));
    expect(String(await framed(namesake).unpack(taken, { maxBytes: 3 }))).toBe("abc");
    expect(await codeOf(() => framed(gzip()).unpack(taken, { maxBytes: 3 }))).toBe("CODEC_UNAVAILABLE");
  });
});

describe("the preset dictionary", () => {
  it("is what data were written with: whoever changes it gives it another version", () => {
    expect([DICTIONARY_VERSION, hash("sha256", dictionary(), "hex")]).toMatchInlineSnapshot(`
      [
        1,
        "75e187ccb533a8a123f7d57f9f0df6230c78d3dd9d9c15f74a22740550043cb1",
      ]
    `);
  });

  it("saves a fifth of short answers beyond what deflate saves", async () => {
    const file = join(import.meta.dirname, "../fixtures/wire/responses.jsonl");
    const lines = readFileSync(file, "utf8").trim().split("\n");
    const bodies = lines.map((line) => Buffer.from(JSON.stringify(JSON.parse(line).response, null, 2)));
    const small = bodies.filter((body) => body.length >= 1024 && body.length <= 16_384);
    const sizeWith = async (framing: Framing): Promise<number> => {
      const frames = await Promise.all(small.map((body) => framing.pack(body)));
      return frames.reduce((sum, frame) => sum + frame.byteLength, 0);
    };
    expect(small.length).toBeGreaterThan(10);
    expect(await sizeWith(auto())).toBeLessThan(0.8 * (await sizeWith(framed(deflate({ level: "fast" })))));
  });
});

describe("auto", () => {
  it("leaves alone what is small or saves too little", async () => {
    const compressor = auto();
    for (const content of [Buffer.from(PROSE), randomBytes(5000), randomBytes(50_000)]) {
      const frame = await compressor.compress(content);
      expect([frame[0], frame.byteLength]).toEqual([0, content.byteLength + 6]);
    }
    const barely = Buffer.concat([randomBytes(9500), Buffer.alloc(500)]);
    expect((await compressor.compress(barely))[0]).toBe(0);
    expect((await auto({ minSaved: 0.01 }).compress(barely))[0]).toBe(1);
    expect((await auto({ minBytes: 10 }).compress(Buffer.from(PROSE.repeat(2))))[0]).toBe(1);
  });

  it("learns by kind what does not pay, and tries it again now and then", async () => {
    const compressor = auto();
    const noise = (): Uint8Array => randomBytes(2000);
    for (let n = 0; n < 4 + 64; n++) await compressor.pack(noise(), "noise");
    expect(compressor.snapshot().contents["noise"]).toMatchObject({ tried: 4 + 2, skipped: 64 });
    expect((await compressor.pack(Buffer.from(PROSE.repeat(30)), "prose"))[0]).toBe(1);
    for (let n = 0; n < 2000; n++) await compressor.pack(Buffer.from(PROSE.repeat(30)), "noise");
    expect((await compressor.pack(Buffer.from(PROSE.repeat(30)), "noise"))[0]).toBe(1);
  });

  it("remembers a bounded number of kinds", async () => {
    const compressor = auto();
    for (let n = 0; n < 200; n++) await compressor.pack(Buffer.from(PROSE.repeat(30)), `kind ${n}`);
    const kinds = Object.keys(compressor.snapshot().contents);
    expect([kinds.length, kinds.at(-1)]).toEqual([64, "kind 199"]);
  });

  it("names the option that is wrong", () => {
    expect(() => auto({ minSaved: 2 })).toThrow('"auto.minSaved"');
    expect(() => auto({ minBytes: "many" as "1kb" })).toThrow('"auto.minBytes"');
    expect(() => auto({ level: 1 } as object)).toThrow('"auto.level"');
  });

  it("reads any frame through the interface of a compressor", async () => {
    const frame = await framed(gzip()).pack(Buffer.from(PROSE.repeat(30)));
    expect(String(await auto().decompress(frame, { maxBytes: 1e6 }))).toBe(PROSE.repeat(30));
    await expect(auto().decompress(Buffer.from("x"), { maxBytes: 1e6 })).rejects.toMatchObject({
      code: "COMPRESSED_DAMAGED",
    });
  });
});
