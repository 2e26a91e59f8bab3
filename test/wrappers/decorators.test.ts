import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOptimizer } from "../../src/index.ts";
import type { classesOn as ClassesOn } from "./decorated.ts";

let classesOn: typeof ClassesOn;
const directory = mkdtempSync(join(tmpdir(), "breakwater-decorators-"));

beforeAll(async () => {
  const outfile = join(directory, "decorated.mjs");
  const entry = join(import.meta.dirname, "decorated.ts");
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "es2022",
    tsconfigRaw: {},
    logLevel: "error",
  });
  ({ classesOn } = (await import(outfile)) as { classesOn: typeof ClassesOn });
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function setUp() {
  const optimizer = createOptimizer({ environment: {}, monitor: false });
  return { optimizer, ...classesOn(optimizer) };
}

describe("a decorated method", () => {
  it("is answered from the cache and keeps its this", async () => {
    const { optimizer, Prices } = setUp();
    const prices = new Prices(3);
    expect(await prices.priceOf("tea")).toEqual({ id: "tea", cents: 300 });
    expect(await prices.priceOf("tea")).toEqual({ id: "tea", cents: 300 });
    expect(prices.loads).toBe(1);
    await optimizer.close();
  });

  it("shares its entries with other instances, unless the key tells them apart", async () => {
    const { optimizer, Prices } = setUp();
    const [one, other] = [new Prices(1), new Prices(2)];
    expect([(await one.priceOf("tea")).cents, (await other.priceOf("tea")).cents]).toEqual([100, 100]);
    expect([await one.ownPriceOf("tea"), await other.ownPriceOf("tea")]).toEqual([3, 6]);
    await optimizer.close();
  });

  it("may be static or private", async () => {
    const { optimizer, Prices } = setUp();
    expect([await Prices.currency("nz"), await Prices.currency("nz"), Prices.loads]).toEqual([
      "nz-dollar",
      "nz-dollar",
      1,
    ]);
    const prices = new Prices(1);
    expect([await prices.secret("a"), await prices.secret("a"), prices.loads]).toEqual(["a!", "a!", 1]);
    await optimizer.close();
  });

  it("has entries of its own beside the same method of another class", async () => {
    const { optimizer, Prices, Costs } = setUp();
    const [prices, costs] = [new Prices(1), new Costs()];
    await prices.secret("a");
    await costs.secret("a");
    expect([prices.loads, costs.loads]).toEqual([1, 1]);
    await optimizer.close();
  });

  it("makes entries stale where it changes what they tell", async () => {
    const { optimizer, Prices } = setUp();
    const prices = new Prices(1);
    await prices.priceOf("tea");
    await prices.priceOf("milk");
    await prices.setPrice("tea", 5);
    await prices.priceOf("tea");
    await prices.priceOf("milk");
    expect(prices.loads).toBe(3);
    await optimizer.close();
  });
});
