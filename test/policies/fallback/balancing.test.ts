import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Call,
  faultOf,
  OptionError,
  type Outcome,
  type Runtime,
  seededRandom,
  type Wire,
} from "../../../src/core/index.ts";
import { type FallbackOptions, fallback } from "../../../src/policies/fallback/index.ts";
import { rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { answering, callOf, jsonWire, virtualRuntime } from "../../support/calls.ts";
import { answer, lineOf, saying, targetTo, valueIn } from "./support.ts";

/** How many of `calls` each target answers, one after the other. */
async function sharesOf(
  runtime: Runtime,
  options: FallbackOptions,
  calls: number,
  details: (n: number) => Parameters<typeof callOf>[2] = () => ({}),
): Promise<Record<string, number>> {
  const { line } = lineOf(runtime, options);
  const shares: Record<string, number> = {};
  for (let n = 0; n < calls; n++) {
    const by = String(valueIn(await line.execute(callOf(runtime, saying("own"), details(n)))));
    shares[by] = (shares[by] ?? 0) + 1;
  }
  return shares;
}

describe("weighted", () => {
  it("shares calls by weight among targets of the lowest rank", async () => {
    const { runtime } = virtualRuntime(7);
    const shares = await sharesOf(
      runtime,
      {
        strategy: "weighted",
        targets: [
          targetTo("twice", saying("twice"), { weight: 2 }),
          targetTo("once", saying("once")),
          targetTo("last", saying("last"), { rank: 1, weight: 100 }),
        ],
      },
      4_000,
    );
    expect(Object.keys(shares).sort()).toEqual(["once", "own", "twice"]);
    expect(shares["twice"]).toBeGreaterThan(1_880);
    expect(shares["twice"]).toBeLessThan(2_120);
    expect(shares["once"]).toBeGreaterThan(880);
    expect(shares["own"]).toBeGreaterThan(880);
  });

  it("asks a sibling at once, and the next rank only when all siblings have failed", async () => {
    const { runtime } = virtualRuntime();
    const asked: string[] = [];
    const noting = (name: string, rank: number, outcome: Outcome) =>
      targetTo(
        name,
        async () => {
          asked.push(name);
          return outcome;
        },
        { rank },
      );
    const failed = faultOf({ kind: "server_error", error: undefined });
    const targets = [noting("b", 0, failed), noting("c", 0, failed), noting("spare", 1, answer("spare"))];
    const { line } = lineOf(runtime, { strategy: "weighted", own: { weight: 1e-6 }, targets });
    const call = callOf(runtime, async () => {
      asked.push("own");
      return failed;
    });
    expect(valueIn(await line.execute(call))).toBe("spare");
    expect(asked.toSorted()).toEqual(["b", "c", "own", "spare"]);
    expect(asked.at(-1)).toBe("spare");
  });
});

describe("least-loaded", () => {
  it("keeps calls in flight in proportion to capacity", async () => {
    const { runtime, clock } = virtualRuntime(3);
    const slow = (value: string) => answering(runtime, value, 10_000);
    const targets = [
      targetTo("b", slow("b"), { capacity: 2 }),
      targetTo("c", slow("c"), { capacity: 4 }),
      targetTo("d", slow("d"), { capacity: 1 }),
    ];
    const { line, policy } = lineOf(runtime, { strategy: "least-loaded", targets });
    const outcomes = Array.from({ length: 400 }, () => line.execute(callOf(runtime, slow("own"))));
    await clock.advance(0);
    const inFlight = Object.values(policy.snapshot().targets).map((place) => place.inFlight);
    const perCapacity = inFlight.map((count, at) => count / ([1, 2, 4, 1][at] as number));
    for (const load of perCapacity) {
      expect(load).toBeGreaterThan(40);
      expect(load).toBeLessThan(60);
    }
    await clock.advance(10_000);
    await Promise.all(outcomes);
    expect(Object.values(policy.snapshot().targets).map((place) => place.inFlight)).toEqual([0, 0, 0, 0]);
  });

  it("does not send everything to a target that fails at once", async () => {
    const { runtime, clock } = virtualRuntime(3);
    let asked = 0;
    const failsAtOnce = async (): Promise<Outcome> => {
      asked++;
      return faultOf({ kind: "overloaded", error: undefined });
    };
    const targets = ["b", "c", "d"].map((name) => targetTo(name, answering(runtime, name, 1_000)));
    const { line } = lineOf(runtime, { strategy: "least-loaded", targets });
    const outcomes: Promise<Outcome>[] = [];
    for (let n = 0; n < 200; n++) {
      outcomes.push(line.execute(callOf(runtime, failsAtOnce)));
      await clock.advance(20);
    }
    await clock.advance(10_000);
    expect((await Promise.all(outcomes)).every(({ ok }) => ok)).toBe(true);
    expect(asked).toBeLessThanOrEqual(20);
  });

  it("counts what is under way exactly, whatever becomes of the calls", async () => {
    const kinds = ["server_error", "rate_limited", "bad_request", "aborted", "quota_exhausted"] as const;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 60 }), async (seed, calls) => {
        const { runtime, clock } = virtualRuntime(seed);
        const random = seededRandom(seed);
        const send = (call: Call): Promise<Outcome> => {
          const kind = kinds[Math.floor(random() * kinds.length * 2)];
          if (kind === undefined) return answering(runtime, "well", random() * 1_000)(call);
          return new Promise((resolve) => {
            clock.timer(random() * 1_000, () => resolve(faultOf({ kind, error: undefined })));
          });
        };
        const targets = [targetTo("b", send), targetTo("c", send), targetTo("d", send, { rank: 1 })];
        const { line, policy } = lineOf(runtime, { strategy: "least-loaded", targets });
        const outcomes = Array.from({ length: calls }, () => line.execute(callOf(runtime, send)));
        for (let step = 0; step < 50; step++) {
          await clock.advance(100);
          const inFlight = Object.values(policy.snapshot().targets).map((place) => place.inFlight);
          expect(Math.min(...inFlight)).toBeGreaterThanOrEqual(0);
          expect(inFlight.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(calls);
        }
        await clock.advance(10_000);
        await Promise.all(outcomes);
        const ended = Object.values(policy.snapshot().targets);
        expect(ended.map(({ inFlight }) => inFlight)).toEqual(ended.map(() => 0));
      }),
      { numRuns: 40 },
    );
  });
});

describe("cheapest", () => {
  it("takes the target that costs least for this call, and counts what was spent", async () => {
    const { runtime } = virtualRuntime();
    const options: FallbackOptions = {
      strategy: "cheapest",
      own: { price: { input: 10, output: 10 } },
      targets: [
        targetTo("cheap-input", saying("cheap-input"), { price: { input: 1, output: 30 } }),
        targetTo("unknown", saying("unknown")),
      ],
    };
    const { line, policy } = lineOf(runtime, options);
    const long = callOf(runtime, saying("own"), { inputChars: 400_000, maxOutputTokens: 10 });
    const short = callOf(runtime, saying("own"), { inputChars: 4, maxOutputTokens: 500 });
    expect(valueIn(await line.execute(long))).toBe("cheap-input");
    expect(valueIn(await line.execute(short))).toBe("own");
    // 100 tokens in and 50 out each.
    expect(policy.snapshot().targets["cheap-input/m"]?.costUsd).toBeCloseTo((100 * 1 + 50 * 30) / 1e6, 12);
    expect(policy.snapshot().targets["test/m/k"]?.costUsd).toBeCloseTo((150 * 10) / 1e6, 12);
  });

  it("takes a dearer one as soon as the cheapest has no room", async () => {
    const { runtime } = virtualRuntime();
    const limiter = rateLimit({ perModel: { requestsPerMinute: 60 }, burst: "1s" }, runtime);
    const { line } = lineOf(
      runtime,
      {
        strategy: "cheapest",
        own: { price: { input: 2, output: 2 } },
        targets: [targetTo("cheap", saying("cheap"), { model: "cheap", price: { input: 1, output: 1 } })],
      },
      limiter,
    );
    const answers = [];
    for (let n = 0; n < 2; n++) answers.push(valueIn(await line.execute(callOf(runtime, saying("own")))));
    expect(answers).toEqual(["cheap", "own"]);
    await line.close();
  });

  it("waits for the one that has room first when none has any", async () => {
    const { runtime, clock } = virtualRuntime();
    const limiter = rateLimit({ perModel: { requestsPerMinute: 60 }, burst: "1s" }, runtime);
    const targets = [targetTo("cheap", saying("cheap"), { model: "cheap", price: { input: 1, output: 1 } })];
    const { line } = lineOf(runtime, { strategy: "cheapest", targets }, limiter);
    const answers: unknown[] = [];
    for (let n = 0; n < 8; n++) {
      void line.execute(callOf(runtime, saying("own"))).then((outcome) => answers.push(valueIn(outcome)));
    }
    await clock.advance(3_100);
    expect(answers.filter((by) => by === "cheap")).toHaveLength(4);
    expect(answers.filter((by) => by === "own").length).toBeGreaterThanOrEqual(3);
    await line.close();
  });
});

describe("affinity", () => {
  const wire: Wire = { ...jsonWire, promptBeginning: (call) => (call.request as { readonly system: string }).system };
  const targets = ["b", "c", "d"].map((name) => targetTo(name, saying(name)));
  const of = (system: string) => ({ wire, request: { system } });

  it("keeps calls that begin alike where they were, and still shares the others", async () => {
    const { runtime } = virtualRuntime(5);
    const { line } = lineOf(runtime, { strategy: "weighted", targets, affinity: { ttl: "5m" } });
    const by: Record<string, Set<unknown>> = {};
    for (let n = 0; n < 1_000; n++) {
      const system = `prompt ${n % 40}`;
      by[system] ??= new Set();
      by[system].add(valueIn(await line.execute(callOf(runtime, saying("own"), of(system)))));
    }
    for (const served of Object.values(by)) expect(served.size).toBe(1);
    const used = Object.values(by).map((served) => [...served][0]);
    for (const name of ["own", "b", "c", "d"]) expect(used.filter((one) => one === name).length).toBeGreaterThan(3);
  });

  it("ends with its time to live", async () => {
    const { runtime, clock } = virtualRuntime(5);
    const { line } = lineOf(runtime, { strategy: "weighted", targets, affinity: { ttl: "5m" } });
    const served = new Set<unknown>();
    for (let n = 0; n < 20; n++) {
      served.add(valueIn(await line.execute(callOf(runtime, saying("own"), of("same")))));
      await clock.advance(300_001);
    }
    expect(served.size).toBe(4);
  });

  it("gives way when its target has more than its part of the calls", async () => {
    const { runtime, clock } = virtualRuntime(5);
    const slow = (value: string) => answering(runtime, value, 1_000);
    const slowTargets = ["b", "c", "d"].map((name) => targetTo(name, slow(name)));
    const { line, policy } = lineOf(runtime, {
      strategy: "least-loaded",
      targets: slowTargets,
      affinity: { ttl: "5m" },
    });
    await Promise.all([line.execute(callOf(runtime, slow("own"), of("same"))), clock.advance(1_000)]);
    const outcomes = Array.from({ length: 100 }, () => line.execute(callOf(runtime, slow("own"), of("same"))));
    await clock.advance(0);
    const inFlight = Object.values(policy.snapshot().targets).map((place) => place.inFlight);
    expect(Math.max(...inFlight)).toBeLessThanOrEqual(Math.ceil((1.25 * 100) / 4));
    await clock.advance(2_000);
    await Promise.all(outcomes);
  });

  it("follows its calls when their target fails", async () => {
    const { runtime } = virtualRuntime(5);
    let dead: string | undefined;
    const moody = (name: string) => async (): Promise<Outcome> =>
      dead === name ? faultOf({ kind: "server_error", error: undefined }) : answer(name);
    const moodyTargets = ["b", "c", "d"].map((name) => targetTo(name, moody(name)));
    const { line } = lineOf(runtime, { strategy: "weighted", targets: moodyTargets, affinity: { ttl: "5m" } });
    const ask = async () => String(valueIn(await line.execute(callOf(runtime, moody("own"), of("same")))));
    dead = await ask();
    const second = await ask();
    expect(second).not.toBe(dead);
    for (let n = 0; n < 10; n++) expect(await ask()).toBe(second);
  });

  it("keeps a bounded number of beginnings", async () => {
    const { runtime } = virtualRuntime(5);
    const { line, policy } = lineOf(runtime, { strategy: "weighted", targets, affinity: {} });
    for (let n = 0; n < 10_050; n++) await line.execute(callOf(runtime, saying("own"), of(`prompt ${n}`)));
    expect(policy.snapshot().stuck).toBe(10_000);
  });
});

describe("conditions of the user's own", () => {
  it("keep calls from a target", async () => {
    const { runtime } = virtualRuntime();
    const target = targetTo("b", saying("b"), { weight: 1e6, when: (call) => call.scope.client !== "eu" });
    const options: FallbackOptions = { strategy: "weighted", targets: [target] };
    expect(await sharesOf(runtime, options, 20, () => ({ scope: { client: "eu" } }))).toEqual({ own: 20 });
    expect(await sharesOf(runtime, options, 20)).toEqual({ b: 20 });
  });
});

describe("options", () => {
  const target = targetTo("b", saying("b"));

  it.each([
    [{ targets: [] }, "fallback.targets"],
    [{ targets: [{ model: "plain" }] }, "fallback.targets[0]"],
    [{ targets: [target, target] }, "fallback.targets[1].name"],
    [{ targets: [target], strategy: "random" }, "fallback.strategy"],
    [{ targets: [target], on: ["bad_request"] }, "fallback.on[0]"],
    [{ targets: [target], maxWait: "soon" }, "fallback.maxWait"],
    [{ targets: [target], affinity: { ttl: 0 } }, "fallback.affinity.ttl"],
    [{ targets: [target], own: { wieght: 2 } }, "fallback.own.wieght"],
    [{ targets: [{ ...target, weight: 0 }] }, "fallback.targets[0].weight"],
    [{ targets: [{ ...target, price: { input: -1, output: 1 } }] }, "fallback.targets[0].price.input"],
    [{ targets: [target], fallbacks: [] }, "fallback.fallbacks"],
  ])("that are wrong name themselves: %j", (options, option) => {
    const make = (): unknown => fallback(options as unknown as FallbackOptions);
    expect(make).toThrow(OptionError);
    expect(make).toThrow(`"${option}"`);
  });

  it("change while calls run, and what is known of a target stays", async () => {
    const { runtime } = virtualRuntime();
    const { line, policy } = lineOf(runtime, { targets: [target] });
    const failing = async () => faultOf({ kind: "server_error", error: undefined });
    for (let n = 0; n < 10; n++) await line.execute(callOf(runtime, failing));
    policy.update({ targets: [targetTo("c", saying("c")), target], strategy: "weighted" });
    expect(policy.snapshot()).toMatchObject({ strategy: "weighted", targets: { "test/m/k": { state: "down" } } });
    const answers = new Set<unknown>();
    for (let n = 0; n < 20; n++) answers.add(valueIn(await line.execute(callOf(runtime, failing))));
    expect(answers).toEqual(new Set(["b", "c"]));
    expect(() => policy.update({ maxWait: -1 })).toThrow(OptionError);
    expect(policy.snapshot().strategy).toBe("weighted");
  });
});
