import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Waiter, WaitQueue } from "../../src/core/index.ts";
import { ReferenceQueue } from "./reference-queue.ts";

function takeAll<T>(queue: WaitQueue<T>): T[] {
  const taken: T[] = [];
  for (let item = queue.take(); item !== undefined; item = queue.take()) taken.push(item);
  return taken;
}

describe("WaitQueue", () => {
  it("serves one level in order of arrival", () => {
    const queue = new WaitQueue<number>();
    for (let index = 0; index < 100; index++) queue.add(index, 5);
    expect(takeAll(queue)).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  it("shares service 16 : 8 : 4 : 2 : 1 between the named levels while all of them wait", () => {
    const queue = new WaitQueue<number>();
    for (const level of [1, 3, 5, 7, 9]) for (let index = 0; index < 400; index++) queue.add(level, level);
    const served = new Map<number, number>();
    for (let turn = 0; turn < 310; turn++) {
      const level = queue.take() as number;
      served.set(level, (served.get(level) ?? 0) + 1);
    }
    expect([1, 3, 5, 7, 9].map((level) => served.get(level))).toEqual([160, 80, 40, 20, 10]);
  });

  it("does not let a late background newcomer overtake critical ones that wait", () => {
    const queue = new WaitQueue<string>();
    for (let index = 0; index < 20; index++) queue.add("critical", 1);
    queue.take();
    queue.add("background", 9);
    const order = takeAll(queue);
    expect(order.indexOf("background")).toBeGreaterThanOrEqual(15);
  });

  it("lets an urgent newcomer go ahead of a crowd", () => {
    const queue = new WaitQueue<string>();
    for (let index = 0; index < 1_000; index++) queue.add("background", 9);
    for (let index = 0; index < 500; index++) queue.take();
    queue.add("critical", 1);
    expect(queue.take()).toBe("critical");
  });

  it("gives a level that was empty no credit for the time it was away", () => {
    const queue = new WaitQueue<number>();
    for (let index = 0; index < 1_000; index++) queue.add(5, 5);
    for (let index = 0; index < 500; index++) queue.take();
    for (let index = 0; index < 100; index++) queue.add(3, 3);
    const next30 = Array.from({ length: 30 }, () => queue.take());
    expect(next30.filter((level) => level === 3)).toHaveLength(20);
  });

  it("tells a background newcomer that it waits for its share of turns, not for the whole crowd", () => {
    const queue = new WaitQueue<string>();
    for (let index = 0; index < 1_000; index++) queue.add("normal", 5);
    for (let index = 0; index < 100; index++) queue.take();
    const ahead = queue.aheadOf(9);
    queue.add("background", 9);
    expect(takeAll(queue).indexOf("background")).toBe(ahead);
    expect(ahead).toBeLessThanOrEqual(4);
  });

  it("tells who came last in the least urgent level that has anybody", () => {
    const queue = new WaitQueue<string>();
    expect(queue.last()).toBeUndefined();
    queue.add("first", 7);
    queue.add("second", 7);
    queue.add("urgent", 1);
    expect(queue.last()?.item).toBe("second");
  });

  it("keeps size, order and membership right over any sequence of adding, taking and removing", () => {
    const command = fc.oneof(
      fc.record({ type: fc.constant("add" as const), level: fc.integer({ min: 0, max: 9 }) }),
      fc.record({ type: fc.constant("take" as const) }),
      fc.record({ type: fc.constant("remove" as const), index: fc.nat(50) }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
        const queue = new WaitQueue<number>();
        const waiters: Waiter<number>[] = [];
        let waiting: { id: number; level: number }[] = [];
        let id = 0;
        for (const step of commands) {
          if (step.type === "add") {
            waiters.push(queue.add(id, step.level));
            waiting.push({ id, level: step.level });
            id++;
          } else if (step.type === "take") {
            const peeked = queue.peek();
            const taken = queue.take();
            expect(taken).toBe(peeked);
            if (waiting.length === 0) expect(taken).toBeUndefined();
            const found = waiting.find((entry) => entry.id === taken);
            // Nobody of the same level who came earlier still waits.
            expect(waiting.filter((entry) => entry.level === found?.level && entry.id < (taken as number))).toEqual([]);
            waiting = waiting.filter((entry) => entry.id !== taken);
          } else {
            const waiter = waiters[step.index];
            if (waiter === undefined) continue;
            const there = waiting.some((entry) => entry.id === waiter.item);
            expect(queue.remove(waiter)).toBe(there);
            waiting = waiting.filter((entry) => entry.id !== waiter.item);
          }
          expect(queue.size).toBe(waiting.length);
          expect([...queue].sort((a, b) => a - b)).toEqual(waiting.map((entry) => entry.id).sort((a, b) => a - b));
        }
        for (const step of commands.slice(-1)) {
          if (step.type !== "add") continue;
          const ahead = queue.aheadOf(step.level);
          queue.add(id, step.level);
          expect(takeAll(queue).indexOf(id)).toBe(ahead);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("starves nobody: every waiter is served within a bounded number of turns whoever else keeps coming", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 }), (mine, theirs) => {
        const queue = new WaitQueue<string>();
        for (let index = 0; index < 50; index++) queue.add("other", theirs);
        queue.take();
        queue.add("me", mine);
        let turns = 0;
        for (let item = queue.take(); item !== "me"; item = queue.take()) {
          queue.add("other", theirs);
          turns++;
          expect(turns).toBeLessThanOrEqual(mine === theirs ? 50 : 24);
        }
      }),
    );
  });

  it("does as the rules written down plainly say, over any sequence of waiters of any tenant, cost and due time", () => {
    const command = fc.record({
      type: fc.constantFrom("add", "add", "add", "take", "take", "remove", "settle"),
      level: fc.constantFrom(5, 5, 5, 5, 1, 2, 9),
      tenant: fc.constantFrom(undefined, "a", "b"),
      cost: fc.integer({ min: 1, max: 50 }),
      due: fc.nat(20),
      which: fc.nat(60),
      ms: fc.nat(40),
    });
    fc.assert(
      fc.property(
        fc.array(command, { minLength: 60, maxLength: 200 }),
        fc.constantFrom(0, 100),
        (commands, ageingMs) => {
          const queue = new WaitQueue<number>({ ageingMs, newestFirstMs: Number.POSITIVE_INFINITY });
          const reference = new ReferenceQueue(ageingMs);
          const waiters: Waiter<number>[] = [];
          let now = 0;
          for (const { type, level, tenant, cost, due, which, ms } of commands) {
            now += ms;
            if (type === "add") {
              const claim = { tenant, cost, due, since: now };
              reference.add(waiters.length, level, claim);
              waiters.push(queue.add(waiters.length, level, claim));
            } else if (type === "take") {
              expect(queue.peek(now)).toBe(queue.take(now));
            }
            if (type === "take") {
              const expected = reference.take(now);
              expect([...queue].sort((a, b) => a - b)).toEqual(reference.ids.sort((a, b) => a - b));
              if (expected === undefined) expect(queue.size).toBe(0);
            }
            const waiter = waiters[which];
            if (waiter === undefined) continue;
            if (type === "remove") expect(queue.remove(waiter)).toBe(reference.remove(which));
            if (type === "settle") {
              queue.settle(waiter, cost);
              reference.settle(which, cost);
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("shares a level between tenants by cost, and gives one that comes back no credit", () => {
    const queue = new WaitQueue<string>();
    for (let index = 0; index < 200; index++) queue.add("big", 5, { tenant: "big", cost: 10 });
    for (let index = 0; index < 200; index++) queue.add("small", 5, { tenant: "small", cost: 1 });
    const first = Array.from({ length: 110 }, () => queue.take());
    expect(first.filter((item) => item === "small").length).toBeGreaterThanOrEqual(99);
    for (let index = 0; index < 50; index++) queue.add("new", 5, { tenant: "new", cost: 10 });
    const next = Array.from({ length: 12 }, () => queue.take());
    expect(next.filter((item) => item === "new").length).toBeLessThanOrEqual(2);
  });

  it("lets an endless row of new tenants hold nobody for ever", () => {
    const queue = new WaitQueue<string>();
    for (let index = 0; index < 3; index++) queue.add("patient", 5, { tenant: "patient" });
    queue.take();
    let turns = 0;
    for (let item: string | undefined = "new"; item !== "patient"; item = queue.take()) {
      queue.add("new", 5, { tenant: `new${turns++}` });
      queue.add("new", 5, { tenant: `new${turns++}` });
      expect(turns).toBeLessThan(100);
    }
  });

  it("charges what was learned of a tenant, once its true costs are known", () => {
    const queue = new WaitQueue<string>();
    // Both say 10; one really costs 40.
    const waiters = ["dear", "cheap"].map((tenant) =>
      Array.from({ length: 400 }, () => queue.add(tenant, 5, { tenant, cost: 10 })),
    );
    const served = { dear: 0, cheap: 0 };
    for (let turn = 0; turn < 300; turn++) {
      const tenant = queue.take() as "dear" | "cheap";
      const waiter = waiters[tenant === "dear" ? 0 : 1]?.[served[tenant]++];
      if (waiter !== undefined) queue.settle(waiter, tenant === "dear" ? 40 : 10);
    }
    expect(served.cheap / served.dear).toBeGreaterThan(3.8);
    expect(served.cheap / served.dear).toBeLessThan(4.2);
  });

  it("serves the earliest due of a tenant first, and only of that tenant", () => {
    const queue = new WaitQueue<string>();
    queue.add("a late", 5, { tenant: "a", due: 90 });
    queue.add("b", 5, { tenant: "b", due: 50 });
    queue.add("a soon", 5, { tenant: "a", due: 10 });
    queue.add("a later", 5, { tenant: "a", due: 95 });
    expect(takeAll(queue)).toEqual(["a soon", "b", "a late", "a later"]);
  });

  it("serves a class as the next one when its oldest has waited, but never before a more urgent one", () => {
    const share = (now: number): number => {
      const queue = new WaitQueue<string>({ ageingMs: 1_000, newestFirstMs: Number.POSITIVE_INFINITY });
      for (let index = 0; index < 100; index++) queue.add("critical", 1);
      for (let index = 0; index < 100; index++) queue.add("background", 9);
      return Array.from({ length: 90 }, () => queue.take(now)).filter((item) => item === "background").length;
    };
    expect([0, 1_000, 2_000, 3_000, 60_000].map(share)).toEqual([5, 10, 18, 30, 30]);
  });

  it("serves a class newest first from a wait on, if told so", () => {
    const queue = new WaitQueue<number>({ ageingMs: 0, newestFirstMs: 100 });
    for (let index = 0; index < 5; index++) queue.add(index, 5, { since: index, due: index });
    expect(queue.take(50)).toBe(0);
    expect([queue.take(101), queue.take(101)]).toEqual([4, 3]);
    queue.add(5, 5, { since: 101, due: 101 });
    expect(queue.take(101)).toBe(5);
  });

  it("makes the tenant with most waiting make room, and not for one that would have as many", () => {
    const queue = new WaitQueue<string>();
    for (let index = 0; index < 5; index++) queue.add(`a${index}`, 5, { tenant: "a" });
    queue.add("b0", 5, { tenant: "b" });
    expect(queue.lastBehind(5, "b")?.item).toBe("a4");
    expect(queue.lastBehind(5, "a")).toBeUndefined();
    expect(queue.lastBehind(9, "new")).toBeUndefined();
    for (let index = 1; index < 4; index++) queue.add(`b${index}`, 5, { tenant: "b" });
    expect(queue.lastBehind(5, "b")).toBeUndefined();
    expect(queue.lastBehind(5, "new")?.item).toBe("a4");
    expect(queue.lastBehind(3, "a")?.item).toBe("a4");
  });
});
