import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Entry, OptionError } from "../../src/core/index.ts";
import { entryStoreConformance } from "../../src/stores/conformance/index.ts";
import { type EvictionItem, type EvictionPolicy, gdsf, lfu, lru, sieve } from "../../src/stores/eviction/index.ts";
import { MEMORY_DEFAULTS, memory } from "../../src/stores/index.ts";
import { entryBytes, textBytes } from "../../src/stores/memory/entry-size.ts";
import { virtualRuntime } from "../support/calls.ts";
import { entryOf } from "./entries.ts";
import { expectBounded } from "./heap.ts";
import { openEntries } from "./support.ts";

interface Step {
  readonly set?: string;
  readonly text?: string;
  readonly ttl?: number;
  readonly get?: string;
  readonly delete?: string;
  readonly waitMs?: number;
  readonly clear?: boolean;
}

const LATER = Date.UTC(2027, 0, 1);

describe("the memory tier", () => {
  const { clock, runtime } = virtualRuntime();
  const harness = {
    open: () => openEntries(memory(), runtime),
    shared: false,
    wait: (ms: number) => clock.advance(ms),
    now: () => clock.wall(),
  };
  for (const { name, run } of entryStoreConformance(harness)) it(name, run);
});

describe("the bounds of the memory tier", () => {
  it("let go of what saves least for its room", () => {
    const store = openEntries(memory({ maxEntries: 2 }), virtualRuntime().runtime);
    store.set("dear", entryOf("v", LATER, { cost: 0.02 }));
    for (const key of ["a", "b", "c"]) store.set(key, entryOf("v", LATER, { cost: 0.01 }));
    expect(["dear", "a", "b", "c"].filter((key) => store.get(key) !== undefined)).toEqual(["dear", "c"]);
  });

  it("let go of what the policy says", () => {
    const store = openEntries(memory({ maxEntries: 3, eviction: lru() }), virtualRuntime().runtime);
    for (const key of ["a", "b", "c"]) store.set(key, entryOf(key, LATER));
    store.get("a");
    store.set("d", entryOf("d", LATER));
    expect(["a", "b", "c", "d"].map((key) => store.get(key)?.answer.text)).toEqual(["a", undefined, "c", "d"]);
    expect(store.stats?.()).toMatchObject({ entries: 3 });
    for (const key of ["e", "f", "g"]) store.set(key, entryOf(key, LATER));
    expect(["a", "c", "d", "e", "f", "g"].map((key) => store.get(key)?.answer.text)).toEqual([
      ...[undefined, undefined, undefined],
      ...["e", "f", "g"],
    ]);
  });

  it("hold for bytes, whatever the script of the text", () => {
    for (const letter of ["a", "é", "字", "😀"]) {
      const store = openEntries(memory({ maxBytes: "1mb" }), virtualRuntime().runtime);
      for (let index = 0; index < 200; index++) store.set(`k${index}`, entryOf(letter.repeat(20_000), LATER));
      const entries = Math.floor(1024 ** 2 / entryBytes("k199", entryOf(letter.repeat(20_000), LATER)));
      expect(store.stats?.()).toMatchObject({ entries, bytes: expect.toSatisfy((bytes) => bytes <= 1024 ** 2) });
    }
  });

  it("do not keep a giant, and drop the old value it would have replaced", () => {
    const store = openEntries(memory({ maxBytes: "1mb" }), virtualRuntime().runtime);
    store.set("other", entryOf("v", LATER));
    store.set("giant", entryOf("small once", LATER));
    store.set("giant", entryOf("x".repeat(200_000), LATER));
    expect(store.get("giant")).toBeUndefined();
    expect(store.get("other")).toBeDefined();
  });

  it("say in one event what was let go", () => {
    const { runtime } = virtualRuntime();
    const seen: unknown[] = [];
    runtime.events.on("cache.evicted", ({ tier, entries, bytes }) => seen.push({ tier, entries, bytes }));
    const store = openEntries(memory({ maxEntries: 2 }), runtime);
    for (const key of ["a", "b", "c"]) store.set(key, entryOf("v", LATER));
    expect(seen).toEqual([{ tier: "memory", entries: 1, bytes: entryBytes("a", entryOf("v", LATER)) }]);
  });

  it("remember how often an entry was used when a newer answer takes its place", () => {
    for (const eviction of [gdsf(), lfu(), sieve()]) {
      const store = openEntries(memory({ maxEntries: 2, eviction }), virtualRuntime().runtime);
      store.set("often", entryOf("v", LATER));
      for (let use = 0; use < 10; use++) store.get("often");
      store.set("often", entryOf("v", LATER));
      for (const key of ["a", "b", "c"]) store.set(key, entryOf("v", LATER));
      expect(store.get("often"), eviction.name).toBeDefined();
    }
  });

  it("take out what has expired before anything else, and do not call that an eviction", async () => {
    const { clock, runtime } = virtualRuntime();
    const store = openEntries(memory({ maxEntries: 100, eviction: lru() }), runtime);
    let evicted = 0;
    runtime.events.on("cache.evicted", ({ entries }) => {
      evicted += entries;
    });
    for (let index = 0; index < 50; index++) store.set(`old${index}`, entryOf("v", LATER));
    for (let index = 0; index < 50; index++) store.set(`short${index}`, entryOf("v", clock.wall() + 1000));
    await clock.advance(1001);
    for (let index = 0; index < 50; index++) store.set(`new${index}`, entryOf("v", LATER));
    expect(store.stats?.()).toMatchObject({ entries: 100 });
    expect(evicted).toBe(0);
    expect(store.get("old0")).toBeDefined();
  });

  it("hold with a policy of the user's own, also with one that gives nothing away", () => {
    const counting = (policy: EvictionPolicy) => ({ name: "own", create: () => policy });
    const nothing = { onHit: () => {}, onInsert: () => {}, victim: () => undefined };
    const stack: EvictionItem[] = [];
    const newest = {
      onHit: () => {},
      onInsert: (item: EvictionItem) => void stack.push(item),
      victim: () => stack.pop(),
    };
    for (const [policy, left] of [
      [nothing, ["c", "d"]],
      [newest, ["a", "b"]],
    ] as const) {
      const store = openEntries(memory({ maxEntries: 2, eviction: counting(policy) }), virtualRuntime().runtime);
      for (const key of ["a", "b", "c", "d"]) store.set(key, entryOf("v", LATER));
      expect(["a", "b", "c", "d"].filter((key) => store.get(key) !== undefined)).toEqual(left);
    }
  });

  it("are kept free of expired entries by the sets that follow, without a timer", async () => {
    const { clock, runtime } = virtualRuntime();
    const store = openEntries(memory(), runtime);
    for (let index = 0; index < 1000; index++) store.set(`old${index}`, entryOf("v", clock.wall() + 1000));
    await clock.advance(1001);
    for (let index = 0; index < 100; index++) store.set("one", entryOf("v", LATER));
    expect(store.stats?.()).toMatchObject({ entries: 1 });
    expect(clock.pendingTimers).toBe(0);
  });

  it("are checked when the tier is declared", () => {
    expect(() => memory({ maxEntries: 0 })).toThrow(OptionError);
    expect(() => memory({ maxBytes: "64 monkeys" as never })).toThrow("memory.maxBytes");
    expect(() => memory({ maxBites: 1 } as never)).toThrow("memory.maxBites");
    expect(() => memory({ eviction: "lru" as never })).toThrow("memory.eviction");
    expect(() => memory({ maxOwnerShare: 0 })).toThrow("memory.maxOwnerShare");
    expect(() => memory({ ttl: "soon" as never })).toThrow("memory.ttl");
    expect(memory({ ttl: "5m" }).ttlMs).toBe(300_000);
    expect(memory().ttlMs).toBeUndefined();
    expect(MEMORY_DEFAULTS).toEqual({ maxEntries: 10_000, maxBytes: "64mb", maxOwnerShare: 1 });
  });
});

describe("the share of an owner", () => {
  const ownedBy = (owner: string) => entryOf("x".repeat(5000), LATER, { owner });

  it("is all that one owner takes, and what goes beyond it is its own", () => {
    const store = openEntries(memory({ maxBytes: "1mb", maxOwnerShare: 0.25 }), virtualRuntime().runtime);
    for (let index = 0; index < 20; index++) store.set(`quiet${index}`, ownedBy("quiet"));
    for (let index = 0; index < 1000; index++) store.set(`loud${index}`, ownedBy("loud"));
    const left = (name: string) => Array.from({ length: 1000 }, (_, index) => store.get(`${name}${index}`));
    expect(left("quiet").filter((entry) => entry !== undefined).length).toBe(20);
    const loud = left("loud").filter((entry) => entry !== undefined).length;
    expect(loud * 5000).toBeLessThan(1024 ** 2 / 4);
    expect(loud * 6500).toBeGreaterThan(1024 ** 2 / 4);
  });

  it("does not bind entries that belong to nobody", () => {
    const store = openEntries(memory({ maxBytes: "1mb", maxOwnerShare: 0.25 }), virtualRuntime().runtime);
    for (let index = 0; index < 1000; index++) store.set(`shared${index}`, ownedBy(""));
    expect(store.stats?.()).toMatchObject({ entries: expect.toSatisfy((entries) => entries > 150) });
  });

  it("holds after any sequence of operations, as do the other bounds", () => {
    const step = fc.record({
      key: fc.nat(40),
      owner: fc.constantFrom("", "a", "b", "c"),
      size: fc.nat(8000),
      kind: fc.constantFrom("set", "set", "set", "get", "delete"),
    });
    const check = (steps: readonly { key: number; owner: string; size: number; kind: string }[]): void => {
      const eviction = sieve();
      const store = openEntries(
        memory({ maxBytes: "100kb", maxEntries: 20, maxOwnerShare: 0.3, eviction }),
        virtualRuntime().runtime,
      );
      const entries = new Map<string, Entry>();
      for (const { key: number, owner, size, kind } of steps) {
        const key = `k${number}`;
        if (kind === "get") store.get(key);
        else if (kind === "delete") store.delete(key);
        else {
          const entry = entryOf("x".repeat(size), LATER, { owner });
          entries.set(key, entry);
          store.set(key, entry);
        }
      }
      const held = [...entries].filter(([key, entry]) => store.get(key) === entry);
      expect(store.stats?.()).toMatchObject({ entries: held.length });
      expect(held.length).toBeLessThanOrEqual(20);
      const bytes = (of: (entry: Entry) => boolean) =>
        held.reduce((sum, [key, entry]) => sum + (of(entry) ? entryBytes(key, entry) : 0), 0);
      expect(bytes(() => true)).toBeLessThanOrEqual(100 * 1024);
      for (const owner of ["a", "b", "c"]) {
        expect(bytes((entry) => entry.owner === owner)).toBeLessThanOrEqual(30 * 1024);
      }
      for (const [key] of held) store.delete(key);
      expect(store.stats?.()).toEqual({ entries: 0, bytes: 0 });
    };
    fc.assert(fc.property(fc.array(step, { maxLength: 200, size: "max" }), check));
  });
});

describe("the bytes of the memory tier", () => {
  it("count two for each character as soon as one is beyond Latin-1", () => {
    expect(textBytes("")).toBe(0);
    expect(textBytes("abcé\u00ff\u0000")).toBe(6);
    expect(textBytes("abc\u0100")).toBe(8);
    expect(textBytes("\u{1f600}")).toBe(4);
  });

  it("are exact after any sequence of operations, and no entry is another than the last one set", async () => {
    const keys = ["a", "b", "c", "d", "é字"];
    const key = fc.constantFrom(...keys);
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ set: key, text: fc.string({ unit: "binary" }), ttl: fc.nat(50) }) },
      fc.record({ get: key }),
      fc.record({ delete: key }),
      fc.record({ waitMs: fc.nat(30) }),
      fc.constant({ clear: true }),
    );
    const check = async (steps: readonly Step[], maxEntries: number): Promise<void> => {
      const { clock, runtime } = virtualRuntime();
      const store = openEntries(memory({ maxEntries }), runtime);
      const last = new Map<string, Entry>();
      for (const each of steps) {
        if (each.set !== undefined) {
          const tags = { [each.text ?? ""]: 1 };
          const entry = entryOf(each.text ?? "", clock.wall() + (each.ttl ?? 0), { tags, model: each.text });
          store.set(each.set, entry);
          last.set(each.set, entry);
        } else if (each.get !== undefined) store.get(each.get);
        else if (each.waitMs !== undefined) await clock.advance(each.waitMs);
        else if (each.delete !== undefined) {
          store.delete(each.delete);
          last.delete(each.delete);
        } else {
          store.clear();
          last.clear();
        }
        expect(store.stats?.()).toHaveProperty(
          "entries",
          expect.toSatisfy((held: number) => held <= maxEntries),
        );
      }
      // Asking for an expired entry removes it, so what is found is all there is.
      const found = keys.flatMap((each) => {
        const entry = store.get(each);
        if (entry === undefined) return [];
        expect(entry).toBe(last.get(each));
        expect(entry.expiresAt).toBeGreaterThan(clock.wall());
        return [entryBytes(each, entry)];
      });
      expect(store.stats?.()).toEqual({ entries: found.length, bytes: found.reduce((sum, bytes) => sum + bytes, 0) });
    };
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), check));
  });

  it("are those of the process, under a load of CJK text", { timeout: 60_000 }, () => expectBounded("cjk"));
});
