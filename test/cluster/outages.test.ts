import { createClient, createCluster } from "@redis/client";
import { afterAll, describe, expect, it } from "vitest";
import { cluster } from "../../src/cluster/index.ts";
import { OptionError } from "../../src/core/index.ts";
import { startRedisCluster } from "../support/redis-cluster.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { addressOf } from "./address.ts";
import { type Opened, openMember, passing, perSecond, Taker, together, until } from "./support.ts";

const servers: RedisServer[] = [];

async function started(...settings: string[]): Promise<RedisServer> {
  const server = await startRedis(...settings);
  servers.push(server);
  return server;
}

afterAll(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const central = ({ member }: Opened) => member.snapshot().central;

/** Four processes that have met. */
async function fourOn(url: string): Promise<Opened[]> {
  const all = [1, 2, 3, 4].map(() => openMember({ url }));
  await until(() => all.every(({ member }) => member.snapshot().processes === 4));
  return all;
}

describe.concurrent("while the server is away", () => {
  it("each process goes by its part of nine tenths of the limit, and tells that it does", async () => {
    const server = await started();
    const all = await fourOn(server.url);
    const events: string[] = [];
    all[0]?.runtime.events.on("cluster.lost", ({ processes }) => events.push(`lost with ${processes}`));
    const takers = all.map((opened) => new Taker(opened, "global", perSecond(100)));
    await server.kill();
    await until(() => !all.some(central));
    for (const taker of takers) taker.want(1_000);
    await passing(2_000);
    const times = together(takers);
    // 0.9 of the limit in two seconds, and the bursts of half a second.
    expect(times.length).toBeGreaterThan(150);
    expect(times.length).toBeLessThan(0.9 * 100 * 2 * 1.1 + 0.9 * 50 + 4);
    for (const { takenAt } of takers) expect(takenAt.length).toBeGreaterThan(30);
    expect(events).toEqual(["lost with 4"]);
  });

  it("nobody waits for an answer: one that does not come in time is not waited for again", async () => {
    const server = await started();
    const opened = openMember({ url: server.url });
    const taker = new Taker(opened, "global", perSecond(1_000));
    taker.want(1);
    await until(() => taker.waiting === 0 && central(opened));
    await passing(3_000);
    server.pause();
    taker.want(1);
    await until(() => taker.waiting === 0, 500);
    const { commands } = opened.member.snapshot();
    for (let n = 0; n < 50; n++) {
      taker.want(1);
      await passing(5);
    }
    expect(taker.waiting).toBe(0);
    expect(opened.member.snapshot().commands - commands).toBeLessThan(3);
    server.resume();
    await until(() => central(opened), 3_000);
  });

  it("all comes back by itself, from a server that is empty, too", async () => {
    const server = await started();
    const all = await fourOn(server.url);
    const takers = all.map((opened) => new Taker(opened, "global", perSecond(100)));
    for (const taker of takers) taker.want(10_000);
    await passing(500);
    await server.kill();
    await until(() => !all.some(central));
    await server.restart();
    await until(() => all.every(central), 3_000);
    const before = together(takers).length;
    const startedAt = performance.now();
    await passing(2_000);
    const rate = (together(takers).length - before) / (performance.now() - startedAt);
    expect(rate).toBeGreaterThan(0.095);
    // A new key is a full bucket: one burst, and what was held.
    expect(rate).toBeLessThan(0.1 + (50 + 100) / 2_000);
    expect(all.map(({ member }) => member.snapshot().processes)).toEqual([4, 4, 4, 4]);
  });

  it("a process that never saw it counts with as many others as it was told of", async () => {
    const server = await started();
    await server.kill();
    const opened = openMember({ url: server.url, processes: 10, connectTimeout: 50 });
    const taker = new Taker(opened, "global", perSecond(100));
    taker.want(1_000);
    await until(() => !central(opened));
    const before = taker.takenAt.length;
    await passing(1_000);
    expect(taker.takenAt.length - before).toBeLessThan(9 * 1.1 + 5);
    expect(taker.takenAt.length).toBeGreaterThan(6);
  });

  it("a process without a limit of its own takes over none from others when it is back", async () => {
    const server = await started();
    const [limited, free] = [openMember({ url: server.url }), openMember({ url: server.url })];
    const taker = new Taker(limited, "global", perSecond(10));
    const other = new Taker(free, "global", []);
    taker.want(1_000);
    await until(() => taker.takenAt.length > 0);
    server.pause();
    await until(() => !central(limited));
    free.member.quotas.closeGate("target/t", 10);
    await until(() => !central(free));
    server.resume();
    await until(() => central(limited) && central(free));
    await passing(200);
    other.want(100);
    expect(other.takenAt.length).toBe(100);
    expect(free.member.snapshot().quotas).toEqual([{ key: "global", limits: [] }]);
  });

  it("a closed member ends at once and keeps nothing", async () => {
    const server = await started();
    const opened = openMember({ url: server.url });
    const taker = new Taker(opened, "global", perSecond(100));
    taker.want(1);
    await until(() => taker.waiting === 0);
    await server.kill();
    taker.want(1_000);
    await until(() => !central(opened));
    await opened.member.close();
    expect(opened.member.snapshot().quotas).toEqual([]);
  });
});

describe.concurrent("a replica that takes over", () => {
  it("goes on where the first one was, although it knows no scripts", async () => {
    const second = await started("--repl-diskless-sync-delay", "0");
    const first = await started("--repl-diskless-sync-delay", "0");
    const address = await addressOf(first);
    const [atFirst, atSecond] = [createClient({ url: first.url }), createClient({ url: second.url })];
    await Promise.all([atFirst, atSecond].map((client) => client.on("error", () => {}).connect()));
    await atSecond.sendCommand(["REPLICAOF", "127.0.0.1", String(first.port)]);
    const all = [openMember({ url: address.url }), openMember({ url: address.url })];
    const takers = all.map((opened) => new Taker(opened, "global", perSecond(100)));
    for (const taker of takers) taker.want(10_000);
    await until(() => together(takers).length > 100);
    const info = async () => String(await atSecond.sendCommand(["INFO", "replication"]));
    while (!(await info()).includes("master_link_status:up")) await passing(20);

    // The first becomes a replica of the other, and clients that are connected to it are not cut off.
    await atSecond.sendCommand(["REPLICAOF", "NO", "ONE"]);
    await atFirst.sendCommand(["REPLICAOF", "127.0.0.1", String(second.port)]);
    address.leadTo(second);
    const before = together(takers).length;
    const startedAt = performance.now();
    await passing(3_000);
    const rate = (together(takers).length - before) / (performance.now() - startedAt);
    expect(all.every(central)).toBe(true);
    expect(rate).toBeGreaterThan(0.08);
    expect(rate).toBeLessThan(0.1 + (50 + 100 + 45) / 3_000);
    expect(await atSecond.exists("breakwater:{quota:global}")).toBe(1);
    atFirst.destroy();
    atSecond.destroy();
    address.close();
  });
});

describe.concurrent("a cluster of servers", () => {
  it("spreads the quotas over its nodes, and shares each", async () => {
    const nodes = await startRedisCluster();
    const client = createCluster({ rootNodes: [...nodes.rootNodes] });
    client.on("error", () => {});
    await client.connect();
    const all = [openMember({ client }), openMember({ client })];
    const keys = Array.from({ length: 12 }, (_, index) => `client/${index}`);
    const takers = keys.flatMap((key) => all.map((opened) => new Taker(opened, key, perSecond(20))));
    const gates: string[] = [];
    all[1]?.member.quotas.onGate((key) => gates.push(key));
    for (const taker of takers) taker.want(100);
    await passing(1_000);
    all[0]?.member.quotas.closeGate("target/t", 1_000);
    await until(() => gates.length === 1);
    const taken = together(takers).length;
    expect(taken).toBeGreaterThan(12 * 25);
    expect(taken).toBeLessThan(12 * (10 + 22 + 10));
    for (const { url } of nodes.rootNodes) {
      const node = createClient({ url });
      await node.connect();
      expect((await node.keys("breakwater:{quota:*")).length).toBeGreaterThan(0);
      node.destroy();
    }
    await Promise.all(all.map(({ member }) => member.close()));
    client.destroy();
    await nodes.stop();
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
