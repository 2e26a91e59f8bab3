import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createOptimizer, type OptimizerOptions, OptionError, seededRandom } from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { type WarmProgress, warm } from "../../src/warming/index.ts";

const usage = { inputTokens: 10, outputTokens: 5 };

/** An optimizer in virtual time, and a question that takes 100 ms. */
function setUp(options: OptimizerOptions = {}) {
  const clock = new VirtualClock();
  const optimizer = createOptimizer({
    clock,
    random: seededRandom(1),
    environment: {},
    monitor: false,
    retry: false,
    ...options,
  });
  const asked: string[] = [];
  const state = { running: 0, most: 0, error: undefined as unknown };
  const ask = (input: string) =>
    optimizer.call({ model: "m", input }, async ({ signal }) => {
      asked.push(input);
      state.most = Math.max(state.most, ++state.running);
      await new Promise<void>((resolve) => {
        clock.timer(100, resolve);
        signal.addEventListener("abort", () => resolve());
      });
      state.running--;
      if (state.error !== undefined) throw state.error;
      return { text: `about ${input}`, usage };
    });
  return { clock, optimizer, ask, asked, state };
}

describe("warming", () => {
  it("fills the cache, and does not ask for what is in it", async () => {
    const { clock, optimizer, ask, asked } = setUp();
    await clock.run(ask("tea"));
    const warming = warm(optimizer, { calls: ["tea", "milk", "salt"], ask });
    expect(await clock.run(warming.done)).toEqual({
      passes: 1,
      hits: 1,
      filled: 2,
      skipped: 0,
      failed: 0,
      costTokens: 30,
      ended: "completed",
      error: undefined,
    });
    expect(asked).toEqual(["tea", "milk", "salt"]);
    await ask("salt");
    expect(asked.length).toBe(3);
    expect(clock.pendingTimers).toBe(0);
  });

  it("takes functions, iterators, async iterators and functions that give them", async () => {
    const { clock, optimizer, ask, asked } = setUp();
    const thunks = ["a", "b"].map((text) => () => ask(text));
    const generated = function* () {
      yield () => ask("c");
      yield "d";
    };
    const later = async function* () {
      yield "e";
      yield "f";
    };
    await clock.run(warm(optimizer, { calls: thunks }).done);
    await clock.run(warm(optimizer, { calls: generated(), ask }).done);
    await clock.run(warm(optimizer, { calls: later(), ask }).done);
    await clock.run(warm(optimizer, { calls: async () => new Set(["g"]), ask }).done);
    expect(asked).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
  });

  it("has a few items under way at once, each at low priority", async () => {
    const { clock, optimizer, ask, state } = setUp();
    const priorities = new Set<number>();
    optimizer.on("call.started", ({ priority }) => priorities.add(priority));
    const calls = Array.from({ length: 12 }, (_, index) => `question ${index}`);
    await clock.run(warm(optimizer, { calls, ask, concurrency: 3 }).done);
    expect([state.most, [...priorities], clock.now()]).toEqual([3, [9], 400]);
    await clock.run(warm(optimizer, { calls: ["x", "y", "z"], ask, priority: "low" }).done);
    expect([state.most, [...priorities]]).toEqual([3, [9, 7]]);
  });

  it("lets calls that somebody waits for go first", async () => {
    const { clock, optimizer, ask, asked } = setUp({ pool: { concurrency: 1 } });
    const warming = warm(optimizer, { calls: ["w1", "w2", "w3"], ask });
    await clock.advance(50);
    const urgent = optimizer.run({ priority: "high" }, () => ask("urgent"));
    await clock.run(Promise.all([urgent, warming.done]));
    expect(asked.indexOf("urgent")).toBe(1);
  });

  it("passes what its calls want", async () => {
    const { clock, optimizer, ask, asked } = setUp();
    await clock.run(warm(optimizer, { calls: ["tea"], ask, scope: { tags: ["shop"], ttl: "1s" } }).done);
    await optimizer.run({ tags: ["shop"] }, () => ask("tea"));
    expect(asked.length).toBe(1);
    await optimizer.cache.invalidateTags(["shop"]);
    const { filled } = await clock.run(warm(optimizer, { calls: ["tea"], ask, scope: { ttl: "1s" } }).done);
    expect(filled).toBe(1);
    await clock.advance(1000);
    expect((await clock.run(warm(optimizer, { calls: ["tea"], ask }).done)).filled).toBe(1);
  });

  it("counts failures and goes on", async () => {
    const { clock, optimizer, ask } = setUp();
    const calls = [
      () => ask("good"),
      () => Promise.reject(new TypeError("bad")),
      () => {
        throw new Error("worse");
      },
      () => ask("also good"),
    ];
    expect(await clock.run(warm(optimizer, { calls }).done)).toMatchObject({
      filled: 2,
      failed: 2,
      ended: "completed",
    });
  });

  it("counts apart what leaves nothing in the cache", async () => {
    const { clock, optimizer, ask } = setUp();
    const calls = [
      () => "no call at all",
      () => optimizer.run({ cache: "bypass" }, () => ask("tea")),
      () => optimizer.call({ model: "m", input: "x" }, () => new Date(0)),
    ];
    expect(await clock.run(warm(optimizer, { calls }).done)).toMatchObject({ skipped: 3, filled: 0, hits: 0 });
  });

  it("reads a stream to its end, so that it is kept", async () => {
    const { clock, optimizer } = setUp();
    const stream = () =>
      optimizer.call({ model: "m", input: "story" }, async function* () {
        yield "once";
        yield "upon";
      });
    expect(await clock.run(warm(optimizer, { calls: [stream] }).done)).toMatchObject({ filled: 1 });
    expect(await clock.run(warm(optimizer, { calls: [stream] }).done)).toMatchObject({ hits: 1 });
  });

  it("reads a response to its end, so that it is kept", async () => {
    let requests = 0;
    const body = {
      id: "1",
      object: "chat.completion",
      created: 1,
      model: "m",
      choices: [{ index: 0, message: { role: "assistant", content: "tea" }, finish_reason: "stop" }],
      usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 },
    };
    const { clock, optimizer } = setUp({
      fetch: async () => {
        requests++;
        return Response.json(body);
      },
    });
    const request = () =>
      optimizer.fetch("https://api.openai.com/v1/chat/completions", {
        method: "POST",
        headers: { "content-type": "application/json", authorization: "Bearer k" },
        body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "tea?" }] }),
      });
    const calls = [request, request];
    expect(await clock.run(warm(optimizer, { calls, concurrency: 1 }).done)).toMatchObject({
      filled: 1,
      hits: 1,
      costTokens: 4,
    });
    expect(requests).toBe(1);
  });

  it("tells two warmings and everybody else's calls apart", async () => {
    const { clock, optimizer, ask } = setUp();
    const one = warm(optimizer, { calls: ["a", "b"], ask });
    const other = warm(optimizer, { calls: ["c"], ask });
    const mine = ask("mine");
    const [first, second] = await clock.run(Promise.all([one.done, other.done, mine]));
    expect([first.filled, first.costTokens, second.filled, second.costTokens]).toEqual([2, 30, 1, 15]);
  });

  it("lets others have their turn while it finds everything in the cache", async () => {
    const { clock, optimizer, ask } = setUp();
    await clock.run(ask("tea"));
    let turns = 0;
    const warming = warm(optimizer, { calls: Array.from({ length: 1000 }, () => "tea"), ask });
    const counting = (): void => {
      turns++;
      if (warming.progress().done < 1000) clock.timer(0, counting);
    };
    counting();
    expect((await clock.run(warming.done)).hits).toBe(1000);
    expect(turns).toBeGreaterThan(25);
  });
});

describe("whatever its items come to", () => {
  const item = fc.record({
    question: fc.integer({ min: 0, max: 8 }),
    does: fc.constantFrom("answers", "fails", "makes no call"),
    refusals: fc.integer({ min: 0, max: 2 }),
  });

  it("each is counted once, and no question is paid for twice", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(item, { maxLength: 40 }),
        fc.integer({ min: 1, max: 5 }),
        async (items, concurrency) => {
          const { clock, optimizer, ask, asked, state } = setUp({ rateLimit: false, throttle: false, breaker: false });
          const busy = Object.assign(new Error("slow down"), { status: 429, headers: { "retry-after": "3" } });
          const calls = items.map(({ question, does, refusals }, index) => {
            let left = refusals;
            return async () => {
              if (left-- > 0) return optimizer.call({ model: "m", input: { index } }, () => Promise.reject(busy));
              if (does === "fails") throw new Error("failed");
              return does === "answers" ? ask(`question ${question}`) : "nothing";
            };
          });
          const { hits, filled, skipped, failed, ended, costTokens } = await clock.run(
            warm(optimizer, { calls, concurrency }).done,
          );
          const count = (does: string) => items.filter((one) => one.does === does).length;
          const questions = new Set(items.flatMap(({ does, question }) => (does === "answers" ? [question] : [])));
          expect([hits + filled, skipped, failed, ended]).toEqual([
            count("answers"),
            count("makes no call"),
            count("fails"),
            "completed",
          ]);
          expect([asked.length, costTokens]).toEqual([questions.size, 15 * questions.size]);
          expect(state.most).toBeLessThanOrEqual(concurrency);
          expect(clock.pendingTimers).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("progress", () => {
  it("is told after each item, with the time that is left", async () => {
    const { clock, optimizer, ask } = setUp();
    const told: WarmProgress[] = [];
    const warming = warm(optimizer, {
      calls: ["a", "b", "c", "d"],
      ask,
      concurrency: 1,
      onProgress: (progress) => told.push(progress),
    });
    expect(warming.progress()).toMatchObject({ pass: 1, done: 0, etaMs: undefined });
    await clock.run(warming.done);
    expect(told.map(({ done, total, etaMs }) => [done, total, etaMs])).toEqual([
      [1, 4, 300],
      [2, 4, 200],
      [3, 4, 100],
      [4, 4, 0],
    ]);
    expect(warming.progress()).toMatchObject({ done: 4, filled: 4, costTokens: 60, elapsedMs: 400 });
  });

  it("survives a listener that throws, and says so", async () => {
    const { clock, optimizer, ask } = setUp();
    const failures: string[] = [];
    optimizer.on("listener.failed", ({ listenerOf, error }) => failures.push(`${listenerOf} ${error}`));
    const onProgress = () => {
      throw new RangeError("no");
    };
    expect(await clock.run(warm(optimizer, { calls: ["a", "b"], ask, onProgress }).done)).toMatchObject({ filled: 2 });
    expect(failures).toEqual(["warm.onProgress RangeError", "warm.onProgress RangeError"]);
  });

  it("has an event for each pass", async () => {
    const { clock, optimizer, ask } = setUp();
    const passes: unknown[] = [];
    optimizer.on("cache.warmed", ({ pass, filled, hits, costTokens, durationMs, ended }) => {
      passes.push([pass, filled, hits, costTokens, durationMs, ended]);
    });
    const warming = warm(optimizer, { calls: ["a"], ask, interval: "1s" });
    await clock.advance(1_050);
    await clock.run(warming.stop());
    expect(passes).toEqual([
      [1, 1, 0, 15, 100, "completed"],
      [2, 0, 1, 0, 0, "completed"],
    ]);
  });
});

describe("warming at intervals", () => {
  it("asks again for what is no longer fresh, and for nothing else", async () => {
    const { clock, optimizer, ask, asked } = setUp();
    const warming = warm(optimizer, { calls: () => ["a", "b"], ask, interval: "10m", scope: { ttl: "25m" } });
    await clock.advance(60 * 60_000 - 1);
    // Passes at 0, 10, 20, 30, 40 and 50 minutes; entries end at 25 and 55.
    expect([asked, warming.progress().pass]).toEqual([["a", "b", "a", "b"], 6]);
    const { passes, hits, filled } = await clock.run(warming.stop());
    expect([passes, hits, filled, clock.pendingTimers]).toEqual([6, 8, 4, 0]);
  });

  it("asks before an entry ends when it wants some freshness to be left", async () => {
    const { clock, optimizer, ask, asked } = setUp();
    const scope = { ttl: "25m", cache: { minFresh: "10m" } } as const;
    const warming = warm(optimizer, { calls: ["a"], ask, interval: "10m", scope });
    let misses = 0;
    optimizer.on("cache.miss", ({ callId }) => void (callId !== undefined && misses++));
    for (let minute = 0; minute < 120; minute++) {
      await clock.advance(60_000);
      const before = asked.length;
      await ask("a");
      expect(asked.length).toBe(before);
    }
    await clock.run(warming.stop());
    expect(misses).toBeGreaterThan(0);
  });

  it("waits for a pass that takes longer", async () => {
    const { clock, optimizer, ask } = setUp();
    const calls = ["a", "b", "c"];
    const scope = { cache: "refresh" } as const;
    const warming = warm(optimizer, { calls, ask, interval: 100, concurrency: 1, scope });
    await clock.advance(750);
    expect(warming.progress().pass).toBe(3);
    await clock.run(warming.stop());
  });

  it("goes on after a source that fails once", async () => {
    const { clock, optimizer, ask } = setUp();
    let reads = 0;
    const calls = () => {
      if (++reads === 1) throw new Error("no connection");
      return ["a"];
    };
    const warming = warm(optimizer, { calls, ask, interval: "1s" });
    await clock.advance(1_500);
    expect(await clock.run(warming.stop())).toMatchObject({ passes: 2, filled: 1 });
  });
});

describe("warming that is refused", () => {
  it("waits as long as the breaker says, and tries again", async () => {
    const { clock, optimizer, ask, asked, state } = setUp({
      breaker: { minimumCalls: 4, window: "10s", halfOpenAfter: "30s" },
    });
    state.error = Object.assign(new Error("down"), { status: 500 });
    const calls = Array.from({ length: 20 }, (_, index) => `question ${index}`);
    const warming = warm(optimizer, { calls, ask });
    await clock.advance(10_000);
    const { failed } = warming.progress();
    expect([failed, asked.length]).toEqual([failed, failed]);
    expect(failed).toBeLessThan(10);
    state.error = undefined;
    expect(await clock.run(warming.done)).toMatchObject({ failed, filled: 20 - failed, ended: "completed" });
  });

  it("waits for a full queue and for the provider's own limits", async () => {
    const { clock, optimizer, ask, asked, state } = setUp({ pool: { concurrency: 1, maxQueue: 0 } });
    const others = ask("somebody else's");
    const warming = warm(optimizer, { calls: ["a"], ask });
    await clock.run(others);
    expect(asked).toEqual(["somebody else's"]);
    expect(await clock.run(warming.done)).toMatchObject({ filled: 1, failed: 0 });
    state.error = Object.assign(new Error("slow down"), { status: 429, headers: { "retry-after": "20" } });
    const limited = warm(optimizer, { calls: ["b"], ask });
    await clock.advance(10_000);
    state.error = undefined;
    expect(await clock.run(limited.done)).toMatchObject({ filled: 1, failed: 0 });
  });

  it("gives up when there are only refusals for longer than its patience", async () => {
    const { clock, optimizer, ask, state } = setUp({ rateLimit: false, throttle: false });
    state.error = Object.assign(new Error("slow down"), { status: 429 });
    const warming = warm(optimizer, { calls: ["a", "b", "c", "d"], ask, patience: "1m" });
    const { ended, failed } = await clock.run(warming.done);
    expect([ended, failed]).toEqual(["refused", 0]);
    expect(clock.now()).toBeLessThan(80_000);
  });

  it("takes a breath although it is told to try again at once", async () => {
    const { clock, optimizer } = setUp({ rateLimit: false, throttle: false, breaker: false });
    let tries = 0;
    const eager = () =>
      optimizer.call({ model: "m", input: "x" }, () => {
        tries++;
        return Promise.reject(Object.assign(new Error("slow down"), { status: 429, headers: { "retry-after": "0" } }));
      });
    const { ended } = await clock.run(warm(optimizer, { calls: [eager], patience: "1s" }).done);
    expect([ended, tries]).toEqual(["refused", 11]);
  });

  it("gives up an item that is refused while others are let through", async () => {
    const { clock, optimizer, ask } = setUp();
    const unwanted = () =>
      optimizer.call({ model: "other", input: "x" }, () => {
        throw Object.assign(new Error("slow down"), { status: 429 });
      });
    const others = Array.from({ length: 600 }, (_, index) => () => ask(`question ${index}`));
    const warming = warm(optimizer, { calls: [unwanted, ...others], patience: "1m" });
    expect(await clock.run(warming.done)).toMatchObject({ failed: 1, filled: 600, ended: "completed" });
  });
});

describe("stopping", () => {
  it("aborts what is under way and leaves nothing behind", async () => {
    const { clock, optimizer, asked } = setUp();
    let closed = 0;
    function* calls() {
      try {
        for (let index = 0; ; index++) yield index;
      } finally {
        closed++;
      }
    }
    const ask = (index: number, { signal }: { signal: AbortSignal }) =>
      optimizer.call({ model: "m", input: index }, () => new Promise(() => asked.push(String(index))), { signal });
    const { listenerCount } = optimizer.line.runtime.events;
    const warming = warm(optimizer, { calls: calls(), ask });
    await clock.advance(10);
    expect(asked.length).toBe(2);
    expect(await warming.stop()).toMatchObject({ ended: "stopped", filled: 0, failed: 0 });
    expect([asked.length, closed, clock.pendingTimers]).toEqual([2, 1, 0]);
    expect(optimizer.line.runtime.events.listenerCount).toBe(listenerCount);
    expect(await warming.stop()).toMatchObject({ ended: "stopped" });
  });

  it("goes by the signal, by disposal, and at once between passes", async () => {
    const { clock, optimizer, ask } = setUp();
    const controller = new AbortController();
    const bySignal = warm(optimizer, { calls: ["a"], ask, interval: "1h", signal: controller.signal });
    await clock.advance(1000);
    controller.abort();
    expect(await bySignal.done).toMatchObject({ passes: 1, filled: 1 });
    {
      await using disposed = warm(optimizer, { calls: ["b"], ask, interval: "1h" });
      await clock.advance(1000);
      expect(disposed.progress().done).toBe(1);
    }
    expect(clock.pendingTimers).toBe(0);
    expect(await warm(optimizer, { calls: ["c"], ask, signal: AbortSignal.abort() }).done).toMatchObject({
      passes: 0,
      ended: "stopped",
    });
  });

  it("does not wait for a source that gives nothing, nor for a pause", async () => {
    const { clock, optimizer, ask, state } = setUp();
    const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<string>>(() => {}) }) };
    const never = warm(optimizer, { calls: () => new Promise<string[]>(() => {}), ask });
    const waiting = warm(optimizer, { calls: silent, ask });
    state.error = Object.assign(new Error("slow down"), { status: 429, headers: { "retry-after": "60" } });
    const paused = warm(optimizer, { calls: ["a"], ask });
    await clock.advance(500);
    expect((await Promise.all([never.stop(), waiting.stop(), paused.stop()])).map(({ ended }) => ended)).toEqual([
      "stopped",
      "stopped",
      "stopped",
    ]);
  });

  it("happens by itself when the optimizer is closed", async () => {
    const { clock, optimizer, ask } = setUp();
    const warming = warm(optimizer, { calls: ["a", "b", "c"], ask, interval: "1m" });
    await clock.advance(150);
    await optimizer.close();
    await clock.advance(120_000);
    expect(await warming.done).toMatchObject({ ended: "stopped" });
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("options of warming", () => {
  const { optimizer } = setUp();
  const calls = ["a"];
  const ask = async () => 1;
  it.each<[string, () => unknown]>([
    ["warm.optimizer", () => warm({} as typeof optimizer, { calls, ask })],
    ["warm.optimizer", () => warm(createOptimizer({ cache: false, environment: {} }), { calls, ask })],
    ["warm.calls", () => warm(optimizer, { calls: "text" as unknown as string[], ask })],
    ["warm.calls", () => warm(optimizer, { calls: calls.values(), ask, interval: 1000 })],
    ["warm.ask", () => warm(optimizer, { calls, ask: 1 as unknown as () => number })],
    ["warm.concurrency", () => warm(optimizer, { calls, ask, concurrency: 0 })],
    ["warm.interval", () => warm(optimizer, { calls, ask, interval: 0 })],
    ["warm.signal", () => warm(optimizer, { calls, ask, signal: {} as AbortSignal })],
    ["warm.onProgres", () => warm(optimizer, { calls, ask, onProgres: ask } as Parameters<typeof warm>[1])],
    ["scope.priority", () => warm(optimizer, { calls, ask, priority: 10 as 9 })],
    ["scope.ttl", () => warm(optimizer, { calls, ask, scope: { ttl: -1 } })],
  ])("that are wrong are refused: %s", (option, make) => {
    expect(make).toThrow(expect.objectContaining({ option, constructor: OptionError }));
  });

  it("ends with an error when an item is no function and nothing asks for it", async () => {
    const summary = await warm(optimizer, { calls: ["a"] }).done;
    expect(summary).toMatchObject({ ended: "failed", error: { option: "warm.ask" } });
  });
});
