import { createClient, createCluster } from "@redis/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime, type MarksChange } from "../../src/core/index.ts";
import { redis } from "../../src/stores/redis/index.ts";
import { type RedisClusterServers, startRedisCluster } from "../support/redis-cluster.ts";
import { bytesOf } from "./entries.ts";
import { EVERYTHING, itConforms, openBytes, until } from "./support.ts";

const LONG_MS = 60_000;

let servers: RedisClusterServers;
let cluster: ReturnType<typeof clusterOf>;
beforeAll(async () => {
  servers = await startRedisCluster();
  cluster = clusterOf(servers);
  cluster.on("error", () => {});
  await cluster.connect();
});
afterAll(async () => {
  cluster.destroy();
  await servers.stop();
});

function clusterOf({ rootNodes }: RedisClusterServers) {
  return createCluster({ rootNodes: [...rootNodes] });
}

describe("the redis tier on a cluster, its entries spread over the nodes", () => {
  itConforms({
    open: (space) => openBytes(redis({ client: cluster, keyPrefix: `${space}:` }), createRuntime()),
    shared: true,
    ...EVERYTHING,
  });

  it("puts entries on every node", async () => {
    const store = openBytes(redis({ client: cluster, keyPrefix: "spread:" }), createRuntime());
    for (let index = 0; index < 60; index++) await store.set(`k${index}`, bytesOf("v"), LONG_MS);
    for (const { url } of servers.rootNodes) {
      const client = createClient({ url });
      await client.connect();
      expect((await client.keys("spread:entry:*")).length).toBeGreaterThan(5);
      client.destroy();
    }
  });
});

describe("the redis tier on a cluster, with a hash tag of its own", () => {
  itConforms({
    open: (space) => openBytes(redis({ client: cluster, keyPrefix: `{${space}}:` }), createRuntime()),
    shared: true,
    ...EVERYTHING,
  });
});

describe("a watcher on a cluster whose subscription is lost", () => {
  it("is told that it missed something, and is told again after", async () => {
    const open = () => openBytes(redis({ client: cluster, keyPrefix: "lost:" }), createRuntime());
    const [store, other] = [open(), open()];
    const told: MarksChange[] = [];
    const watch = store.marks?.watch?.((change) => told.push(change));
    await until(() => watch?.connected() === true);
    for (const { url } of servers.rootNodes) {
      const client = createClient({ url });
      await client.connect();
      await client.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]);
      client.destroy();
    }
    await other.marks?.invalidate(["meanwhile"]);
    await until(() => told.length > 0);
    await until(async () => {
      await other.marks?.invalidate(["again"]);
      return told.some((change) => change.kind === "tags" && change.tags[0] === "again");
    });
    await Promise.all([store.close?.(), other.close?.()]);
  });
});
