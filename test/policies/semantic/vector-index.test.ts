import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/core/index.ts";
import { exactIndex } from "../../../src/policies/semantic/index.ts";
import { cosine, dot, unitVector } from "../../../src/policies/semantic/unit-vector.ts";

const vectorOf = (numbers: number[]): Float32Array => unitVector(numbers) ?? new Float32Array(numbers.length);
const coordinates = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 5, maxLength: 5 });

describe("the exact index", () => {
  it("finds what looking at every vector finds, through any additions and removals", async () => {
    const change = fc.record({
      partition: fc.constantFrom("a", "b"),
      id: fc.integer({ min: 0, max: 12 }).map(String),
      numbers: fc.option(coordinates, { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 60 }), coordinates, async (changes, wanted) => {
        const index = exactIndex();
        const kept = { a: new Map<string, Float32Array>(), b: new Map<string, Float32Array>() };
        for (const { partition, id, numbers } of changes) {
          const map = kept[partition as "a" | "b"];
          if (numbers === undefined) {
            map.delete(id);
            await index.delete(partition, id);
          } else {
            map.set(id, vectorOf(numbers));
            await index.add(partition, id, vectorOf(numbers));
          }
        }
        const query = vectorOf(wanted);
        for (const partition of ["a", "b"] as const) {
          const found = await index.search(partition, query, 3);
          const expected = [...kept[partition].values()].map((vector) => dot(query, vector)).sort((a, b) => b - a);
          const similarities = found.map((id) => dot(query, kept[partition].get(id) ?? new Float32Array(5)));
          expect(similarities).toEqual(expected.slice(0, 3));
          expect(new Set(found).size).toBe(found.length);
        }
      }),
    );
  });

  it("knows nothing of a partition that nobody named", () => {
    const index = exactIndex();
    index.add("a", "one", vectorOf([1, 0]));
    expect(index.search("b", vectorOf([1, 0]), 4)).toEqual([]);
  });

  it("passes over vectors of another space", () => {
    const index = exactIndex();
    index.add("a", "one", vectorOf([1, 0, 0]));
    expect(index.search("a", vectorOf([1, 0]), 4)).toEqual([]);
  });

  it("lets others have their turn while it searches many, and misses none", async () => {
    const random = seededRandom(1);
    const index = exactIndex();
    const rows = 12_000;
    for (let row = 0; row < rows; row++) {
      index.add("a", String(row), vectorOf(Array.from({ length: 200 }, () => random() - 0.5)));
    }
    const last = vectorOf(Array.from({ length: 200 }, (_, at) => (at === 0 ? 1 : 0)));
    index.add("a", "last", last);
    let turns = 0;
    let searching = true;
    const count = (): void => {
      turns++;
      if (searching) setImmediate(count);
    };
    setImmediate(count);
    const found = await index.search("a", last, 1);
    searching = false;
    expect(found).toEqual(["last"]);
    expect(turns).toBeGreaterThanOrEqual(2);
  });
});

describe("a vector", () => {
  it.each([
    ["none", undefined],
    ["an empty one", []],
    ["zeros", [0, 0]],
    ["NaN", [Number.NaN, 1]],
    ["infinity", [Number.POSITIVE_INFINITY]],
    ["text", "vector"],
    ["too long a one", new Float32Array(20_000).fill(1)],
  ])("is refused: %s", (_name, value) => {
    expect(unitVector(value)).toBeUndefined();
  });

  it("has the cosine of the angle to another, whatever their lengths", () => {
    expect(cosine(vectorOf([3, 4]), vectorOf([30, 40]))).toBeCloseTo(1);
    expect(cosine(vectorOf([1, 0]), vectorOf([0, 5]))).toBeCloseTo(0);
    expect(cosine(vectorOf([1, 0]), vectorOf([-2, 0]))).toBeCloseTo(-1);
    expect(cosine(vectorOf([1, 0]), vectorOf([1, 0, 0]))).toBe(-1);
  });
});
