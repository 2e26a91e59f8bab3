import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Call, OptionError, type Outcome, pipeline, valueReply, whole } from "../../../src/core/index.ts";
import { cache } from "../../../src/policies/cache/index.ts";
import { Invalidations } from "../../../src/policies/cache/invalidations.ts";
import { coalesce } from "../../../src/policies/coalesce/index.ts";
import { answering, callOf, virtualRuntime } from "../../support/calls.ts";
import { benchOf, valueIn } from "./support/questions.ts";
import { ByteServer, MapStore, mapTier, serverTier } from "./support/stores.ts";

const servedBy = async (outcome: Promise<Outcome>) => {
  const reply = await outcome;
  return reply.ok ? reply.servedBy : undefined;
};
const tagged = (...tags: string[]) => ({ scope: { tags } });

describe("tags", () => {
  it("take every entry that carries one of them away, and no other", async () => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime);
    const ask = (input: string, ...tags: string[]) => bench.value({ request: { input }, ...tagged(...tags) });
    await ask("a", "x");
    await ask("b", "x", "y");
    await ask("c", "z");
    await ask("d");
    await bench.policy.invalidateTags(["x"]);
    expect(await ask("a", "x")).toBe("answer 5");
    expect(await ask("b", "x", "y")).toBe("answer 6");
    expect(await ask("c", "z")).toBe("answer 3");
    expect(await ask("d")).toBe("answer 4");
    expect(bench.policy.stats().misses.invalidated).toBe(2);
  });

  it("act at once in this process, before the promise resolves", async () => {
    const { runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = benchOf(runtime, { tiers: [mapTier(), serverTier(server)] });
    await bench.ask(tagged("x"));
    await bench.policy.flush();
    const done = bench.policy.invalidateTags(["x"]);
    expect(await bench.value(tagged("x"))).toBe("answer 2");
    await done;
  });

  it("reach other processes through a tier they share", async () => {
    const { runtime } = virtualRuntime();
    const server = new ByteServer();
    const [mine, yours] = [1, 2].map(() => benchOf(runtime, { tiers: [serverTier(server)] }));
    await mine?.ask(tagged("x"));
    await mine?.policy.flush();
    expect(await yours?.value(tagged("x"))).toBe("answer 1");
    await yours?.policy.invalidateTags(["x"]);
    expect(await mine?.value(tagged("x"))).toBe("answer 2");
  });

  it("are seen by a process that has never heard of them", async () => {
    const { runtime } = virtualRuntime();
    const server = new ByteServer();
    const first = benchOf(runtime, { tiers: [serverTier(server)] });
    await first.policy.invalidateTags(["x"]);
    await first.policy.invalidateTags(["x"]);
    await first.ask(tagged("x"));
    await first.policy.flush();
    const second = benchOf(runtime, { tiers: [mapTier(), serverTier(server)] });
    expect(await second.value(tagged("x"))).toBe("answer 1");
    await second.policy.invalidateTags(["x"]);
    expect(await second.value(tagged("x"))).toBe("answer 1");
    expect(second.asked()).toBe(1);
  });

  it("also work on a tier without generations, for the process that wrote the entry", async () => {
    const { runtime } = virtualRuntime();
    const server = new ByteServer();
    const tiers = [serverTier(server, { tags: false })];
    const bench = benchOf(runtime, { tiers });
    await bench.ask(tagged("x"));
    await bench.ask({ request: { input: "untagged" } });
    await bench.policy.flush();
    expect(await bench.value(tagged("x"))).toBe("answer 1");
    await bench.policy.invalidateTags(["x"]);
    expect(await bench.value(tagged("x"))).toBe("answer 3");
    await bench.policy.flush();
    // Another process cannot know what was invalidated: it goes without entries that carry tags.
    const other = benchOf(runtime, { tiers });
    expect(await other.value(tagged("x"))).toBe("answer 1");
    expect(await other.value({ request: { input: "untagged" } })).toBe("answer 2");
  });

  it("are remembered for a tier that is down, and its entries are not used until it has taken note", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = benchOf(runtime, { tiers: [serverTier(server)] });
    await bench.ask(tagged("x"));
    await bench.policy.flush();
    server.trouble = "hangs";
    const done = bench.policy.invalidateTags(["x"]);
    await clock.run(done);
    expect(server.generations.get("x")).toBeUndefined();
    server.trouble = "none";
    // Reading works again, the invalidation is still owed.
    expect(await bench.value(tagged("x"))).toBe("answer 2");
    await clock.advance(5000);
    expect(server.generations.get("x")).toBe(1);
    expect(clock.pendingTimers).toBe(0);
    const other = benchOf(runtime, { tiers: [serverTier(server)] });
    expect(await other.value(tagged("x"))).toBe("answer 1");
    expect(other.asked()).toBe(1);
  });

  it("clear a tier that is owed too many of them", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = benchOf(runtime, { tiers: [serverTier(server)] });
    await bench.ask(tagged("x"));
    await bench.ask({ request: { input: "untagged" } });
    await bench.policy.flush();
    server.trouble = "rejects";
    for (let batch = 0; batch < 400; batch++) {
      await clock.run(bench.policy.invalidateTags(Array.from({ length: 32 }, (_, n) => `tag ${batch} ${n}`)));
    }
    server.trouble = "none";
    await clock.advance(5000);
    expect(server.values.size).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it.each(["invalidate", "clear"])("keep a found entry out of the tiers above, whenever it is: %s", async (what) => {
    for (let steps = 0; steps < 20; steps++) {
      const { runtime } = virtualRuntime();
      const server = new ByteServer();
      const writer = benchOf(runtime, { tiers: [serverTier(server)] });
      await writer.ask(tagged("x"));
      await writer.policy.flush();
      const { policy, ask } = benchOf(runtime, { tiers: [mapTier(), serverTier(server)] });
      const reading = ask(tagged("x"));
      for (let step = 0; step < steps; step++) await undefined;
      const done = what === "clear" ? policy.clear() : policy.invalidateTags(["x"]);
      await Promise.all([reading, done]);
      // One that was found before has been put into memory before, and is gone from there.
      if ((await servedBy(reading)) === "cache")
        expect(await servedBy(ask(tagged("x"))), `step ${steps}`).toBe("upstream");
    }
  });

  it("that change while an entry is being read make it stale", async () => {
    for (const tags of [true, false]) {
      const { clock, runtime } = virtualRuntime();
      const server = new ByteServer();
      const bench = benchOf(runtime, { tiers: [serverTier(server, { tags })] });
      await bench.ask(tagged("x"));
      await bench.policy.flush();
      server.delayMs = 20;
      const reading = bench.value(tagged("x"));
      await clock.advance(10);
      server.delayMs = 0;
      await bench.policy.invalidateTags(["x"]);
      expect(await clock.run(reading)).toBe("answer 2");
    }
  });

  it("that change again while a tier is being told are told again", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    server.delayMs = 20;
    const bench = benchOf(runtime, { tiers: [serverTier(server)] });
    const first = bench.policy.invalidateTags(["x"]);
    await clock.advance(10);
    await clock.run(Promise.all([first, bench.policy.invalidateTags(["x"])]));
    expect(server.generations.get("x")).toBe(2);
  });

  it("of a fill that began before the invalidation keep it out of every tier", async () => {
    const { clock, runtime } = virtualRuntime();
    const [server, memory] = [new ByteServer(), new MapStore()];
    const bench = benchOf(runtime, { tiers: [mapTier(memory), serverTier(server)] });
    const slow = (): Promise<Outcome> =>
      new Promise((resolve) => runtime.clock.timer(100, () => resolve(valueReply("stale", whole()))));
    const stale = bench.ask(tagged("x"), slow);
    await clock.advance(50);
    await bench.policy.invalidateTags(["x"]);
    expect(valueIn(await clock.run(stale))).toBe("stale");
    await bench.policy.flush();
    expect([memory.entries.size, server.values.size]).toEqual([0, 0]);
    expect(bench.policy.stats().skipped).toBe(1);
  });

  it("of a fill that another caller began, and left, keep it from those who ask afterwards", async () => {
    for (const elsewhere of [false, true]) {
      const { clock, runtime } = virtualRuntime();
      const server = new ByteServer();
      const policy = cache({ tiers: [serverTier(server)] }, runtime);
      const other = cache({ tiers: [serverTier(server)] }, runtime);
      const line = pipeline(policy, coalesce({}, runtime));
      let sent = 0;
      const send = (call: Call) => answering(runtime, `answer ${++sent}`, 100)(call);
      const first = callOf(runtime, send, tagged("x"));
      const left = line.execute(first);
      await clock.advance(10);
      await (elsewhere ? other : policy).invalidateTags(["x"]);
      const second = line.execute(callOf(runtime, send, tagged("x")));
      await clock.advance(10);
      first.cancellation.cancel("bored");
      expect(valueIn(await clock.run(second))).toBe("answer 2");
      await clock.run(left);
      await policy.flush();
      expect(valueIn(await clock.run(line.execute(callOf(runtime, send, tagged("x")))))).toBe("answer 2");
    }
  });

  it("of a fill in another process keep its entry from being used", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const [mine, yours] = [1, 2].map(() => benchOf(runtime, { tiers: [serverTier(server)] }));
    const slow = (): Promise<Outcome> =>
      new Promise((resolve) => runtime.clock.timer(100, () => resolve(valueReply("stale", whole()))));
    const stale = mine?.ask(tagged("x"), slow);
    await clock.advance(50);
    await yours?.policy.invalidateTags(["x"]);
    await clock.run(stale ?? Promise.reject());
    await mine?.policy.flush();
    expect(await yours?.value(tagged("x"))).toBe("answer 1");
  });

  it("with names of built-in properties are tags like any other", async () => {
    const { runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = benchOf(runtime, { tiers: [mapTier(), serverTier(server)] });
    for (const tag of ["__proto__", "constructor", "toString"]) {
      const ask = () => bench.value({ request: { input: tag }, ...tagged(tag) });
      const before = await ask();
      await bench.policy.flush();
      await bench.policy.invalidateTags([tag]);
      expect(await ask()).not.toBe(before);
    }
  });

  it("that an entry lacks make it a miss for the call that brings them, and are then added to it", async () => {
    const { runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = benchOf(runtime, { tiers: [mapTier(), serverTier(server)] });
    await bench.ask(tagged("x"));
    expect(await bench.value(tagged("y"))).toBe("answer 2");
    expect(await bench.value(tagged("x"))).toBe("answer 2");
    expect(await bench.value()).toBe("answer 2");
    await bench.policy.flush();
    const other = benchOf(runtime, { tiers: [serverTier(server)] });
    expect(await other.value(tagged("y"))).toBe("answer 2");
    await bench.policy.invalidateTags(["x"]);
    expect(await bench.value(tagged("y"))).toBe("answer 3");
  });

  it("are checked", async () => {
    const { runtime } = virtualRuntime();
    const { policy } = benchOf(runtime);
    await expect(policy.invalidateTags([""])).rejects.toThrow(OptionError);
    await expect(policy.invalidateTags("x" as unknown as string[])).rejects.toThrow(/tags/);
    await policy.invalidateTags([]);
    // A file keeps text as UTF-8, and the mark of a key is no tag.
    for (const tag of ["\uD800", "\u0000key"]) await expect(policy.invalidateTags([tag])).rejects.toThrow(OptionError);
  });
});

describe("clear", () => {
  it("empties every tier, and fills on their way stay out", async () => {
    const { clock, runtime } = virtualRuntime();
    const [server, memory] = [new ByteServer(), new MapStore()];
    const bench = benchOf(runtime, { tiers: [mapTier(memory), serverTier(server)] });
    await bench.ask();
    const slow = (): Promise<Outcome> =>
      new Promise((resolve) => runtime.clock.timer(100, () => resolve(valueReply("stale", whole()))));
    const stale = bench.ask({ request: { input: "slow" } }, slow);
    server.delayMs = 20;
    await clock.run(bench.ask({ request: { input: "being written" }, scope: { cache: "refresh" } }));
    await clock.run(bench.policy.clear());
    await clock.run(stale);
    await clock.run(bench.policy.flush());
    expect([memory.entries.size, server.values.size]).toEqual([0, 0]);
  });

  it("waits for the writes that would land behind it", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = benchOf(runtime, { tiers: [mapTier(), serverTier(server)] });
    server.delayMs = 40;
    await clock.run(bench.ask());
    server.delayMs = 0;
    await clock.run(bench.policy.clear());
    await clock.advance(100);
    expect(server.values.size).toBe(0);
  });

  it("is carried out on a tier that was down when it is back", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = benchOf(runtime, { tiers: [serverTier(server)] });
    await bench.ask();
    await bench.policy.flush();
    server.trouble = "rejects";
    await clock.run(bench.policy.clear());
    server.trouble = "none";
    expect(await bench.value()).toBe("answer 2");
    await clock.advance(5000);
    expect(server.values.size).toBe(0);
  });
});

describe("the versions of tags", () => {
  it("forget the tags invalidated longest ago in favour of missing, never of a stale entry", () => {
    const versions = new Invalidations();
    const old = versions.of(["old", "never"]);
    versions.invalidate(["old"]);
    const between = versions.of(["old", "never"]);
    for (let n = 0; n < 100_001; n++) versions.invalidate([`tag ${n}`]);
    expect(versions.of(["old"])["old"]).not.toBe(old["old"]);
    // Not listed any more, so one that was never invalidated has to count as invalidated, too.
    expect(versions.of(["never"])["never"]).not.toBe(between["never"]);
  });

  it("differ between processes", () => {
    expect(new Invalidations().of(["x"])).not.toEqual(new Invalidations().of(["x"]));
  });
});

/** One step of a random history. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("ask" as const), process: fc.nat(1), input: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("invalidate" as const), process: fc.nat(1), tag: fc.nat(1) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("trouble" as const), on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("clear" as const), process: fc.nat(1) }) },
);

describe("no history of calls, invalidations and failures", () => {
  it("lets a process give an answer that it invalidated before the question was asked", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const { clock, runtime } = virtualRuntime();
        const server = new ByteServer();
        server.delayMs = 3;
        const processes = [1, 2].map(() => benchOf(runtime, { tiers: [mapTier(), serverTier(server)] }));
        // An answer is the state of the world when the provider was asked: how often each tag had changed.
        const world: Record<string, number> = { "tag 0": 0, "tag 1": 0 };
        const invalidatedBy = processes.map(() => ({ ...world }));
        const wrong: string[] = [];
        const running: Promise<unknown>[] = [];
        for (const [index, action] of steps.entries()) {
          if (action.do === "pass") await clock.advance(action.ms);
          else if (action.do === "trouble") server.trouble = action.on ? "hangs" : "none";
          else if (action.do === "clear") running.push(processes[action.process]?.policy.clear() ?? Promise.reject());
          else if (action.do === "invalidate") {
            const tag = `tag ${action.tag}`;
            world[tag] = (world[tag] ?? 0) + 1;
            const known = invalidatedBy[action.process] as Record<string, number>;
            known[tag] = world[tag];
            running.push(processes[action.process]?.policy.invalidateTags([tag]) ?? Promise.reject());
          } else {
            const tags = action.input === 2 ? ["tag 0", "tag 1"] : [`tag ${action.input}`];
            const needed = { ...invalidatedBy[action.process] };
            const provider = (): Promise<Outcome> => {
              const seen = { ...world };
              return new Promise((resolve) => clock.timer(20, () => resolve(valueReply(seen, whole()))));
            };
            const asked = processes[action.process]?.ask(
              { request: { input: action.input }, scope: { tags } },
              provider,
            );
            running.push(
              (asked ?? Promise.reject()).then((outcome) => {
                const seen = valueIn(outcome) as Record<string, number>;
                for (const tag of tags) {
                  if ((seen[tag] ?? 0) < (needed[tag] ?? 0)) wrong.push(`step ${index}: ${tag}`);
                }
              }),
            );
          }
        }
        await clock.run(Promise.all(running));
        expect(wrong).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
