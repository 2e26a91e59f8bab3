import { createClient } from "@redis/client";
import { afterEach, describe, expect, it } from "vitest";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { type Address, addressOf } from "./address.ts";
import { type Load, mostIn, scriptRuns, skewedLoad, startLoad } from "./load.ts";
import { passing, until } from "./support.ts";

const PER_SECOND = 100;
const MINUTE_MS = 60_000;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function redisServer(...settings: string[]): Promise<RedisServer> {
  const server = await startRedis(...settings);
  closing.push(() => server.stop());
  return server;
}

async function clientOf({ url }: RedisServer) {
  const client = createClient({ url });
  client.on("error", () => {});
  await client.connect();
  closing.push(() => client.destroy());
  return client;
}

/** Eight processes with calls for `factor` times the limit, all alike. */
async function evenLoad(url: string, factor: number): Promise<Load> {
  const each = (PER_SECOND * factor) / 8;
  const load = await startLoad(skewedLoad(url, "even:", PER_SECOND).map((one) => ({ ...one, callsPerSecond: each })));
  closing.push(() => load.stop());
  await until(() => load.processes.every((count) => count === 8));
  await passing(3_000);
  return load;
}

async function untilBack(load: Load): Promise<number> {
  const startedAt = Date.now();
  await until(() => load.central.every((central) => central), 20_000);
  return Date.now() - startedAt;
}

describe("eight processes, their clocks two minutes apart, seven tenths of the calls at one", () => {
  it.each([1, 2, 3])("use the quota to 98 %, and no minute of it beyond 102 % (seed %i)", async (seed) => {
    const server = await redisServer();
    const client = await clientOf(server);
    const load = await startLoad(skewedLoad(server.url, "skewed:", PER_SECOND, seed));
    await until(() => load.processes.every((count) => count === 8));
    const [from, runsBefore] = [Date.now(), await scriptRuns(client)];
    await passing(MINUTE_MS + 5_000);
    const [to, runs] = [Date.now(), (await scriptRuns(client)) - runsBefore];
    await load.stop();
    const seconds = (to - from) / 1_000;
    const figures = {
      most: mostIn(MINUTE_MS, load.admitted) / (60 * PER_SECOND),
      used: load.countBetween(from, to) / (seconds * PER_SECOND),
      commands: runs / seconds,
    };
    console.log(figures);
    expect(figures.most).toBeLessThanOrEqual(1.02);
    expect(figures.used).toBeGreaterThanOrEqual(0.98);
    expect(figures.commands).toBeLessThanOrEqual(10);
  });
});

interface Trouble {
  readonly name: string;
  /** Resolves when it is over. */
  cause(server: RedisServer, address: Address): Promise<void>;
}

const TROUBLES: readonly Trouble[] = [
  {
    name: "killed for half a minute and started empty",
    cause: async (server) => {
      await server.kill();
      await passing(30_000);
      await server.restart();
    },
  },
  { name: "flushed", cause: async (server) => void (await (await clientOf(server)).sendCommand(["FLUSHALL"])) },
  {
    name: "without its scripts",
    cause: async (server) => void (await (await clientOf(server)).sendCommand(["SCRIPT", "FLUSH"])),
  },
  {
    name: "silent for five seconds",
    cause: async (server) => {
      await (await clientOf(server)).sendCommand(["CLIENT", "PAUSE", "5000"]);
      await passing(5_000);
    },
  },
  {
    name: "killed, its replica taking over",
    cause: async (server, address) => {
      const replica = await redisServer("--replicaof", "127.0.0.1", String(server.port));
      const client = await clientOf(replica);
      while (!String(await client.sendCommand(["INFO", "replication"])).includes("status:up")) await passing(50);
      await server.kill();
      await passing(1_000);
      await client.sendCommand(["REPLICAOF", "NO", "ONE"]);
      address.leadTo(replica);
      address.cut();
    },
  },
];

describe.each(TROUBLES)("a server that is $name", ({ cause }) => {
  it("makes nobody wait and nobody stuck, and is used again within two seconds", async () => {
    const server = await redisServer("--repl-diskless-sync-delay", "0");
    const address = await addressOf(server);
    closing.push(() => address.close());
    const load = await evenLoad(address.url, 0.5);
    const from = Date.now();
    await cause(server, address);
    const backMs = await untilBack(load);
    await passing(3_000);
    const waitMs = load.waitBetween(from, Date.now(), 0.99);
    console.log({ waitMs, backMs, waiting: load.waiting });
    expect(waitMs).toBeLessThanOrEqual(50);
    expect(backMs).toBeLessThanOrEqual(2_000);
    expect(Math.max(...load.waiting)).toBeLessThan(5);
  });

  it("lets no more through than the limit and a tenth, with twice as many calls as that", async () => {
    const server = await redisServer("--repl-diskless-sync-delay", "0");
    const address = await addressOf(server);
    closing.push(() => address.close());
    const load = await evenLoad(address.url, 2);
    const from = Date.now();
    await cause(server, address);
    const overAt = Date.now();
    await untilBack(load);
    const backAt = Date.now();
    await passing(5_000);
    const share = (start: number, end: number) =>
      load.countBetween(start, end) / (((end - start) / 1_000) * PER_SECOND);
    const figures = {
      whileAway: overAt - from < 1_000 ? 0 : share(from, overAt),
      after: share(backAt, Date.now() - 200),
    };
    console.log(figures, "most in 10 s", mostIn(10_000, load.admitted) / (10 * PER_SECOND));
    expect(figures.whileAway).toBeLessThanOrEqual(1.1);
    expect(figures.after).toBeGreaterThan(0.9);
  });
});
