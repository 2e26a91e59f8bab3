import { createClient, createCluster } from "@redis/client";
import { afterAll, describe, expect, it } from "vitest";
import { cluster } from "../../src/cluster/index.ts";
import { OptionError } from "../../src/core/index.ts";
import { startRedisCluster } from "../support/redis-cluster.ts";
import { isInstalled, type RedisServer, startRedis, startValkey } from "../support/redis-server.ts";
import { addressOf } from "./address.ts";
import { type Opened, openMember, perSecond, Taker, together, until } from "./support.ts";

const servers: RedisServer[] = [];

async function started(starting = startRedis()): Promise<RedisServer> {
  const server = await starting;
  servers.push(server);
  return server;
}

afterAll(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const central = ({ member }: Opened) => member.snapshot().central;

/** Processes that have met. */
async function metOn(url: string, count: number): Promise<Opened[]> {
  const all = Array.from({ length: count }, () => openMember({ url }));
  await until(() => all.every(({ member }) => member.snapshot().processes === count));
  return all;
}

/** Every one of them takes so many more: nobody is stuck. */
async function eachTakes(takers: readonly Taker[], calls: number): Promise<void> {
  const before = takers.map(({ takenAt }) => takenAt.length);
  await until(() => takers.every(({ takenAt }, index) => takenAt.length >= (before[index] as number) + calls));
}

/** No more than the limit a second, a burst and what was held, in all the time there was. */
function expectWithin(takers: readonly Taker[], limitPerSecond: number, otherMs: number): void {
  const times = together(takers);
  const ms = (times.at(-1) as number) - (times[0] as number);
  expect(times.length).toBeLessThanOrEqual((limitPerSecond / 1_000) * (ms + 500 + otherMs) + takers.length);
}

const VALKEY = isInstalled("valkey-server");
if (!VALKEY) console.log("The tests on Valkey are left out: valkey-server is not installed.");

describe.concurrent.each([
  { name: "Redis", start: startRedis, skips: false },
  { name: "Valkey", start: startValkey, skips: !VALKEY },
])("a server of $name", ({ start, skips }) => {
  it.skipIf(skips)("is shared, done without when it is killed, and used again when it is back, empty", async () => {
    const server = await started(start());
    const all = await metOn(server.url, 4);
    const events: string[] = [];
    all[0]?.runtime.events.on("cluster.lost", ({ processes }) => events.push(`lost with ${processes}`));
    all[0]?.runtime.events.on("cluster.restored", () => events.push("restored"));
    const takers = all.map((opened) => new Taker(opened, "global", perSecond(100)));
    const gates: string[] = [];
    all[1]?.member.quotas.onGate((key) => gates.push(key));
    for (const taker of takers) taker.want(100_000);
    await eachTakes(takers, 5);
    all[0]?.member.quotas.closeGate("target/t", 60_000);
    await until(() => gates.includes("target/t"));
    await server.kill();
    await until(() => !all.some(central));
    // A machine that is busy may have taken it for lost before.
    expect(events.at(-1)).toBe("lost with 4");
    await eachTakes(takers, 5);
    await server.restart();
    await until(() => all.every((opened) => central(opened) && opened.member.snapshot().processes === 4));
    await eachTakes(takers, 5);
    // A key that is lost is a burst, and what each held of it; so is the time without the server.
    expectWithin(takers, 100, 2 * 500 + 2_000);
    expect(events).toContain("restored");
  });

  it.skipIf(skips)("is done without while it is silent, and goes on without its scripts", async () => {
    const server = await started(start());
    const [opened] = await metOn(server.url, 1);
    const taker = new Taker(opened as Opened, "global", perSecond(1_000));
    taker.want(1);
    await until(() => taker.waiting === 0);
    server.pause();
    taker.want(100_000);
    await until(() => !central(opened as Opened));
    await eachTakes([taker], 100);
    server.resume();
    await until(() => central(opened as Opened));
    const client = createClient({ url: server.url });
    await client.connect();
    await client.sendCommand(["SCRIPT", "FLUSH"]);
    await eachTakes([taker], 100);
    expect(await client.exists("breakwater:{quota:global}")).toBe(1);
    client.destroy();
  });

  it.skipIf(skips)("hands over to its replica, which goes on where it was and knows no scripts", async () => {
    const [first, second] = await Promise.all(
      [0, 1].map(() => started(start("--repl-diskless-sync-delay", "0"))) as [
        Promise<RedisServer>,
        Promise<RedisServer>,
      ],
    );
    const address = await addressOf(first);
    const [atFirst, atSecond] = [createClient({ url: first.url }), createClient({ url: second.url })];
    await Promise.all([atFirst, atSecond].map((client) => client.on("error", () => {}).connect()));
    await atSecond.sendCommand(["REPLICAOF", "127.0.0.1", String(first.port)]);
    const all = await metOn(address.url, 2);
    const takers = all.map((opened) => new Taker(opened, "global", perSecond(100)));
    for (const taker of takers) taker.want(100_000);
    await eachTakes(takers, 20);
    let replicated = "";
    while (!replicated.includes("master_link_status:up")) {
      replicated = String(await atSecond.sendCommand(["INFO", "replication"]));
    }
    // The first becomes a replica of the other, and clients that are connected to it are not cut off.
    await atSecond.sendCommand(["REPLICAOF", "NO", "ONE"]);
    await atFirst.sendCommand(["REPLICAOF", "127.0.0.1", String(second.port)]);
    address.leadTo(second);
    const lostAt = String(await atSecond.hGet("breakwater:{quota:global}", "at"));
    let at = lostAt;
    while (at === lostAt) at = String(await atSecond.hGet("breakwater:{quota:global}", "at"));
    await until(() => all.every(central));
    await eachTakes(takers, 20);
    expectWithin(takers, 100, 500 + 2_000);
    atFirst.destroy();
    atSecond.destroy();
    address.close();
  });
});

describe.concurrent("a cluster of servers", () => {
  it("spreads the quotas over its nodes, and is done without while one of them is away", async () => {
    const nodes = await startRedisCluster();
    const client = createCluster({ rootNodes: [...nodes.rootNodes] });
    client.on("error", () => {});
    // Some come before their client is connected.
    const all = [openMember({ client }), openMember({ client })];
    await until(() => !all.some(central));
    await client.connect();
    await until(() => all.every((opened) => central(opened) && opened.member.snapshot().processes === 2));
    const keys = Array.from({ length: 12 }, (_, index) => `client/${index}`);
    const takersOf = (key: string) => all.map((opened) => new Taker(opened, key, perSecond(20)));
    const pairs = keys.map(takersOf);
    const takers = pairs.flat();
    const gates: string[] = [];
    all[1]?.member.quotas.onGate((key) => gates.push(key));
    for (const taker of takers) taker.want(100_000);
    await eachTakes(takers, 5);
    all[0]?.member.quotas.closeGate("target/t", 60_000);
    await until(() => gates.includes("target/t"));
    for (const { url } of nodes.rootNodes) {
      const node = createClient({ url });
      await node.connect();
      expect((await node.keys("breakwater:{quota:*")).length).toBeGreaterThan(0);
      node.destroy();
    }
    const [, , node] = nodes.servers;
    await node?.kill();
    await until(() => !all.every(central));
    await eachTakes(takers, 5);
    await node?.restart();
    await until(() => all.every(central));
    await eachTakes(takers, 5);
    for (const pair of pairs) expectWithin(pair, 20, 2 * 500 + 2_000);
    await Promise.all(all.map(({ member }) => member.close()));
    client.destroy();
    await nodes.stop();
  });
});

describe.concurrent("a closed member", () => {
  it("ends, with the server away, and keeps nothing", async () => {
    const server = await started();
    const [opened] = (await metOn(server.url, 1)) as [Opened];
    const taker = new Taker(opened, "global", perSecond(100));
    taker.want(1);
    await until(() => taker.waiting === 0);
    await server.kill();
    taker.want(1_000);
    await until(() => !central(opened));
    await opened.member.close();
    expect(opened.member.snapshot().quotas).toEqual([]);
  });

  it("has given back what it held, with draws under way", async () => {
    const server = await started();
    const client = createClient({ url: server.url });
    await client.connect();
    const day = [{ unit: "requests", windowMs: 86_400_000, limit: 100 }] as const;
    const opened = openMember({ url: server.url });
    const takers = Array.from({ length: 5 }, (_, index) => new Taker(opened, `client/${index}`, day));
    await until(() => opened.member.snapshot().processes === 1 && central(opened));
    for (const taker of takers) taker.want(1);
    await Promise.resolve();
    const closing = opened.member.close();
    await closing;
    for (const [index, { takenAt }] of takers.entries()) {
      const slots = JSON.parse(
        (await client.hGet(`breakwater:{quota:client/${index}}`, "slots:requests/86400000")) ?? "{}",
      );
      const taken = Object.values<number>(slots).reduce((sum, amount) => sum + amount, 0);
      expect(taken).toBe(takenAt.length);
    }
    client.destroy();
  });
});

describe("the options of a cluster", () => {
  it("are checked, and an address that holds a password is not shown", () => {
    expect(() => cluster({ burst: 0 })).toThrow(OptionError);
    expect(() => cluster({ timeout: "1ms" })).toThrow('"cluster.timeout"');
    expect(() => cluster({ processes: 0 })).toThrow('"cluster.processes"');
    expect(() => cluster({ namespace: "" })).toThrow('"cluster.namespace"');
    expect(() => cluster({ key: "x" } as never)).toThrow('"cluster.key"');
    expect(() => cluster({ url: "http://:secret@host" })).toThrow('"cluster.url"');
    expect(() => cluster({ url: "http://:secret@host" })).not.toThrow("secret");
    expect(() => cluster({ client: {} as never })).toThrow('"cluster.client"');
  });

  it("take a client of the user's own, which stays open", async () => {
    const server = await started();
    const client = createClient({ url: server.url });
    await client.connect();
    const opened = openMember({ client });
    const taker = new Taker(opened, "global", perSecond(100));
    taker.want(10);
    await until(() => taker.waiting === 0 && central(opened));
    await opened.member.close();
    expect(await client.ping()).toBe("PONG");
    client.destroy();
  });
});
