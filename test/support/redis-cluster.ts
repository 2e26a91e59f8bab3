import { createClient } from "@redis/client";
import { type RedisServer, startRedis } from "./redis-server.ts";

const SLOTS = 16_384;
const NODES = 3;
// So far above its port does a node of a cluster listen to the others.
const BUS_DISTANCE = 10_000;

/** Three masters of Redis Cluster, which share the slots evenly. */
export interface RedisClusterServers {
  readonly rootNodes: readonly { readonly url: string }[];
  readonly servers: readonly RedisServer[];
  stop(): Promise<void>;
}

export async function startRedisCluster(): Promise<RedisClusterServers> {
  const servers = await Promise.all(Array.from({ length: NODES }, () => startNode()));
  const clients = servers.map(({ url }) => createClient({ url }));
  await Promise.all(clients.map((client) => client.connect()));
  for (const [index, client] of clients.entries()) {
    const [first, last] = [index, index + 1].map((node) => Math.floor((SLOTS * node) / NODES)) as [number, number];
    await client.sendCommand(["CLUSTER", "ADDSLOTSRANGE", String(first), String(last - 1)]);
    await client.sendCommand(["CLUSTER", "MEET", "127.0.0.1", String(servers[0]?.port)]);
  }
  for (const client of clients) {
    while (!String(await client.sendCommand(["CLUSTER", "INFO"])).includes("cluster_state:ok")) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    client.destroy();
  }
  return {
    rootNodes: servers.map(({ url }) => ({ url })),
    servers,
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

async function startNode(): Promise<RedisServer> {
  for (;;) {
    const server = await startRedis("--cluster-enabled", "yes");
    if (server.port + BUS_DISTANCE < 65_536) return server;
    await server.stop();
  }
}
