import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError, seededRandom } from "../../src/core/index.ts";
import { ratioInterval } from "../../src/lab/bootstrap.ts";
import {
  type CacheRequest,
  formatSimulation,
  plotSimulation,
  simulateCache,
  syntheticTrace,
} from "../../src/lab/index.ts";
import { fifo, gdsf, lfu, lru, s3fifo, sieve, size, ttl, wTinyLfu } from "../../src/stores/eviction/index.ts";

const request = (key: string, details: Partial<CacheRequest> = {}): CacheRequest => ({
  key,
  bytes: 10,
  cost: 1,
  ...details,
});

describe("the simulation of a cache", () => {
  it("counts by hand what a small cache answers", () => {
    const trace = [
      request("a", { cost: 3, tookMs: 100, owner: "x" }),
      request("b", { bytes: 20, cost: 1, tookMs: 300, owner: "y" }),
      request("a", { cost: 3, tookMs: 100, owner: "x" }),
      request("c", { cost: 5, tookMs: 100, owner: "x" }),
      request("b", { bytes: 20, cost: 1, tookMs: 300, owner: "y" }),
    ];
    const { runs, ceiling, ...counts } = simulateCache(trace, { policies: [lru()], sizes: [0.75, "40b"] });
    expect(counts).toEqual({ requests: 5, keys: 3, owners: 2, footprintBytes: 40 });
    // Thirty bytes hold a and b, then c takes the place of b.
    expect(runs[0]).toMatchObject({ policy: "lru", size: 0.75, bytes: 30, hitRatio: 1 / 5, byteHitRatio: 10 / 70 });
    expect(runs[0]?.costSaved).toBeCloseTo(3 / 13);
    expect(runs[0]?.latencySaved).toBeCloseTo(100 / 900);
    expect(runs[1]).toMatchObject({ size: 1, bytes: 40, hitRatio: 2 / 5 });
    expect(ceiling).toMatchObject({
      hitRatio: 2 / 5,
      byteHitRatio: 30 / 70,
      costSaved: 4 / 13,
      latencySaved: 400 / 900,
    });
  });

  it("answers as a list that is searched from end to end does", () => {
    const trace = fc.array(fc.nat(12), { maxLength: 200, size: "max" });
    fc.assert(
      fc.property(trace, fc.integer({ min: 1, max: 10 }), (keys, room) => {
        let list: number[] = [];
        let hits = 0;
        for (const key of keys) {
          if (list.includes(key)) hits++;
          list = [...list.filter((each) => each !== key), key].slice(-room);
        }
        const requests = keys.map((key) => request(String(key), { bytes: 2 }));
        const { runs } = simulateCache(requests, { policies: [lru()], sizes: [room * 2] });
        expect(runs[0]?.hitRatio).toBeCloseTo(keys.length === 0 ? 0 : hits / keys.length);
      }),
    );
  });

  it("forgets what has expired, and makes room of it before anything else", () => {
    const trace = [
      request("short", { at: 0, ttlMs: 100 }),
      request("long", { at: 0, ttlMs: 10_000 }),
      request("short", { at: 99, ttlMs: 100 }),
      request("new", { at: 100, ttlMs: 10_000 }),
      request("long", { at: 101, ttlMs: 10_000 }),
      request("short", { at: 102, ttlMs: 100 }),
    ];
    const at = (bytes: number) => simulateCache(trace, { policies: [lru()], sizes: [bytes] }).runs[0]?.hitRatio;
    expect(at(20)).toBeCloseTo(2 / 6);
    expect(at(1000)).toBeCloseTo(2 / 6);
  });

  it("gives no policy more than a cache without bounds, and more room never takes hits from LRU", () => {
    const policies = [fifo(), gdsf(), gdsf({ weight: "latency" }), gdsf({ weight: 1 }), lfu(), lru(), s3fifo()];
    const trace = syntheticTrace({ requests: 5000, questions: 400, seed: 3 });
    const all = [...policies, sieve(), size(), ttl(), wTinyLfu()];
    const { runs, ceiling } = simulateCache(trace, { policies: all });
    expect(runs.length).toBe(all.length * 8);
    for (const run of runs) {
      for (const share of ["hitRatio", "byteHitRatio", "costSaved", "latencySaved"] as const) {
        expect(run[share]).toBeGreaterThanOrEqual(0);
        expect(run[share]).toBeLessThanOrEqual(ceiling[share] as number);
      }
      const [low = Number.NaN, high = Number.NaN] = run.costSavedInterval ?? [];
      expect(low).toBeLessThanOrEqual(run.costSaved);
      expect(high).toBeGreaterThanOrEqual(run.costSaved);
    }
    const hits = runs.filter(({ policy }) => policy === "lru").map(({ hitRatio }) => hitRatio);
    expect(hits).toEqual(hits.toSorted((a, b) => a - b));
  });

  it("finds that the default saves more money than LRU, and for hits is no worse than others", () => {
    for (const options of [{ oneHitShare: 0.6 }, { driftEvery: 40 }, { dearShare: 0 }]) {
      const trace = syntheticTrace({ requests: 30_000, questions: 5000, ...options });
      const policies = [lru(), sieve(), s3fifo(), gdsf(), gdsf({ weight: 1 })];
      const { runs } = simulateCache(trace, { policies, sizes: [0.01, 0.05, 0.1] });
      for (let at = 0; at < runs.length; at += policies.length) {
        const [least, two, three, ours, forHits] = runs.slice(at, at + policies.length).map((run) => run);
        expect(ours?.costSaved).toBeGreaterThan((least?.costSaved ?? 1) * 1.1);
        const best = Math.max(...[least, two, three].map((run) => run?.hitRatio ?? 1));
        expect(forHits?.hitRatio).toBeGreaterThan(best - 0.01);
      }
    }
  });

  it("gives the same for the same trace and seed", () => {
    const results = [1, 2].map(() => {
      const { runs } = simulateCache(syntheticTrace({ requests: 2000 }));
      return runs.map(({ opsPerSecond: _, ...run }) => run);
    });
    expect(results[0]).toEqual(results[1]);
  });

  it("takes traces of nothing", () => {
    const { ceiling, runs } = simulateCache([], { sizes: ["1kb"] });
    expect(ceiling).toEqual({ hitRatio: 0, byteHitRatio: 0, costSaved: 0, latencySaved: undefined });
    expect(formatSimulation({ requests: 0, keys: 0, owners: 0, footprintBytes: 0, ceiling, runs })).toContain("lru");
  });

  it("says which option or request is wrong", () => {
    expect(() => simulateCache([], { sizes: [0] })).toThrow("simulateCache.sizes[0]");
    expect(() => simulateCache([], { policies: [lru(), lru()] })).toThrow("simulateCache.policies");
    expect(() => simulateCache([], { policy: lru() } as never)).toThrow(OptionError);
    for (const wrong of [
      { bytes: 0 },
      { cost: -1 },
      { cost: Number.NaN },
      { tookMs: -1 },
      { at: Number.NaN },
      { ttlMs: 0 },
    ]) {
      const [field] = Object.keys(wrong);
      expect(() => simulateCache([request("a"), request("b", wrong)])).toThrow(`trace[1].${field}`);
    }
  });
});

describe("the interval by owners", () => {
  it("is nothing for one owner, a point for owners that are alike, and wide where one owner decides", () => {
    const of = (parts: number[], wholes: number[]) =>
      ratioInterval(Float64Array.from(parts), Float64Array.from(wholes), seededRandom(1));
    expect(of([1], [2])).toBeUndefined();
    expect(of([1, 1, 1], [2, 2, 2])).toEqual([0.5, 0.5]);
    const [low = 1, high = 0] = of([100, ...Array(9).fill(0)], Array(10).fill(100)) ?? [];
    expect([low, high]).toEqual([0, expect.toSatisfy((ratio) => ratio >= 0.2 && ratio <= 0.5)]);
  });
});

describe("what is shown of a simulation", () => {
  const simulation = simulateCache(syntheticTrace({ requests: 3000, questions: 300 }), { sizes: [0.01, 0.1] });

  it("is a table with a line for each policy and size, and the ceiling last", () => {
    const lines = formatSimulation(simulation).split("\n");
    expect(lines[0]).toMatch(/^3,000 requests, [\d,]+ keys, 50 owners, [\d,]+ bytes$/);
    expect(lines.length).toBe(2 + 8 + 1);
    expect(lines[2]).toMatch(/^ *1\.00 % {2}gdsf +\d+\.\d\d % .* to \d+\.\d\d %/);
    expect(lines.at(-1)).toContain("(no bound)");
  });

  it("is a chart of any of the savings, with the ceiling", () => {
    const svg = plotSimulation(simulation);
    expect(svg).toContain("<title>Cost saved by size of the cache</title>");
    for (const name of ["gdsf", "lru", "sieve", "s3fifo", "no bound"]) expect(svg).toContain(`>${name}</text>`);
    expect(plotSimulation(simulation, { of: "hitRatio", title: "Hits" })).toContain("<title>Hits</title>");
    expect(() => plotSimulation(simulation, { of: "hits" as never })).toThrow("plotSimulation.of");
  });
});
