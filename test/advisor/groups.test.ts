import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CallFacts } from "../../src/advisor/facts.ts";
import type { Group } from "../../src/advisor/group.ts";
import { Groups } from "../../src/advisor/groups.ts";
import { PromptMemory } from "../../src/advisor/prompt-memory.ts";
import { Recent } from "../../src/advisor/recent.ts";
import { promptPieces } from "../../src/core/index.ts";
import { proseOf } from "./workload.ts";

const JUDGEMENT = { slowExcessMs: 1, isRepeat: false, readTokens: 0, reorderableTokens: 0 };

function factsOf(kind: Partial<CallFacts>): CallFacts {
  return {
    at: 0,
    provider: "openai",
    model: "m",
    route: undefined,
    template: undefined,
    question: undefined,
    durationMs: 10,
    waits: { queue: 0, throttle: 0, rateLimit: 0, backoff: 0 },
    attempts: 1,
    isUpstream: true,
    uncached: "off",
    usage: { inputTokens: 10, outputTokens: 1 },
    price: undefined,
    cost: 0.5,
    timeouts: 0,
    timeoutMs: 0,
    retries: 0,
    failedMs: 0,
    failure: undefined,
    inputChars: 40,
    pieces: [],
    ...kind,
  };
}

const name = (prefix: string, max: number) => fc.nat(max).map((n) => `${prefix}${n}`);
const call = fc
  .record({
    provider: name("p", 2),
    model: name("m", 6),
    route: fc.option(name("r", 4), { nil: undefined }),
    template: fc.option(name("t", 40), { nil: undefined }),
    durationMs: fc.nat(1_000),
  })
  .map(factsOf);

const totalOf = (groups: Iterable<Group>, value: (group: Group) => number) =>
  [...groups].reduce((sum, group) => sum + value(group), 0);

describe("groups of calls", () => {
  it("lose no call and count none twice, however many kinds there are", () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 400 }), fc.integer({ min: 10, max: 60 }), (calls, max) => {
        const groups = new Groups(max, ({ durationMs }) => durationMs);
        for (const one of calls) {
          groups.add(one, JUDGEMENT);
          expect(groups.size).toBeLessThanOrEqual(max);
        }
        const merged = new Groups(max, ({ durationMs }) => durationMs);
        merged.merge(groups);
        expect(merged.size).toBeLessThanOrEqual(max);
        expect(totalOf(merged, (group) => group.calls)).toBe(calls.length);
        expect(totalOf(merged, (group) => group.durationMs)).toBe(
          calls.reduce((sum, { durationMs }) => sum + durationMs, 0),
        );
        expect(totalOf(merged, (group) => group.slow)).toBe(calls.length);
      }),
    );
  });

  it("keep what is heavy apart from a crowd that is not", () => {
    const groups = new Groups(20, ({ durationMs }) => durationMs);
    for (let n = 0; n < 5_000; n++) {
      groups.add(factsOf({ template: `crowd${n % 700}` }), JUDGEMENT);
      if (n % 50 === 0) groups.add(factsOf({ template: "heavy", durationMs: 5_000 }), JUDGEMENT);
    }
    const heavy = [...groups].find(({ template }) => template === "heavy");
    expect(heavy?.calls).toBe(100);
  });

  it("put prompts that are all different together under their route", () => {
    const groups = new Groups(20, ({ durationMs }) => durationMs);
    for (let n = 0; n < 2_000; n++) groups.add(factsOf({ template: `t${n}`, route: "chat" }), JUDGEMENT);
    const merged = new Groups(20, ({ durationMs }) => durationMs);
    merged.merge(groups);
    expect([...merged].map(({ route, template, calls }) => [route, template, calls])).toEqual([
      ["chat", undefined, 2_000],
    ]);
  });
});

describe("the memory of prompts", () => {
  const rules = proseOf(1, 900);
  const seen = (memory: PromptMemory, text: string, now = 0, scope = "openai/m") =>
    memory.see(scope, promptPieces([text]), now);

  it("knows a prompt that begins as an earlier one did", () => {
    const memory = new PromptMemory();
    expect(seen(memory, rules)).toEqual({ leading: 0, behind: 0 });
    expect(seen(memory, rules)).toEqual({ leading: rules.length, behind: 0 });
    const { leading, behind } = seen(memory, `${rules} And this is new: ${proseOf(5, 50)}`);
    expect(leading).toBeGreaterThan(rules.length - 1_100);
    expect(behind).toBe(0);
  });

  it("knows what is familiar behind something new", () => {
    const memory = new PromptMemory();
    seen(memory, `${proseOf(2, 20)} ${rules}`);
    const { leading, behind } = seen(memory, `${proseOf(3, 20)} ${rules}`);
    expect(leading).toBe(0);
    expect(behind).toBeGreaterThan(rules.length - 1_100);
  });

  it("keeps providers and models apart, and forgets after ten minutes", () => {
    const memory = new PromptMemory();
    seen(memory, rules);
    expect(seen(memory, rules, 0, "openai/other")).toEqual({ leading: 0, behind: 0 });
    expect(seen(memory, rules, 600_001)).toEqual({ leading: 0, behind: 0 });
  });
});

describe("what was seen lately", () => {
  it("is bounded, and forgets what was not seen for longest", () => {
    const recent = new Recent<number>(3);
    for (const key of [1, 2, 3, 1, 4]) recent.see(key, key * 10);
    expect(recent.size).toBe(3);
    expect([1, 2, 3, 4].map((key) => recent.seenAt(key))).toEqual([10, undefined, 30, 40]);
  });
});
