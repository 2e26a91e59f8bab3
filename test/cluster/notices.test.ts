import { createClient } from "@redis/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { faultOf } from "../../src/core/index.ts";
import { breaker } from "../../src/policies/breaker/index.ts";
import { rateLimit } from "../../src/policies/rate-limit/index.ts";
import { answering, callOf } from "../support/calls.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { amountsOf, type Opened, openMember, passing, until } from "./support.ts";

let server: RedisServer;
let client: ReturnType<typeof createClient>;
beforeAll(async () => {
  server = await startRedis();
  client = createClient({ url: server.url });
  await client.connect();
});
afterAll(async () => {
  client.destroy();
  await server.stop();
});

let namespaces = 0;
const newNamespace = () => ({ url: server.url, namespace: `n${++namespaces}:` });

const HOLDER = { widened: () => {}, waiting: () => amountsOf({}) };

/** What a member is told of gates. */
function gatesTold({ member }: Opened): [key: string, forMs: number][] {
  const told: [string, number][] = [];
  member.quotas.onGate((key, forMs) => told.push([key, forMs]));
  return told;
}

const ready = ({ member }: Opened): Promise<void> => until(() => member.snapshot().commands > 0);

describe("a gate that one process closes", () => {
  it("is told to the others, and not to itself", async () => {
    const options = newNamespace();
    const [one, two] = [openMember(options), openMember(options)];
    const [own, others] = [gatesTold(one), gatesTold(two)];
    await Promise.all([ready(one), ready(two)]);
    await passing(100);
    one.member.quotas.closeGate("target/t", 5_000);
    await until(() => others.length === 1);
    expect(others).toEqual([["target/t", 5_000]]);
    expect(own).toEqual([]);
  });

  it("stops calls of a process that starts while it is closed", async () => {
    const options = newNamespace();
    const one = openMember(options);
    one.member.quotas.closeGate("target/t", 5_000);
    await ready(one);
    await passing(100);
    const late = openMember(options);
    const told = gatesTold(late);
    await until(() => told.length === 1);
    expect(told[0]?.[0]).toBe("target/t");
    expect(told[0]?.[1]).toBeGreaterThan(4_000);
    const share = late.member.quotas.share("target/t", [], HOLDER);
    expect(share.delay(amountsOf({ requests: 1 }), performance.now())).toBeGreaterThan(4_000);
    const afterwards = gatesTold(late);
    expect(afterwards.map(([key]) => key)).toEqual(["target/t"]);
  });

  it("is learned by one whose message went lost, with the next sign of life", async () => {
    const options = newNamespace();
    const [one, two] = [openMember(options), openMember(options)];
    const others = gatesTold(two);
    await Promise.all([ready(one), ready(two)]);
    await passing(100);
    // What a message that nobody got leaves behind: the next one has not the next number.
    await client.sendCommand(["HINCRBY", `${options.namespace}{cluster}:told`, "seq", "1"]);
    const until5s = Date.now() + 5_000;
    await client.sendCommand(["HSET", `${options.namespace}{cluster}:told`, "gate target/lost", String(until5s)]);
    one.member.quotas.closeGate("target/t", 5_000);
    await until(() => others.length === 2);
    expect(others.map(([key]) => key).sort()).toEqual(["target/lost", "target/t"]);
  });

  it("is told later when the server is away, as long as it is closed", async () => {
    const own = await startRedis();
    const options = { url: own.url, namespace: "later:" };
    const one = openMember(options);
    await ready(one);
    await own.kill();
    await until(() => !one.member.snapshot().central);
    one.member.quotas.closeGate("target/t", 20_000);
    one.member.quotas.closeGate("target/short", 1);
    await own.restart();
    const two = openMember(options);
    const told = gatesTold(two);
    await until(() => told.length > 0);
    expect(told.map(([key]) => key)).toEqual(["target/t"]);
    await own.stop();
  });

  it("stops the calls of all limiters: one answer of 429 is enough", async () => {
    const options = newNamespace();
    const opened = [openMember(options), openMember(options)];
    const limiters = opened.map(({ member, runtime }) => {
      const policy = rateLimit({}, runtime);
      policy.share(member.quotas);
      return policy;
    });
    await Promise.all(opened.map(ready));
    await passing(100);
    const refuse = faultOf({ kind: "rate_limited", retryAfterMs: 400, status: 429, error: new Error("slow down") });
    const sent: number[] = [];
    const ask = (index: number, answer: "ok" | "429") => {
      const { runtime } = opened[index] as Opened;
      const call = callOf(runtime, answering(runtime, "ok"));
      return limiters[index]?.handle(call, async () => {
        sent.push(performance.now());
        return answer === "429" ? refuse : answering(runtime, "ok")(call);
      });
    };
    await ask(1, "ok");
    const refusedAt = performance.now();
    await ask(0, "429");
    await until(() => limiters[1]?.snapshot().targets[0]?.gatedMs !== 0);
    await ask(1, "ok");
    expect((sent[2] as number) - refusedAt).toBeGreaterThan(395);
    for (const limiter of limiters) limiter.close();
  });
});

describe("a circuit that opens in one process", () => {
  const KEY = "test/m/k";

  function withBreaker(opened: Opened) {
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
    const options = newNamespace();
    const [one, two] = [openMember(options), openMember(options)];
    const [first, second] = [withBreaker(one), withBreaker(two)];
    await Promise.all([ready(one), ready(two)]);
    await passing(100);
    await first.call(500);
    await until(() => second.policy.snapshot()[KEY]?.state === "open");
    const late = openMember(options);
    const third = withBreaker(late);
    await until(() => third.policy.snapshot()[KEY]?.state === "open");
    await passing(320);
    expect((await first.call(200)).ok).toBe(true);
    await until(() => second.events.at(-1) === "breaker.closed");
    await passing(50);
    // Nobody has told on what it was told.
    expect(first.events).toEqual(["breaker.opened", "breaker.half_opened", "breaker.closed"]);
    expect(second.events.filter((type) => type === "breaker.opened")).toHaveLength(1);
  });
});

describe("the number of processes", () => {
  it("is known to all as soon as one comes or goes", async () => {
    const options = newNamespace();
    const all = [openMember(options), openMember(options)];
    const counts = () => all.map(({ member }) => member.snapshot().processes);
    await until(() => counts().every((count) => count === 2));
    await passing(100);
    all.push(openMember(options));
    await until(() => counts().every((count) => count === 3));
    await all.pop()?.member.close();
    await until(() => counts().every((count) => count === 2));
  });
});
