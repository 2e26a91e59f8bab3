import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { faultOf } from "../../src/core/index.ts";
import { breaker } from "../../src/policies/breaker/index.ts";
import { rateLimit } from "../../src/policies/rate-limit/index.ts";
import { answering, callOf } from "../support/calls.ts";
import { Caller } from "./virtual-load.ts";
import { type VirtualMember, VirtualServer } from "./virtual-server.ts";

let server: VirtualServer;
beforeEach(async () => {
  server = await VirtualServer.start();
});
afterEach(() => server.stop());

/** What a member is told of gates. */
function gatesTold({ member }: VirtualMember): [key: string, forMs: number][] {
  const told: [string, number][] = [];
  member.quotas.onGate((key, forMs) => told.push([key, forMs]));
  return told;
}

/** Processes that know of one another. */
async function met(count: number): Promise<[VirtualMember, VirtualMember, ...VirtualMember[]]> {
  const opened = Array.from({ length: count }, () => server.open());
  await server.until(() => opened.every(({ member }) => member.snapshot().processes === count));
  await server.pass(100);
  return opened as [VirtualMember, VirtualMember];
}

describe("a gate that one process closes", () => {
  it("is told to the others, and not to itself", async () => {
    const [one, two] = await met(2);
    const [own, others] = [gatesTold(one), gatesTold(two)];
    one.member.quotas.closeGate("target/t", 5_000);
    await server.pass(50);
    expect(others).toEqual([["target/t", 5_000]]);
    expect(own).toEqual([]);
  });

  it("stops calls of a process that starts while it is closed", async () => {
    const one = server.open();
    one.member.quotas.closeGate("target/t", 5_000);
    await server.pass(500);
    const late = server.open();
    const told = gatesTold(late);
    await server.pass(50);
    expect(told).toHaveLength(1);
    expect(told[0]?.[0]).toBe("target/t");
    expect(told[0]?.[1]).toBeGreaterThan(4_400);
    const delayMs = new Caller(server, late, "target/t", []).delay();
    expect(delayMs).toBeGreaterThan(4_400);
    expect(delayMs).toBeLessThan(4_520);
    const afterwards = gatesTold(late);
    expect(afterwards.map(([key]) => key)).toEqual(["target/t"]);
  });

  it("is learned by one whose message went lost, with the next sign of life", async () => {
    const [one, two] = await met(2);
    const others = gatesTold(two);
    // What a message that nobody got leaves behind: the next one has not the next number.
    two.line.away = "silent";
    one.member.quotas.closeGate("target/lost", 5_000);
    await server.pass(50);
    two.line.away = undefined;
    one.member.quotas.closeGate("target/t", 5_000);
    await server.pass(50);
    expect(others.map(([key]) => key).sort()).toEqual(["target/lost", "target/t"]);
  });

  it("is told later when the server is away, as long as it is closed", async () => {
    const [one, two] = await met(2);
    const told = gatesTold(two);
    server.goAway("refusing");
    await server.until(() => !one.member.snapshot().central);
    one.member.quotas.closeGate("target/t", 20_000);
    one.member.quotas.closeGate("target/short", 1_000);
    await server.pass(5_000);
    await server.command("FLUSHALL");
    server.goAway(undefined);
    await server.pass(3_000);
    expect(told.map(([key]) => key)).toEqual(["target/t"]);
    expect(told[0]?.[1]).toBeLessThan(15_010);
  });

  it("stops the calls of all limiters: one answer of 429 is enough", async () => {
    const opened = await met(2);
    const limiters = opened.map(({ member, runtime }) => {
      const policy = rateLimit({}, runtime);
      policy.share(member.quotas);
      return policy;
    });
    const refuse = faultOf({ kind: "rate_limited", retryAfterMs: 400, status: 429, error: new Error("slow down") });
    const sent: number[] = [];
    const ask = (index: number, answer: "ok" | "429") => {
      const { runtime } = opened[index] as VirtualMember;
      const call = callOf(runtime, answering(runtime, "ok"));
      return (limiters[index] as (typeof limiters)[0]).handle(call, async () => {
        sent.push(server.clock.now());
        return answer === "429" ? refuse : answering(runtime, "ok")(call);
      });
    };
    await server.during(ask(1, "ok"));
    const refusedAt = server.clock.now();
    await server.during(ask(0, "429"));
    await server.pass(50);
    void ask(1, "ok");
    await server.pass(1_000);
    expect(sent).toHaveLength(3);
    expect((sent[2] as number) - refusedAt).toBeGreaterThanOrEqual(400);
    expect((sent[2] as number) - refusedAt).toBeLessThan(500);
    for (const limiter of limiters) limiter.close();
  });
});

describe("a circuit that opens in one process", () => {
  const KEY = "test/m/k";

  function withBreaker(opened: VirtualMember) {
    const policy = breaker({ consecutiveFailures: 1, halfOpenAfter: "300ms", ramp: 0, probes: 1 }, opened.runtime);
    opened.member.shareBreaker(policy);
    const events: string[] = [];
    opened.runtime.events.on("*", (event) => {
      if (event.type.startsWith("breaker.") && event.type !== "breaker.rejected") events.push(event.type);
    });
    const call = (status: number) =>
      policy.handle(callOf(opened.runtime, answering(opened.runtime, "ok")), async (asked) =>
        status === 200
          ? answering(opened.runtime, "ok")(asked)
          : faultOf({ kind: "server_error", status, error: new Error("failed") }),
      );
    return { policy, events, call };
  }

  it("opens in the others and in one that starts later, and closes in all when probes succeed", async () => {
    const [one, two] = await met(2);
    const [first, second] = [withBreaker(one), withBreaker(two)];
    await server.during(first.call(500));
    await server.pass(50);
    expect(second.policy.snapshot()[KEY]?.state).toBe("open");
    const late = server.open();
    const third = withBreaker(late);
    await server.pass(50);
    expect(third.policy.snapshot()[KEY]?.state).toBe("open");
    await server.pass(320);
    expect((await server.during(first.call(200))).ok).toBe(true);
    await server.pass(50);
    // Nobody has told on what it was told.
    expect(first.events).toEqual(["breaker.opened", "breaker.half_opened", "breaker.closed"]);
    expect(second.events.filter((type) => type === "breaker.opened")).toHaveLength(1);
  });
});

describe("the number of processes", () => {
  it("is known to all as soon as one comes or goes", async () => {
    const all: VirtualMember[] = await met(2);
    const counts = () => all.map(({ member }) => member.snapshot().processes);
    all.push(server.open());
    await server.pass(50);
    expect(counts()).toEqual([3, 3, 3]);
    await server.during((all.pop() as VirtualMember).member.close());
    await server.pass(50);
    expect(counts()).toEqual([2, 2]);
  });

  it("is less by one that is gone without a word after half a minute", async () => {
    const [one, two] = await met(2);
    two.line.away = "silent";
    await server.pass(40_000);
    expect(one.member.snapshot().processes).toBe(1);
  });
});
