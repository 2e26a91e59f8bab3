import { describe, expect, it } from "vitest";
import { type EventType, valueReply, whole } from "../../../src/core/index.ts";
import { type SemanticOptions, semantic } from "../../../src/policies/semantic/index.ts";
import { callOf } from "../../support/calls.ts";
import { hashedEmbed } from "../../support/hashed-embedder.ts";
import { questionWire } from "../../support/question-wire.ts";
import { HOURS, payload, SIMILAR, type Stage, stage } from "./stage.ts";

describe("verified", () => {
  const QUESTIONS = 40;
  const rules = { mode: "verified", maxErrorRate: 0.1, levels: 1, minObservations: 1, minSimilarity: 0.5 } as const;
  const first = (n: number): string => `What does item ${n} cost?`;
  const second = (n: number): string => `Hi, what does item ${n} cost?`;

  /** Asks questions and similar ones, whose answers are right unless told otherwise. */
  async function teach(on: Stage, from = 0, count = QUESTIONS, answer = "right"): Promise<void> {
    for (let n = from; n < from + count; n++) {
      await on.ask(first(n), { answer: "right" });
      await on.ask(second(n), { answer });
    }
  }

  const judge: SemanticOptions["judge"] = async ({ cachedAnswer, freshAnswer }) => cachedAnswer === freshAnswer;

  it("serves only once enough pairs were judged and few enough were wrong", async () => {
    const on = stage({ ...rules, judge });
    await teach(on, 0, 31);
    expect(on.policy.snapshot()).toMatchObject({ judged: 31, wrong: 0, servesFrom: undefined, hits: 0 });
    await teach(on, 31, 9);
    expect(payload(on, "semantic.enabled")).toMatchObject({ minSimilarity: 0.5 });
    await on.ask(first(100));
    expect(await on.served(second(100))).toBe(true);
    expect(on.policy.snapshot().errorBound).toBeLessThanOrEqual(0.1);
  });

  it("never serves while too many are wrong", async () => {
    const on = stage({ ...rules, judge });
    for (let n = 0; n < 100; n++) await teach(on, n, 1, n % 5 === 0 ? "wrong" : "right");
    expect(on.policy.snapshot()).toMatchObject({ hits: 0, servesFrom: undefined });
    expect(on.policy.snapshot().errorBound).toBeUndefined();
  });

  it("goes on asking for some that it could serve, and stops when those turn out wrong", async () => {
    const on = stage({ ...rules, judge, exploreRate: 0.5 });
    await teach(on, 0, 60);
    expect(on.policy.snapshot().servesFrom).toBe(0.5);
    await teach(on, 60, 100, "wrong");
    expect(on.events.some(({ type }) => type === "semantic.disabled")).toBe(true);
    expect(on.policy.snapshot().servesFrom).toBeUndefined();
  });

  it("asks for the share of calls that it was told to, whatever is found for them", async () => {
    const on = stage({ ...rules, judge, exploreRate: 0.2 });
    await teach(on, 0, 60);
    const before = on.policy.snapshot();
    for (let n = 1000; n < 1500; n++) {
      await on.ask(first(n), { answer: "right" });
      await on.ask(second(n), { answer: "right" });
    }
    const { hits, shadowed } = on.policy.snapshot();
    const explored = (shadowed - before.shadowed) / (shadowed - before.shadowed + hits - before.hits);
    expect(explored).toBeGreaterThan(0.15);
    expect(explored).toBeLessThan(0.25);
  });

  it("learns nothing from a judge that fails, is late or says no yes or no", async () => {
    for (const broken of [
      () => Promise.reject(new Error("no")),
      () => new Promise<boolean>(() => {}),
      async () => "yes" as unknown as boolean,
    ]) {
      const on = stage({ ...rules, judge: broken });
      await teach(on, 0, 2);
      expect(on.policy.snapshot()).toMatchObject({ judged: 0, shadowed: 2, failures: { judge: 2 } });
      expect(on.clock.pendingTimers).toBe(0);
    }
  });

  it("judges a bounded number of pairs at once, and counts the rest", async () => {
    const on = stage({ ...rules, judge: () => new Promise(() => {}) });
    for (let n = 0; n < 20; n++) await on.ask(first(n));
    const calls = Array.from({ length: 20 }, (_, n) =>
      on.line.execute(
        callOf(on.runtime, async () => valueReply("right", whole()), {
          request: { input: second(n) },
          wire: questionWire,
        }),
      ),
    );
    await on.clock.run(Promise.all(calls));
    await on.clock.advance(100);
    expect(on.policy.snapshot().unjudged).toBe(12);
    await on.clock.run(on.policy.flush());
  });

  it("starts from the evidence of an earlier run", async () => {
    const earlier = stage({ ...rules, judge });
    await teach(earlier);
    const { evidence } = earlier.policy.snapshot();
    const later = stage({ ...rules, judge, evidence });
    expect(later.policy.snapshot().servesFrom).toBe(0.5);
    expect(() => semantic({ embed: hashedEmbed, embedder: "another@1", evidence })).toThrow(
      /semantic\.evidence\.embedder/,
    );
  });

  it("follows what is changed while it runs", async () => {
    const on = stage({ ...rules, judge, mode: "shadow" });
    await teach(on);
    expect(on.policy.snapshot().servesFrom).toBeUndefined();
    on.policy.update({ mode: "verified" });
    expect(on.policy.snapshot().servesFrom).toBe(0.5);
    on.policy.update({ maxErrorRate: 0.01 });
    expect(on.policy.snapshot().servesFrom).toBeUndefined();
    on.policy.update({ maxErrorRate: 0.1 });
    on.policy.update({ minSimilarity: 0.9 });
    expect(on.policy.snapshot()).toMatchObject({ servesFrom: undefined, evidence: { levels: [{ judged: 0 }] } });
    expect(() => on.policy.update({ exploreRate: 0 })).toThrow(/semantic\.exploreRate/);
  });
});

describe("a report", () => {
  const idOf = (on: Stage, type: EventType): string =>
    String((on.events.findLast((one) => one.type === type)?.event as { callId?: string } | undefined)?.callId);

  it("of a wrong answer that was served forgets it and counts it", async () => {
    const on = stage();
    await on.ask(HOURS);
    await on.ask(SIMILAR);
    expect(on.policy.report(idOf(on, "semantic.hit"), true)).toBe(true);
    expect(on.policy.report(idOf(on, "semantic.hit"), true)).toBe(true);
    expect(on.policy.snapshot()).toMatchObject({ judged: 1, wrong: 1, entries: 0 });
    expect(await on.served(SIMILAR)).toBe(false);
  });

  it("of a right answer that was served counts nothing", async () => {
    const on = stage();
    await on.ask(HOURS);
    await on.ask(SIMILAR);
    expect(on.policy.report(idOf(on, "semantic.hit"), false)).toBe(true);
    expect(on.policy.snapshot()).toMatchObject({ judged: 0, entries: 1 });
  });

  it("of a call that was asked all the same counts once", async () => {
    const on = stage({ mode: "shadow" });
    await on.ask(HOURS);
    await on.ask(SIMILAR);
    const id = idOf(on, "semantic.shadow");
    expect(on.policy.report(id, false)).toBe(true);
    expect(on.policy.report(id, true)).toBe(true);
    expect(on.policy.snapshot()).toMatchObject({ judged: 1, wrong: 0 });
    expect(payload(on, "semantic.judged")).toMatchObject({ by: "report", wrong: false });
  });

  it("of a call that nobody knows is false, and of nonsense an error", () => {
    const on = stage();
    expect(on.policy.report("c0", true)).toBe(false);
    expect(() => on.policy.report("", true)).toThrow(/callId/);
    expect(() => on.policy.report("c0", "yes" as unknown as boolean)).toThrow(/wrong/);
  });
});
