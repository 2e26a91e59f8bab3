import { describe, expect, it } from "vitest";
import { FrequencySketch } from "../../src/stores/eviction/frequency-sketch.ts";
import { Ghosts } from "../../src/stores/eviction/ghosts.ts";
import { keyHash } from "../../src/stores/eviction/key-hash.ts";

const hashes = (count: number, from = "key"): number[] =>
  Array.from({ length: count }, (_, index) => keyHash(`${from} ${index}`));

describe("the hash of keys", () => {
  it("tells keys apart that differ in one character, in all its bits", () => {
    const all = hashes(10_000);
    expect(new Set(all).size).toBeGreaterThan(9990);
    for (let bit = 0; bit < 32; bit++) {
      const set = all.filter((hash) => (hash >>> bit) & 1).length;
      expect(Math.abs(set - 5000)).toBeLessThan(400);
    }
  });
});

describe("the memory of what went", () => {
  it("knows how often the last ones had been used, and nothing of others", () => {
    const ghosts = new Ghosts();
    const known = hashes(100);
    expect(ghosts.usesOf(known[0] as number, 1000)).toBe(0);
    for (const [index, hash] of known.entries()) ghosts.add(hash, index + 1, 100);
    expect(known.map((hash) => ghosts.usesOf(hash, 100))).toEqual(known.map((_, index) => index + 1));
    expect(hashes(1000, "other").filter((hash) => ghosts.usesOf(hash, 100) > 0)).toEqual([]);
  });

  it("reaches no further back than it is asked to", () => {
    const ghosts = new Ghosts();
    const known = hashes(50);
    for (const hash of known) ghosts.add(hash, 7, 50);
    expect(known.filter((hash) => ghosts.usesOf(hash, 10) === 7)).toEqual(known.slice(-10));
    expect(known.filter((hash) => ghosts.usesOf(hash, 0) > 0)).toEqual([]);
  });

  it("takes the last of several evictions of one key", () => {
    const ghosts = new Ghosts();
    for (const uses of [9, 3]) ghosts.add(1, uses, 10);
    expect(ghosts.usesOf(1, 10)).toBe(3);
  });

  it("keeps nearly all it has room for, and what it knew when it grows", () => {
    const ghosts = new Ghosts();
    const known = hashes(400);
    for (const hash of known) ghosts.add(hash, 1, 400);
    const more = hashes(20_000, "more");
    for (const hash of more) ghosts.add(hash, 2, 40_000);
    expect(more.filter((hash) => ghosts.usesOf(hash, 40_000) === 2).length).toBeGreaterThan(19_000);
    expect(known.filter((hash) => ghosts.usesOf(hash, 40_000) === 1).length).toBeGreaterThan(350);
  });

  it("counts uses up to 255", () => {
    const ghosts = new Ghosts();
    ghosts.add(1, 100_000, 1);
    expect(ghosts.usesOf(1, 1)).toBe(255);
  });
});

describe("the sketch of frequencies", () => {
  it("never counts too low, and seldom too high", () => {
    const sketch = new FrequencySketch();
    const all = hashes(200);
    for (const [index, hash] of all.entries()) for (let use = 0; use <= index % 4; use++) sketch.add(hash, 200);
    const wrong = all.map((hash, index) => sketch.usesOf(hash) - ((index % 4) + 1));
    expect(Math.min(...wrong)).toBe(0);
    expect(wrong.filter((more) => more > 0).length).toBeLessThan(20);
  });

  it("forgets by halves", () => {
    const sketch = new FrequencySketch();
    for (let use = 0; use < 12; use++) sketch.add(1, 1);
    for (const hash of hashes(628)) sketch.add(hash, 1);
    expect(sketch.usesOf(1)).toBeLessThan(12);
  });

  it("keeps its counts when it grows", () => {
    const sketch = new FrequencySketch();
    for (let use = 0; use < 5; use++) sketch.add(1, 1);
    sketch.add(2, 1000);
    expect(sketch.usesOf(1)).toBeGreaterThanOrEqual(5);
  });
});
