import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Waiter, WaitQueue } from "../../src/core/index.ts";

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
});
