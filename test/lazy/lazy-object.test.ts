import { describe, expect, expectTypeOf, it } from "vitest";
import { OptionError } from "../../src/index.ts";
import { lazy, lazyFunction, lazyObject, partsOf, preloadAll } from "../../src/lazy/index.ts";

function setUp() {
  const loads: string[] = [];
  const noting = <T>(name: string, value: T) => {
    return async (): Promise<T> => {
      loads.push(name);
      return value;
    };
  };
  return { loads, noting };
}

describe("a lazy function", () => {
  it("loads its implementation at the first call, and passes this and arguments", async () => {
    const { loads, noting } = setUp();
    const format = lazyFunction(
      noting("format", function (this: { unit: string }, amount: number) {
        return `${amount} ${this.unit}`;
      }),
    );
    const shop = { unit: "euro", format };
    expect(loads).toEqual([]);
    expect([await shop.format(1), await shop.format(2)]).toEqual(["1 euro", "2 euro"]);
    expect(loads).toEqual(["format"]);
    expectTypeOf(shop.format).returns.toEqualTypeOf<Promise<string>>();
  });

  it("fails as its loader or its implementation does", async () => {
    const missing = lazyFunction(async (): Promise<() => number> => {
      throw new Error("no such module");
    });
    const failing = lazyFunction(async () => () => {
      throw new Error("bad input");
    });
    await expect(missing()).rejects.toThrow("no such module");
    await expect(failing()).rejects.toThrow("bad input");
  });
});

describe("a lazy object", () => {
  it("loads each member at its first use", async () => {
    const { loads, noting } = setUp();
    const tools = lazyObject({
      prices: noting("prices", { tea: 3 }),
      encoder: lazy(noting("encoder", (text: string) => text.length)),
      parse: lazyFunction(noting("parse", (text: string) => Number(text))),
      plain: () => "not a promise",
    });
    expect(loads).toEqual([]);
    expect((await tools.prices).tea).toBe(3);
    expect([await tools.prices, (await tools.encoder)("four")]).toEqual([{ tea: 3 }, 4]);
    expect([await tools.parse("42"), await tools.plain]).toEqual([42, "not a promise"]);
    expect(loads).toEqual(["prices", "encoder", "parse"]);
    expectTypeOf(tools.prices).toEqualTypeOf<Promise<{ tea: number }>>();
    expectTypeOf(tools.encoder).toEqualTypeOf<Promise<(text: string) => number>>();
    expectTypeOf(tools.parse).returns.toEqualTypeOf<Promise<number>>();
    expectTypeOf(tools.plain).toEqualTypeOf<Promise<string>>();
  });

  it("loads nothing when it is printed, copied or serialised", () => {
    const { loads, noting } = setUp();
    const tools = lazyObject({ prices: noting("prices", 1) });
    expect([JSON.stringify(tools), { ...tools }, Object.keys(tools)]).toEqual(["{}", {}, []]);
    expect(loads).toEqual([]);
  });

  it("shows its parts, which can be preloaded and cleared", async () => {
    const { loads, noting } = setUp();
    const tools = lazyObject({ a: noting("a", 1), parse: lazyFunction(noting("parse", () => 2)) });
    const parts = partsOf(tools);
    expect(await preloadAll(Object.values(parts))).toEqual({ loaded: 2, errors: [] });
    expect([parts["a"]?.value, loads]).toEqual([1, ["a", "parse"]]);
    parts["a"]?.clear();
    await tools.a;
    expect(loads).toEqual(["a", "parse", "a"]);
    expect(() => partsOf({})).toThrow(OptionError);
  });

  it("disposes of what it made, and of nothing that was given to it", async () => {
    const given = lazy(() => 1);
    let tools = lazyObject({ made: () => 2, given });
    {
      using scoped = tools;
      tools = scoped;
    }
    await expect(tools.made).rejects.toThrow("disposed");
    expect(await tools.given).toBe(1);
  });

  it("refuses what is no member", () => {
    expect(() => lazyObject({ a: 1 as unknown as () => number })).toThrow('"lazyObject.a"');
  });
});
