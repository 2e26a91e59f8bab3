import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { createOptimizer, OptionError } from "../../src/index.ts";
import { type LazyOptions, type LoadContext, lazy, preloadAll } from "../../src/lazy/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";

/** A lazy value in virtual time whose loads last 10 ms and give 1, 2, 3 ..., or fail when told to. */
function setUp(options: LazyOptions = {}) {
  const clock = new VirtualClock();
  const loads = { begun: 0, failing: false, signals: [] as AbortSignal[] };
  const value = lazy(
    ({ signal }: LoadContext) => {
      const number = ++loads.begun;
      loads.signals.push(signal);
      const { failing } = loads;
      return new Promise<number>((resolve, reject) => {
        clock.timer(10, () => (failing ? reject(new Error(`load ${number} failed`)) : resolve(number)));
      });
    },
    { clock, ...options },
  );
  return { clock, loads, value };
}

const outcome = async <T>(promise: Promise<T>): Promise<T | string> => promise.catch((error: Error) => error.message);

describe("a lazy value", () => {
  it("is loaded at its first get, once, and kept", async () => {
    const { clock, loads, value } = setUp();
    expect([value.state, value.value, loads.begun]).toEqual(["idle", undefined, 0]);
    const both = Promise.all([value.get(), value.get()]);
    expect(value.state).toBe("loading");
    expect(await clock.run(both)).toEqual([1, 1]);
    await clock.advance(1e9);
    expect([await value.get(), value.value, value.state, loads.begun]).toEqual([1, 1, "loaded", 1]);
  });

  it("keeps a value that is undefined", async () => {
    let loads = 0;
    const value = lazy(() => {
      loads++;
      return undefined;
    });
    expect([await value.get(), await value.get(), loads, value.state]).toEqual([undefined, undefined, 1, "loaded"]);
  });

  it("does not keep a failure", async () => {
    const { clock, loads, value } = setUp();
    loads.failing = true;
    expect(await clock.run(outcome(value.get()))).toBe("load 1 failed");
    expect([value.state, (value.error as Error).message]).toEqual(["failed", "load 1 failed"]);
    loads.failing = false;
    expect(await clock.run(value.get())).toBe(2);
    expect([value.state, value.error]).toEqual(["loaded", undefined]);
  });

  it("waits for its backoff before it tries again", async () => {
    const { clock, loads, value } = setUp({ backoff: "1s" });
    loads.failing = true;
    await clock.run(outcome(value.get()));
    loads.failing = false;
    expect(await outcome(value.get())).toBe("load 1 failed");
    await clock.advance(999);
    expect(await outcome(value.get())).toBe("load 1 failed");
    await clock.advance(1);
    expect(await clock.run(value.get())).toBe(2);
  });

  it("turns what a loader throws into a rejection", async () => {
    const value = lazy((): number => {
      throw new RangeError("no such file");
    });
    await expect(value.get()).rejects.toThrow(RangeError);
  });

  it("is loaded at each get on demand, shared while it loads, and not kept", async () => {
    const { clock, loads, value } = setUp({ strategy: "on-demand" });
    expect(await clock.run(Promise.all([value.get(), value.get()]))).toEqual([1, 1]);
    expect([value.value, value.state]).toEqual([undefined, "idle"]);
    expect(await clock.run(value.get())).toBe(2);
    expect(loads.begun).toBe(2);
  });

  it("is loaded at once when it is to be preloaded, and a failure harms nobody", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const good = setUp({ strategy: "preload" });
    const bad = setUp();
    bad.loads.failing = true;
    const preloaded = lazy(() => Promise.reject(new Error("not yet")), { strategy: "preload" });
    expect([good.loads.begun, good.value.state]).toEqual([1, "loading"]);
    await good.clock.advance(10);
    expect([good.value.value, preloaded.state]).toEqual([1, "failed"]);
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it("sets no timer", async () => {
    const { clock, value } = setUp({ strategy: "cached", ttl: 1, backoff: "1s" });
    await clock.run(value.get());
    await clock.advance(1);
    void value.get();
    await clock.advance(10);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a lazy value that is cached", () => {
  const options = { strategy: "cached", ttl: 100, grace: 50 } as const;

  it("is fresh for its ttl and then given while it is refreshed", async () => {
    const { clock, loads, value } = setUp(options);
    await clock.run(value.get());
    await clock.advance(99);
    expect([await value.get(), loads.begun]).toEqual([1, 1]);
    await clock.advance(1);
    expect([await value.get(), await value.get(), loads.begun, value.state]).toEqual([1, 1, 2, "loaded"]);
    await clock.advance(10);
    expect([await value.get(), loads.begun]).toEqual([2, 2]);
  });

  it("outlives failing refreshes until its grace is over", async () => {
    const { clock, loads, value } = setUp(options);
    await clock.run(value.get());
    loads.failing = true;
    await clock.advance(120);
    expect(await value.get()).toBe(1);
    await clock.advance(10);
    expect([value.value, (value.error as Error).message, value.state]).toEqual([1, "load 2 failed", "loaded"]);
    await clock.advance(19);
    expect(await value.get()).toBe(1);
    await clock.advance(1);
    expect(value.value).toBe(undefined);
    expect(await clock.run(outcome(value.get()))).toBe("load 3 failed");
    expect(await clock.run(outcome(value.get()))).toBe("load 4 failed");
  });

  it("waits for a load without grace", async () => {
    const { clock, value } = setUp({ strategy: "cached", ttl: 100, grace: 0 });
    await clock.run(value.get());
    await clock.advance(100);
    expect(await clock.run(value.get())).toBe(2);
  });
});

describe("reload, clear and dispose", () => {
  it("gives a new value, and the old one until then and when it fails", async () => {
    const { clock, loads, value } = setUp();
    await clock.run(value.get());
    const reloaded = value.reload();
    expect(await value.get()).toBe(1);
    expect(await clock.run(reloaded)).toBe(2);
    loads.failing = true;
    expect(await clock.run(outcome(value.reload()))).toBe("load 3 failed");
    expect([await value.get(), value.state]).toEqual([2, "loaded"]);
  });

  it("takes those who wait for a load along to the one that takes its place", async () => {
    const { clock, loads, value } = setUp();
    const early = value.get();
    await clock.advance(5);
    const reloaded = value.reload();
    expect(loads.signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(await clock.run(Promise.all([early, reloaded, value.get()]))).toEqual([2, 2, 2]);
  });

  it("forgets, and does not let a late load come back", async () => {
    const { clock, loads, value } = setUp();
    const waiting = outcome(value.get());
    value.clear();
    expect(await waiting).toContain("cleared");
    expect(loads.signals[0]?.aborted).toBe(true);
    await clock.advance(10);
    expect([value.value, value.state]).toEqual([undefined, "idle"]);
    expect(await clock.run(value.get())).toBe(2);
    value.clear();
    expect([value.value, await clock.run(value.get())]).toEqual([undefined, 3]);
  });

  it("is over for good when disposed of", async () => {
    const { clock, loads, value } = setUp();
    {
      using scoped = value;
      await clock.run(scoped.get());
    }
    expect([await outcome(value.get()), await outcome(value.reload()), value.value]).toEqual([
      "This lazy value is disposed of; make a new one to load it.",
      "This lazy value is disposed of; make a new one to load it.",
      undefined,
    ]);
    expect(loads.begun).toBe(1);
  });
});

describe("whatever happens to a lazy value", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant("get" as const) },
    { weight: 1, arbitrary: fc.constant("reload" as const) },
    { weight: 1, arbitrary: fc.constant("clear" as const) },
    { weight: 1, arbitrary: fc.constant("fail or mend" as const) },
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 40 }) },
  );
  const strategies = fc.constantFrom<LazyOptions>(
    { strategy: "lazy" },
    { strategy: "on-demand" },
    { strategy: "preload" },
    { strategy: "cached", ttl: 30, grace: 20 },
    { strategy: "cached", ttl: 30, grace: 0, backoff: 15 },
  );

  it("one load counts at a time, nobody waits for ever, and nothing older than a clear is given", async () => {
    await fc.assert(
      fc.asyncProperty(strategies, fc.array(step, { maxLength: 40 }), async (options, steps) => {
        const clock = new VirtualClock();
        let begun = 0;
        let failing = false;
        let oldest = 1;
        const running = new Map<number, AbortSignal>();
        const value = lazy(
          ({ signal }) => {
            const number = ++begun;
            running.set(number, signal);
            expect([...running.values()].filter(({ aborted }) => !aborted).length).toBeLessThanOrEqual(2);
            const fails = failing;
            return new Promise<number>((resolve, reject) => {
              clock.timer(7 + (number % 3) * 9, () => {
                running.delete(number);
                if (fails) reject(new Error("failed"));
                else resolve(number);
              });
            });
          },
          { clock, ...options },
        );
        const counting = () => [...running.values()].filter(({ aborted }) => !aborted).length;
        const waiting: Promise<unknown>[] = [];
        for (const next of steps) {
          if (next === "get" || next === "reload") {
            const notBefore = oldest;
            const promise = next === "get" ? value.get() : value.reload();
            waiting.push(
              promise.then(
                (number) => expect(number).toBeGreaterThanOrEqual(notBefore),
                () => {},
              ),
            );
          } else if (next === "clear") {
            value.clear();
            oldest = begun + 1;
          } else if (next === "fail or mend") {
            failing = !failing;
          } else {
            await clock.advance(next);
          }
          expect(counting()).toBeLessThanOrEqual(1);
          expect(value.value === undefined || value.value >= oldest).toBe(true);
        }
        await clock.advance(100);
        await Promise.all(waiting);
        expect([running.size, clock.pendingTimers, value.state === "loading"]).toEqual([0, 0, false]);
      }),
      { numRuns: 150 },
    );
  });
});

describe("many lazy values", () => {
  it("are preloaded in order of priority, a few at a time", async () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    let running = 0;
    let most = 0;
    const part = (name: string, priority: LazyOptions["priority"], fails = false) =>
      lazy(
        async () => {
          order.push(name);
          most = Math.max(most, ++running);
          await new Promise<void>((resolve) => clock.timer(10, resolve));
          running--;
          if (fails) throw new Error(name);
          return name;
        },
        { clock, priority },
      );
    const lazies = [part("d", "low"), part("b", "high", true), part("c", undefined), part("a", "critical")];
    const { loaded, errors } = await clock.run(preloadAll(lazies, { concurrency: 2 }));
    expect([order, loaded, errors.length, most]).toEqual([["a", "b", "c", "d"], 3, 1, 2]);
    await clock.run(preloadAll(lazies));
    expect(order).toEqual(["a", "b", "c", "d", "b"]);
  });

  it("may need one another", async () => {
    const address = lazy(async () => "redis://cache");
    const client = lazy(async () => ({ connectedTo: await address.get() }));
    expect(await client.get()).toEqual({ connectedTo: "redis://cache" });
  });
});

describe("a loader that makes calls", () => {
  it("makes them with its priority, in the time of the optimizer", async () => {
    const clock = new VirtualClock();
    const optimizer = createOptimizer({ clock, environment: {}, monitor: false });
    const priorities: number[] = [];
    optimizer.on("call.started", ({ priority }) => priorities.push(priority));
    const load = () => optimizer.call({ model: "m", input: "list the topics" }, async () => ["tea"]);
    const topics = lazy(load, { optimizer, priority: "low", strategy: "cached", ttl: "1m" });
    expect(await topics.get()).toEqual(["tea"]);
    await optimizer.cache.clear();
    await clock.advance(60_000);
    await topics.get();
    await clock.advance(0);
    expect(priorities).toEqual([7, 7]);
    await optimizer.close();
  });
});

describe("options of a lazy value", () => {
  it.each<[string, () => unknown]>([
    ["lazy.loader", () => lazy("x" as unknown as () => string)],
    ["lazy.strategy", () => lazy(() => 1, { strategy: "eager" as "lazy" })],
    ["lazy.ttl", () => lazy(() => 1, { strategy: "cached" })],
    ["lazy.ttl", () => lazy(() => 1, { ttl: "1m" })],
    ["lazy.grace", () => lazy(() => 1, { strategy: "preload", grace: "1m" })],
    ["lazy.priority", () => lazy(() => 1, { priority: "soon" as "low" })],
    ["lazy.optimizer", () => lazy(() => 1, { optimizer: {} as ReturnType<typeof createOptimizer> })],
    ["lazy.tll", () => lazy(() => 1, { tll: 1 } as LazyOptions)],
  ])("that are wrong are refused: %s", (option, make) => {
    expect(make).toThrow(expect.objectContaining({ option, constructor: OptionError }));
  });
});
