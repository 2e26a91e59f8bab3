import fc from "fast-check";
import { expect, test } from "vitest";
import { VirtualClock } from "../../src/testing/index.ts";

test("timers fire in the order of their times, equal ones in the order of their making", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(50), { maxLength: 40 }), async (delays) => {
      const clock = new VirtualClock();
      const fired: [number, number][] = [];
      delays.forEach((ms, order) => {
        clock.timer(ms, () => fired.push([clock.now(), order]));
      });
      await clock.advance(50);
      const expected = delays.map((ms, order): [number, number] => [ms, order]);
      expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      expect(fired).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});

test("a cancelled timer never fires, and may be cancelled again, before and after its time", async () => {
  const clock = new VirtualClock();
  const fired: string[] = [];
  const kept = clock.timer(5, () => fired.push("kept"));
  const cancelled = clock.timer(5, () => fired.push("cancelled"));
  cancelled.cancel();
  cancelled.cancel();
  expect(clock.pendingTimers).toBe(1);
  await clock.advance(10);
  kept.cancel();
  expect(fired).toEqual(["kept"]);
  expect(clock.pendingTimers).toBe(0);
});

test("of many cancelled timers none is left, and the others fire in order", async () => {
  const clock = new VirtualClock();
  const fired: number[] = [];
  for (let index = 0; index < 10_000; index++) {
    const timer = clock.timer((index * 7919) % 10_000, () => fired.push(clock.now()));
    if (index % 100 !== 0) timer.cancel();
  }
  expect(clock.pendingTimers).toBe(100);
  await clock.advance(10_000);
  expect(fired).toHaveLength(100);
  expect(fired).toEqual([...fired].sort((a, b) => a - b));
  expect(clock.pendingTimers).toBe(0);
});

test("advance fires what is due on the way, also what was set meanwhile, and stops at its time", async () => {
  const clock = new VirtualClock();
  const at: number[] = [];
  const again = (): void => {
    at.push(clock.now());
    clock.timer(30, again);
  };
  clock.timer(30, again);
  await clock.advance(100);
  expect(at).toEqual([30, 60, 90]);
  expect(clock.now()).toBe(100);
});

test("between two timers every promise that can settle does", async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  clock.timer(1, () => {
    let chain = Promise.resolve();
    for (let step = 0; step < 100; step++) chain = chain.then(() => {});
    void chain.then(() => seen.push("promise"));
  });
  clock.timer(1, () => seen.push("second timer"));
  await clock.advance(1);
  expect(seen).toEqual(["promise", "second timer"]);
});

test("run lets just as much time pass as the promise needs", async () => {
  const clock = new VirtualClock();
  const promise = new Promise<string>((resolve) => clock.timer(40, () => resolve("done")));
  clock.timer(1000, () => {});
  expect(await clock.run(promise)).toBe("done");
  expect(clock.now()).toBe(40);
  await expect(clock.run(Promise.reject(new Error("no")))).rejects.toThrow("no");
});

test("run says so when nothing is left that could settle the promise", async () => {
  await expect(new VirtualClock().run(new Promise(() => {}))).rejects.toThrow("no timer is left");
});

test("the wall clock follows, and can be moved alone", async () => {
  const clock = new VirtualClock({ startedAt: 1000 });
  await clock.advance(5);
  clock.shiftWall(-500);
  expect(clock.wall()).toBe(505);
  expect(clock.now()).toBe(5);
});
