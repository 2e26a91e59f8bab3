import { hash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Entry } from "../../../src/core/index.ts";
import { decodeEntry, encodeEntry } from "../../../src/policies/cache/envelope.ts";

const count = fc.nat(1e9);
const entry: fc.Arbitrary<Entry> = fc.record({
  answer: fc.record({
    form: fc.constantFrom("value" as const, "events" as const),
    text: fc.string({ unit: "grapheme", maxLength: 200 }),
    head: fc.record({ status: count, headers: fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 3 }) }),
  }),
  check: fc.string(),
  createdAt: fc.double({ noNaN: true, noDefaultInfinity: true }).map((time) => time + 0),
  expiresAt: fc.double({ noNaN: true, noDefaultInfinity: true }).map((time) => time + 0),
  model: fc.option(fc.string(), { nil: undefined }),
  usage: fc.option(fc.record({ inputTokens: count, outputTokens: count, reasoningTokens: count }), { nil: undefined }),
  tags: fc.dictionary(fc.string(), count),
});

function encoded(key: string, value: Entry): Uint8Array {
  const bytes = encodeEntry(key, value);
  if (bytes === undefined) throw new Error("not encoded");
  return bytes;
}

/** The bytes of a header as somebody would write them who knows the layout, digest and all. */
function forged(key: string, header: unknown, text: string, length?: number): Buffer {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const size = Buffer.alloc(4);
  size.writeUInt32BE(length ?? json.length);
  const rest = Buffer.concat([size, json, Buffer.from(text)]);
  const digest = hash("sha256", Buffer.concat([Buffer.from(`${key}\n`), rest]), "buffer");
  return Buffer.concat([Buffer.from("BWC\u0001"), digest, rest]);
}

describe("the envelope of an entry", () => {
  it("gives back exactly what was put in", () => {
    fc.assert(
      fc.property(fc.string(), entry, (key, value) => {
        expect(decodeEntry(key, encoded(key, value))).toEqual(value);
      }),
    );
  });

  it("gives nothing for any other bytes, and never throws", () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array({ maxLength: 300 }), fc.boolean(), (key, bytes, begunWell) => {
        const tried = begunWell ? Buffer.concat([Buffer.from("BWC\u0001"), bytes]) : bytes;
        expect(decodeEntry(key, tried)).toBeUndefined();
      }),
      { numRuns: 10_000 },
    );
  });

  it("gives nothing when a single bit is wrong, wherever it is", () => {
    fc.assert(
      fc.property(entry, fc.nat(), fc.nat(7), (value, place, bit) => {
        const bytes = encoded("key", value);
        const at = place % bytes.length;
        bytes[at] = (bytes[at] as number) ^ (1 << bit);
        expect(decodeEntry("key", bytes)).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });

  it("gives nothing when bytes are missing or too many", () => {
    fc.assert(
      fc.property(entry, fc.nat(), (value, length) => {
        const bytes = encoded("key", value);
        expect(decodeEntry("key", bytes.subarray(0, length % bytes.length))).toBeUndefined();
        expect(decodeEntry("key", Buffer.concat([bytes, Buffer.from("x")]))).toBeUndefined();
      }),
    );
  });

  it("gives nothing under another key", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), entry, (key, other, value) => {
        fc.pre(key !== other && key.isWellFormed() && other.isWellFormed());
        expect(decodeEntry(other, encoded(key, value))).toBeUndefined();
      }),
    );
  });

  it("gives nothing for a header that is not one, though its digest is right", () => {
    const good = {
      form: "value",
      status: 200,
      headers: [["a", "b"]],
      check: "c",
      createdAt: 1,
      expiresAt: 2,
      model: "m",
      usage: { inputTokens: 1, outputTokens: 2 },
      tags: { t: 1 },
    };
    expect(decodeEntry("key", forged("key", good, "text"))).toMatchObject({ answer: { text: "text" }, model: "m" });
    const wrong: object[] = [
      { form: "other" },
      { status: "200" },
      { status: -1 },
      { headers: {} },
      { headers: [["a"]] },
      { headers: [["a", 1]] },
      { check: 1 },
      { createdAt: "1" },
      { expiresAt: null },
      { model: 1 },
      { usage: null },
      { usage: { inputTokens: 1 } },
      { usage: { inputTokens: 1, outputTokens: 2, other: 3 } },
      { tags: [] },
      { tags: { t: 1.5 } },
      { tags: { t: "1" } },
    ];
    for (const part of wrong) expect(decodeEntry("key", forged("key", { ...good, ...part }, "text"))).toBeUndefined();
    for (const key of Object.keys(good).filter((name) => name !== "model" && name !== "usage")) {
      expect(decodeEntry("key", forged("key", { ...good, [key]: undefined }, "text"))).toBeUndefined();
    }
    for (const header of ["", "null", "[]", "{", "1"]) {
      expect(decodeEntry("key", forged("key", header, "text"))).toBeUndefined();
    }
    expect(decodeEntry("key", forged("key", good, "text", 2 ** 32 - 1))).toBeUndefined();
  });

  it("does not take a text that UTF-8 cannot hold", () => {
    const [value] = fc.sample(entry, 1) as [Entry];
    expect(encodeEntry("key", { ...value, answer: { ...value.answer, text: "\ud800" } })).toBeUndefined();
  });
});
