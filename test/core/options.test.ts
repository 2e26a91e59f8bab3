import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  booleanOf,
  byteCount,
  durationMs,
  functionOf,
  integerIn,
  knownKeys,
  numberIn,
  OptionError,
  oneOf,
  priorityLevel,
  resolveScope,
  tagList,
  textOf,
} from "../../src/core/index.ts";

describe("durations", () => {
  it.each([
    [250, 250],
    ["250ms", 250],
    ["30s", 30_000],
    ["5m", 300_000],
    ["1.5h", 5_400_000],
    ["7d", 604_800_000],
  ])("reads %s", (value, ms) => {
    expect(durationMs("ttl", value)).toBe(ms);
  });

  it.each([
    ["1 fortnight"],
    [""],
    ["10"],
    ["-5s"],
    [-1],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [null],
    [{}],
    [true],
    ["1e3s"],
  ])("refuses %s and says what it takes", (value) => {
    expect(() => durationMs("cache.ttl", value)).toThrowError(/"cache\.ttl".*accepts milliseconds as a number/);
  });

  it("names the range", () => {
    expect(() => durationMs("pool.wait", 0, { min: 1, max: 60_000 })).toThrowError(
      /at least 1 ms and at most 60000 ms/,
    );
  });

  it("reads every unit to the value that the number times the unit has", () => {
    const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000 }),
        fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[])),
        (n, unit) => {
          expect(durationMs("x", `${n}${unit}`)).toBe(n * units[unit]);
        },
      ),
    );
  });
});

describe("bytes", () => {
  it.each([
    [1024, 1024],
    ["512kb", 524_288],
    ["256MB", 268_435_456],
    ["1gb", 1_073_741_824],
  ])("reads %s", (value, bytes) => {
    expect(byteCount("maxBytes", value)).toBe(bytes);
  });

  it.each([["1tb"], ["mb"], [-1], [undefined], [[]]])("refuses %s", (value) => {
    expect(() => byteCount("maxBytes", value)).toThrowError(OptionError);
  });
});

describe("other values", () => {
  it("refuses what is no number in range, no whole number, no boolean, no function, no text, no listed word", () => {
    expect(() => numberIn("rate", 1.1, 0, 1)).toThrowError(/a number from 0 to 1/);
    expect(() => numberIn("rate", "0.5", 0, 1)).toThrowError(OptionError);
    expect(() => integerIn("n", 1.5, 1)).toThrowError(/a whole number of at least 1/);
    expect(() => integerIn("n", 11, 1, 10)).toThrowError(/from 1 to 10/);
    expect(() => booleanOf("on", 1)).toThrowError(/true or false/);
    expect(() => functionOf("fn", 3 as unknown as () => void)).toThrowError(/a function/);
    expect(() => textOf("client", "")).toThrowError(/text of 1 to 256 characters/);
    expect(() => oneOf("mode", "fast", ["slow", "steady"])).toThrowError(/one of "slow", "steady"/);
  });

  it("finds misspelt keys and lists the right ones", () => {
    expect(() => knownKeys("cache", { tll: 5 }, ["ttl", "tiers"])).toThrowError(
      /"cache\.tll".*known here are ttl, tiers/,
    );
    expect(() => knownKeys("cache", [], ["ttl"])).toThrowError(/an object with the keys ttl/);
    expect(() => knownKeys("cache", null, ["ttl"])).toThrowError(OptionError);
    expect(() => knownKeys("cache", new Map(), ["ttl"])).toThrowError(/an instance of Map/);
  });

  it("never repeats the values of an object, which may be secrets", () => {
    expect(() => durationMs("ttl", { apiKey: "sk-secret" })).toThrowError(/^(?!.*sk-secret)/);
  });
});

describe("scopes", () => {
  it("reads names and numbers of priority", () => {
    expect(priorityLevel("priority", "critical")).toBe(1);
    expect(priorityLevel("priority", "background")).toBe(9);
    expect(priorityLevel("priority", 0)).toBe(0);
  });

  it.each([[10], [-1], [1.5], ["urgent"], ["toString"], [null]])("refuses the priority %s", (value) => {
    expect(() => priorityLevel("scope.priority", value)).toThrowError(/0 \(first\) to 9 \(last\) or one of critical/);
  });

  it("takes from the outer scope what the inner leaves out", () => {
    const outer = resolveScope({ client: "a", priority: "high", tags: ["t"] });
    expect(resolveScope({ ttl: "1m" }, outer)).toEqual({ ...outer, ttlMs: 60_000 });
    expect(resolveScope({ client: "b" }, outer).client).toBe("b");
  });

  it.each([
    [{ priority: "now" }],
    [{ client: "" }],
    [{ client: 5 }],
    [{ tags: "faq" }],
    [{ tags: [""] }],
    [{ tags: Array.from({ length: 33 }, String) }],
    [{ ttl: "soon" }],
    [{ ttl: 0 }],
    [{ deadline: -1 }],
    [{ cache: "yes" }],
    [{ prio: "high" }],
    [undefined],
    ["high"],
  ])("refuses %j", (scope) => {
    expect(() => resolveScope(scope as never)).toThrowError(OptionError);
  });

  it("names the tag that is wrong", () => {
    expect(() => tagList("tags", ["ok", 3])).toThrowError(/"tags\[1\]"/);
  });
});
