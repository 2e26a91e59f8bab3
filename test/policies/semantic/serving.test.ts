import { describe, expect, it } from "vitest";
import { pipeline, type Reply, type Scope, valueReply, whole } from "../../../src/core/index.ts";
import { cache } from "../../../src/policies/cache/index.ts";
import type { SemanticOptions } from "../../../src/policies/semantic/index.ts";
import { memory } from "../../../src/stores/index.ts";
import { callOf } from "../../support/calls.ts";
import { questionWire } from "../../support/question-wire.ts";
import { type Asking, answerOf, HOURS, OTHER, payload, SIMILAR, stage } from "./stage.ts";

describe("a semantic cache that serves", () => {
  it("answers a similar question with the answer to the first, and says so", async () => {
    const on = stage();
    await on.ask(HOURS);
    const reply = (await on.ask(SIMILAR)) as Reply;
    expect(on.sent).toBe(1);
    expect(answerOf(reply)).toBe("answer 1");
    expect(reply.servedBy).toBe("cache");
    const hit = payload(on, "semantic.hit");
    expect(hit?.similarity).toBeGreaterThan(0.6);
    expect(on.policy.snapshot()).toMatchObject({ hits: 1, misses: 1, entries: 1 });
  });

  it("marks the call with the tier", async () => {
    const on = stage();
    await on.ask(HOURS);
    const call = callOf(on.runtime, async () => valueReply("", whole()), {
      request: { input: SIMILAR },
      wire: questionWire,
    });
    await on.clock.run(on.line.execute(call));
    expect(call.trace.explain(call)).toMatchObject({ servedBy: "cache", tier: "semantic" });
  });

  it("asks the provider when the question is another one", async () => {
    const on = stage();
    await on.ask(HOURS);
    expect(await on.served(OTHER)).toBe(false);
  });

  it("passes over the nearest when a guard objects, and says which", async () => {
    const on = stage();
    await on.ask("Convert 5 miles to kilometres");
    expect(await on.served("Convert 6 miles to kilometres")).toBe(false);
    expect(payload(on, "semantic.guarded")?.guard).toBe("numbers");
    expect(on.policy.snapshot().guarded).toEqual({ numbers: 1 });
  });

  it("takes a guard that throws for one that objects", async () => {
    const broken = {
      name: "broken",
      admits: () => {
        throw new Error("no");
      },
    };
    const on = stage({ guards: [broken] });
    await on.ask(HOURS);
    expect(await on.served(SIMILAR)).toBe(false);
  });

  it("never remembers an answer that it gave itself, nor does the exact cache around it", async () => {
    const on = stage({}, (policy, runtime) => pipeline(cache({ tiers: [memory()] }, runtime), policy));
    await on.ask(HOURS);
    await on.ask(SIMILAR);
    expect(on.policy.snapshot()).toMatchObject({ entries: 1, hits: 1 });
    await on.ask(SIMILAR);
    expect(on.policy.snapshot()).toMatchObject({ entries: 1, hits: 2 });
  });

  it("leaves exact repeats to the exact cache", async () => {
    const on = stage({}, (policy, runtime) => pipeline(cache({ tiers: [memory()] }, runtime), policy));
    await on.ask(HOURS);
    expect(await on.served(HOURS)).toBe(true);
    expect(on.policy.snapshot()).toMatchObject({ hits: 0, misses: 1 });
  });

  it("gives a stream in the caller's shape, and remembers only whole ones", async () => {
    const on = stage();
    const asking: Asking = { stream: true };
    await on.ask(HOURS, asking);
    const reply = (await on.ask(SIMILAR, asking)) as Reply;
    expect(on.sent).toBe(1);
    expect(reply.body.kind).toBe("stream");
    // The wire of these tests cannot give what was streamed as a whole.
    expect(await on.served(SIMILAR)).toBe(false);
  });

  it("does not remember what failed, was cut off or is no whole answer", async () => {
    const on = stage();
    for (const storable of [false, true]) {
      const call = callOf(on.runtime, async () => valueReply("cut", whole({ storable })), {
        request: { input: HOURS },
        wire: questionWire,
      });
      await on.clock.run(on.line.execute(call));
      await on.clock.run(on.policy.flush());
      expect(on.policy.snapshot().entries).toBe(storable ? 1 : 0);
    }
  });
});

describe("questions that are never compared", () => {
  it.each<[string, Asking]>([
    ["another client", { scope: { client: "b" } }],
    ["another credential", { details: { credential: "other" } }],
    ["another model", { details: { model: "other" } }],
    ["another provider", { details: { provider: "other" } }],
    ["another endpoint", { details: { endpoint: "other" } }],
    ["another route", { scope: { route: "other" } }],
    ["another system prompt", { context: { system: "Answer in French." } }],
    ["other tools", { context: { tools: [{ name: "search" }] } }],
    ["another temperature", { context: { temperature: 1 } }],
  ])("are those of %s", async (_name, asking) => {
    const on = stage();
    await on.ask(HOURS);
    expect(await on.served(HOURS, asking)).toBe(false);
    expect(await on.served(SIMILAR, asking)).toBe(true);
    expect(await on.served(SIMILAR)).toBe(true);
  });

  it.each<[string, string, Asking]>([
    ["empty", "", {}],
    ["blank", " \n ", {}],
    ["too long", "word ".repeat(500), {}],
    ["late in a conversation", HOURS, { context: { turns: 2 } }],
    ["without a canonical form", HOURS, { context: { callback: () => {} } }],
  ])("are those that are %s", async (_name, text, asking) => {
    const on = stage();
    await on.ask(text, asking);
    expect(await on.served(text, asking)).toBe(false);
    expect(on.policy.snapshot()).toMatchObject({ ineligible: 2, entries: 0 });
  });
});

describe("what a call wants of the cache", () => {
  it("bypass: neither reads nor writes", async () => {
    const on = stage();
    await on.ask(HOURS, { scope: { cache: "bypass" } });
    expect(on.policy.snapshot().entries).toBe(0);
    await on.ask(HOURS);
    expect(await on.served(SIMILAR, { scope: { cache: "bypass" } })).toBe(false);
  });

  it("refresh: asks, and replaces the answer to the same question", async () => {
    const on = stage();
    await on.ask(HOURS);
    expect(await on.served(HOURS, { scope: { cache: "refresh" } })).toBe(false);
    expect(answerOf(await on.ask(SIMILAR))).toBe("answer 2");
    expect(on.policy.snapshot().shadowed).toBe(0);
  });

  it("no-store: reads, and keeps nothing", async () => {
    const on = stage();
    await on.ask(OTHER, { scope: { cache: "no-store" } });
    expect(on.policy.snapshot().entries).toBe(0);
    await on.ask(HOURS);
    expect(await on.served(SIMILAR, { scope: { cache: "no-store" } })).toBe(true);
  });

  it("only-if-cached: is refused rather than sent", async () => {
    const on = stage();
    const scope: Scope = { cache: "only-if-cached" };
    expect(await on.ask(HOURS, { scope })).toMatchObject({ ok: false, kind: "refused", error: { code: "NOT_CACHED" } });
    await on.ask(HOURS);
    expect(await on.served(SIMILAR, { scope })).toBe(true);
    expect(await on.ask(OTHER, { scope })).toMatchObject({ ok: false });
    expect(await on.ask("", { scope })).toMatchObject({ ok: false });
    expect(on.sent).toBe(1);
  });

  it("max-age: nothing older", async () => {
    const on = stage();
    await on.ask(HOURS);
    await on.clock.advance(10_000);
    expect(await on.served(SIMILAR, { scope: { cache: { maxAge: "20s" } } })).toBe(true);
    expect(await on.served(SIMILAR, { scope: { cache: { maxAge: "5s" } } })).toBe(false);
  });
});

describe("shadow, the default", () => {
  it("serves nothing, and says what it could have served", async () => {
    const on = stage({ mode: undefined });
    await on.ask(HOURS);
    expect(await on.served(SIMILAR)).toBe(false);
    expect(payload(on, "semantic.shadow")?.similarity).toBeGreaterThan(0.6);
    expect(on.policy.snapshot()).toMatchObject({ mode: "shadow", shadowed: 1, hits: 0, servesFrom: undefined });
  });

  it("makes no call wait for the embedder", async () => {
    const embed: SemanticOptions["embed"] = () => new Promise(() => {});
    const on = stage({ mode: "shadow", embed });
    const call = callOf(on.runtime, async () => valueReply("now", whole()), {
      request: { input: HOURS },
      wire: questionWire,
    });
    expect(answerOf(await on.line.execute(call))).toBe("now");
    expect(on.clock.now()).toBe(0);
  });
});

describe("closing", () => {
  it("forgets everything and lets calls pass by", async () => {
    const on = stage();
    await on.ask(HOURS);
    await on.line.close();
    expect(on.policy.snapshot()).toMatchObject({ entries: 0, bytes: 0 });
    expect(await on.served(SIMILAR)).toBe(false);
    expect(on.policy.snapshot().entries).toBe(0);
  });

  it("gives up what is being embedded and judged", async () => {
    let signals: AbortSignal[] = [];
    const never = <T>(_what: unknown, { signal }: { signal: AbortSignal }): Promise<T> => {
      signals.push(signal);
      return new Promise(() => {});
    };
    const on = stage({ mode: "shadow", judge: never });
    const send = (text: string) =>
      on.line.execute(
        callOf(on.runtime, async () => valueReply("answer", whole()), { request: { input: text }, wire: questionWire }),
      );
    await send(HOURS);
    await on.clock.run(on.policy.flush());
    await send(SIMILAR);
    await on.clock.advance(1);
    expect(signals).toHaveLength(1);
    await on.line.close();
    await on.policy.flush();
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    expect(on.clock.pendingTimers).toBe(0);
    expect(on.policy.snapshot()).toMatchObject({ failures: { judge: 0 }, entries: 0 });

    signals = [];
    const slow = stage({ mode: "shadow", embed: never });
    await slow.line.execute(
      callOf(slow.runtime, async () => valueReply("answer", whole()), {
        request: { input: HOURS },
        wire: questionWire,
      }),
    );
    await slow.line.close();
    await slow.policy.flush();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    expect(slow.clock.pendingTimers).toBe(0);
  });
});
