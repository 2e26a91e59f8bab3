import { describe, expect, it } from "vitest";
import { pipeline, type Scope, valueReply, whole } from "../../../src/core/index.ts";
import { cache } from "../../../src/policies/cache/index.ts";
import { memory } from "../../../src/stores/index.ts";
import { callOf } from "../../support/calls.ts";
import { questionWire } from "../../support/question-wire.ts";
import { HOURS, OTHER, SIMILAR, stage } from "./stage.ts";

describe("how long an answer is remembered", () => {
  it("for the ttl, or the call's own if that is shorter", async () => {
    const on = stage({ ttl: "1m" });
    await on.ask(HOURS);
    await on.ask(OTHER, { scope: { ttl: "10s" } });
    await on.clock.advance(11_000);
    expect(await on.served(SIMILAR)).toBe(true);
    expect(await on.served(`Hi, ${OTHER}`)).toBe(false);
    await on.clock.advance(50_000);
    expect(await on.served(SIMILAR)).toBe(false);
  });

  it("until one of its tags is invalidated", async () => {
    const on = stage();
    const scope: Scope = { tags: ["faq", "hours"] };
    await on.ask(HOURS, { scope });
    await on.ask(OTHER);
    expect(await on.served(SIMILAR, { scope })).toBe(true);
    on.policy.invalidateTags(["hours"]);
    expect(await on.served(SIMILAR, { scope })).toBe(false);
    expect(await on.served(`Hi, ${OTHER}`)).toBe(true);
  });

  it("without being given to a call with a tag that it lacks, whose invalidation would not reach it", async () => {
    const on = stage();
    await on.ask(HOURS, { scope: { tags: ["a"] } });
    expect(await on.served(SIMILAR, { scope: { tags: ["a", "b"] } })).toBe(false);
  });

  it("not at all when its tag was invalidated while it was on its way", async () => {
    const on = stage();
    const call = callOf(
      on.runtime,
      async () => {
        on.policy.invalidateTags(["a"]);
        return valueReply("old", whole());
      },
      { request: { input: HOURS }, wire: questionWire, scope: { tags: ["a"] } },
    );
    await on.clock.run(on.line.execute(call));
    await on.clock.run(on.policy.flush());
    expect(on.policy.snapshot().entries).toBe(0);
  });

  it("until its label matches, or everything is cleared", async () => {
    const on = stage();
    await on.ask(HOURS, { scope: { client: "a" } });
    await on.ask(HOURS, { scope: { client: "b" } });
    on.policy.invalidateLabels((label) => label.startsWith("a/"));
    expect(on.policy.snapshot().entries).toBe(1);
    on.policy.clear();
    expect(on.policy.snapshot()).toMatchObject({ entries: 0, bytes: 0 });
  });

  it("until the exact cache's entry is invalidated by its key", async () => {
    const on = stage({}, (policy, runtime) => pipeline(cache({ tiers: [memory()] }, runtime), policy));
    const call = callOf(on.runtime, async () => valueReply("first", whole()), {
      request: { input: HOURS },
      wire: questionWire,
    });
    await on.clock.run(on.line.execute(call));
    await on.clock.run(on.policy.flush());
    on.policy.invalidateKey("another");
    expect(on.policy.snapshot().entries).toBe(1);
    on.policy.invalidateKey(call.trace.cacheKey ?? "");
    expect(on.policy.snapshot().entries).toBe(0);
  });

  it("until others need the room: the one used longest ago goes first", async () => {
    const on = stage({ maxEntries: 2 });
    await on.ask(HOURS);
    await on.ask(OTHER);
    expect(await on.served(SIMILAR)).toBe(true);
    await on.ask("Do you sell bread?");
    expect(on.policy.snapshot().entries).toBe(2);
    expect(await on.served(`Hi, ${OTHER}`)).toBe(false);
    expect(await on.served("Hi, do you sell bread?")).toBe(true);
  });

  it("within the bytes allowed", async () => {
    const on = stage({ maxBytes: 30_000 });
    for (let n = 0; n < 40; n++) await on.ask(`What does item ${n} cost?`);
    const { bytes, entries } = on.policy.snapshot();
    expect(bytes).toBeLessThanOrEqual(30_000);
    expect(entries).toBeGreaterThan(5);
    await on.ask(HOURS, { answer: "long ".repeat(1000) });
    expect(await on.served(SIMILAR)).toBe(false);
  });

  it("and counts the tags of each", async () => {
    const on = stage();
    await on.ask(HOURS);
    const { bytes } = on.policy.snapshot();
    on.policy.clear();
    await on.ask(HOURS, { scope: { tags: ["t".repeat(128)] } });
    expect(on.policy.snapshot().bytes).toBe(bytes + 2 * 128);
  });
});
