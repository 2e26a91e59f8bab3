import { describe, expect, it } from "vitest";
import {
  type Call,
  faultOf,
  type Outcome,
  PLAIN_HEAD,
  pipeline,
  type QuotaAmounts,
  type QuotaHolder,
  type QuotaLimit,
  type QuotaShare,
  type SharedQuotas,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { type RateLimitOptions, rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { type CallOptions, callOf, virtualRuntime } from "../../support/calls.ts";

/** Blocks of requests that somebody else hands out. */
class Blocks implements QuotaShare {
  readonly holder: QuotaHolder;
  limits: readonly QuotaLimit[];
  held = 0;
  taken: QuotaAmounts[] = [];
  corrections: [QuotaAmounts, QuotaAmounts][] = [];
  closed = false;

  constructor(limits: readonly QuotaLimit[], holder: QuotaHolder) {
    this.limits = limits;
    this.holder = holder;
  }

  grant(requests: number): void {
    this.held += requests;
    this.holder.widened();
  }

  delay({ requests }: QuotaAmounts): number {
    return this.limits.length === 0 || requests <= this.held ? 0 : Number.POSITIVE_INFINITY;
  }

  take(amounts: QuotaAmounts): void {
    this.held -= amounts.requests;
    this.taken.push(amounts);
  }

  correct(estimate: QuotaAmounts, used: QuotaAmounts): void {
    this.corrections.push([estimate, used]);
  }

  setLimits(limits: readonly QuotaLimit[]): void {
    this.limits = limits;
  }

  close(): void {
    this.closed = true;
  }
}

class Quotas implements SharedQuotas {
  readonly shares = new Map<string, Blocks>();
  readonly gates: [string, number][] = [];
  gateListeners = new Set<(key: string, forMs: number) => void>();
  limitListeners = new Set<(key: string, limits: readonly QuotaLimit[]) => void>();

  share(key: string, limits: readonly QuotaLimit[], holder: QuotaHolder): QuotaShare {
    const blocks = new Blocks(limits, holder);
    this.shares.set(key, blocks);
    return blocks;
  }

  closeGate(key: string, forMs: number): void {
    this.gates.push([key, forMs]);
  }

  onGate(listener: (key: string, forMs: number) => void): () => void {
    this.gateListeners.add(listener);
    return () => this.gateListeners.delete(listener);
  }

  onLimits(listener: (key: string, limits: readonly QuotaLimit[]) => void): () => void {
    this.limitListeners.add(listener);
    return () => this.limitListeners.delete(listener);
  }

  of(key: string): Blocks {
    const blocks = this.shares.get(key);
    if (blocks === undefined) throw new Error(`no share of ${key}, only of ${[...this.shares.keys()].join(", ")}`);
    return blocks;
  }
}

const atOnce = async (): Promise<Outcome> => valueReply("hi", whole({ usage: { inputTokens: 100, outputTokens: 50 } }));

function shared(options: RateLimitOptions) {
  const { clock, runtime } = virtualRuntime();
  const policy = rateLimit(options, runtime);
  const quotas = new Quotas();
  const line = pipeline(policy);
  const sentAt: number[] = [];
  const ask = (call: CallOptions = {}, send: (call: Call) => Promise<Outcome> = atOnce): Promise<Outcome> =>
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
  return { clock, policy, quotas, ask, sentAt };
}

const rpm = (limit: number): QuotaLimit => ({ unit: "requests", windowMs: 60_000, limit });

describe("rateLimit with a shared quota", () => {
  it("draws for every key with limits from what is held here, and waits without a timer where nothing is", async () => {
    const { clock, policy, quotas, ask, sentAt } = shared({
      requestsPerMinute: 6_000,
      perClient: { requestsPerMinute: 600 },
    });
    policy.share(quotas);
    expect(quotas.of("global").limits).toEqual([rpm(6_000)]);
    const calls = [ask({ scope: { client: "a" } }), ask(), ask()];
    expect(sentAt).toHaveLength(0);
    expect(clock.pendingTimers).toBe(0);
    expect(quotas.of("client/a").limits).toEqual([rpm(600)]);
    expect(quotas.of("target/test/m/k").limits).toEqual([]);
    expect(quotas.of("client/a").holder.waiting()).toMatchObject({ requests: 1, tokens: 620 });
    quotas.of("client/a").grant(5);
    expect(quotas.of("global").holder.waiting().requests).toBe(3);
    quotas.of("global").grant(2);
    expect(sentAt).toHaveLength(2);
    quotas.of("global").grant(1);
    await clock.run(Promise.all(calls));
    expect(quotas.of("client/a").taken).toEqual([{ requests: 1, tokens: 620, inputTokens: 108, outputTokens: 512 }]);
    expect(quotas.of("client/a").corrections).toEqual([
      [
        { requests: 1, tokens: 620, inputTokens: 108, outputTokens: 512 },
        { requests: 1, tokens: 150, inputTokens: 100, outputTokens: 50 },
      ],
    ]);
  });

  it("keeps its own limits beside it", async () => {
    const { clock, policy, quotas, ask, sentAt } = shared({ requestsPerMinute: 60 });
    policy.share(quotas);
    quotas.of("global").grant(10);
    const calls = [ask(), ask()];
    await clock.run(Promise.all(calls));
    expect(sentAt).toEqual([0, 1_000]);
  });

  it("refuses a call in time that waits for a block", async () => {
    const { clock, policy, quotas, ask } = shared({ requestsPerMinute: 60 });
    policy.share(quotas);
    const refused = ask({ scope: { deadline: "1s" } });
    await clock.advance(1_000);
    expect(await refused).toMatchObject({ kind: "refused" });
    expect(quotas.of("global").taken).toHaveLength(0);
  });

  it("tells others of gates and limits, and follows theirs", async () => {
    const { clock, policy, quotas, ask, sentAt } = shared({});
    policy.share(quotas);
    await ask({}, async () => faultOf({ kind: "rate_limited", error: new Error("429"), retryAfterMs: 2_000 }));
    expect(quotas.gates).toEqual([["target/test/m/k", 2_000]]);
    for (const listener of quotas.gateListeners) listener("target/test/m/k", 5_000);
    const limits = [{ unit: "requests", windowMs: 60_000, limit: 600, remaining: 500, resetMs: undefined }] as const;
    const told = ask({}, async () => valueReply("hi", whole(), { ...PLAIN_HEAD, limits }));
    await clock.run(told);
    expect(sentAt).toEqual([0, 5_000]);
    expect(quotas.of("target/test/m/k").limits).toEqual([rpm(600)]);
    for (const listener of quotas.limitListeners) listener("target/test/m/k", [rpm(30)]);
    expect(policy.snapshot().targets[0]?.learned).toMatchObject([{ limit: 30 }]);
  });

  it("knows of what others met before its own first call", async () => {
    const { clock, policy, quotas, ask, sentAt } = shared({});
    policy.share(quotas);
    for (const listener of quotas.gateListeners) listener("target/test/m/k", 3_000);
    for (const listener of quotas.limitListeners) listener("target/test/m/k", [rpm(60)]);
    const calls = [ask(), ask()];
    quotas.of("target/test/m/k").grant(2);
    await clock.run(Promise.all(calls));
    expect(sentAt).toEqual([3_000, 4_000]);
  });

  it("goes on alone when it no longer shares, and gives everything back when it is closed", async () => {
    const { policy, quotas, ask, sentAt } = shared({ requestsPerMinute: 600 });
    const end = policy.share(quotas);
    const waiting = ask();
    expect(sentAt).toHaveLength(0);
    end();
    expect(sentAt).toHaveLength(1);
    await waiting;
    expect([...quotas.shares.values()].every(({ closed }) => closed)).toBe(true);
    expect(quotas.gateListeners.size + quotas.limitListeners.size).toBe(0);
    const others = new Quotas();
    policy.share(others);
    policy.close();
    expect([...others.shares.values()].every(({ closed }) => closed)).toBe(true);
    expect(others.gateListeners.size).toBe(0);
  });
});
