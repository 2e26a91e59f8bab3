import { describe, expect, it } from "vitest";
import {
  type Call,
  ChunkStream,
  faultOf,
  type Outcome,
  pipeline,
  streamReply,
  type Usage,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { ACCOUNTING_DEFAULTS, type RateLimitOptions, rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { type CallOptions, callOf, drain, streamOf, virtualRuntime } from "../../support/calls.ts";

type Send = (call: Call) => Promise<Outcome>;

const using =
  (usage: Usage): Send =>
  async () =>
    valueReply("hi", whole({ usage }));
const atOnce = using({ inputTokens: 100, outputTokens: 50 });

function limited(options: RateLimitOptions) {
  const { clock, runtime } = virtualRuntime();
  const policy = rateLimit(options, runtime);
  const line = pipeline(policy);
  const sentAt: number[] = [];
  const ask = (call: CallOptions = {}, send: Send = atOnce): Promise<Outcome> =>
    line.execute(
      callOf(
        runtime,
        (sent) => {
          sentAt.push(clock.now());
          return send(sent);
        },
        call,
      ),
    );
  const takingMs =
    (ms: number): Send =>
    async () => {
      await new Promise<void>((resolve) => void clock.timer(ms, resolve));
      return valueReply("hi", whole({ usage: { inputTokens: 1, outputTokens: 1 } }));
    };
  const taken = (unit: string) => policy.snapshot().limits.find((limit) => limit.unit === unit)?.taken;
  return { clock, runtime, policy, ask, sentAt, takingMs, taken };
}

describe("rateLimit, concurrency", () => {
  it("lets so many calls run at the same time, each until its body is over", async () => {
    const { clock, ask, policy, takingMs, sentAt } = limited({ concurrency: 2 });
    const calls = Array.from({ length: 5 }, () => ask({}, takingMs(1_000)));
    expect(policy.snapshot()).toMatchObject({ running: 2, waiting: 3 });
    await clock.run(Promise.all(calls));
    expect(sentAt).toEqual([0, 0, 1_000, 1_000, 2_000]);
    expect(policy.snapshot()).toMatchObject({ running: 0, waiting: 0 });
    const stream = await ask({ stream: true }, async () =>
      streamReply(
        streamOf([
          { role: "content", value: "x" },
          { role: "end", value: "" },
        ]),
      ),
    );
    expect(policy.snapshot().running).toBe(1);
    if (stream.ok && stream.body instanceof ChunkStream) await drain(stream.body);
    expect(policy.snapshot().running).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it("lets a call with a deadline wait for a place, refuses it at its time, and never because of a guess", async () => {
    const { clock, ask, takingMs } = limited({ concurrency: 1 });
    const first = ask({}, takingMs(5_000));
    const patient = ask({ scope: { deadline: "6s" } });
    const hasty = ask({ scope: { deadline: "2s" } });
    await clock.advance(2_000);
    expect(await hasty).toMatchObject({ kind: "refused" });
    await clock.run(Promise.all([first, patient]));
    expect(await patient).toMatchObject({ ok: true });
  });

  it("counts those that run when it is switched on, and follows a change", async () => {
    const { clock, ask, policy, takingMs, sentAt } = limited({});
    const calls = [ask({}, takingMs(1_000)), ask({}, takingMs(2_000))];
    policy.update({ concurrency: 1 });
    calls.push(ask());
    expect(sentAt).toHaveLength(2);
    await clock.run(Promise.all(calls));
    expect(sentAt[2]).toBe(2_000);
    policy.update({ concurrency: 3 });
    const more = Array.from({ length: 4 }, () => ask({}, takingMs(500)));
    expect(sentAt).toHaveLength(6);
    await clock.run(Promise.all(more));
  });
});

describe("rateLimit, scopes", () => {
  it("keeps limits of credentials and of the values of labels apart", async () => {
    const { ask, sentAt, policy } = limited({
      perCredential: { requestsPerDay: 3 },
      perLabel: { team: { requestsPerDay: 1 }, tier: { requestsPerDay: 2 } },
    });
    const asked = (credential: string, labels: Record<string, string>): number => {
      const before = sentAt.length;
      void ask({ credential, scope: { labels } });
      return sentAt.length - before;
    };
    expect(asked("k", { team: "a" })).toBe(1);
    expect(asked("k", { team: "a" })).toBe(0);
    expect(asked("other", { team: "a" })).toBe(0);
    expect(asked("k", { team: "b", tier: "free" })).toBe(1);
    expect(asked("k", { unknown: "a" })).toBe(1);
    expect(asked("k", { unknown: "a" })).toBe(0);
    expect(asked("other", { team: "c", tier: "free" })).toBe(1);
    expect(asked("other", { team: "d", tier: "free" })).toBe(0);
    expect(policy.snapshot().keys).toMatchObject({ credential: 2, label: 5, client: 0 });
    policy.close();
  });

  it("merges labels of nested scopes and bounds them", async () => {
    const { ask } = limited({});
    expect(() =>
      ask({ scope: { labels: Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`l${n}`, "x"])) } }),
    ).toThrow(/scope\.labels/);
    expect(() => ask({ scope: { labels: { team: "" } } })).toThrow(/scope\.labels\.team/);
    expect(() => ask({ scope: { labels: [] as never } })).toThrow(/scope\.labels/);
  });
});

describe("rateLimit, tokens by direction", () => {
  it("counts input and output tokens apart", async () => {
    const { clock, ask, sentAt, taken } = limited({ inputTokensPerMinute: 6_000, outputTokensPerMinute: 600 });
    await ask({ inputChars: 400, maxOutputTokens: 10 }, using({ inputTokens: 100, outputTokens: 8 }));
    expect(taken("inputTokens")).toBe(100);
    expect(taken("outputTokens")).toBe(8);
    await clock.run(ask({ inputChars: 4, maxOutputTokens: 60 }, using({ inputTokens: 1, outputTokens: 60 })));
    await clock.run(ask({ inputChars: 4, maxOutputTokens: 10 }, using({ inputTokens: 1, outputTokens: 10 })));
    expect(sentAt[2]).toBeGreaterThanOrEqual(6_500);
  });

  it("takes more for an answer that outgrows its estimate while it streams", async () => {
    const { runtime, ask, taken } = limited({ outputTokensPerMinute: 100_000 });
    const chunks = Array.from({ length: 1_000 }, () => ({ role: "content", value: "x" }) as const);
    const usage = { inputTokens: 10, outputTokens: 1_100 };
    const outcome = await ask({ stream: true }, async () => streamReply(streamOf(chunks, whole({ usage }))));
    if (!outcome.ok || !(outcome.body instanceof ChunkStream)) throw new Error("no stream");
    expect(taken("outputTokens")).toBe(512);
    for (let index = 0; index < 513; index++) await outcome.body.next();
    expect(taken("outputTokens")).toBe(768);
    expect(runtime.ledger.account("outputTokens").balance).toMatchObject({ reserved: 768, inFlight: 768 });
    await drain(outcome.body);
    expect(taken("outputTokens")).toBe(1_100);
    expect(runtime.ledger.account("tokens").balance).toMatchObject({
      settled: 1_110,
      inFlight: 0,
      settledAs: { exact: 1_110, atLeast: 0, estimated: 0 },
    });
  });
});

describe("rateLimit, accounting of providers", () => {
  const cases: [provider: string, reserved: number, settled: number][] = [
    // 400 characters are 108 tokens; the answer may have 1,000 and has 50; 60 of its 100 prompt tokens were cached.
    ["unknown", 108 + 512, 150],
    ["openai", 1_000, 1_000],
    ["azure.ai.openai", 1_108, 1_108],
    ["aws.bedrock", 1_108, 90],
    ["anthropic", 620, 90],
    ["groq", 620, 90],
    ["api.cerebras.ai", 1_108, 150],
  ];

  it.each(cases)("reserves and settles as %s does", async (provider, reserved, settled) => {
    const { clock, ask, taken } = limited({ tokensPerMinute: 1_000_000_000 });
    let atSend: number | undefined;
    const usage = { inputTokens: 100, cachedInputTokens: 60, outputTokens: 50 };
    await ask({ provider, maxOutputTokens: 1_000 }, async () => {
      atSend = taken("tokens");
      return valueReply("hi", whole({ usage }));
    });
    expect(atSend).toBe(reserved);
    expect(taken("tokens")).toBe(settled);
    expect(clock.now()).toBe(0);
  });

  it("charges nothing for a request that was turned down", async () => {
    const { ask, taken } = limited({ tokensPerMinute: 1_000_000_000 });
    const refused = faultOf({ kind: "server_error", error: new Error("500") });
    await ask({ provider: "openai", maxOutputTokens: 1_000 }, async () => refused);
    expect(taken("tokens")).toBe(0);
  });

  it("counts what was really used where limits are shares of your own", async () => {
    const { ask, sentAt } = limited({ perClient: { tokensPerMinute: 60_000 } });
    const call = { provider: "openai", maxOutputTokens: 50_000, scope: { client: "a" } };
    for (let index = 0; index < 3; index++) await ask(call, using({ inputTokens: 100, outputTokens: 50 }));
    expect(sentAt).toEqual([0, 0, 0]);
  });

  it("takes what it is told of a provider over the defaults", async () => {
    const { ask, taken } = limited({
      tokensPerMinute: 1_000_000_000,
      accounting: { openai: { settles: true }, mine: { reserves: "max_tokens" } },
    });
    await ask({ provider: "openai", maxOutputTokens: 1_000 });
    expect(taken("tokens")).toBe(150);
    await ask({ provider: "mine", maxOutputTokens: 1_000 }, async () => {
      expect(taken("tokens")).toBe(150 + 1_108);
      return valueReply("hi", whole());
    });
    expect(ACCOUNTING_DEFAULTS.openai.settles).toBe(false);
    expect(() => rateLimit({ accounting: { x: { reserves: "all" as never } } })).toThrow(
      /rateLimit\.accounting\.x\.reserves/,
    );
  });
});

describe("rateLimit, changes while it runs", () => {
  it("does not begin empty when it becomes exact", async () => {
    const { clock, ask, policy, sentAt } = limited({ requestsPerMinute: 600 });
    const load = (): void => {
      for (let index = 0; index < 1_000; index++) void ask();
    };
    load();
    await clock.advance(45_000);
    policy.update({ exact: true });
    load();
    await clock.advance(75_000);
    for (const start of sentAt) {
      expect(sentAt.filter((at) => at >= start && at < start + 60_000).length).toBeLessThanOrEqual(610);
    }
    expect(sentAt.length).toBeGreaterThanOrEqual(0.97 * 1_200);
    policy.close();
  });

  it("does not count too little when a token limit is raised over a large call under way", async () => {
    const { clock, ask, policy, taken, runtime } = limited({ tokensPerMinute: 1_000 });
    const large = ask({ inputChars: 20_000, maxOutputTokens: 1 }, async () => {
      await new Promise<void>((resolve) => void runtime.clock.timer(100, resolve));
      return valueReply("hi", whole({ usage: { inputTokens: 4_900, outputTokens: 1 } }));
    });
    policy.update({ tokensPerMinute: 100_000 });
    await clock.run(large);
    expect(taken("tokens")).toBeGreaterThan(4_700);
  });
});
