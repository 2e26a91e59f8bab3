import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { canonical } from "../../src/core/index.ts";
import { createOptimizer, OptionError, seededRandom } from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { cached, invalidates } from "../../src/wrappers/index.ts";
import { keyMaterial } from "../../src/wrappers/key-material.ts";

function setUp() {
  const clock = new VirtualClock();
  const optimizer = createOptimizer({ clock, random: seededRandom(1), environment: {}, monitor: false });
  return { clock, optimizer };
}

/** A function that counts its calls. */
function counting<R>(answer: (...args: unknown[]) => R) {
  const calls: unknown[][] = [];
  const fn = async (...args: unknown[]): Promise<R> => {
    calls.push(args);
    return answer(...args);
  };
  return { fn, calls };
}

describe("a cached function", () => {
  it("is called once for equal arguments", async () => {
    const { optimizer } = setUp();
    const { fn, calls } = counting((id) => ({ id }));
    const load = cached(fn, { optimizer });
    expect(await load({ a: 1, b: [2] })).toEqual({ id: { a: 1, b: [2] } });
    expect(await load({ b: [2], a: 1 })).toEqual({ id: { a: 1, b: [2] } });
    expect(await load({ b: [3], a: 1 })).toEqual({ id: { a: 1, b: [3] } });
    expect(calls.length).toBe(2);
  });

  it("is called once for all who ask at the same time", async () => {
    const { optimizer } = setUp();
    const { fn, calls } = counting(() => "answer");
    const load = cached(fn, { optimizer });
    expect(await Promise.all([load(1), load(1), load(1)])).toEqual(["answer", "answer", "answer"]);
    expect(calls.length).toBe(1);
  });

  it("tells arguments apart that JSON would confuse", async () => {
    const { optimizer } = setUp();
    const kind = cached(async (value?: unknown) => `${typeof value} ${String(value)}`, { optimizer, name: "kind" });
    const when = new Date(0);
    const values = [undefined, null, 1n, 1, "1", when, when.toISOString(), [], {}, new Map(), new Set(), "undefined"];
    for (const value of values) expect(await kind(value)).toBe(`${typeof value} ${String(value)}`);
    expect(await kind(["undefined"])).toBe("object undefined");
  });

  it("passes arguments on that have no canonical form, uncached and not shared", async () => {
    const { optimizer } = setUp();
    const reasons: string[] = [];
    optimizer.on("cache.bypassed", ({ reason }) => reasons.push(reason));
    const { fn, calls } = counting((value) => String(value));
    const load = cached(fn, { optimizer });
    const cycle: unknown[] = [];
    cycle.push(cycle);
    const throwing = {
      get text(): string {
        throw new Error("not now");
      },
    };
    const odd = [() => 1, Symbol("s"), new (class Thing {})(), cycle, Number.NaN, throwing];
    for (const value of odd) await Promise.all([load(value), load(value)]);
    expect(calls.length).toBe(2 * odd.length);
    expect(new Set(reasons)).toEqual(new Set(["not_canonical"]));
  });

  it("is found by what its key says, and by nothing else", async () => {
    const { optimizer } = setUp();
    const { fn, calls } = counting((id) => String(id));
    const load = cached(fn, { optimizer, key: (id) => id });
    const { signal } = new AbortController();
    expect([await load("a", { signal }), await load("a", { signal, other: 1 })]).toEqual(["a", "a"]);
    expect(calls.length).toBe(1);
    const failing = cached(fn, {
      optimizer,
      key: () => {
        throw new RangeError("no key");
      },
    });
    await expect(failing("a")).rejects.toThrow(RangeError);
  });

  it("keeps this, name and length, and takes a function that is not async", async () => {
    const { optimizer } = setUp();
    const shop = {
      factor: 2,
      price: cached(
        function price(this: { factor: number }, cents: number) {
          return this.factor * cents;
        },
        { optimizer },
      ),
    };
    expect(await shop.price(21)).toBe(42);
    expect([shop.price.name, shop.price.length]).toEqual(["price", 1]);
    expectTypeOf(shop.price).returns.toEqualTypeOf<Promise<number>>();
  });

  it("has the type of the function", () => {
    const { optimizer } = setUp();
    async function first<T>(items: readonly T[]): Promise<T | undefined> {
      return items[0];
    }
    const same: typeof first = cached(first, { optimizer });
    expect(same.name).toBe("first");
    // @ts-expect-error the key is made of the function's own arguments
    cached(first, { optimizer, key: (text: string) => text });
  });

  it("shares nothing with another function of the same name, unless both are given one", async () => {
    const { optimizer } = setUp();
    const one = { load: async (id: number) => `one ${id}` };
    const other = { load: async (id: number) => `other ${id}` };
    const [a, b] = [cached(one.load, { optimizer }), cached(other.load, { optimizer })];
    expect([await a(1), await b(1)]).toEqual(["one 1", "other 1"]);
    const name = "load";
    const [c, d] = [cached(one.load, { optimizer, name }), cached(other.load, { optimizer, name })];
    expect([await c(1), await d(1)]).toEqual(["one 1", "one 1"]);
  });

  it("lives as long as its ttl, and no longer than its tags", async () => {
    const { optimizer, clock } = setUp();
    const { fn, calls } = counting(() => 1);
    const load = cached(fn, { optimizer, ttl: "10s", tags: (id) => [`user:${id}`, "users"] });
    await load(1);
    await load(2);
    await optimizer.cache.invalidateTags(["user:1"]);
    await load(1);
    await load(2);
    expect(calls.length).toBe(3);
    await clock.advance(10_000);
    await load(2);
    expect(calls.length).toBe(4);
  });

  it("obeys the scope it is called in", async () => {
    const { optimizer } = setUp();
    const { fn, calls } = counting(() => 1);
    const load = cached(fn, { optimizer });
    await load();
    await optimizer.run({ cache: "refresh" }, () => load());
    await optimizer.run({ client: "other" }, () => load());
    expect(calls.length).toBe(3);
  });

  it("throws what the function throws, and tries again what is worth it", async () => {
    const { optimizer, clock } = setUp();
    let calls = 0;
    const flaky = cached(
      async function flaky() {
        if (++calls < 3) throw Object.assign(new Error("busy"), { status: 503 });
        return "answer";
      },
      { optimizer },
    );
    expect(await clock.run(flaky())).toBe("answer");
    const wrong = new TypeError("wrong");
    const failing = cached(() => Promise.reject(wrong), { optimizer, name: "failing" });
    await expect(failing()).rejects.toBe(wrong);
  });

  it("does not retry what a line has retried already", async () => {
    const { optimizer, clock } = setUp();
    let calls = 0;
    const ask = () =>
      optimizer.call({ model: "m", input: "x" }, async () => {
        calls++;
        throw Object.assign(new Error("down"), { status: 500 });
      });
    await expect(clock.run(ask())).rejects.toThrow("down");
    const once = calls;
    calls = 0;
    await expect(clock.run(cached(async () => ask(), { optimizer, name: "nested" })())).rejects.toThrow("down");
    expect(calls).toBe(once);
  });

  it("asks for a name where there is none, and for right options", () => {
    const { optimizer } = setUp();
    const refused = (make: () => unknown): string => {
      try {
        make();
      } catch (error) {
        if (error instanceof OptionError) return error.option;
      }
      return "nothing";
    };
    const bound = async function bound() {}.bind(undefined);
    expect([
      refused(() => cached(async () => 1, { optimizer })),
      refused(() => cached(bound, { optimizer })),
      refused(() => cached(async function f() {}, { optimizer: {} as typeof optimizer })),
      refused(() => cached(async function f() {}, { optimizer, ttl: -1 })),
      refused(() => cached(async function f() {}, { optimizer, tags: "faq" as unknown as string[] })),
      refused(() => cached(async function f() {}, { optimizer, key: 1 as unknown as () => 1 })),
      refused(() => cached({ optimizer, ttl: "soon" as "1s" })),
      refused(() => invalidates(async () => 1, { optimizer, tags: ["x".repeat(129)] })),
      refused(() => invalidates(async () => 1, { optimizer, tags: [], after: "never" as "settled" })),
    ]).toEqual([
      "cached.name",
      "cached.name",
      "cached.optimizer",
      "scope.ttl",
      "cached.tags",
      "cached.key",
      "scope.ttl",
      "invalidates.tags[0]",
      "invalidates.after",
    ]);
  });
});

describe("key material", () => {
  const plain = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true });
  const textOf = (value: unknown): string | undefined => {
    try {
      return canonical(keyMaterial(value));
    } catch {
      return undefined;
    }
  };

  it("is the same for a copy and, where it has a form, for nothing else", () => {
    fc.assert(
      fc.property(plain, plain, (one, other) => {
        const text = textOf([one]);
        if (text === undefined) return;
        expect(textOf(structuredClone([one]))).toBe(text);
        if (textOf([other]) === text) expect(withoutSignOfZero(other)).toEqual(withoutSignOfZero(one));
      }),
      { numRuns: 500 },
    );
  });

  it("does not depend on the order of keys", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        const reversed = Object.fromEntries(Object.entries(object).reverse());
        expect(textOf(reversed)).toBe(textOf(object));
      }),
      { numRuns: 200 },
    );
  });
});

// Zeros of both signs are one number to a key.
function withoutSignOfZero(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (Array.isArray(value)) return value.map(withoutSignOfZero);
  if (value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withoutSignOfZero(member)]));
  return value;
}

describe("a function that invalidates", () => {
  function shop() {
    const { optimizer } = setUp();
    const { fn, calls } = counting((id) => id);
    const load = cached(fn, { optimizer, tags: (id) => [`item:${id}`] });
    return { optimizer, load, calls };
  }

  it("makes stale what its arguments and its result say, once it has resolved", async () => {
    const { optimizer, load, calls } = shop();
    const save = invalidates(async (id: number) => ({ alsoChanged: id + 1 }), {
      optimizer,
      tags: ({ args, result }) => [`item:${args[0]}`, `item:${(result as { alsoChanged: number }).alsoChanged}`],
    });
    for (const id of [1, 2, 3]) await load(id);
    expect(await save(1)).toEqual({ alsoChanged: 2 });
    for (const id of [1, 2, 3]) await load(id);
    expect(calls.length).toBe(5);
  });

  it("leaves everything as it is when it rejects, unless it may have had its effect", async () => {
    const { optimizer, load, calls } = shop();
    const fail = async (): Promise<void> => {
      throw new Error("disk full");
    };
    await load(1);
    await expect(invalidates(fail, { optimizer, tags: ["item:1"] })()).rejects.toThrow("disk full");
    await load(1);
    expect(calls.length).toBe(1);
    const settled = invalidates(fail, { optimizer, tags: ["item:1"], after: "settled" });
    await expect(settled()).rejects.toThrow("disk full");
    await load(1);
    expect(calls.length).toBe(2);
    const unclear = invalidates(fail, { optimizer, tags: () => ["x".repeat(200)], after: "settled" });
    await expect(unclear()).rejects.toThrow("disk full");
  });

  it("keeps this and takes a function that is not async", async () => {
    const { optimizer } = shop();
    const save = invalidates(
      function save(this: { name: string }, id: number) {
        return `${this.name} ${id}`;
      },
      { optimizer, tags: ["items"] },
    );
    expect(await save.call({ name: "shop" }, 1)).toBe("shop 1");
    expect([save.name, save.length]).toEqual(["save", 1]);
  });
});
