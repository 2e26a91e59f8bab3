import { describe, expect, it } from "vitest";
import {
  type Call,
  faultOf,
  type Outcome,
  RateLimitError,
  type Scope,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { type RateLimitOptions, rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { answering, callOf, virtualRuntime } from "../../support/calls.ts";

function setUp(options: RateLimitOptions) {
  const { clock, runtime } = virtualRuntime();
  const policy = rateLimit(options, runtime);
  const sent: { readonly client: string; readonly tokens: number; readonly at: number }[] = [];
  const ask = (scope: Scope, tokens = 100, ms = 10): Promise<Outcome> => {
    const send = answering(runtime, "answer", ms, { inputTokens: tokens, outputTokens: 0 });
    return policy.handle(callOf(runtime, send, { scope, inputChars: tokens * 4, maxOutputTokens: 0 }), (call: Call) => {
      sent.push({ client: scope.client ?? "", tokens, at: clock.now() });
      return call.send(call);
    });
  };
  return { clock, runtime, policy, sent, ask };
}

describe("rateLimit, clients of one priority that wait for the same limit", () => {
  it("take turns however many calls one of them has", async () => {
    const { clock, sent, ask } = setUp({ requestsPerMinute: 60 });
    const crowd = Array.from({ length: 50 }, () => ask({ client: "crowd" }));
    const single = Array.from({ length: 5 }, () => ask({ client: "single" }));
    await clock.run(Promise.all(single));
    expect(sent.length).toBeLessThanOrEqual(12);
    await clock.run(Promise.all(crowd));
    expect(sent).toHaveLength(55);
  });

  it("have as many tokens each, whatever the length of their prompts", async () => {
    const { clock, sent, ask } = setUp({ tokensPerMinute: 60_000 });
    const long = Array.from({ length: 100 }, () => ask({ client: "long" }, 1_000));
    const short = Array.from({ length: 1_000 }, () => ask({ client: "short" }, 100));
    await clock.advance(60_000);
    const tokensOf = (client: string): number =>
      sent.filter((one) => one.client === client).reduce((sum, { tokens }) => sum + tokens, 0);
    expect(tokensOf("long") / tokensOf("short")).toBeGreaterThan(0.85);
    expect(tokensOf("long") / tokensOf("short")).toBeLessThan(1.15);
    await clock.run(Promise.all([...long, ...short]));
  });

  it("are in the order of arrival without a client", async () => {
    const { clock, sent, ask } = setUp({ requestsPerMinute: 60 });
    await clock.run(Promise.all([300, 100, 200].map((tokens) => ask({}, tokens))));
    expect(sent.map(({ tokens }) => tokens)).toEqual([300, 100, 200]);
  });
});

describe("rateLimit, when as many wait as may", () => {
  it("lets one that is more urgent have the place of the last of the least urgent", async () => {
    const { clock, policy, ask } = setUp({ requestsPerMinute: 60, maxQueue: 3 });
    const crowd = Array.from({ length: 4 }, () => ask({ priority: "background" }));
    const urgent = ask({ priority: "critical" });
    const late = ask({ priority: "background" });
    expect(policy.snapshot().waiting).toBe(3);
    const outcomes = await clock.run(Promise.all([...crowd, urgent, late]));
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, true, false, true, false]);
    for (const outcome of outcomes) if (!outcome.ok) expect(outcome.error).toBeInstanceOf(RateLimitError);
    expect(policy.snapshot()).toMatchObject({ waiting: 0, running: 0, refused: 2 });
  });
});

describe("rateLimit, what it tells of the time to come back", () => {
  it("is nothing where that depends on calls under way", async () => {
    const { clock, ask } = setUp({ concurrency: 1, maxQueue: 0 });
    const running = ask({}, 100, 1_000);
    const refused = await ask({});
    expect(refused).toMatchObject({ kind: "refused", retryAfterMs: undefined });
    await clock.run(running);
    void ask({}, 100, 1_000);
    expect(await ask({})).toMatchObject({ kind: "refused", retryAfterMs: expect.any(Number) });
  });

  it("is a day at most, whatever the provider says", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = rateLimit({}, runtime);
    const send = async (): Promise<Outcome> => faultOf({ kind: "rate_limited", error: "429", retryAfterMs: 1.7e12 });
    await policy.handle(callOf(runtime, send), send);
    expect(policy.snapshot().targets[0]?.gatedMs).toBe(86_400_000);
    await clock.advance(86_400_000);
    const good = answering(runtime, "answer");
    expect(await clock.run(policy.handle(callOf(runtime, good), good))).toMatchObject({ ok: true });
  });

  it("survives a retry-after that is no number", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = rateLimit({}, runtime);
    const limits = [{ unit: "requests", windowMs: 60_000, limit: 60, remaining: 0, resetMs: undefined }] as const;
    for (const retryAfterMs of [Number.NaN, Number.POSITIVE_INFINITY, -1]) {
      const turnedDown = async (): Promise<Outcome> =>
        faultOf({ kind: "rate_limited", error: "429", retryAfterMs, limits });
      await clock.run(policy.handle(callOf(runtime, turnedDown), turnedDown));
      let passed = 0;
      const send = async (): Promise<Outcome> => {
        passed++;
        return valueReply("hi", whole());
      };
      const calls = Array.from({ length: 10 }, () => policy.handle(callOf(runtime, send), send));
      expect(policy.snapshot().targets[0]?.gatedMs).toBeGreaterThan(0);
      await clock.advance(10);
      expect(passed).toBe(0);
      await clock.run(Promise.all(calls));
      expect(passed).toBe(10);
    }
  });
});

it("rateLimit does not believe a usage that is no number", async () => {
  const { clock, runtime } = virtualRuntime();
  const policy = rateLimit({ tokensPerMinute: 6_000 }, runtime);
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, -1_000]) {
    const send = answering(runtime, "answer", 0, { inputTokens: wrong, outputTokens: 50 });
    expect(await clock.run(policy.handle(callOf(runtime, send), send))).toMatchObject({ ok: true });
    const { reserved, settled, refunded, inFlight } = runtime.ledger.account("tokens").balance;
    expect(reserved).toBe(settled + refunded);
    expect(inFlight).toBe(0);
  }
  expect(policy.snapshot().limits[0]?.taken).toBeGreaterThan(0);
});
