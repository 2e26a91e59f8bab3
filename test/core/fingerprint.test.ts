import { describe, expect, it } from "vitest";
import { canonical, fingerprintOf, seededRandom } from "../../src/core/index.ts";
import { changedInOneField, randomRequest, reordered } from "../support/requests.ts";

const PAIRS = 100_000;

describe("the fingerprint of a question", () => {
  it(`differs for ${PAIRS} pairs that differ in one field, in both digests`, () => {
    const random = seededRandom(7);
    let [keys, checks] = [0, 0];
    for (let pair = 0; pair < PAIRS; pair++) {
      const request = randomRequest(random);
      const [one, other] = [fingerprintOf(request), fingerprintOf(changedInOneField(request, random))];
      if (one.key === other.key) keys++;
      if (one.check === other.check) checks++;
    }
    expect({ keys, checks }).toEqual({ keys: 0, checks: 0 });
  });

  it("is the same whatever the order of keys and whichever members are undefined", () => {
    const random = seededRandom(8);
    for (let pair = 0; pair < 20_000; pair++) {
      const request = randomRequest(random);
      expect(fingerprintOf(reordered(request, random))).toEqual(fingerprintOf(request));
    }
  });

  it("is not that of a text made to look like the encoding of another value", () => {
    const values: unknown[] = [
      "",
      [],
      {},
      [""],
      ["a", "b"],
      ["ab"],
      { a: "b" },
      [{ a: "b" }],
      "a",
      0,
      "0",
      null,
      false,
    ];
    const lookalikes = values.map((value) => canonical(value));
    const all = [...values, ...lookalikes, ...lookalikes.map((text) => [text])];
    expect(new Set(all.map((value) => fingerprintOf(value).key)).size).toBe(all.length);
  });

  it("tells the two digests of one question apart", () => {
    const { key, check } = fingerprintOf("hi");
    expect(key).toMatch(/^[\w-]{43}$/);
    expect(check).toMatch(/^[\w-]{43}$/);
    expect(key).not.toBe(check);
  });
});
