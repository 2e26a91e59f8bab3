import { hash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  auto,
  brotli,
  type Compressor,
  deflate,
  framed,
  gzip,
  UNCOMPRESSED,
  zstd,
} from "../../../src/compression/index.ts";
import type { Entry } from "../../../src/core/index.ts";
import { readEncryption } from "../../../src/policies/cache/encryption.ts";
import { EntryCodec, type EnvelopeSettings } from "../../../src/policies/cache/envelope.ts";

const count = fc.nat(1e9);
const time = fc.double({ min: 0, max: 1e15, noNaN: true });
const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 200 }),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).map((word) => word.repeat(2000)),
);
const entries: fc.Arbitrary<Entry> = fc.record({
  answer: fc.record({
    form: fc.constantFrom("value" as const, "events" as const),
    text,
    head: fc.record({ status: count, headers: fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 3 }) }),
  }),
  check: fc.string(),
  createdAt: time,
  freshUntil: time,
  expiresAt: time,
  tookMs: time,
  cost: time,
  label: fc.string({ unit: "binary" }),
  owner: fc.string(),
  model: fc.option(fc.string(), { nil: undefined }),
  usage: fc.option(fc.record({ inputTokens: count, outputTokens: count, reasoningTokens: count }), { nil: undefined }),
  tags: fc.dictionary(fc.string(), count),
  sweep: count,
});

const keyring = readEncryption("encryption", {
  keys: { old: randomBytes(32), "2026-11": randomBytes(32).toString("base64") },
  current: "2026-11",
});

const reversed: Compressor = {
  name: "reversed",
  compress: async (bytes) => Buffer.from(bytes).reverse().subarray(1),
  decompress: async (bytes) => Buffer.concat([bytes, Buffer.from([4])]).reverse(),
};

const compressions = {
  none: UNCOMPRESSED,
  auto: auto(),
  "auto of everything": auto({ minBytes: 1, minSaved: 0 }),
  gzip: framed(gzip({ level: "fast" })),
  deflate: framed(deflate()),
  brotli: framed(brotli({ level: "fast" })),
  zstd: framed(zstd()),
};

function codecOf(settings: Partial<EnvelopeSettings> = {}): EntryCodec {
  const all = { compression: UNCOMPRESSED, encryption: undefined, maxEntryBytes: 4e6, shared: false, ...settings };
  return new EntryCodec(() => all);
}

async function encoded(codec: EntryCodec, key: string, entry: Entry): Promise<Uint8Array> {
  const fail = (error: unknown): void => {
    throw error;
  };
  const bytes = await codec.encode(key, entry, fail);
  if (bytes === undefined) throw new Error("not encoded");
  return bytes;
}

describe.each(Object.entries(compressions))("an entry in its envelope, compression %s", (_name, compression) => {
  it.each([
    ["in clear", undefined],
    ["encrypted", keyring],
  ])("is given back exactly as it was put in, %s", async (_how, encryption) => {
    const codec = codecOf({ compression, encryption });
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme" }), entries, async (key, entry) => {
        const bytes = await encoded(codec, key, entry);
        expect(await codec.decode(key, entry.owner, bytes)).toEqual(entry);
      }),
      { numRuns: 60 },
    );
  });

  it("is read by a codec of every other setting", async () => {
    const [entry] = fc.sample(entries, 1) as [Entry];
    const bytes = await encoded(codecOf({ compression }), "key", entry);
    for (const other of Object.values(compressions)) {
      expect(await codecOf({ compression: other }).decode("key", entry.owner, bytes)).toEqual(entry);
    }
  });
});

describe("an entry in its envelope", () => {
  const [entry] = fc.sample(entries, 1) as [Entry];
  const plain = codecOf();

  it("is none for any other bytes", () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array({ maxLength: 300 }), fc.nat(3), (key, bytes, begunWell) => {
        const start = ["", "BWC", "BWC\u0002", "BWC\u0002\u0000"][begunWell] as string;
        const tried = Buffer.concat([Buffer.from(start), bytes]);
        expect(plain.decode(key, "", tried)).toBeTypeOf("string");
        expect(codecOf({ encryption: keyring }).decode(key, "", tried)).toBeTypeOf("string");
      }),
      { numRuns: 5000 },
    );
  });

  it("is none when a single bit is wrong, wherever it is", async () => {
    for (const encryption of [undefined, keyring]) {
      const codec = codecOf({ encryption, compression: auto({ minBytes: 1 }) });
      const good = Buffer.from(await encoded(codec, "key", { ...entry, answer: { ...entry.answer, text: "short" } }));
      for (let at = 0; at < good.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const bad = Buffer.from(good);
          bad[at] = (good[at] as number) ^ (1 << bit);
          expect(codec.decode("key", entry.owner, bad)).toBeTypeOf("string");
        }
      }
    }
  });

  it("is none when bytes are missing or too many", async () => {
    for (const encryption of [undefined, keyring]) {
      const codec = codecOf({ encryption });
      const bytes = await encoded(codec, "key", { ...entry, answer: { ...entry.answer, text: "short" } });
      for (let length = 0; length < bytes.length; length++) {
        expect(codec.decode("key", entry.owner, bytes.subarray(0, length))).toBeTypeOf("string");
      }
      expect(codec.decode("key", entry.owner, Buffer.concat([bytes, Buffer.from("x")]))).toBe("DAMAGED");
    }
  });

  it("is none under another key or for another owner, also when they begin alike", async () => {
    for (const encryption of [undefined, keyring]) {
      const codec = codecOf({ encryption });
      const bytes = await encoded(codec, "key", { ...entry, owner: "ownerA" });
      for (const [key, owner] of [
        ["kez", "ownerA"],
        ["key", "ownerB"],
        ["keyo", "wnerA"],
        ["keyownerA", ""],
        ["", "keyownerA"],
      ] as const) {
        expect(codec.decode(key, owner, bytes)).toBe("DAMAGED");
      }
    }
  });

  it("belongs to everybody where the cache is shared", async () => {
    const codec = codecOf({ shared: true });
    const bytes = await encoded(codec, "key", { ...entry, owner: "" });
    expect(codec.decode("key", "anybody", bytes)).toMatchObject({ owner: "" });
    expect(codecOf().decode("key", "anybody", bytes)).toBe("DAMAGED");
  });

  it("says what is wrong with bytes that are not its own", async () => {
    const bytes = Buffer.from(await encoded(plain, "key", entry));
    expect(plain.decode("key", entry.owner, Buffer.from('{"value":1}'))).toBe("FOREIGN");
    expect(plain.decode("key", entry.owner, "text" as unknown as Uint8Array)).toBe("FOREIGN");
    const older = Buffer.from(bytes);
    older[3] = 1;
    expect(plain.decode("key", entry.owner, older)).toBe("OTHER_VERSION");
    const encrypted = codecOf({ encryption: keyring });
    expect(encrypted.decode("key", entry.owner, bytes)).toBe("NOT_ENCRYPTED");
    expect(plain.decode("key", entry.owner, await encoded(encrypted, "key", entry))).toBe("UNKNOWN_KEY");
    const zipped = await encoded(codecOf({ compression: framed(reversed) }), "key", { ...entry, model: "\u0004" });
    expect(await plain.decode("key", entry.owner, zipped)).toBe("UNREADABLE");
  });

  it("is not kept with a text that UTF-8 cannot hold, nor when it is too large", () => {
    const withText = (value: string): Entry => ({ ...entry, answer: { ...entry.answer, text: value } });
    const failed = (): void => {};
    expect(plain.encode("key", withText("\ud800"), failed)).toBeUndefined();
    const small = codecOf({ maxEntryBytes: 1000 });
    expect(small.encode("key", withText("x".repeat(70_000)), failed)).toBeUndefined();
  });

  it("is not read when it holds more than may be kept", async () => {
    const bomb = { ...entry, answer: { ...entry.answer, text: "x".repeat(1_000_000) } };
    const small = codecOf({ maxEntryBytes: 100_000 });
    for (const compression of Object.values(compressions)) {
      const bytes = await encoded(codecOf({ compression }), "key", bomb);
      expect(await small.decode("key", entry.owner, bytes)).toBe("UNREADABLE");
    }
  });

  it("is written without compression when the compressor fails, and that is reported", async () => {
    const fail = (): never => {
      throw new Error("broken");
    };
    const broken: Compressor[] = [
      { ...reversed, compressSync: fail },
      { ...reversed, compress: async () => fail() },
    ];
    const short = { ...entry, answer: { ...entry.answer, text: "short" } };
    for (const compressor of broken) {
      const errors: unknown[] = [];
      const codec = codecOf({ compression: framed(compressor) });
      const bytes = await codec.encode("key", short, (error) => errors.push(error));
      expect(errors).toEqual([new Error("broken")]);
      expect(plain.decode("key", entry.owner, bytes as Uint8Array)).toEqual(short);
    }
  });
});

describe("an envelope with a right digest", () => {
  const good = [
    "value",
    200,
    [["a", "b"]],
    "check",
    1,
    2,
    3,
    4,
    5,
    "/chat/m/",
    "owner",
    "m",
    { inputTokens: 1, outputTokens: 2 },
    { t: 1 },
    0,
  ];

  /** The bytes of an entry as somebody would write them who knows the layout, digest and all. */
  function forged(details: unknown, length?: number): Buffer {
    const json = Buffer.from(typeof details === "string" ? details : JSON.stringify(details));
    const size = Buffer.alloc(4);
    size.writeUInt32BE(length ?? json.length);
    const body = Buffer.concat([size, json, Buffer.from("text")]);
    const frame = Buffer.concat([Buffer.alloc(6), body]);
    frame.writeUInt32BE(body.length, 2);
    const prefix = Buffer.from("BWC\u0002\u0000");
    const bound = Buffer.concat([prefix, Buffer.from("3:5:keyowner"), frame]);
    return Buffer.concat([prefix, hash("sha256", bound, "buffer"), frame]);
  }

  it("is read when its fields are right", () => {
    expect(codecOf().decode("key", "owner", forged(good))).toMatchObject({ answer: { text: "text" }, model: "m" });
  });

  it("is none when a field is wrong", () => {
    const wrong: readonly (readonly [field: number, value: unknown])[] = [
      [0, "other"],
      [1, "200"],
      [1, -1],
      [2, {}],
      [2, [["a"]]],
      [2, [["a", 1]]],
      [3, 1],
      [4, "1"],
      [5, null],
      [6, null],
      [7, -1],
      [8, "1"],
      [9, null],
      [10, "somebody else"],
      [10, 1],
      [11, 1],
      [12, 0],
      [12, { inputTokens: 1 }],
      [12, { inputTokens: 1, outputTokens: 2, other: 3 }],
      [13, []],
      [13, { t: 1.5 }],
      [13, { t: "1" }],
      [14, -1],
    ];
    for (const [field, value] of wrong) {
      expect(codecOf().decode("key", "owner", forged(good.with(field, value as string)))).toBe("DAMAGED");
    }
    for (const details of ["", "null", "{}", "[", "1", good.slice(1), [...good, 1]]) {
      expect(codecOf().decode("key", "owner", forged(details))).toBe("DAMAGED");
    }
    expect(codecOf().decode("key", "owner", forged(good, 2 ** 32 - 1))).toBe("DAMAGED");
  });
});
