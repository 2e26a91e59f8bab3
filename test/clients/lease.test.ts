import { describe, expect, it } from "vitest";
import { callThrough } from "../../src/clients/index.ts";
import { acquireFrom, executeWithLease } from "../../src/clients/lease.ts";
import { DeadlineExceededError, type Line, pipeline, RateLimitError } from "../../src/core/index.ts";
import { breaker } from "../../src/policies/breaker/index.ts";
import { cache } from "../../src/policies/cache/index.ts";
import { coalesce } from "../../src/policies/coalesce/index.ts";
import { deadline } from "../../src/policies/deadline/index.ts";
import { pool } from "../../src/policies/pool/index.ts";
import { rateLimit } from "../../src/policies/rate-limit/index.ts";
import { retry } from "../../src/policies/retry/index.ts";
import { throttle } from "../../src/policies/throttle/index.ts";
import { timeout } from "../../src/policies/timeout/index.ts";
import { memory } from "../../src/stores/index.ts";
import type { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { virtualRuntime } from "../support/calls.ts";

interface SetUp {
  readonly clock: VirtualClock;
  readonly line: Line;
  readonly slots: ReturnType<typeof pool>;
}

function setUp(concurrency = 1, requestsPerMinute?: number): SetUp {
  const { clock, runtime } = virtualRuntime();
  const slots = pool({ concurrency }, runtime);
  const line = pipeline(
    deadline({ total: "15m" }, runtime),
    cache({ tiers: [memory()] }, runtime),
    coalesce({}, runtime),
    slots,
    retry({ attempts: 4 }, runtime),
    breaker({ minimumCalls: 2 }, runtime),
    throttle({}, runtime),
    rateLimit(requestsPerMinute === undefined ? {} : { perClient: { requestsPerMinute } }, runtime),
    timeout({ attempt: "10m", firstToken: "2m", idle: "1m" }, runtime),
  );
  return { clock, line, slots };
}

const settledTurns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await undefined;
};

describe("leases", () => {
  it("hold a slot from acquire to the end of a `using` block", async () => {
    const { clock, line, slots } = setUp();
    let second: Promise<unknown> | undefined;
    {
      using lease = await acquireFrom(line);
      expect(lease.isOpen).toBe(true);
      second = acquireFrom(line).then((next) => next.settle());
      await clock.advance(5_000);
      expect(slots.snapshot()).toMatchObject({ running: 1, queued: 1 });
    }
    await clock.run(second);
    await clock.advance(0);
    expect(slots.snapshot()).toMatchObject({ running: 0, queued: 0 });
    expect(clock.pendingTimers).toBe(0);
  });

  it("are free when `await using` has ended", async () => {
    const { line, slots } = setUp();
    {
      await using lease = await acquireFrom(line);
      expect(lease.isOpen).toBe(true);
    }
    expect(slots.snapshot().running).toBe(0);
  });

  it("are two even when they ask for the same", async () => {
    const { clock, line, slots } = setUp(2);
    const leases = await clock.run(Promise.all([acquireFrom(line), acquireFrom(line)]));
    expect(slots.snapshot().running).toBe(2);
    for (const lease of leases) lease.settle();
    await settledTurns();
    expect(slots.snapshot().running).toBe(0);
  });

  it("pass the limits of their client, and are given back once", async () => {
    const { clock, line } = setUp(10, 1);
    const first = await acquireFrom(line, { client: "a" });
    first.settle({ inputTokens: 10, outputTokens: 5 });
    first.settle();
    first.fail(new Error("too late"));
    await expect(clock.run(acquireFrom(line, { client: "a", deadline: "1s" }))).rejects.toBeInstanceOf(RateLimitError);
    (await clock.run(acquireFrom(line, { client: "b", deadline: "1s" }))).settle();
    await settledTurns();
    const balances = line.runtime.ledger.balances();
    for (const { reserved, settled, refunded, inFlight } of Object.values(balances)) {
      expect(inFlight).toBe(0);
      expect(settled + refunded).toBeCloseTo(reserved);
    }
    expect(clock.pendingTimers).toBe(0);
  });

  it("tell the breaker of work that failed", async () => {
    const { line } = setUp(10);
    for (let count = 0; count < 2; count++) {
      const lease = await acquireFrom(line, { model: "m" });
      lease.fail(Object.assign(new Error("broken"), { status: 500 }));
      await settledTurns();
    }
    await expect(acquireFrom(line, { model: "m" })).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    (await acquireFrom(line, { model: "other" })).settle();
  });

  it("end by their deadline, and say so", async () => {
    const { clock, line, slots } = setUp();
    const lease = await acquireFrom(line, { deadline: "2s" });
    await clock.advance(2_000);
    expect(lease.isOpen).toBe(false);
    expect(lease.signal.aborted).toBe(true);
    expect(lease.signal.reason).toBeInstanceOf(DeadlineExceededError);
    expect(slots.snapshot().running).toBe(0);
    lease.settle();
    await clock.advance(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it("are given up with a signal, held or still waited for", async () => {
    const { clock, line, slots } = setUp();
    const [holds, waits] = [new AbortController(), new AbortController()];
    const lease = await acquireFrom(line, { signal: holds.signal });
    const waiting = acquireFrom(line, { signal: waits.signal });
    const rejected = expect(waiting).rejects.toBe("enough");
    await clock.advance(10);
    waits.abort("enough");
    await rejected;
    holds.abort("over");
    expect(lease.signal.reason).toBe("over");
    await settledTurns();
    expect(slots.snapshot()).toMatchObject({ running: 0, queued: 0 });
    await expect(acquireFrom(line, { signal: AbortSignal.abort("before") })).rejects.toBe("before");
  });

  it("outlast the limits of a first token and of idleness", async () => {
    const { clock, line } = setUp();
    const lease = await acquireFrom(line);
    await clock.advance(5 * 60_000);
    expect(lease.isOpen).toBe(true);
    lease.settle();
  });

  it("name the option that is wrong and hide the credential", async () => {
    const { line } = setUp();
    await expect(acquireFrom(line, { tokens: -1 })).rejects.toThrow(/"lease.tokens"/);
    await expect(acquireFrom(line, { model: "" })).rejects.toThrow(/"lease.model"/);
    await expect(acquireFrom(line, { urgent: true } as never)).rejects.toThrow(/"lease.urgent"/);
    await expect(acquireFrom(line, { credential: ["sk-secret"] as never })).rejects.toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("sk-secret") }),
    );
  });
});

describe("executeWithLease", () => {
  it("runs a function once, with its client's limits, and gives back what it returns", async () => {
    const { clock, line, slots } = setUp(1, 1);
    const told: unknown[] = [];
    line.runtime.events.on("call.completed", ({ client, usage }) => void told.push({ client, usage }));
    const result = await executeWithLease(
      line,
      () => {
        expect(slots.snapshot().running).toBe(1);
        return { usage: { prompt_tokens: 7, completion_tokens: 3 } };
      },
      "a",
    );
    expect(result.usage.prompt_tokens).toBe(7);
    await settledTurns();
    expect(told).toEqual([{ client: "a", usage: { inputTokens: 7, outputTokens: 3 } }]);
    const again = executeWithLease(line, () => 2, { client: "a", deadline: "1s" });
    await expect(clock.run(again)).rejects.toBeInstanceOf(RateLimitError);
    expect(await executeWithLease(line, () => 3, "b")).toBe(3);
  });

  it("throws what the function throws and does not call it again", async () => {
    const { clock, line, slots } = setUp();
    let calls = 0;
    const error = Object.assign(new Error("overloaded"), { status: 529 });
    const failing = executeWithLease(line, () => {
      calls++;
      throw error;
    });
    await expect(failing).rejects.toBe(error);
    await clock.advance(60_000);
    expect(calls).toBe(1);
    expect(slots.snapshot().running).toBe(0);
  });

  it("lends its slot to the calls within, which have its scope", async () => {
    const { clock, line } = setUp(1);
    const clients: unknown[] = [];
    line.runtime.events.on("call.completed", ({ client, op }) => void clients.push([op, client]));
    const ask = (input: string): Promise<string> => callThrough(line, { model: "m", input }, async () => input);
    const both = executeWithLease(line, () => Promise.all([ask("a"), ask("b")]), "tenant");
    expect(await clock.run(both)).toEqual(["a", "b"]);
    expect(clock.now()).toBe(0);
    await settledTurns();
    expect(clients).toEqual([
      ["chat", "tenant"],
      ["chat", "tenant"],
      ["lease", "tenant"],
    ]);
  });
});
