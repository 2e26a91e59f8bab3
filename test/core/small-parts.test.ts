import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Cancellation, Latch, Ledger, seededRandom, systemClock, Trace } from "../../src/core/index.ts";

describe("a latch", () => {
  it("runs its listeners once, at once and in order, and late ones immediately", async () => {
    const latch = new Latch<number>();
    const seen: string[] = [];
    latch.subscribe((value) => seen.push(`a${value}`));
    latch.subscribe((value) => seen.push(`b${value}`));
    const promise = latch.promise();
    expect(latch.open(1)).toBe(true);
    expect(latch.open(2)).toBe(false);
    latch.subscribe((value) => seen.push(`c${value}`));
    expect(seen).toEqual(["a1", "b1", "c1"]);
    expect(await promise).toBe(1);
  });
});

describe("a cancellation", () => {
  it("tells children and the signal, once", () => {
    const parent = new Cancellation();
    const { cancellation, release } = parent.child();
    const { signal } = cancellation;
    parent.cancel("first");
    parent.cancel("second");
    expect(cancellation.reason).toBe("first");
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toBe("first");
    release();
  });

  it("forgets a released child and a signal that is followed no more", () => {
    const parent = new Cancellation();
    const child = parent.child();
    child.release();
    expect(parent.listenerCount).toBe(0);
    parent.cancel("x");
    expect(child.cancellation.cancelled).toBe(false);

    const controller = new AbortController();
    const followed = Cancellation.from(controller.signal);
    followed.release();
    controller.abort("late");
    expect(followed.cancellation.cancelled).toBe(false);
  });

  it("follows a signal that is aborted already or later", () => {
    expect(Cancellation.from(AbortSignal.abort("before")).cancellation.reason).toBe("before");
    const controller = new AbortController();
    const { cancellation } = Cancellation.from(controller.signal);
    const seen: unknown[] = [];
    cancellation.onCancel((reason) => seen.push(reason));
    controller.abort("after");
    cancellation.onCancel((reason) => seen.push(reason));
    expect(seen).toEqual(["after", "after"]);
    expect(new Cancellation().signal.aborted).toBe(false);
  });
});

describe("the ledger", () => {
  it("conserves: reserved = settled + refunded + in flight, whatever is settled twice, over or under", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ amount: fc.nat(1000), used: fc.option(fc.nat(2000)), times: fc.integer({ min: 0, max: 3 }) }),
        ),
        (steps) => {
          const account = new Ledger().account("tokens");
          let open = 0;
          for (const { amount, used, times } of steps) {
            const lease = account.reserve(amount);
            if (times === 0) open += amount;
            for (let n = 0; n < times; n++) expect(used === null ? lease.refund() : lease.settle(used)).toBe(n === 0);
          }
          const { reserved, settled, refunded, inFlight } = account.balance;
          expect(inFlight).toBe(open);
          expect(settled + refunded + inFlight).toBe(reserved);
        },
      ),
    );
  });
});

describe("a seeded random source", () => {
  it("repeats from its seed and stays within [0, 1)", () => {
    const [a, b] = [seededRandom(7), seededRandom(7)];
    for (let n = 0; n < 1000; n++) {
      const value = a();
      expect(value).toBe(b());
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThan(1);
    }
    expect(seededRandom(8)()).not.toBe(seededRandom(7)());
  });
});

describe("a trace", () => {
  it("is bounded and says how much it left out", () => {
    const trace = new Trace(0);
    for (let n = 0; n < 100; n++) trace.step(n, "test", "did");
    const explanation = trace.explain({ id: "c1", provider: "p", model: "m", operation: "chat" });
    expect(explanation.steps).toHaveLength(64);
    expect(explanation.droppedSteps).toBe(36);
  });
});

describe("the system clock", () => {
  it("fires a timer, and not one that was cancelled", async () => {
    const fired: string[] = [];
    const cancelled = systemClock.timer(1, () => fired.push("cancelled"));
    cancelled.cancel();
    cancelled.cancel();
    await new Promise<void>((resolve) => {
      systemClock.timer(2, () => {
        fired.push("fired");
        resolve();
      });
    });
    expect(fired).toEqual(["fired"]);
  });

  it("takes delays longer than Node's own 24 days", () => {
    systemClock.timer(2 ** 33, () => {}).cancel();
    systemClock.background(2 ** 33, () => {}).cancel();
  });
});
