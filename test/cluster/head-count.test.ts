import { describe, expect, it } from "vitest";
import { HeadCount } from "../../src/cluster/head-count.ts";

const KEPT_MS = 25_000;

describe("the number of processes", () => {
  it("is the one expected until something is told, and nothing that makes no sense is", () => {
    const heads = new HeadCount(4, KEPT_MS);
    heads.heard(Number.NaN, 1, 0);
    heads.answered(0, 1, 0, 0);
    expect([heads.count, heads.most(0)]).toEqual([4, 4]);
    heads.answered(6, 1, 0, 0);
    expect([heads.count, heads.most(0)]).toEqual([6, 6]);
  });

  it("is the latest by the time of the server, whichever way it came", () => {
    const heads = new HeadCount(1, KEPT_MS);
    const askedAt = heads.countedAt;
    heads.heard(3, 200, 0);
    heads.answered(2, 100, askedAt, 0);
    expect(heads.count).toBe(3);
    heads.heard(4, 150, 0);
    expect(heads.count).toBe(3);
  });

  it("is what a server answers whose clock is behind", () => {
    const heads = new HeadCount(1, KEPT_MS);
    heads.heard(8, 1_000_000, 0);
    heads.heard(1, 5_000, 0);
    expect(heads.count).toBe(8);
    heads.answered(2, 6_000, heads.countedAt, 0);
    expect(heads.count).toBe(2);
    heads.heard(3, 7_000, 0);
    expect(heads.count).toBe(3);
  });

  it("counts those who are gone among the most for as long as one counts without a sign of life", () => {
    const heads = new HeadCount(1, KEPT_MS);
    heads.heard(8, 1, 0);
    heads.heard(2, 2, 1_000);
    heads.heard(5, 3, 2_000);
    expect([heads.count, heads.most(2_000)]).toEqual([5, 8]);
    expect(heads.most(1_000 + KEPT_MS - 1)).toBe(8);
    expect(heads.most(1_000 + KEPT_MS)).toBe(5);
    heads.heard(9, 4, 3_000);
    expect(heads.most(3_000)).toBe(9);
    expect(heads.most(1e9)).toBe(9);
  });
});
