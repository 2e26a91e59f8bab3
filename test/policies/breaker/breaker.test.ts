import { describe, expect, it } from "vitest";
import {
  aborted,
  type BreakwaterEvent,
  CircuitBreakerOpenError,
  type Fault,
  type FaultKind,
  faultOf,
  OptionError,
  type Outcome,
  pipeline,
  type Runtime,
  streamReply,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { type BreakerPolicy, breaker } from "../../../src/policies/breaker/index.ts";
import { rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { type CallOptions, callOf, drain, streamOf, virtualRuntime } from "../../support/calls.ts";

const KEY = "test/m/k";

function sending(policy: BreakerPolicy, runtime: Runtime, outcome: Outcome | Promise<Outcome>, options?: CallOptions) {
  const call = callOf(runtime, async () => outcome, options);
  return policy.handle(call, (inner) => inner.send(inner));
}

const good = (): Outcome => valueReply("fine", whole());
const bad = (kind: FaultKind, retryAfterMs?: number): Fault => faultOf({ kind, error: new Error(kind), retryAfterMs });

async function open(policy: BreakerPolicy, runtime: Runtime): Promise<void> {
  for (let index = 0; index < 10; index++) await sending(policy, runtime, bad("server_error"));
  expect(policy.snapshot()[KEY]?.state).toBe("open");
}

function refusalIn(outcome: Outcome): CircuitBreakerOpenError | undefined {
  return !outcome.ok && outcome.error instanceof CircuitBreakerOpenError ? outcome.error : undefined;
}

/** A call whose end the test decides. */
function held(policy: BreakerPolicy, runtime: Runtime): { outcome: Promise<Outcome>; end: (outcome: Outcome) => void } {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  return { outcome: pipeline(policy).execute(callOf(runtime, () => promise)), end: resolve };
}

async function closeAgain(policy: BreakerPolicy, runtime: Runtime): Promise<void> {
  for (let index = 0; index < 3; index++) await sending(policy, runtime, good());
  expect(policy.snapshot()[KEY]?.state).toBe("closed");
}

const PATIENT = { halfOpenAfter: "5s", maxOpen: "60s" } as const;

describe("breaker", () => {
  it("opens at the failure rate, refuses without asking the provider, and tells when to come again", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker(PATIENT, runtime);
    await open(policy, runtime);
    await clock.advance(1_500);
    let asked = false;
    const call = callOf(runtime, async () => good());
    const refused = await policy.handle(call, async () => {
      asked = true;
      return good();
    });
    expect(asked).toBe(false);
    expect(refused).toMatchObject({ kind: "refused", retryable: false });
    const error = refusalIn(refused);
    expect(error?.retryAfterMs).toBe(3_500);
    await clock.advance(error?.retryAfterMs ?? 0);
    expect((await sending(policy, runtime, good())).ok).toBe(true);
  });

  it("counts the provider's failures and nothing else", async () => {
    for (const kind of ["overloaded", "server_error", "network", "timeout", "interrupted", "malformed"] as const) {
      const { runtime } = virtualRuntime();
      const policy = breaker(PATIENT, runtime);
      for (let index = 0; index < 10; index++) await sending(policy, runtime, bad(kind));
      expect(policy.snapshot()[KEY]?.state).toBe("open");
    }
    const { runtime } = virtualRuntime();
    const policy = breaker(PATIENT, runtime);
    const harmless = ["rate_limited", "bad_request", "context_length", "content_filter", "refused", "unknown"] as const;
    for (const kind of [...harmless, "aborted" as const]) {
      for (let index = 0; index < 20; index++) await sending(policy, runtime, bad(kind));
    }
    expect(policy.snapshot()[KEY]).toMatchObject({ state: "closed", samples: 0, outstanding: 0 });
  });

  it("forgets failures that are older than the window, even when no call came in between", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker(PATIENT, runtime);
    for (let index = 0; index < 9; index++) await sending(policy, runtime, bad("server_error"));
    await clock.advance(86_400_000);
    await sending(policy, runtime, bad("server_error"));
    expect(policy.snapshot()[KEY]).toMatchObject({ state: "closed", samples: 1 });
  });

  it("does not count a result that was asked for before the circuit opened", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker(PATIENT, runtime);
    const late = held(policy, runtime);
    await open(policy, runtime);
    await clock.advance(5_000);
    const probe = held(policy, runtime);
    late.end(bad("server_error"));
    await late.outcome;
    expect(policy.snapshot()[KEY]?.state).toBe("half_open");
    probe.end(good());
    await probe.outcome;
    await closeAgain(policy, runtime);
    expect(policy.snapshot()[KEY]?.state).toBe("closed");
  });

  it("neither closes nor opens by a probe that the caller aborts, and frees its place", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker({ ...PATIENT, probes: 1 }, runtime);
    await open(policy, runtime);
    await clock.advance(5_000);
    await sending(policy, runtime, aborted("user left"));
    expect(policy.snapshot()[KEY]).toMatchObject({ state: "half_open", outstanding: 0 });
    await sending(policy, runtime, bad("bad_request"));
    expect(policy.snapshot()[KEY]?.state).toBe("half_open");
    await sending(policy, runtime, good());
    expect(policy.snapshot()[KEY]?.state).toBe("closed");
  });

  it("refuses surplus callers while half open instead of letting them wait", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker(PATIENT, runtime);
    await open(policy, runtime);
    await clock.advance(5_000);
    const probes = [held(policy, runtime), held(policy, runtime), held(policy, runtime)];
    const surplus = await Promise.all(Array.from({ length: 1_000 }, () => sending(policy, runtime, good())));
    expect(surplus.every((outcome) => refusalIn(outcome)?.retryAfterMs === 5_000)).toBe(true);
    for (const probe of probes) probe.end(good());
    await Promise.all(probes.map((probe) => probe.outcome));
    expect(policy.snapshot()[KEY]?.state).toBe("closed");
  });

  it("counts a probe that hangs as failed, and opens for twice as long", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker({ ...PATIENT, probes: 1 }, runtime);
    await open(policy, runtime);
    await clock.advance(5_000);
    const hung = held(policy, runtime);
    await clock.advance(60_000);
    const refused = await sending(policy, runtime, good());
    expect(refusalIn(refused)?.retryAfterMs).toBe(10_000);
    hung.end(good());
    await hung.outcome;
    expect(policy.snapshot()[KEY]?.state).toBe("open");
    await clock.advance(10_000);
    await sending(policy, runtime, good());
    expect(policy.snapshot()[KEY]?.state).toBe("closed");
  });

  it("lets a long healthy stream close the circuit, though it outlasts the probe's deadline", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker({ ...PATIENT, probes: 1 }, runtime);
    await open(policy, runtime);
    await clock.advance(5_000);
    const stream = streamOf([{ role: "content", value: "a" }]);
    await sending(policy, runtime, streamReply(stream));
    await clock.advance(120_000);
    expect(policy.snapshot()[KEY]?.state).toBe("half_open");
    await drain(stream);
    expect(policy.snapshot()[KEY]?.state).toBe("closed");
  });

  it("doubles the open time up to maxOpen, and starts anew once the circuit has held", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker({ ...PATIENT, probes: 1, maxOpen: "30s" }, runtime);
    const openFor: number[] = [];
    runtime.events.on("breaker.opened", (event) => void openFor.push(event.openForMs));
    await open(policy, runtime);
    for (let index = 0; index < 4; index++) {
      await clock.advance(openFor.at(-1) ?? 0);
      await sending(policy, runtime, bad("network"));
    }
    expect(openFor).toEqual([5_000, 10_000, 20_000, 30_000, 30_000]);
    await clock.advance(30_000);
    await sending(policy, runtime, good());
    await clock.advance(10_000);
    await open(policy, runtime);
    expect(openFor.at(-1)).toBe(5_000);
  });

  it("lets 10 % of a herd through right after closing, and everybody after a ramp as long as the outage", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker(PATIENT, runtime);
    await open(policy, runtime);
    await clock.advance(5_000);
    await closeAgain(policy, runtime);
    const herd = (): { through: () => number } => {
      let through = 0;
      for (let index = 0; index < 5_000; index++) {
        const call = callOf(runtime, async () => good());
        void policy.handle(call, () => {
          through++;
          return new Promise(() => {});
        });
      }
      return { through: () => through };
    };
    expect(herd().through()).toBeLessThanOrEqual(505);
    await clock.advance(2_500);
    const halfway = herd().through();
    expect(halfway).toBeGreaterThan(2_600);
    expect(halfway).toBeLessThan(2_900);
    await clock.advance(2_500);
    expect(herd().through()).toBe(5_000);
  });

  it("does not refuse little traffic for the sake of the ramp", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker(PATIENT, runtime);
    await open(policy, runtime);
    await clock.advance(5_000);
    await closeAgain(policy, runtime);
    for (let index = 0; index < 20; index++) {
      expect((await sending(policy, runtime, good())).ok).toBe(true);
      await clock.advance(100);
    }
  });

  it("judges a stream by its end", async () => {
    const { runtime } = virtualRuntime();
    const policy = breaker({ ...PATIENT, minimumCalls: 1 }, runtime);
    const broken = { ...whole(), fault: bad("interrupted") };
    const stream = streamOf([{ role: "content", value: "a" }], broken);
    await sending(policy, runtime, streamReply(stream));
    expect(policy.snapshot()[KEY]).toMatchObject({ state: "closed", samples: 0, outstanding: 1 });
    await drain(stream);
    expect(stream.settled.value?.fault?.committed).toBe(true);
    expect(policy.snapshot()[KEY]?.state).toBe("open");
  });

  it("opens after consecutive failures where asked to", async () => {
    const { runtime } = virtualRuntime();
    const policy = breaker({ ...PATIENT, consecutiveFailures: 3, minimumCalls: 1_000 }, runtime);
    for (const outcome of [bad("network"), bad("network"), good(), bad("network"), bad("network")]) {
      await sending(policy, runtime, outcome);
    }
    expect(policy.snapshot()[KEY]?.state).toBe("closed");
    await sending(policy, runtime, bad("network"));
    expect(policy.snapshot()[KEY]?.state).toBe("open");
  });

  it("keeps targets apart", async () => {
    const { runtime } = virtualRuntime();
    const policy = breaker(PATIENT, runtime);
    await open(policy, runtime);
    expect((await sending(policy, runtime, good(), { model: "other" })).ok).toBe(true);
    expect((await sending(policy, runtime, good(), { credential: "other" })).ok).toBe(true);
  });

  it("locks all models of a credential whose quota is gone, until the provider's own time", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker(PATIENT, runtime);
    await sending(policy, runtime, bad("quota_exhausted", 120_000));
    const other = await sending(policy, runtime, good(), { model: "other" });
    expect(refusalIn(other)?.retryAfterMs).toBe(120_000);
    expect(policy.snapshot()["test/*/k"]?.state).toBe("open");
    expect((await sending(policy, runtime, good(), { credential: "mine" })).ok).toBe(true);
    await clock.advance(120_000);
    for (let index = 0; index < 3; index++) await sending(policy, runtime, good());
    expect(policy.snapshot()["test/*/k"]).toBeUndefined();
  });

  it("locks a rejected credential for 60 s and never for longer than 10 minutes", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker(PATIENT, runtime);
    await sending(policy, runtime, bad("bad_credential"));
    expect(refusalIn(await sending(policy, runtime, good()))?.retryAfterMs).toBe(60_000);
    await clock.advance(60_000);
    await sending(policy, runtime, bad("bad_credential", 86_400_000));
    expect(refusalIn(await sending(policy, runtime, good()))?.retryAfterMs).toBe(600_000);
  });

  it("frees the credential's probe when the target's own circuit refuses", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker({ ...PATIENT, probes: 1, halfOpenAfter: "90s", maxOpen: "90s" }, runtime);
    await sending(policy, runtime, bad("bad_credential"), { model: "other" });
    await clock.advance(60_000);
    const unlocking = await sending(policy, runtime, good(), { model: "other" });
    expect(unlocking.ok).toBe(true);
    await open(policy, runtime);
    await sending(policy, runtime, bad("bad_credential"), { model: "other" });
    await clock.advance(60_000);
    expect(refusalIn(await sending(policy, runtime, good()))).toBeDefined();
    expect((await sending(policy, runtime, good(), { model: "other" })).ok).toBe(true);
  });

  it("tells of every change and refusal, without the credential's lock being a failure of the provider", async () => {
    const { clock, runtime } = virtualRuntime();
    const seen: BreakwaterEvent[] = [];
    runtime.events.on("*", (event) => void seen.push(event));
    const policy = breaker({ ...PATIENT, probes: 1 }, runtime);
    await open(policy, runtime);
    await sending(policy, runtime, good());
    await clock.advance(5_000);
    await sending(policy, runtime, good());
    expect(seen).toMatchObject([
      { type: "breaker.opened", key: KEY, reason: "server_error", failureRate: 1, samples: 10, openForMs: 5_000 },
      { type: "breaker.rejected", key: KEY, retryAfterMs: 5_000, model: "m" },
      { type: "breaker.half_opened", key: KEY },
      { type: "breaker.closed", key: KEY, openMs: 5_000 },
    ]);
  });

  it("closes one circuit or all of them when asked", async () => {
    const { runtime } = virtualRuntime();
    const policy = breaker(PATIENT, runtime);
    const closed: string[] = [];
    runtime.events.on("breaker.closed", ({ key }) => void closed.push(key));
    await open(policy, runtime);
    expect(policy.reset("test/unknown/k")).toBe(false);
    expect(policy.reset(KEY)).toBe(true);
    expect(policy.reset(KEY)).toBe(true);
    expect(closed).toEqual([KEY]);
    expect((await sending(policy, runtime, good())).ok).toBe(true);
    await sending(policy, runtime, bad("bad_credential"));
    expect(policy.reset()).toBe(true);
    expect((await sending(policy, runtime, good())).ok).toBe(true);
  });

  it("takes other settings while it runs", async () => {
    const { runtime } = virtualRuntime();
    const policy = breaker(PATIENT, runtime);
    for (let index = 0; index < 4; index++) await sending(policy, runtime, bad("network"));
    policy.update({ minimumCalls: 5 });
    await sending(policy, runtime, bad("network"));
    expect(policy.snapshot()[KEY]?.state).toBe("open");
    expect(() => policy.update({ failureRate: 2 })).toThrow(/"breaker.failureRate"/);
  });

  it("keeps at most 1,000 targets, and an open one among them", async () => {
    const { runtime } = virtualRuntime();
    const policy = breaker(PATIENT, runtime);
    await open(policy, runtime);
    for (let index = 0; index < 5_000; index++) await sending(policy, runtime, good(), { model: `m${index}` });
    const rows = policy.snapshot();
    expect(Object.keys(rows)).toHaveLength(1_000);
    expect(rows[KEY]?.state).toBe("open");
  });

  it("names the option that is wrong", () => {
    expect(() => breaker({ ...PATIENT, failureRate: 0 })).toThrow(/"breaker.failureRate"/);
    expect(() => breaker({ ...PATIENT, probes: 0 })).toThrow(/"breaker.probes"/);
    expect(() => breaker({ ...PATIENT, window: "soon" as never })).toThrow(/"breaker.window"/);
    expect(() => breaker({ ...PATIENT, threshold: 1 } as never)).toThrow(OptionError);
  });

  it("closes again when fewer probes are asked for than have succeeded already", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker(PATIENT, runtime);
    await open(policy, runtime);
    await clock.advance(5_000);
    await sending(policy, runtime, good());
    expect(policy.snapshot()[KEY]?.state).toBe("half_open");
    policy.update({ probes: 1 });
    await sending(policy, runtime, good());
    expect(policy.snapshot()[KEY]?.state).toBe("closed");
  });

  it("does not hold a wait at a rate limit against the provider: only what was sent can hang", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = breaker({ ...PATIENT, probes: 1 }, runtime);
    const line = pipeline(policy, rateLimit({}, runtime));
    const asking = (outcome: Outcome, ms = 0): Promise<Outcome> =>
      line.execute(callOf(runtime, () => new Promise((resolve) => void clock.timer(ms, () => resolve(outcome)))));
    for (let index = 0; index < 9; index++) await clock.run(asking(bad("server_error")));
    // In flight when the circuit opens: its "not before" closes the gate of the limiter for longer than a probe may take.
    const limited = asking(bad("rate_limited", 150_000), 1_000);
    await clock.run(asking(bad("server_error")));
    await clock.run(limited);
    await clock.advance(5_000);
    const probe = asking(good(), 1_000);
    await clock.advance(100_000);
    expect(refusalIn(await asking(good()))).toBeDefined();
    expect(policy.snapshot()[KEY]?.state).toBe("half_open");
    expect((await clock.run(probe)).ok).toBe(true);
    expect(policy.snapshot()[KEY]?.state).toBe("closed");
  });
});
