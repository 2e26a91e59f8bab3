import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { labelSegment, OptionError, type Outcome, type Scope, valueReply, whole } from "../../../src/core/index.ts";
import type { CallPattern } from "../../../src/policies/cache/index.ts";
import { Invalidations } from "../../../src/policies/cache/invalidations.ts";
import { matcherOf, partsOf, readPattern } from "../../../src/policies/cache/label-pattern.ts";
import { Sweeps } from "../../../src/policies/cache/sweeps.ts";
import { virtualRuntime } from "../../support/calls.ts";
import { benchOf, valueIn } from "./support/questions.ts";
import { ByteServer, MapStore, mapTier, serverTier } from "./support/stores.ts";

function labelOf(client: string, operation = "chat", model = "m", route = ""): string {
  return [client, operation, model, route].map(labelSegment).join("/");
}

function matches(pattern: string, label: string): boolean {
  const matcher = matcherOf(pattern);
  if (matcher === undefined) throw new Error(`not a pattern: ${pattern}`);
  return matcher(partsOf(label));
}

describe("a pattern", () => {
  it.each([
    ["tenant3/*/gpt-1*/*", ["tenant3", "chat", "gpt-1-mini", "faq"], true],
    ["tenant3/*/gpt-1*/*", ["tenant3", "chat", "gpt-1", ""], true],
    ["tenant3/*/gpt-1*/*", ["tenant33", "chat", "gpt-1", "faq"], false],
    ["tenant3/*/gpt-1*/*", ["tenant3", "chat", "my-gpt-1", "faq"], false],
    ["*/*/*/*", ["", "", "", ""], true],
    ["/*/*/*", ["", "chat", "m", ""], true],
    ["/*/*/*", ["a", "chat", "m", ""], false],
    ["a*b*c/*/*/*", ["aXbYbc", "chat", "m", ""], true],
    ["a*b*c/*/*/*", ["ac", "chat", "m", ""], false],
    ["ab*ba/*/*/*", ["aba", "chat", "m", ""], false],
    ["a%2Fb/*/*/*", ["a/b", "chat", "m", ""], true],
    ["a%2A/*/*/*", ["a*", "chat", "m", ""], true],
    ["a%2A/*/*/*", ["ab", "chat", "m", ""], false],
    ["a*5/*/*/*", ["a%", "chat", "m", ""], false],
    ["A/*/*/*", ["a", "chat", "m", ""], false],
    ["a?c/*/*/*", ["abc", "chat", "m", ""], false],
    ["a[bc]/*/*/*", ["ab", "chat", "m", ""], false],
    ["a_c/*/*/*", ["abc", "chat", "m", ""], false],
    ["a.c/*/*/*", ["abc", "chat", "m", ""], false],
  ])("%s of %j: %s", (pattern, parts, expected) => {
    const [client = "", operation = "", model = "", route = ""] = parts;
    expect(matches(pattern, labelOf(client, operation, model, route))).toBe(expected);
  });

  it.each([
    "",
    "*",
    "*/*/*",
    "*/*/*/*/*",
    "a%/*/*/*",
    "a%2/*/*/*",
    "a%2f/*/*/*",
    "a%41/*/*/*",
    `${"x".repeat(5000)}/*/*/*`,
    {},
    { client: undefined },
    { client: "" },
    { tenant: "a" },
    { client: 7 },
    7,
    undefined,
    null,
    ["a"],
  ])("is refused when it is none: %j", (pattern) => {
    expect(() => readPattern("pattern", pattern)).toThrow(OptionError);
  });

  it("may be an object of exact texts", () => {
    expect(readPattern("pattern", { client: "a/b*", model: "m%1" })).toBe("a%2Fb%2A/*/m%251/*");
    expect(readPattern("pattern", { route: "faq" })).toBe("*/*/*/faq");
  });

  const nasty = fc.string({ unit: fc.constantFrom(..."%_*?[]:/\\.+^$()|ab2F5A ü\u0000"), maxLength: 8 });

  it("of a name never takes another name", () => {
    fc.assert(
      fc.property(nasty, nasty, (wanted, other) => {
        fc.pre(wanted !== "");
        const matcher = matcherOf(readPattern("pattern", { client: wanted }));
        expect(matcher?.(partsOf(labelOf(other)))).toBe(other === wanted);
      }),
      { numRuns: 10_000 },
    );
  });

  it("takes what an independent reading of it takes", () => {
    const piece = fc.oneof(fc.constant("*"), nasty.map(labelSegment));
    const segment = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(segment, fc.oneof(nasty, fc.string()), (client, name) => {
        const plain = client.split("*").map((literal) => decodeURIComponent(literal.replace(/%(?!25|2F|2A)/g, "%25")));
        const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
        const expected = new RegExp(`^${plain.map(literal).join(".*")}$`, "s").test(name);
        expect(matches(`${client}/*/*/*`, labelOf(name))).toBe(expected);
      }),
      { numRuns: 10_000 },
    );
  });
});

describe("sweeps", () => {
  it("take what was kept before them, and nothing that was kept after", () => {
    const sweeps = new Sweeps(0);
    sweeps.add("a/*/*/*", 1);
    sweeps.add("b/*/*/*", 2);
    expect(sweeps.sweptSince(0, labelOf("a"))).toBe(true);
    expect(sweeps.sweptSince(1, labelOf("a"))).toBe(false);
    expect(sweeps.sweptSince(1, labelOf("b"))).toBe(true);
    expect(sweeps.sweptSince(2, labelOf("b"))).toBe(false);
    expect(sweeps.sweptSince(0, labelOf("c"))).toBe(false);
  });

  it("are bounded: the oldest is let go, and all that is older counts as swept", () => {
    const sweeps = new Sweeps(0);
    for (let n = 1; n <= 1001; n++) sweeps.add(`${n}/*/*/*`, n);
    expect(sweeps.sweptSince(0, labelOf("other"))).toBe(true);
    expect(sweeps.sweptSince(1, labelOf("other"))).toBe(false);
    expect(sweeps.sweptSince(1, labelOf("2"))).toBe(true);
  });

  it("of the same pattern again and again need one place", () => {
    const sweeps = new Sweeps(0);
    for (let n = 1; n <= 5000; n++) sweeps.add("a/*/*/*", n);
    expect(sweeps.sweptSince(0, labelOf("other"))).toBe(false);
    expect(sweeps.sweptSince(4999, labelOf("a"))).toBe(true);
  });

  it("of what cannot be read take everything", () => {
    const sweeps = new Sweeps(0);
    sweeps.add("of a later version", 1);
    expect(sweeps.sweptSince(0, labelOf("a"))).toBe(true);
  });
});

describe("the process's invalidations", () => {
  it("look at an entry once for all that came before", () => {
    const invalidations = new Invalidations();
    const entry = { tags: {}, label: labelOf("a"), sweep: invalidations.now } as never;
    for (let n = 0; n < 3000; n++) {
      invalidations.sweep(`${n}/*/*/*`);
      // Without being looked at meanwhile it would count as swept when the list is full.
      expect(invalidations.holds(entry)).toBe(true);
    }
    invalidations.sweep("a/*/*/*");
    expect(invalidations.holds(entry)).toBe(false);
  });
});

const ask = (client: string, model = "m", route?: string): { model: string; scope: Scope } => ({
  model,
  scope: { client, route },
});

describe("invalidateMatching", () => {
  const kinds = {
    memory: () => [mapTier()],
    server: () => [serverTier(new ByteServer())],
    "a server without marks": () => [serverTier(new ByteServer(), { tags: false })],
    both: () => [mapTier(), serverTier(new ByteServer())],
  };

  it.each(Object.keys(kinds) as (keyof typeof kinds)[])("takes exactly what matches: %s", async (kind) => {
    const { runtime } = virtualRuntime();
    const bench = benchOf(runtime, { tiers: kinds[kind]() });
    const asked: [string, string, string | undefined][] = [];
    for (const client of ["tenant3", "tenant33", "ten/ant*3%"]) {
      for (const model of ["gpt-1", "gpt-1-mini", "other"]) {
        for (const route of [undefined, "faq"]) asked.push([client, model, route]);
      }
    }
    const before = new Map<string, unknown>();
    for (const one of asked) before.set(one.join(), await bench.value(ask(...one)));
    await bench.policy.flush();
    const gone = async (pattern: string | CallPattern) => {
      await bench.policy.invalidateMatching(pattern);
      const found: string[] = [];
      for (const one of asked) {
        const value = await bench.value(ask(...one));
        if (value !== before.get(one.join())) found.push(one.join());
        before.set(one.join(), value);
      }
      await bench.policy.flush();
      return found;
    };
    expect(await gone("tenant3/*/gpt-1*/*")).toEqual([
      "tenant3,gpt-1,",
      "tenant3,gpt-1,faq",
      "tenant3,gpt-1-mini,",
      "tenant3,gpt-1-mini,faq",
    ]);
    expect(await gone({ client: "ten/ant*3%", route: "faq" })).toEqual([
      "ten/ant*3%,gpt-1,faq",
      "ten/ant*3%,gpt-1-mini,faq",
      "ten/ant*3%,other,faq",
    ]);
    expect(await gone("tenant3/*/other/")).toEqual(["tenant3,other,"]);
    expect(await gone({ client: "nobody" })).toEqual([]);
    expect(await gone("*/*/*/*")).toHaveLength(asked.length);
  });

  it("reaches other processes through a tier they share", async () => {
    const { runtime } = virtualRuntime();
    const server = new ByteServer();
    const [mine, yours] = [1, 2].map(() => benchOf(runtime, { tiers: [serverTier(server)] }));
    await mine?.ask(ask("a"));
    await mine?.ask(ask("b"));
    await mine?.policy.flush();
    await yours?.policy.invalidateMatching({ client: "a" });
    expect(await mine?.value(ask("a"))).toBe("answer 3");
    expect(await mine?.value(ask("b"))).toBe("answer 2");
  });

  it("asks a tier for patterns only when there are new ones", async () => {
    const { runtime } = virtualRuntime();
    const server = new ByteServer();
    const [mine, yours] = [1, 2].map(() => benchOf(runtime, { tiers: [serverTier(server)] }));
    for (const client of ["a", "b", "c"]) await mine?.ask(ask(client));
    await mine?.policy.flush();
    await yours?.policy.invalidateMatching({ client: "z" });
    server.asked = [];
    for (const client of ["a", "b", "c"]) await mine?.ask(ask(client));
    expect(server.asked).toEqual(["read", "sweepsSince", "read", "read"]);
  });

  it("takes everything older where a tier has forgotten patterns", async () => {
    const { runtime } = virtualRuntime();
    const server = new ByteServer();
    const [mine, yours] = [1, 2].map(() => benchOf(runtime, { tiers: [serverTier(server)] }));
    await mine?.ask(ask("a"));
    await mine?.policy.flush();
    for (let n = 0; n < 30; n++) await yours?.policy.invalidateMatching({ client: `other ${n}` });
    expect(await mine?.value(ask("a"))).toBe("answer 2");
    await mine?.policy.flush();
    expect(await mine?.value(ask("a"))).toBe("answer 2");
  });

  it("keeps a fill on its way out of every tier, and one in another process out of use", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const memory = new MapStore();
    const mine = benchOf(runtime, { tiers: [mapTier(memory), serverTier(server)] });
    const yours = benchOf(runtime, { tiers: [serverTier(server)] });
    const slow = (): Promise<Outcome> =>
      new Promise((resolve) => runtime.clock.timer(100, () => resolve(valueReply("stale", whole()))));
    const fills = [mine.ask(ask("a"), slow), yours.ask(ask("a", "n"), slow)];
    await clock.advance(50);
    await mine.policy.invalidateMatching({ client: "a" });
    for (const fill of fills) expect(valueIn(await clock.run(fill))).toBe("stale");
    await mine.policy.flush();
    await yours.policy.flush();
    expect(memory.entries.size).toBe(0);
    expect(await mine.value(ask("a"))).toBe("answer 1");
    expect(await mine.value(ask("a", "n"))).toBe("answer 2");
  });

  it("is owed to a tier that is down, and what it holds of the pattern is not used until it has taken note", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const bench = benchOf(runtime, { tiers: [serverTier(server)] });
    await bench.ask(ask("a"));
    await bench.ask(ask("b"));
    await bench.policy.flush();
    server.trouble = "hangs";
    await clock.run(bench.policy.invalidateMatching({ client: "a" }));
    expect(server.sweeps).toEqual([]);
    server.trouble = "none";
    expect(await bench.value(ask("a"))).toBe("answer 3");
    expect(await bench.value(ask("b"))).toBe("answer 2");
    await clock.advance(5000);
    expect(server.sweeps).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it("does not use an entry that another process left in a tier without marks, once it has swept its like", async () => {
    const { runtime } = virtualRuntime();
    const server = new ByteServer();
    const tiers = [serverTier(server, { tags: false })];
    const [mine, yours] = [benchOf(runtime, { tiers }), benchOf(runtime, { tiers })];
    await mine.policy.invalidateMatching({ client: "a" });
    await yours.ask(ask("a"));
    await yours.ask(ask("b"));
    await yours.policy.flush();
    expect(await mine.value(ask("a"))).toBe("answer 1");
    expect(await mine.value(ask("b"))).toBe("answer 2");
    expect(mine.asked()).toBe(1);
  });
});
