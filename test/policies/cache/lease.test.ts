import { describe, expect, it } from "vitest";
import {
  type Call,
  Cancellation,
  faultOf,
  type Outcome,
  pipeline,
  type Runtime,
  streamFor,
  streamReply,
  whole,
} from "../../../src/core/index.ts";
import { type CacheOptions, cache } from "../../../src/policies/cache/index.ts";
import { coalesce } from "../../../src/policies/coalesce/index.ts";
import { answering, type CallOptions, callOf, drain, virtualRuntime } from "../../support/calls.ts";
import { streamIn, valueIn } from "./support/questions.ts";
import { ByteServer, mapTier, serverTier } from "./support/stores.ts";

/** Processes that share a server with leases and a provider that takes 50 ms. */
function processesOver(runtime: Runtime, server: ByteServer, count: number, options: Partial<CacheOptions> = {}) {
  let asked = 0;
  let answer = (call: Call): Promise<Outcome> => answering(runtime, `answer ${asked}`, 50)(call);
  const send = (call: Call): Promise<Outcome> => {
    asked++;
    return answer(call);
  };
  const processes = Array.from({ length: count }, () => {
    const tiers = [mapTier(), serverTier(server, { leases: true })];
    const policy = cache({ tiers, jitter: 0, ...options }, runtime);
    const line = pipeline(policy, coalesce({}, runtime));
    return { policy, ask: (call: CallOptions = {}) => line.execute(callOf(runtime, send, call)) };
  });
  return {
    processes,
    asked: () => asked,
    answers(next: (call: Call) => Promise<Outcome>) {
      answer = next;
    },
  };
}

const failing = (runtime: Runtime) => (): Promise<Outcome> =>
  new Promise((resolve) =>
    runtime.clock.timer(50, () => resolve(faultOf({ kind: "server_error", error: new Error("503"), status: 503 }))),
  );

describe("processes that miss the same entry at the same time", () => {
  it("ask the provider once, and all have its answer", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    server.delayMs = 2;
    const { processes, asked } = processesOver(runtime, server, 4);
    const waited: unknown[] = [];
    runtime.events.on("cache.waited", ({ end }) => void waited.push(end));
    const calls = processes.flatMap(({ ask }) => Array.from({ length: 100 }, () => ask()));
    const outcomes = await clock.run(Promise.all(calls));
    expect(new Set(outcomes.map(valueIn))).toEqual(new Set(["answer 1"]));
    expect(asked()).toBe(1);
    expect(waited).toEqual(Array(300).fill("answered"));
    await clock.run(Promise.all(processes.map(({ policy }) => policy.flush())));
    await clock.advance(100);
    expect(server.leases.size).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it("share the answer although it is streamed", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const { processes, asked, answers } = processesOver(runtime, server, 3);
    answers(async (call) => {
      const rest = ["a", "b", "c"].map((value) => ({ role: "content" as const, value }));
      const pull = async () => {
        await new Promise<void>((resolve) => runtime.clock.timer(500, resolve));
        return rest.shift() ?? whole();
      };
      return streamReply(streamFor(call, { pull, cancel: () => undefined }));
    });
    const read = async (outcome: Promise<Outcome>) => drain(streamIn(await outcome));
    const texts = await clock.run(Promise.all(processes.map(({ ask }) => read(ask({ stream: true })))));
    expect(texts).toEqual([1, 2, 3].map(() => ["a", "b", "c"]));
    expect(asked()).toBe(1);
  });

  it("read the shared tier once for all callers of a process", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const { processes } = processesOver(runtime, server, 1);
    await clock.run(Promise.all(Array.from({ length: 1000 }, () => processes[0]?.ask())));
    expect(server.asked.filter((operation) => operation === "read").length).toBeLessThanOrEqual(3);
  });

  it("wait longer than a lease lasts, for it is renewed", async () => {
    const { clock, runtime } = virtualRuntime();
    const { processes, asked, answers } = processesOver(runtime, new ByteServer(), 2, { lease: "100ms" });
    answers(answering(runtime, "late", 2000));
    const outcomes = await clock.run(Promise.all(processes.map(({ ask }) => ask())));
    expect(outcomes.map(valueIn)).toEqual(["late", "late"]);
    expect(asked()).toBe(1);
  });

  it("go on by themselves after leaseWait", async () => {
    const { clock, runtime } = virtualRuntime();
    const { processes, asked, answers } = processesOver(runtime, new ByteServer(), 3, { leaseWait: "1s" });
    answers(answering(runtime, "late", 60_000));
    const outcomes = await clock.run(Promise.all(processes.map(({ ask }) => ask())));
    expect(outcomes.map(valueIn)).toEqual(["late", "late", "late"]);
    expect(clock.now()).toBeLessThan(61_500);
    expect(asked()).toBe(3);
  });

  it("go on when their own time to be admitted is over, or at once when cancelled", async () => {
    const { clock, runtime } = virtualRuntime();
    const { processes, asked, answers } = processesOver(runtime, new ByteServer(), 3);
    answers(answering(runtime, "late", 5000));
    const cancellation = new Cancellation();
    const [first, hasty, gone] = [
      processes[0]?.ask(),
      processes[1]?.ask({ headTimeoutMs: 300 }),
      processes[2]?.ask({ cancellation }),
    ];
    await clock.advance(100);
    cancellation.cancel("bored");
    const cancelledAt = clock.now();
    expect(await clock.run(gone ?? Promise.reject())).toMatchObject({ kind: "aborted", error: "bored" });
    expect(clock.now()).toBe(cancelledAt);
    await clock.advance(250);
    expect(asked()).toBe(2);
    await clock.run(Promise.all([first, hasty]));
    await clock.advance(1000);
    expect(clock.pendingTimers).toBe(0);
  });

  it("have one successor when the one that asks dies", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const { processes, asked } = processesOver(runtime, server, 4);
    // What a killed process leaves behind is its lease.
    let key = "";
    const probe = processesOver(runtime, server, 1);
    probe.answers(async (call) => {
      key = call.fingerprint()?.key ?? "";
      return faultOf({ kind: "aborted", error: "probe" });
    });
    await clock.run(probe.processes[0]?.ask() ?? Promise.reject());
    server.leases.set(key, { holder: "dead", until: clock.now() + 3000 });
    const outcomes = await clock.run(Promise.all(processes.map(({ ask }) => ask())));
    expect(new Set(outcomes.map(valueIn))).toEqual(new Set(["answer 1"]));
    expect(asked()).toBe(1);
    expect(clock.now()).toBeGreaterThan(3000);
    expect(clock.now()).toBeLessThan(3600);
  });

  it("do not wait for one another when the provider fails", async () => {
    const { clock, runtime } = virtualRuntime();
    const { processes, asked, answers } = processesOver(runtime, new ByteServer(), 20);
    answers(failing(runtime));
    const outcomes = await clock.run(Promise.all(processes.map(({ ask }) => ask())));
    expect(outcomes.every((outcome) => !outcome.ok && outcome.kind === "server_error")).toBe(true);
    expect(asked()).toBe(20);
    // The first one's 50 ms, at most one pause, and their own 50 ms.
    expect(clock.now()).toBeLessThan(50 + 250 + 50 + 10);
  });

  it("are followed by another when the only caller of the one that asks leaves", async () => {
    const { clock, runtime } = virtualRuntime();
    const { processes, asked, answers } = processesOver(runtime, new ByteServer(), 3);
    answers(answering(runtime, "good", 1000));
    const cancellation = new Cancellation();
    const first = processes[0]?.ask({ cancellation });
    const others = processes.slice(1).map(({ ask }) => ask());
    await clock.advance(500);
    cancellation.cancel("bored");
    expect(await clock.run(first ?? Promise.reject())).toMatchObject({ kind: "aborted" });
    expect((await clock.run(Promise.all(others))).map(valueIn)).toEqual(["good", "good"]);
    expect(asked()).toBe(2);
  });

  it("do not use what another asked for before an invalidation", async () => {
    const { clock, runtime } = virtualRuntime();
    const { processes, asked, answers } = processesOver(runtime, new ByteServer(), 2);
    const [mine, yours] = processes;
    let version = 1;
    answers((call) => answering(runtime, version, 500)(call));
    const first = mine?.ask({ scope: { tags: ["x"] } });
    await clock.advance(100);
    version = 2;
    await clock.run(yours?.policy.invalidateTags(["x"]) ?? Promise.reject());
    const second = yours?.ask({ scope: { tags: ["x"] } });
    expect(valueIn(await clock.run(first ?? Promise.reject()))).toBe(1);
    expect(valueIn(await clock.run(second ?? Promise.reject()))).toBe(2);
    expect(asked()).toBe(2);
  });
});

describe("leases that fail", () => {
  it.each(["hangs", "rejects", "throws"] as const)(
    "delay a call by the tier's time limit at most: %s",
    async (trouble) => {
      const { clock, runtime } = virtualRuntime();
      const server = new ByteServer();
      const { processes } = processesOver(runtime, server, 1);
      await clock.run(processes[0]?.ask({ request: { input: "first" } }) ?? Promise.reject());
      const operate = server.operate.bind(server);
      server.operate = async (own, operation, work) => {
        if (operation !== "acquire" && operation !== "release") return operate(own, operation, work);
        if (trouble === "hangs") return new Promise(() => {});
        throw new Error(trouble);
      };
      const startedAt = clock.now();
      const outcome = await clock.run(processes[0]?.ask() ?? Promise.reject());
      expect(outcome.ok).toBe(true);
      expect(clock.now() - startedAt).toBeLessThanOrEqual(100);
    },
  );

  it("keep nobody waiting when the tier goes away meanwhile", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const { processes, asked, answers } = processesOver(runtime, server, 2);
    answers(answering(runtime, "late", 5000));
    const outcomes = Promise.all(processes.map(({ ask }) => ask()));
    await clock.advance(500);
    server.trouble = "hangs";
    await clock.run(outcomes);
    expect(asked()).toBe(2);
    expect(clock.now()).toBeLessThan(6000);
    await clock.run(Promise.all(processes.map(({ policy }) => policy.close())));
  });

  it("are not asked for when switched off, for other modes than the default, and without such a tier", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const off = processesOver(runtime, server, 1, { lease: false });
    await clock.run(off.processes[0]?.ask() ?? Promise.reject());
    const on = processesOver(runtime, server, 1);
    for (const mode of ["refresh", "bypass", "only-if-cached", "no-store"] as const) {
      await clock.run(on.processes[0]?.ask({ request: { mode }, scope: { cache: mode } }) ?? Promise.reject());
    }
    expect(server.asked).not.toContain("acquire");
  });

  it("are given back when the cache is closed, and who waits asks", async () => {
    const { clock, runtime } = virtualRuntime();
    const server = new ByteServer();
    const { processes, answers } = processesOver(runtime, server, 2);
    answers(answering(runtime, "late", 5000));
    const outcomes = Promise.all(processes.map(({ ask }) => ask()));
    await clock.advance(500);
    await clock.run(Promise.all(processes.map(({ policy }) => policy.close())));
    expect(server.leases.size).toBe(0);
    await clock.run(outcomes);
    await clock.advance(100);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a refresh in the background", () => {
  it("is left to the process that has begun one", async () => {
    const { clock, runtime } = virtualRuntime();
    const options = { ttl: "1s", staleWhileRevalidate: "1m" } as const;
    const { processes, asked } = processesOver(runtime, new ByteServer(), 4, options);
    for (const { ask } of processes) await clock.run(ask());
    expect(asked()).toBe(1);
    await clock.advance(1500);
    const outcomes = await clock.run(Promise.all(processes.map(({ ask }) => ask())));
    expect(outcomes.map(valueIn)).toEqual(Array(4).fill("answer 1"));
    await clock.advance(200);
    expect(asked()).toBe(2);
  });
});
