import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/core/index.ts";
import {
  type Eviction,
  fifo,
  gdsf,
  lfu,
  lru,
  s3fifo,
  sieve,
  size,
  ttl,
  wTinyLfu,
} from "../../src/stores/eviction/index.ts";
import { type Facts, type Step, TestItem, victimsOf } from "./items.ts";
import { REFERENCES, type Reference } from "./references.ts";

const POLICIES: Readonly<Record<keyof typeof REFERENCES, Eviction>> = {
  lru: lru(),
  fifo: fifo(),
  lfu: lfu(),
  ttl: ttl(),
  size: size(),
  sieve: sieve(),
  s3fifo: s3fifo(),
  wTinyLfu: wTinyLfu(),
  "gdsf for money": gdsf(),
  "gdsf for time": gdsf({ weight: "latency" }),
  "gdsf for hits": gdsf({ weight: 1 }),
};

const names = Object.keys(POLICIES) as (keyof typeof POLICIES)[];

const facts = fc.record({
  bytes: fc.integer({ min: 1, max: 20 }),
  cost: fc.nat(8),
  tookMs: fc.nat(8),
  expiresAt: fc.nat(8),
});

/** Keys of which low ones are asked for much more often; one in ten steps takes an entry out. */
const steps = fc.array(
  fc.record({
    key: fc.tuple(fc.nat(5), fc.nat(4)).map(([high, low]) => `key ${high * low}`),
    facts,
    remove: fc.integer({ min: 0, max: 9 }).map((chance) => chance === 0),
  }),
  { minLength: 1, maxLength: 300, size: "max" },
);

function expectedVictims(reference: Reference, all: readonly Step[], maxBytes: number): string[] {
  const held = new Map<string, Facts>();
  const victims: string[] = [];
  for (const { key, facts: known, remove } of all) {
    if (remove) {
      if (held.delete(key)) reference.remove(key);
    } else if (held.has(key)) {
      reference.hit(key);
    } else {
      held.set(key, known);
      reference.insert(key, known);
    }
    while ([...held.values()].reduce((sum, { bytes }) => sum + bytes, 0) > maxBytes) {
      const victim = reference.evict();
      held.delete(victim);
      victims.push(victim);
    }
  }
  return victims;
}

describe("every eviction policy", () => {
  for (const name of names) {
    it(`chooses the victims that a slow reference chooses: ${name}`, () => {
      fc.assert(
        fc.property(steps, fc.integer({ min: 20, max: 100 }), (all, maxBytes) => {
          const expected = expectedVictims(REFERENCES[name](), all, maxBytes);
          expect(victimsOf(POLICIES[name].create(), all, maxBytes)).toEqual(expected);
        }),
        { numRuns: 200 },
      );
    });

    it(`gives each entry away once, and none that somebody else took out: ${name}`, () => {
      fc.assert(
        fc.property(steps, (all) => {
          const policy = POLICIES[name].create();
          const held = new Map<string, TestItem>();
          for (const step of all) {
            const item = held.get(step.key);
            if (step.remove) {
              item?.place?.remove(item);
              held.delete(step.key);
            } else if (item === undefined) {
              const added = new TestItem(step.key, step.facts);
              policy.onInsert(added);
              held.set(step.key, added);
            } else {
              policy.onHit(item);
            }
          }
          const given: unknown[] = [];
          for (let item = policy.victim(); item !== undefined; item = policy.victim()) given.push(item);
          expect(new Set(given)).toEqual(new Set(held.values()));
          expect(given.length).toBe(held.size);
        }),
      );
    });
  }

  it("has the name it is asked for by", () => {
    const all = { lru, lfu, fifo, ttl, size, sieve, s3fifo, wTinyLfu, gdsf };
    for (const [name, make] of Object.entries(all)) expect(make().name).toBe(name);
  });
});

describe("gdsf", () => {
  const item = (key: string, known: Partial<Facts>) =>
    new TestItem(key, { bytes: 100, cost: 1, tookMs: 1, expiresAt: 1, ...known });

  it("lets the cheap go before the dear, the large before the small and the rare before the frequent", () => {
    for (const [worse, better, weight] of [
      [{ cost: 1 }, { cost: 2 }, "cost"],
      [{ bytes: 200 }, { bytes: 100 }, "cost"],
      [{ tookMs: 1, cost: 2 }, { tookMs: 2, cost: 1 }, "latency"],
      [{ bytes: 200, cost: 1000 }, { bytes: 100 }, 1],
    ] as const) {
      const policy = gdsf({ weight }).create();
      policy.onInsert(item("better", better));
      policy.onInsert(item("worse", worse));
      expect(policy.victim()?.key).toBe("worse");
    }
    const policy = gdsf().create();
    const often = item("often", {});
    policy.onInsert(often);
    policy.onInsert(item("once", {}));
    policy.onHit(often);
    expect(policy.victim()?.key).toBe("once");
  });

  it("lets go of what was dear long ago and is not asked for any more", () => {
    const policy = gdsf().create();
    policy.onInsert(item("dear once", { cost: 50 }));
    policy.onInsert(item("cheap", { cost: 1 }));
    let rounds = 0;
    for (let key = ""; key !== "dear once" && rounds < 1000; rounds++) {
      policy.onInsert(item(`cheap ${rounds}`, { cost: 1 }));
      key = policy.victim()?.key ?? "";
    }
    expect(rounds).toBeGreaterThan(10);
    expect(rounds).toBeLessThan(1000);
  });

  it("tells entries apart by use and size where none has a price", () => {
    const policy = gdsf().create();
    policy.onInsert(item("large", { cost: 0, bytes: 1000 }));
    policy.onInsert(item("small", { cost: 0, bytes: 10 }));
    policy.onInsert(item("dear", { cost: 1e-6, bytes: 100_000 }));
    expect([policy.victim()?.key, policy.victim()?.key, policy.victim()?.key]).toEqual(["large", "small", "dear"]);
  });

  it("finds its way back to the right order after a long time of hits alone", () => {
    const policy = gdsf({ weight: 1 }).create();
    const items = Array.from({ length: 5000 }, (_, index) => item(`${index}`, {}));
    for (const each of items) policy.onInsert(each);
    for (const [index, each] of items.entries()) for (let use = 0; use <= index % 7; use++) policy.onHit(each);
    for (let first = 0; first < 10; first++) policy.victim();
    const uses = Array.from({ length: 2000 }, () => policy.victim()?.uses ?? Number.NaN);
    expect(uses).toEqual(uses.toSorted((a, b) => a - b));
  });

  it("says which option is wrong", () => {
    expect(() => gdsf({ weight: "money" as never })).toThrow(OptionError);
    expect(() => gdsf({ wait: 1 } as never)).toThrow("gdsf.wait");
  });
});
