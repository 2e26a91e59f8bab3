import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BudgetExceededError,
  broken,
  type Call,
  ChunkStream,
  createRuntime,
  faultOf,
  type Outcome,
  pipeline,
  type Runtime,
  seededRandom,
  streamReply,
  type Usage,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { BUDGET_DEFAULTS, type BudgetOptions, budget } from "../../../src/policies/budget/index.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { type CallOptions, callOf, drain, streamOf } from "../../support/calls.ts";

const DAY_MS = 86_400_000;
// A thousand input tokens are a cent.
const prices = { m: { input: 10, cachedInput: 5, output: 20 }, other: { input: 10, output: 20 } };
const cents = (amount: number): Usage => ({ inputTokens: amount * 1_000, outputTokens: 0 });
const answer = (usage: Usage | undefined, model?: string) => async (): Promise<Outcome> =>
  valueReply("hi", whole({ usage, model }));

/** A budget from the given time of day on; its calls are expected to cost about nothing. */
function world(options: BudgetOptions, startedAt = Date.UTC(2026, 0, 31, 12)) {
  const clock = new VirtualClock({ startedAt });
  const runtime: Runtime = createRuntime({ clock, random: seededRandom(1) });
  const policy = budget({ prices, ...options }, runtime);
  const line = pipeline(policy);
  const ask = (send: (call: Call) => Promise<Outcome>, call: CallOptions = {}): Promise<Outcome> =>
    line.execute(callOf(runtime, send, { inputChars: 0, maxOutputTokens: 1, ...call }));
  return { clock, runtime, policy, ask };
}

const dollarsOf = ({ policy }: ReturnType<typeof world>) => policy.snapshot().spent[0]?.dayDollars;

describe("budget", () => {
  it("settles by usage: cached input by its own price, and the model that answered before the one asked for", async () => {
    const w = world({});
    await w.ask(answer({ inputTokens: 10_000, cachedInputTokens: 4_000, outputTokens: 1_000 }));
    expect(dollarsOf(w)).toBeCloseTo(0.06 + 0.02 + 0.02);
    await w.ask(answer({ inputTokens: 10_000, cachedInputTokens: 4_000, outputTokens: 0 }, "other"));
    expect(dollarsOf(w)).toBeCloseTo(0.2);
    await w.ask(answer(cents(1), "an-unknown-alias"));
    expect(dollarsOf(w)).toBeCloseTo(0.21);
    expect(w.runtime.ledger.account("money").balance).toMatchObject({ inFlight: 0, settledAs: { estimated: 0 } });
    expect(w.runtime.ledger.account("money").balance.settled).toBeCloseTo(0.21);
  });

  it("refuses what it has no money for until the day is over, and begins anew then", async () => {
    const w = world({ dollarsPerDay: 0.1 });
    expect(await w.ask(answer(cents(10)))).toMatchObject({ ok: true });
    const refused = await w.ask(answer(cents(1)));
    expect(refused).toMatchObject({ kind: "refused", retryable: false, retryAfterMs: DAY_MS / 2 });
    expect(refused.ok ? undefined : refused.error).toBeInstanceOf(BudgetExceededError);
    await w.clock.advance(DAY_MS / 2 - 1);
    expect(await w.ask(answer(cents(1)))).toMatchObject({ kind: "refused", retryAfterMs: 1 });
    await w.clock.advance(1);
    expect(await w.ask(answer(cents(1)))).toMatchObject({ ok: true });
    expect(w.policy.snapshot()).toMatchObject({ refused: 2, spent: [{ day: "2026-02-01", month: "2026-02" }] });
  });

  it("keeps a month's limit over its days, whatever the month", async () => {
    for (const [startedAt, daysLeft] of [
      [Date.UTC(2026, 0, 31, 0), 1],
      [Date.UTC(2026, 1, 1), 28],
      [Date.UTC(2028, 1, 1), 29],
      [Date.UTC(2026, 11, 31), 1],
      [Date.UTC(2026, 11, 1), 31],
    ] as const) {
      const w = world({ dollarsPerDay: 1, dollarsPerMonth: 0.1 }, startedAt);
      await w.ask(answer(cents(10)));
      expect(await w.ask(answer(cents(1)))).toMatchObject({ retryAfterMs: daysLeft * DAY_MS });
      await w.clock.advance(daysLeft * DAY_MS);
      expect(await w.ask(answer(cents(1)))).toMatchObject({ ok: true });
      expect(w.policy.snapshot().spent[0]?.monthDollars).toBeCloseTo(0.01);
    }
  });

  it("does not begin a day twice when the wall clock is set back", async () => {
    const w = world({ dollarsPerDay: 0.1 }, Date.UTC(2026, 0, 1));
    await w.ask(answer(cents(10)));
    w.clock.shiftWall(-3_600_000);
    expect(await w.ask(answer(cents(1)))).toMatchObject({ kind: "refused" });
  });

  it("keeps no day of the future open when the wall clock had been far ahead, nor forgets what was spent then", async () => {
    const w = world({ dollarsPerDay: 1, dollarsPerMonth: 2 });
    w.clock.shiftWall(1_000 * DAY_MS);
    await w.ask(answer(cents(40)));
    w.clock.shiftWall(-1_000 * DAY_MS);
    await w.ask(answer(cents(40)));
    expect(w.policy.snapshot().spent[0]).toMatchObject({ day: "2026-01-31", month: "2026-01" });
    expect(dollarsOf(w)).toBeCloseTo(0.8);
    await w.clock.advance(DAY_MS);
    expect(w.policy.snapshot().spent[0]).toMatchObject({ day: "2026-02-01", dayDollars: 0, month: "2026-02" });
  });

  it("tells no time where only calls under way stand in the way", async () => {
    const w = world({ dollarsPerDay: 1, dollarsPerMonth: 30 });
    const held = { inputChars: 300_000 };
    const slow = (): Promise<Outcome> =>
      new Promise((resolve) => {
        w.clock.timer(1_000, () => resolve(valueReply("hi", whole({ usage: cents(1) }))));
      });
    const first = w.ask(slow, held);
    const refused = await w.ask(slow, held);
    expect(refused).toMatchObject({ kind: "refused", retryAfterMs: undefined });
    expect(String(refused.ok || refused.error)).toContain("are held for calls under way");
    await w.clock.advance(1_000);
    expect(await first).toMatchObject({ ok: true });
    expect(await w.ask(answer(cents(95)), held)).toMatchObject({ ok: true });
    expect(await w.ask(slow, held)).toMatchObject({ kind: "refused", retryAfterMs: DAY_MS / 2 - 1_000 });
  });

  it("reserves what calls under way may cost, so that together they do not pass the limit", async () => {
    const w = world({ dollarsPerDay: 0.1 });
    const release: (() => void)[] = [];
    const slow = (): Promise<Outcome> =>
      new Promise((resolve) => release.push(() => resolve(valueReply("hi", whole({ usage: cents(1) })))));
    // 16,000 characters: about 4,000 tokens, four cents.
    const asked = Array.from({ length: 5 }, () => w.ask(slow, { inputChars: 15_900 }));
    expect(release).toHaveLength(2);
    expect(w.policy.snapshot().heldDollars).toBeCloseTo(0.08, 2);
    for (const end of release.splice(0)) end();
    expect((await Promise.all(asked)).filter(({ ok }) => ok)).toHaveLength(2);
    expect(w.policy.snapshot().heldDollars).toBe(0);
    expect(dollarsOf(w)).toBeCloseTo(0.02);
    expect(await w.ask(answer(cents(1)), { inputChars: 15_900 })).toMatchObject({ ok: true });
  });

  it("tells of no time at which a call could pass that costs more than there ever is", async () => {
    const w = world({ dollarsPerDay: 0.01 });
    const outcome = await w.ask(answer(cents(1)), { inputChars: 1_000_000 });
    expect(outcome).toMatchObject({ kind: "refused", retryAfterMs: undefined });
  });

  it("costs nothing what the provider turned down, and what was seen of a stream that was cut", async () => {
    const w = world({});
    await w.ask(async () => faultOf({ kind: "rate_limited", error: new Error("429"), status: 429 }));
    expect(dollarsOf(w)).toBe(0);
    const chunks = Array.from({ length: 100 }, () => ({ role: "content", value: "x" }) as const);
    const reset = faultOf({ kind: "network", error: new Error("reset") });
    const cut = await w.ask(async () => streamReply(streamOf(chunks, broken(reset))), { maxOutputTokens: 500 });
    if (!cut.ok || !(cut.body instanceof ChunkStream)) throw new Error("no stream");
    await drain(cut.body);
    expect(dollarsOf(w)).toBeCloseTo((8 * 10 + 100 * 20) / 1e6, 6);
    expect(w.runtime.ledger.account("money").balance).toMatchObject({ inFlight: 0, settledAs: { exact: 0 } });
  });

  it("keeps purses of clients, models and labels apart", async () => {
    const w = world({
      perClient: { dollarsPerDay: 0.02 },
      perModel: { dollarsPerDay: 0.05 },
      perLabel: { team: { dollarsPerDay: 0.03 } },
    });
    const as = (client: string, team: string, model = "m") => ({
      model,
      scope: { client, labels: { team, feature: "any" } },
    });
    expect(await w.ask(answer(cents(2)), as("a", "x"))).toMatchObject({ ok: true });
    expect(await w.ask(answer(cents(1)), as("a", "y"))).toMatchObject({ kind: "refused" });
    expect(await w.ask(answer(cents(1)), as("b", "x"))).toMatchObject({ ok: true });
    expect(await w.ask(answer(cents(1)), as("c", "x"))).toMatchObject({ kind: "refused" });
    expect(await w.ask(answer(cents(2)), as("c", "y"))).toMatchObject({ ok: true });
    expect(await w.ask(answer(cents(1)), as("d", "z"))).toMatchObject({ kind: "refused" });
    expect(await w.ask(answer(cents(1)), as("d", "z", "other"))).toMatchObject({ ok: true });
    const names = w.policy.snapshot().spent.map(({ rank, name }) => `${rank} ${name}`);
    expect(names).toEqual(expect.arrayContaining(["global global", "client a", "model m", "label team=x"]));
    expect(names.some((name) => name.includes("feature"))).toBe(false);
  });

  it("keeps purses of credentials apart, whatever the model, and restores them", async () => {
    const options: BudgetOptions = { perCredential: { dollarsPerDay: 0.02 } };
    const w = world(options);
    expect(await w.ask(answer(cents(1)), { credential: "one" })).toMatchObject({ ok: true });
    expect(await w.ask(answer(cents(1)), { credential: "one", model: "other" })).toMatchObject({ ok: true });
    expect(await w.ask(answer(cents(1)), { credential: "two" })).toMatchObject({ ok: true });
    const again = world(options);
    again.policy.restore(w.policy.snapshot());
    for (const { ask } of [w, again]) {
      expect(await ask(answer(cents(1)), { credential: "one" })).toMatchObject({ kind: "refused" });
      expect(await ask(answer(cents(1)), { credential: "two" })).toMatchObject({ ok: true });
    }
    expect(w.policy.snapshot().spent).toMatchObject([
      { rank: "global" },
      { rank: "credential", name: "one" },
      { rank: "credential", name: "two" },
    ]);
  });

  it("tells each share of a limit once per day, and refusals each time", async () => {
    const w = world({ dollarsPerDay: 0.1, alertAt: [0.5, 0.8, 1] });
    const told: unknown[] = [];
    w.runtime.events.on("budget.threshold", ({ share, period, scope }) => told.push([share, period, scope]));
    const rejected: unknown[] = [];
    w.runtime.events.on("budget.rejected", ({ scope, period }) => rejected.push([scope, period]));
    for (let index = 0; index < 12; index++) await w.ask(answer(cents(1)));
    expect(told).toEqual([0.5, 0.8, 1].map((share) => [share, "day", "global"]));
    expect(rejected).toEqual(Array(2).fill(["global", "day"]));
    await w.clock.advance(DAY_MS);
    for (let index = 0; index < 5; index++) await w.ask(answer(cents(1)));
    expect(told).toHaveLength(4);
  });

  it("lets models without a price pass uncounted, or refuses them, and says so once", async () => {
    const w = world({ dollarsPerDay: 0.01 });
    const told: unknown[] = [];
    w.runtime.events.on("budget.unpriced", ({ model, action }) => told.push([model, action]));
    for (let index = 0; index < 3; index++) {
      expect(await w.ask(answer(cents(9)), { model: "new" })).toMatchObject({ ok: true });
    }
    expect(w.policy.snapshot()).toMatchObject({ unpriced: 3, spent: [{ dayDollars: 0 }] });
    expect(told).toEqual([["new", "allow"]]);
    w.policy.update({ unknownPrice: "refuse" });
    const refused = await w.ask(answer(cents(1)), { model: "new" });
    expect(refused).toMatchObject({ kind: "refused", retryAfterMs: undefined, error: { code: "BUDGET_EXCEEDED" } });
  });

  it("takes prices from a function; one that throws tells none", async () => {
    const w = world({
      prices: (model, provider) => {
        if (model === "broken") throw new Error("no list");
        return provider === "test" ? { input: 10, output: 20 } : undefined;
      },
    });
    await w.ask(answer(cents(3)));
    expect(dollarsOf(w)).toBeCloseTo(0.03);
    expect(await w.ask(answer(cents(3)), { model: "broken" })).toMatchObject({ ok: true });
    expect(w.policy.snapshot().unpriced).toBe(1);
  });

  it("goes on after a restart where it was, if the day is still the same", async () => {
    const first = world({ dollarsPerDay: 0.1, perClient: { dollarsPerMonth: 0.1 } });
    await first.ask(answer(cents(6)), { scope: { client: "a" } });
    const stored = JSON.parse(JSON.stringify(first.policy.snapshot()));
    const second = world({ dollarsPerDay: 0.1, perClient: { dollarsPerMonth: 0.1 } });
    second.policy.restore(stored);
    expect(second.policy.snapshot().spent).toEqual(first.policy.snapshot().spent);
    await second.ask(answer(cents(4)), { scope: { client: "b" } });
    expect(await second.ask(answer(cents(1)), { scope: { client: "b" } })).toMatchObject({ kind: "refused" });
    const nextDay = world({ dollarsPerDay: 0.1, perClient: { dollarsPerMonth: 0.1 } }, Date.UTC(2026, 0, 15));
    nextDay.policy.restore(stored);
    expect(nextDay.policy.snapshot().spent).toMatchObject([
      { rank: "global", dayDollars: 0 },
      { rank: "client", name: "a", dayDollars: 0 },
    ]);
    expect(nextDay.policy.snapshot().spent[1]?.monthDollars).toBeCloseTo(0.06);
    const before = second.policy.snapshot();
    expect(() => second.policy.restore({ spent: [{ rank: "global" } as never] })).toThrow(/restore\.spent\[0\]/);
    expect(second.policy.snapshot()).toEqual(before);
  });

  it("never spends more than the limit and what the estimates were short of, and its books agree", async () => {
    const steps = fc.array(
      fc.record({
        chars: fc.integer({ min: 0, max: 8_000 }),
        factor: fc.double({ min: 0.2, max: 2, noNaN: true }),
        latencyMs: fc.integer({ min: 0, max: 5_000 }),
        gapMs: fc.integer({ min: 0, max: 1_000 }),
        fate: fc.constantFrom("answer", "unreported", "fault", "abort"),
      }),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const w = world({ dollarsPerDay: 0.1 });
        let short = 0;
        const running: Promise<Outcome>[] = [];
        for (const { chars, factor, latencyMs, gapMs, fate } of all) {
          await w.clock.advance(gapMs);
          running.push(
            w.ask(
              async () => {
                await new Promise<void>((resolve) => void w.clock.timer(latencyMs, resolve));
                if (fate === "fault") return faultOf({ kind: "server_error", error: new Error("500") });
                if (fate === "abort") return faultOf({ kind: "aborted", error: new Error("left") });
                const inputTokens = Math.ceil((chars / 4) * factor);
                short += (inputTokens * 10) / 1e6;
                return valueReply(
                  "hi",
                  whole({ usage: fate === "answer" ? { inputTokens, outputTokens: 1 } : undefined }),
                );
              },
              { inputChars: chars },
            ),
          );
        }
        await w.clock.run(Promise.all(running));
        const { reserved, settled, refunded, inFlight } = w.runtime.ledger.account("money").balance;
        expect(inFlight).toBeCloseTo(0, 9);
        expect(reserved).toBeCloseTo(settled + refunded, 9);
        expect(dollarsOf(w)).toBeCloseTo(settled, 9);
        expect(settled).toBeLessThanOrEqual(0.1 + short + 1e-9);
        expect(w.policy.snapshot().heldDollars).toBeCloseTo(0, 9);
      }),
      { numRuns: 50 },
    );
  });

  it("is bounded: newcomers share a purse when very many have spent something", async () => {
    const w = world({ perClient: { dollarsPerDay: 0.01 } });
    for (let index = 0; index < 20_050; index++) await w.ask(answer(cents(0.5)), { scope: { client: `c${index}` } });
    expect(w.policy.snapshot().spent.length).toBeLessThanOrEqual(20_002);
    expect(await w.ask(answer(cents(0.5)), { scope: { client: "late" } })).toMatchObject({ kind: "refused" });
    expect(await w.ask(answer(cents(0.4)), { scope: { client: "c5" } })).toMatchObject({ ok: true });
  });

  it("refuses wrong options by name", () => {
    expect(() => budget({ usd: 5 } as object)).toThrow(/budget\.usd/);
    expect(() => budget({ dollarsPerDay: 0 })).toThrow(/budget\.dollarsPerDay/);
    expect(() => budget({ perClient: { dollarsPerMonth: -1 } })).toThrow(/budget\.perClient\.dollarsPerMonth/);
    expect(() => budget({ perLabel: { team: { x: 1 } as object } })).toThrow(/budget\.perLabel\.team\.x/);
    expect(() => budget({ alertAt: [2] })).toThrow(/budget\.alertAt\[0\]/);
    expect(() => budget({ prices: { m: { input: -1, output: 1 } } })).toThrow(/budget\.prices\.m\.input/);
    expect(() => budget({ unknownPrice: "ask" as never })).toThrow(/budget\.unknownPrice/);
    expect(BUDGET_DEFAULTS).toEqual({ unknownPrice: "allow", alertAt: [0.8] });
  });
});
