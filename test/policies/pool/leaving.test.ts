import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { callThrough } from "../../../src/clients/index.ts";
import { acquireFrom } from "../../../src/clients/lease.ts";
import {
  type Call,
  Cancellation,
  ClosedError,
  createRuntime,
  DeadlineExceededError,
  faultOf,
  type Line,
  type Outcome,
  type Policy,
  PRIORITY_LEVELS,
  pipeline,
  type Runtime,
  type Scope,
  seededRandom,
  streamReply,
  whole,
} from "../../../src/core/index.ts";
import { deadline } from "../../../src/policies/deadline/index.ts";
import { fallback } from "../../../src/policies/fallback/index.ts";
import { hedge } from "../../../src/policies/hedge/index.ts";
import { createJobs, type PoolOptions, type PoolPolicy, pool } from "../../../src/policies/pool/index.ts";
import { type RateLimitOptions, rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { retry } from "../../../src/policies/retry/index.ts";
import { throttle } from "../../../src/policies/throttle/index.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { answering, callOf, drain, streamOf, virtualRuntime } from "../../support/calls.ts";
import { targetTo } from "../fallback/support.ts";

const GATE_MS = 60_000;

/** Refuses model `gated` until the time `opensAt`, and answers all else; counts who is with it. */
class Provider {
  opensAt = GATE_MS;
  readonly sent: { readonly at: number; readonly priority: number; readonly model: string }[] = [];
  inFlight = 0;
  mostInFlight = 0;
  readonly #runtime: Runtime;
  readonly #ms: number;

  constructor(runtime: Runtime, ms = 100) {
    this.#runtime = runtime;
    this.#ms = ms;
  }

  readonly send = async (call: Call): Promise<Outcome> => {
    const now = this.#runtime.clock.now();
    const { model, scope } = call;
    this.sent.push({ at: now, priority: scope.priority, model });
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    const outcome = await answering(this.#runtime, "answer", this.#ms)(call);
    this.inFlight--;
    if (model !== "gated" || now >= this.opensAt || !outcome.ok) return outcome;
    const retryAfterMs = this.opensAt - this.#runtime.clock.now();
    return faultOf({ kind: "rate_limited", status: 429, retryAfterMs, error: new Error("429") });
  };
}

interface SetUp {
  readonly pool?: PoolOptions;
  readonly limits?: RateLimitOptions;
  readonly before?: (runtime: Runtime) => readonly Policy[];
  readonly within?: (runtime: Runtime) => readonly Policy[];
  readonly retries?: boolean;
  readonly answerMs?: number;
}

function setUp(options: SetUp = {}) {
  const clock = new VirtualClock();
  const runtime = createRuntime({ clock, random: seededRandom(7) });
  const provider = new Provider(runtime, options.answerMs);
  const slots = pool(options.pool ?? { concurrency: 64 }, runtime);
  const line = pipeline(
    ...(options.before?.(runtime) ?? []),
    slots,
    ...(options.retries === false ? [] : [retry({}, runtime)]),
    ...(options.within?.(runtime) ?? []),
    rateLimit(options.limits ?? {}, runtime),
  );
  const ask = (model: string, scope: Scope = {}, more: { cancellation?: Cancellation; stream?: boolean } = {}) => {
    const call = callOf(runtime, provider.send, { model, scope, ...more });
    const startedAt = clock.now();
    let endedAt: number | undefined;
    const outcome = line.execute(call).then((result) => {
      endedAt = clock.now();
      return result;
    });
    return { call, outcome, tookMs: () => (endedAt === undefined ? undefined : endedAt - startedAt) };
  };
  return { clock, runtime, provider, slots, line, ask };
}

function checkNothingIsLeft(runtime: Runtime, slots: PoolPolicy): void {
  expect(slots.snapshot()).toMatchObject({ running: 0, queued: 0, away: 0 });
  for (const { reserved, settled, refunded, inFlight } of Object.values(runtime.ledger.balances())) {
    expect(inFlight).toBeCloseTo(0, 6);
    expect(settled + refunded).toBeCloseTo(reserved, 6);
  }
}

async function all(clock: VirtualClock, asked: readonly { readonly outcome: Promise<Outcome> }[]): Promise<Outcome[]> {
  return clock.run(Promise.all(asked.map(({ outcome }) => outcome)));
}

describe("a call that waits long", () => {
  it("leaves its slot to a critical call to another model while its own is gated", async () => {
    const { clock, runtime, provider, slots, ask } = setUp();
    const background = Array.from({ length: 64 }, () => ask("gated", { priority: "background" }));
    await clock.advance(500);
    const later = Array.from({ length: 200 }, () => ask("gated", { priority: "low" }));
    await clock.advance(500);
    const critical = ask("open", { priority: "critical" });
    await clock.advance(100);
    expect(critical.tookMs()).toBe(100);
    expect(slots.snapshot()).toMatchObject({ running: 0, queued: 0, away: 264 });
    expect(runtime.ledger.balances()["slots"]?.inFlight).toBe(0);
    expect((await all(clock, [...background, ...later])).every(({ ok }) => ok)).toBe(true);
    expect(provider.mostInFlight).toBeLessThanOrEqual(64);
    expect(provider.sent.filter(({ at, model }) => model === "gated" && at > 0 && at < GATE_MS)).toEqual([]);
    checkNothingIsLeft(runtime, slots);
    expect(clock.pendingTimers).toBe(0);
  });

  it("is paced when the gate opens, the more urgent before the less", async () => {
    const { clock, provider, ask } = setUp({
      pool: { concurrency: 4 },
      limits: { perModel: { requestsPerMinute: 60 } },
    });
    const first = ask("gated", { priority: "background" });
    await clock.advance(200);
    const calls = [
      ...Array.from({ length: 12 }, () => ask("gated", { priority: "background" })),
      ...Array.from({ length: 12 }, () => ask("gated", { priority: "critical" })),
    ];
    await all(clock, [first, ...calls]);
    const after = provider.sent.filter(({ at }) => at >= GATE_MS);
    expect(after).toHaveLength(25);
    for (const [index, { at }] of after.slice(10).entries()) {
      expect(at - (after[index]?.at ?? 0)).toBeGreaterThan(9_000);
    }
    expect(after.slice(0, 13).filter(({ priority }) => priority === PRIORITY_LEVELS.critical)).toHaveLength(12);
  });

  it("leaves its slot for a limit of its own, however it is called", async () => {
    const { clock, slots, ask } = setUp({ pool: { concurrency: 2 }, limits: { perModel: { requestsPerMinute: 6 } } });
    const limited = Array.from({ length: 6 }, () => ask("limited"));
    await clock.advance(5_000);
    expect(slots.snapshot()).toMatchObject({ running: 0, away: 5 });
    const other = ask("open");
    await clock.advance(100);
    expect(other.tookMs()).toBe(100);
    await all(clock, limited);
    expect(limited.map(({ tookMs }) => Math.round((tookMs() ?? 0) / 1_000))).toEqual([0, 10, 20, 30, 40, 50]);
  });

  it("leaves its slot when a short wait becomes a long one", async () => {
    const { clock, slots, ask } = setUp({
      pool: { concurrency: 2 },
      limits: { perModel: { concurrency: 1 } },
      answerMs: 10_000,
    });
    const calls = [ask("busy"), ask("busy"), ask("busy")];
    await clock.advance(999);
    expect(slots.snapshot()).toMatchObject({ running: 2, queued: 1, away: 0 });
    await clock.advance(1_500);
    expect(slots.snapshot()).toMatchObject({ running: 1, queued: 0, away: 2 });
    expect((await all(clock, calls)).every(({ ok }) => ok)).toBe(true);
    expect(calls.map(({ tookMs }) => tookMs())).toEqual([10_000, 20_000, 30_000]);
  });

  it("leaves its slot while it waits for a permit of the throttle", async () => {
    const { clock, runtime, slots, ask } = setUp({
      pool: { concurrency: 8 },
      within: (own) => [throttle({ initial: 2, max: 2, min: 1 }, own)],
    });
    const gated = Array.from({ length: 50 }, () => ask("gated"));
    await clock.advance(8_000);
    const other = ask("open");
    await clock.advance(100);
    expect(other.tookMs()).toBe(100);
    expect(slots.snapshot()).toMatchObject({ running: 0, queued: 0, away: 50 });
    expect((await all(clock, gated)).every(({ ok }) => ok)).toBe(true);
    checkNothingIsLeft(runtime, slots);
  });

  it("leaves its slot in a line without retry", async () => {
    const { clock, runtime, provider, slots, ask } = setUp({ pool: { concurrency: 2 }, retries: false });
    expect((await clock.run(ask("gated").outcome)).ok).toBe(false);
    const gated = Array.from({ length: 6 }, () => ask("gated"));
    await clock.advance(1_000);
    expect(slots.snapshot()).toMatchObject({ running: 0, away: 6 });
    clock.timer(GATE_MS - clock.now() - 50, () => void ask("open"));
    clock.timer(GATE_MS - clock.now() - 50, () => void ask("open"));
    expect((await all(clock, gated)).every(({ ok }) => ok)).toBe(true);
    expect(provider.mostInFlight).toBe(2);
    await clock.advance(1_000);
    checkNothingIsLeft(runtime, slots);
  });

  it("waits for a slot again with nothing in its hands", async () => {
    const { clock, runtime, provider, slots, ask } = setUp({
      pool: { concurrency: 2 },
      within: (own) => [throttle({ initial: 4, max: 4, min: 1 }, own)],
      answerMs: 5_000,
    });
    const gated = [ask("gated"), ask("gated"), ask("gated")];
    clock.timer(GATE_MS - 1_000, () => Array.from({ length: 8 }, () => ask("open", { priority: "high" })));
    await clock.advance(GATE_MS + 1_000);
    expect(slots.snapshot()).toMatchObject({ running: 2, queued: 9, away: 3 });
    const { requests, permits, slots: held } = runtime.ledger.balances();
    expect([requests?.inFlight, permits?.inFlight, held?.inFlight]).toEqual([2, 2, 2]);
    expect((await all(clock, gated)).every(({ ok }) => ok)).toBe(true);
    expect(provider.mostInFlight).toBe(2);
  });

  it("comes back before those who came later", async () => {
    const { clock, provider, ask } = setUp({ pool: { concurrency: 1 }, answerMs: 1_000 });
    const gated = [ask("gated")];
    clock.timer(GATE_MS - 1_500, () => Array.from({ length: 20 }, () => ask("open")));
    await clock.advance(GATE_MS + 2_000);
    expect(provider.sent.at(-1)?.model).toBe("open");
    expect(provider.sent.filter(({ model }) => model === "open").length).toBeLessThanOrEqual(4);
    expect(provider.sent.filter(({ model }) => model === "gated")).toHaveLength(2);
    await all(clock, gated);
  });

  it("tells what it waited for, and the parts are the whole", async () => {
    const { clock, runtime, ask } = setUp({ pool: { concurrency: 1 }, answerMs: 2_000 });
    const told: { durationMs: number; providerMs: number; waits: Record<string, number> }[] = [];
    runtime.events.on("call.completed", ({ durationMs, providerMs, waits }) =>
      told.push({ durationMs, providerMs, waits: { ...waits } }),
    );
    const calls = [ask("gated"), ask("gated"), ask("gated")];
    clock.timer(GATE_MS - 500, () => void ask("open", { priority: "critical" }));
    await all(clock, calls);
    expect(told).toHaveLength(4);
    for (const { durationMs, providerMs, waits } of told) {
      const waitedMs = Object.values(waits).reduce((sum, ms) => sum + ms, 0);
      expect(waitedMs + providerMs).toBeCloseTo(durationMs, 6);
    }
    expect(told.some(({ waits }) => (waits["rateLimit"] ?? 0) > 50_000 && (waits["queue"] ?? 0) > 1_000)).toBe(true);
  });
});

describe("what keeps its slot", () => {
  it("a wait of a second or less", async () => {
    const { clock, provider, slots, ask } = setUp({ pool: { concurrency: 1 } });
    provider.opensAt = 900;
    const gated = ask("gated");
    await clock.advance(500);
    expect(slots.snapshot()).toMatchObject({ running: 1, away: 0 });
    expect((await clock.run(gated.outcome)).ok).toBe(true);
  });

  it("a stream that has begun, while another try is to take it up", async () => {
    const clock = new VirtualClock();
    const runtime = createRuntime({ clock, random: seededRandom(7) });
    const slots = pool({ concurrency: 1 }, runtime);
    const line = pipeline(slots, retry({ afterCommit: "restart" }, runtime), rateLimit({}, runtime));
    const broken = faultOf({ kind: "rate_limited", retryAfterMs: 30_000, error: new Error("cut") });
    let tries = 0;
    const send = async (): Promise<Outcome> =>
      streamReply(
        ++tries === 1
          ? streamOf([{ role: "content", value: "a" }], { ...whole(), fault: broken })
          : streamOf([
              { role: "content", value: "a" },
              { role: "content", value: "b" },
            ]),
      );
    const call = callOf(runtime, send, { stream: true, scope: { onRestart: () => {} } });
    const outcome = await clock.run(line.execute(call));
    if (!outcome.ok || outcome.body.kind !== "stream") throw new Error("no stream");
    const read = drain(outcome.body);
    await clock.advance(10_000);
    expect(slots.snapshot()).toMatchObject({ running: 1, away: 0 });
    expect(await clock.run(read)).toEqual(["a", "a", "b"]);
    expect(slots.snapshot()).toMatchObject({ running: 0, away: 0 });
  });

  it("a function whose own call has its slot", async () => {
    const { clock, slots, line, runtime, provider, ask } = setUp({ pool: { concurrency: 1 } });
    await clock.run(all(clock, [ask("open")]));
    const jobs = createJobs(slots, runtime);
    const asked: ReturnType<typeof ask>[] = [];
    jobs.submit("outer", async () => {
      const inner = ask("gated");
      asked.push(inner);
      return inner.outcome;
    });
    await clock.advance(10_000);
    expect(slots.snapshot()).toMatchObject({ running: 1, away: 0 });
    const other = ask("open");
    expect((await clock.run(other.outcome)).ok).toBe(true);
    expect((await asked[0]?.outcome)?.ok).toBe(true);
    expect(provider.mostInFlight).toBe(1);
    expect(line.policies).toContain(slots);
  });

  it("a function that pauses while a call of its own still has its slot", async () => {
    const { clock, runtime, slots, line, provider, ask } = setUp({ pool: { concurrency: 1 }, answerMs: 3_000 });
    let tries = 0;
    const work = async (): Promise<string> => {
      if (++tries > 1) return "done";
      void ask("open");
      await undefined;
      throw new Error("busy");
    };
    const judge = () => ({ kind: "rate_limited", retryAfterMs: 10_000 }) as const;
    const result = callThrough(line, { model: "work", input: "", judge }, work);
    await clock.advance(1_000);
    const other = ask("open");
    await clock.advance(1_000);
    expect(slots.snapshot()).toMatchObject({ running: 1, queued: 1, away: 0 });
    expect(await clock.run(result)).toBe("done");
    expect((await clock.run(other.outcome)).ok).toBe(true);
    expect(provider.mostInFlight).toBe(1);
    checkNothingIsLeft(runtime, slots);
  });

  it("the second of two tries, which does not wait", async () => {
    const { clock, slots, ask, provider } = setUp({
      pool: { concurrency: 2 },
      within: (own) => [hedge({}, own)],
      limits: { perModel: { requestsPerMinute: 6 } },
    });
    const calls = Array.from({ length: 5 }, () => ask("limited", {}, { stream: true }));
    await clock.advance(3_000);
    expect(slots.snapshot()).toMatchObject({ running: 0, away: 4 });
    expect((await all(clock, calls)).every(({ ok }) => ok)).toBe(true);
    expect(provider.sent).toHaveLength(5);
  });
});

describe("a call without its slot", () => {
  const gatedAway = async (options: SetUp = {}) => {
    const stage = setUp({ pool: { concurrency: 1 }, ...options });
    await stage.clock.run(stage.ask("open").outcome);
    return stage;
  };

  it("ends at once when it is given up, at the gate and in the queue for a slot", async () => {
    const { clock, runtime, slots, ask } = await gatedAway({ answerMs: 5_000 });
    const cancellations = Array.from({ length: 4 }, () => new Cancellation());
    const calls = cancellations.map((cancellation) => ask("gated", {}, { cancellation }));
    clock.timer(GATE_MS - 6_000, () => Array.from({ length: 5 }, () => ask("open", { priority: "critical" })));
    await clock.advance(GATE_MS - 15_000);
    expect(slots.snapshot()).toMatchObject({ running: 0, away: 4 });
    cancellations[0]?.cancel("at the gate");
    await clock.advance(0);
    expect(await calls[0]?.outcome).toMatchObject({ kind: "aborted", error: "at the gate" });
    expect(slots.snapshot()).toMatchObject({ away: 3 });
    await clock.advance(12_000);
    expect(slots.snapshot()).toMatchObject({ running: 1, queued: 7, away: 3 });
    cancellations[1]?.cancel("in the queue");
    await clock.advance(0);
    expect((await calls[1]?.outcome)?.ok).toBe(false);
    expect(slots.snapshot()).toMatchObject({ queued: 6, away: 2 });
    await all(clock, calls);
    await clock.advance(60_000);
    checkNothingIsLeft(runtime, slots);
    expect(clock.pendingTimers).toBe(0);
  });

  it("is refused when its deadline passes while it waits for a slot again", async () => {
    const { clock, slots, provider, ask } = await gatedAway({
      before: (own) => [deadline("63s", own)],
      answerMs: 5_000,
    });
    const call = ask("gated");
    clock.timer(GATE_MS - 6_000, () => Array.from({ length: 5 }, () => ask("open", { priority: "critical" })));
    const outcome = await clock.run(call.outcome);
    expect(outcome).toMatchObject({ ok: false, error: expect.any(DeadlineExceededError) });
    expect(provider.sent.filter(({ model }) => model === "gated")).toHaveLength(1);
    await clock.advance(60_000);
    expect(slots.snapshot()).toMatchObject({ running: 0, queued: 0, away: 0 });
  });

  it("gets an answer at once when the line is closed", async () => {
    const { clock, runtime, slots, line, ask } = await gatedAway();
    const calls = Array.from({ length: 5 }, () => ask("gated"));
    await clock.advance(10_000);
    expect(slots.snapshot()).toMatchObject({ running: 0, away: 5 });
    await line.close();
    const outcomes = await Promise.all(calls.map(({ outcome }) => outcome));
    // The one that was sent has what the provider said.
    expect(outcomes.filter((outcome) => !outcome.ok && outcome.error instanceof ClosedError)).toHaveLength(4);
    expect(clock.now()).toBeLessThan(GATE_MS);
    checkNothingIsLeft(runtime, slots);
    expect(clock.pendingTimers).toBe(0);
  });

  it("comes back into a pool that has been changed meanwhile", async () => {
    const { clock, runtime, provider, slots, ask } = await gatedAway({
      pool: { concurrency: 8, maxQueue: 8, partitions: { batch: { share: 0.5 } } },
    });
    const calls = Array.from({ length: 8 }, () => ask("gated", { partition: "batch" }));
    await clock.advance(10_000);
    slots.update({ concurrency: 2, maxQueue: 0, partitions: {} });
    expect((await all(clock, calls)).every(({ ok }) => ok)).toBe(true);
    expect(provider.sent.filter(({ at }) => at >= GATE_MS)).toHaveLength(8);
    checkNothingIsLeft(runtime, slots);
  });

  it("costs its tenant nothing meanwhile", async () => {
    const { clock, ask } = setUp({ pool: { concurrency: 1 }, answerMs: 1_000 });
    const order: string[] = [];
    const askOf = (model: string, client: string) => {
      const asked = ask(model, { client });
      void asked.outcome.then(() => order.push(client));
      return asked;
    };
    askOf("gated", "a");
    for (let count = 0; count < 20; count++) askOf("gated", "a");
    for (let count = 0; count < 10; count++) {
      askOf("open", "a");
      askOf("open", "b");
    }
    await clock.advance(12_000);
    const share = order.slice(0, 10).filter((client) => client === "a").length;
    expect(share).toBeGreaterThanOrEqual(4);
    expect(share).toBeLessThanOrEqual(6);
  });
});

describe("slots that are left", () => {
  it("are taken again by leases, each of which keeps its own to its end", async () => {
    const { clock, runtime, slots, line, ask } = setUp({
      pool: { concurrency: 2 },
      limits: { perModel: { requestsPerMinute: 6 } },
    });
    const leases = Array.from({ length: 3 }, () => acquireFrom(line));
    await clock.advance(5_000);
    expect(slots.snapshot()).toMatchObject({ running: 1, queued: 0, away: 2 });
    const other = ask("open");
    await clock.advance(100);
    expect(other.tookMs()).toBe(100);
    await clock.advance(20_000);
    expect(slots.snapshot()).toMatchObject({ running: 2, queued: 1, away: 1 });
    for (const acquired of leases) {
      const lease = await acquired;
      expect(lease.isOpen).toBe(true);
      lease.settle();
      await clock.advance(10);
    }
    checkNothingIsLeft(runtime, slots);
  });

  it("are not waited for with a permit that the holder of the slot needs", async () => {
    const { clock, runtime, slots, provider, ask } = setUp({
      pool: { concurrency: 1 },
      within: (own) => [throttle({ initial: 1, max: 1, min: 1 }, own)],
    });
    const outside = ask("gated");
    await clock.advance(10_000);
    const jobs = createJobs(slots, runtime);
    jobs.submit("job", async () => {
      await new Promise<void>((resolve) => void clock.timer(GATE_MS, () => resolve()));
      return (await ask("gated").outcome).ok;
    });
    const more = ask("gated");
    expect(await clock.run(jobs.result("job"))).toBe(true);
    expect((await all(clock, [outside, more])).every(({ ok }) => ok)).toBe(true);
    expect(provider.mostInFlight).toBe(1);
    checkNothingIsLeft(runtime, slots);
  });

  it("are taken again before a call goes to another target", async () => {
    const { clock, runtime } = virtualRuntime();
    const slots = pool({ concurrency: 1 }, runtime);
    const provider = new Provider(runtime, 5_000);
    const other = targetTo("other", provider.send, { model: "open", rank: 1 });
    const line = pipeline(
      slots,
      fallback({ targets: [other], own: { rank: 0 }, maxWait: "61s" }, runtime),
      retry({}, runtime),
      rateLimit({}, runtime),
    );
    const outcome = line.execute(callOf(runtime, provider.send, { model: "gated" }));
    await clock.advance(GATE_MS - 1_000);
    expect(slots.snapshot()).toMatchObject({ running: 0, away: 1 });
    const busy = line.execute(callOf(runtime, provider.send, { model: "busy" }));
    expect((await clock.run(Promise.all([outcome, busy]))).map(({ ok }) => ok)).toEqual([true, true]);
    expect(provider.sent.map(({ model }) => model)).toEqual(["gated", "busy", "open"]);
    expect(provider.mostInFlight).toBe(1);
    checkNothingIsLeft(runtime, slots);
  });

  it("are taken again for the target that was waited for, and what failed before is not asked again", async () => {
    const { clock, runtime } = virtualRuntime();
    const slots = pool({ concurrency: 1 }, runtime);
    const provider = new Provider(runtime, 5_000);
    const asked: string[] = [];
    const send = (call: Call): Promise<Outcome> => {
      asked.push(call.model);
      if (call.model !== "failing") return provider.send(call);
      return Promise.resolve(faultOf({ kind: "server_error", status: 500, error: new Error("500") }));
    };
    const rare = targetTo("other", send, { model: "rare", rank: 1 });
    const line = pipeline(
      slots,
      fallback({ targets: [rare], own: { rank: 0 }, maxWait: "61s" }, runtime),
      rateLimit({ perModel: { requestsPerMinute: 1 } }, runtime),
    );
    const execute = (model: string) => line.execute(callOf(runtime, send, { model }));
    const outcomes = [execute("rare")];
    await clock.advance(6_000);
    outcomes.push(execute("failing"));
    await clock.advance(53_000);
    outcomes.push(execute("open"));
    expect((await clock.run(Promise.all(outcomes))).map(({ ok }) => ok)).toEqual([true, true, true]);
    expect(asked).toEqual(["rare", "failing", "open", "rare"]);
    checkNothingIsLeft(runtime, slots);
  });

  it("are not lost to a more urgent call that finds the queue full", async () => {
    const { clock, runtime, slots, ask } = setUp({ pool: { concurrency: 1, maxQueue: 1 }, answerMs: 5_000 });
    const gated = ask("gated", { priority: "low" });
    clock.timer(GATE_MS - 1_000, () => void ask("open"));
    await clock.advance(GATE_MS + 1_000);
    expect(slots.snapshot()).toMatchObject({ running: 1, queued: 1, away: 1 });
    const urgent = [ask("open", { priority: "critical" }), ask("open", { priority: "critical" })];
    expect((await all(clock, urgent)).map(({ ok }) => ok)).toEqual([true, false]);
    expect((await all(clock, [gated])).map(({ ok }) => ok)).toEqual([true]);
    await clock.advance(10_000);
    checkNothingIsLeft(runtime, slots);
  });

  it("stay with the first of two calls that share one record", async () => {
    const twice: Policy = {
      name: "twice",
      ring: "call",
      async handle(call, next) {
        const [first] = await Promise.all([next(call), next(call)]);
        return first;
      },
    };
    const { clock, runtime, slots, provider, ask } = setUp({ pool: { concurrency: 4 }, before: () => [twice] });
    const asked = ask("gated");
    await clock.advance(10_000);
    expect(slots.snapshot()).toMatchObject({ running: 2, away: 0 });
    expect((await clock.run(asked.outcome)).ok).toBe(true);
    await clock.advance(1_000);
    expect(provider.mostInFlight).toBe(2);
    checkNothingIsLeft(runtime, slots);
  });
});

describe("over any gates, pauses, aborts and deadlines", () => {
  const MODELS = ["a", "b", "c"];
  const arbitraryCall = fc.record({
    at: fc.nat(20_000),
    model: fc.constantFrom(...MODELS),
    priority: fc.constantFrom("critical", "normal", "background"),
    client: fc.constantFrom(undefined, "x", "y"),
    partition: fc.constantFrom(undefined, "p"),
    stream: fc.boolean(),
    ms: fc.integer({ min: 1, max: 4_000 }),
    abortAt: fc.option(fc.nat(40_000), { nil: undefined, freq: 3 }),
    deadline: fc.option(fc.integer({ min: 1, max: 40_000 }), { nil: undefined, freq: 3 }),
  });
  const plan = fc.record({
    concurrency: fc.integer({ min: 1, max: 8 }),
    throttled: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    requestsPerMinute: fc.option(fc.integer({ min: 6, max: 600 }), { nil: undefined }),
    atOnce: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    retries: fc.boolean(),
    closeAt: fc.option(fc.nat(40_000), { nil: undefined, freq: 8 }),
    resize: fc.array(fc.record({ at: fc.nat(40_000), concurrency: fc.integer({ min: 1, max: 8 }) }), { maxLength: 3 }),
    gates: fc.array(
      fc.record({ model: fc.constantFrom(...MODELS), from: fc.nat(20_000), ms: fc.integer({ min: 1, max: 20_000 }) }),
      { maxLength: 5 },
    ),
    calls: fc.array(arbitraryCall, { minLength: 1, maxLength: 40 }),
  });

  it("never more are sent than there are slots, all end, and nothing is lost or counted twice", async () => {
    let left = 0;
    await fc.assert(
      fc.asyncProperty(plan, async (drawn) => {
        const clock = new VirtualClock();
        const runtime = createRuntime({ clock, random: seededRandom(11) });
        const slots = pool({ concurrency: drawn.concurrency, partitions: { p: { share: 0.5 } } }, runtime);
        const { throttled, requestsPerMinute, atOnce } = drawn;
        const line: Line = pipeline(
          deadline(false, runtime),
          slots,
          ...(drawn.retries ? [retry({}, runtime)] : []),
          ...(throttled === undefined ? [] : [throttle({ initial: throttled, max: throttled, min: 1 }, runtime)]),
          rateLimit({ perModel: definedOnly({ requestsPerMinute, concurrency: atOnce }) }, runtime),
        );
        let inFlight = 0;
        const limit = { now: drawn.concurrency };
        for (const { at, concurrency } of drawn.resize) {
          clock.timer(at, () => {
            slots.update({ concurrency });
            // What runs goes on to its end.
            limit.now = Math.max(concurrency, inFlight);
          });
        }
        const send =
          (ms: number) =>
          async (call: Call): Promise<Outcome> => {
            expect(++inFlight).toBeLessThanOrEqual(limit.now);
            expect(slots.snapshot().running).toBeGreaterThanOrEqual(inFlight);
            const { model } = call;
            const outcome = await answering(runtime, "answer", ms)(call);
            inFlight--;
            const now = clock.now();
            const gate = drawn.gates.find((one) => one.model === model && one.from <= now && now < one.from + one.ms);
            if (gate === undefined || !outcome.ok) return outcome;
            const retryAfterMs = gate.from + gate.ms - now;
            return faultOf({ kind: "rate_limited", status: 429, retryAfterMs, error: new Error("429") });
          };
        const outcomes: Promise<Outcome>[] = [];
        const durations: number[] = [];
        runtime.events.on("call.completed", ({ durationMs, providerMs, waits }) => {
          durations.push(durationMs - providerMs - Object.values(waits).reduce((sum, ms) => sum + ms, 0));
        });
        for (const { at, ms, abortAt, model, stream, ...scope } of drawn.calls) {
          clock.timer(at, () => {
            const cancellation = new Cancellation();
            const call = callOf(runtime, send(ms), { model, stream, cancellation, scope: definedOnly(scope) as Scope });
            outcomes.push(line.execute(call));
            if (abortAt !== undefined) clock.timer(abortAt, () => cancellation.cancel("left"));
          });
        }
        if (drawn.closeAt !== undefined) clock.timer(drawn.closeAt, () => void line.close());
        for (let at = 0; at < 40_000; at += 500) {
          await clock.advance(500);
          left += slots.snapshot().away;
        }
        const ended = await clock.run(Promise.all(outcomes));
        expect(ended).toHaveLength(drawn.calls.length);
        expect(inFlight).toBe(0);
        for (const rest of durations) expect(Math.abs(rest)).toBeLessThan(1e-6);
        // The latest who were to give up.
        await clock.advance(30_000);
        checkNothingIsLeft(runtime, slots);
        await line.close();
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 150 },
    );
    expect(left).toBeGreaterThan(0);
  });

  function definedOnly(values: Readonly<Record<string, unknown>>): object {
    return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  }
});
