import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_SCOPE, NO_DIRECTIVES, OptionError, resolveScope, type Scope } from "../../src/core/index.ts";

const read = (cache: Scope["cache"], ...outer: Scope["cache"][]) => {
  const around = outer.reduce((scope, one) => resolveScope({ cache: one }, scope), DEFAULT_SCOPE);
  const { cache: mode, directives } = resolveScope({ cache }, around);
  return { mode, ...Object.fromEntries(Object.entries(directives).filter(([, value]) => value !== undefined)) };
};

describe("what a call wants of the cache", () => {
  it("may be a mode", () => {
    for (const mode of ["default", "refresh", "no-store", "bypass", "only-if-cached"] as const) {
      expect(read(mode)).toEqual({ mode });
    }
  });

  it("may be directives, in any unit of time", () => {
    expect(
      read({
        mode: "no-store",
        maxAge: "1m",
        minFresh: 500,
        maxStale: "1h",
        staleWhileRevalidate: "2s",
        staleIfError: "1d",
        variants: 3,
      }),
    ).toEqual({
      mode: "no-store",
      maxAgeMs: 60_000,
      minFreshMs: 500,
      maxStaleMs: 3_600_000,
      staleWhileRevalidateMs: 2000,
      staleIfErrorMs: 86_400_000,
      variants: 3,
    });
  });

  it.each([
    ["max-age=60, stale-if-error=300", { mode: "default", maxAgeMs: 60_000, staleIfErrorMs: 300_000 }],
    ['MAX-AGE="60" ,, Min-Fresh=5', { mode: "default", maxAgeMs: 60_000, minFreshMs: 5000 }],
    ["max-stale=10", { mode: "default", maxStaleMs: 10_000 }],
    ["max-stale", { mode: "default", maxStaleMs: Number.MAX_SAFE_INTEGER }],
    ["stale-while-revalidate=0", { mode: "default", staleWhileRevalidateMs: 0 }],
    ["no-cache", { mode: "refresh" }],
    ["No-Store", { mode: "no-store" }],
    ["no-cache, no-store", { mode: "bypass" }],
    ["only-if-cached, max-stale=600", { mode: "only-if-cached", maxStaleMs: 600_000 }],
    ["only-if-cached, no-store", { mode: "only-if-cached" }],
    ["no-transform", { mode: "default" }],
  ])("may be the request header %s", (header, expected) => {
    expect(read(header)).toEqual(expected);
  });

  it("says the same in all three forms", () => {
    const seconds = fc.option(fc.integer({ min: 0, max: 10 ** 6 }), { nil: undefined });
    const names = {
      maxAge: "max-age",
      minFresh: "min-fresh",
      maxStale: "max-stale",
      staleWhileRevalidate: "stale-while-revalidate",
      staleIfError: "stale-if-error",
    } as const;
    const times = fc.record({
      maxAge: seconds,
      minFresh: seconds,
      maxStale: seconds,
      staleWhileRevalidate: seconds,
      staleIfError: seconds,
    });
    fc.assert(
      fc.property(times, fc.constantFrom("refresh", "no-store", "bypass", "only-if-cached"), (given, mode) => {
        const told = Object.entries(given).filter(([, value]) => value !== undefined) as [keyof typeof names, number][];
        const word = { refresh: "no-cache", bypass: "no-store, no-cache" }[mode as string] ?? mode;
        const header = [word, ...told.map(([name, value]) => `${names[name]}=${value}`)].join(", ");
        const asObject = { mode, ...Object.fromEntries(told.map(([name, value]) => [name, value * 1000])) } as const;
        expect(read(header)).toEqual(read(asObject));
      }),
    );
  });

  it("takes what it does not name from the scope around it", () => {
    expect(read({ maxAge: "1s" }, "refresh")).toEqual({ mode: "refresh", maxAgeMs: 1000 });
    expect(read("default", { mode: "refresh", maxAge: "1s" })).toEqual({ mode: "default", maxAgeMs: 1000 });
    expect(read("max-stale=1", { staleIfError: "1m" }, "no-store")).toEqual({
      mode: "no-store",
      maxStaleMs: 1000,
      staleIfErrorMs: 60_000,
    });
    expect(read({ maxAge: "2s" }, { maxAge: "1s" })).toEqual({ mode: "default", maxAgeMs: 2000 });
    expect(resolveScope({ priority: "high" }).directives).toBe(NO_DIRECTIVES);
  });

  it.each([
    ["", /scope\.cache.*Cache-Control/],
    ["fresh", /scope\.cache/],
    ["max-age", /scope\.cache/],
    ["max-age=1.5", /scope\.cache/],
    ["max-age=-1", /scope\.cache/],
    ["max-age=60s", /scope\.cache/],
    [`max-age=${"9".repeat(30)}`, /scope\.cache/],
    ["max-age=1, max-age=2", /scope\.cache/],
    ["no-cache=x", /scope\.cache/],
    ["no-store=1", /scope\.cache/],
    ["private", /scope\.cache/],
    ["constructor", /scope\.cache/],
    ["only-if-cached, no-cache", /scope\.cache/],
    [{ mode: "fresh" }, /scope\.cache\.mode/],
    [{ maxAge: -1 }, /scope\.cache\.maxAge/],
    [{ maxage: 1 }, /scope\.cache\.maxage/],
    [{ minFresh: "soon" }, /scope\.cache\.minFresh/],
    [{ variants: 0 }, /scope\.cache\.variants/],
    [{ variants: 101 }, /scope\.cache\.variants/],
    [42, /scope\.cache/],
    [null, /scope\.cache/],
  ])("is refused by name when it is %o", (value, message) => {
    const wrong = (): unknown => resolveScope({ cache: value } as Scope);
    expect(wrong).toThrow(OptionError);
    expect(wrong).toThrow(message);
  });
});
