import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { promisify } from "node:util";
import { createClient } from "@redis/client";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type ByteStore, createRuntime, OptionError } from "../../src/core/index.ts";
import { type RedisOptions, redis, StoreError } from "../../src/stores/index.ts";
import { virtualRuntime } from "../support/calls.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { bytesOf } from "./entries.ts";
import { EVERYTHING, generations, itConforms, openBytes, passing, until } from "./support.ts";

const LONG_MS = 60_000;

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

let prefixes = 0;

/** A store of its own namespace on the test's server, closed when the test is over. */
async function using(options: RedisOptions, work: (store: ByteStore) => Promise<void>): Promise<void> {
  const prefix = `p${++prefixes}:`;
  const url = options.client === undefined ? { url: server.url } : {};
  const store = openBytes(redis({ keyPrefix: prefix, ...url, ...options }), createRuntime());
  try {
    await work(store);
  } finally {
    await store.close?.();
  }
}

function answers(store: ByteStore): Promise<boolean> {
  return store.get("any").then(
    () => true,
    () => false,
  );
}

describe("the redis tier", () => {
  itConforms({
    open: (space) => openBytes(redis({ url: server.url, keyPrefix: `${space}:` }), createRuntime()),
    shared: true,
    ...EVERYTHING,
  });

  it("works over a client of the user's own, and leaves it open", async () => {
    const client = createClient({ url: server.url });
    client.on("error", () => {});
    await client.connect();
    await using({ client }, async (store) => {
      await store.set("k", Uint8Array.of(0xff, 0, 0x80), LONG_MS);
      expect([...((await store.get("k")) ?? [])]).toEqual([0xff, 0, 0x80]);
      await store.marks?.invalidate(["faq"]);
      expect(await generations(store, ["faq"])).toEqual([1]);
      await store.close?.();
      await expect(store.get("k")).rejects.toThrow("closed");
    });
    expect(await client.ping()).toBe("PONG");
    client.destroy();
  });

  it("keeps the values of two stores that begin a namespace at the same moment", async () => {
    for (let round = 0; round < 20; round++) {
      await using({ keyPrefix: `begun${round}:` }, (one) =>
        using({ keyPrefix: `begun${round}:` }, async (two) => {
          await Promise.all([one.set("of one", bytesOf("1"), LONG_MS), two.set("of two", bytesOf("2"), LONG_MS)]);
          expect(await one.get("of two")).toEqual(Buffer.from("2"));
          expect(await two.get("of one")).toEqual(Buffer.from("1"));
        }),
      );
    }
  });

  it("keeps its connection past the time it had to connect", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    await using({ connectTimeout: 500 }, async (store) => {
      await store.set("k", bytesOf("v"), LONG_MS);
      const connections = await client.sendCommand(["INFO", "stats"]);
      await passing(700);
      expect(await store.get("k")).toEqual(Buffer.from("v"));
      const count = (info: unknown): string | undefined => /total_connections_received:\d+/.exec(String(info))?.[0];
      expect(count(await client.sendCommand(["INFO", "stats"]))).toBe(count(connections));
    });
    client.destroy();
  });

  it("leaves nothing in the server that never expires but three small keys", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    await using({ keyPrefix: "counted:" }, async (store) => {
      await store.set("k", bytesOf("v"), LONG_MS);
      await store.clear();
      await store.set("k", bytesOf("v"), LONG_MS);
      await store.marks?.invalidate(["faq"]);
      await store.marks?.sweep("*");
      const left = await client.keys("*counted:*");
      expect(left.sort()).toEqual(["counted:entry:k", "{counted:}marks", "{counted:}state", "{counted:}sweeps"]);
      expect(await client.pTTL("counted:entry:k")).toBeGreaterThan(LONG_MS - 5000);
    });
    client.destroy();
  });
});

describe("a Redis that fails", () => {
  // Each test may leave it in any state.
  beforeEach(() => server.restart());
  afterAll(() => server.restart());

  it("makes every operation reject with a reason while it is killed", async () => {
    await using({}, async (store) => {
      await store.set("k", bytesOf("v"), LONG_MS);
      await server.kill();
      await until(async () => !(await answers(store)));
      for (const operation of [
        () => store.get("k"),
        () => store.set("k", bytesOf("v"), LONG_MS),
        () => store.delete("k"),
        () => store.clear(),
        () => store.marks?.marks(["faq"]),
        () => store.marks?.read("k", ["faq"]),
        () => store.marks?.sweep("*"),
        () => store.marks?.sweepsSince(0),
        () => store.leases?.acquire("k", "me", 1000),
        () => store.leases?.release("k", "me"),
        () => store.marks?.invalidate(["faq"]),
      ]) {
        const error = await Promise.resolve(operation()).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(StoreError);
        expect(String(error)).toContain("Redis is not connected");
      }
    });
  });

  it("is found again within a second of its return, however long it was away", async () => {
    const { clock, runtime } = virtualRuntime();
    const store = openBytes(redis({ url: server.url, keyPrefix: "returning:" }), runtime);
    await store.set("k", bytesOf("v"), LONG_MS);
    await server.kill();
    await until(async () => !(await answers(store)));
    for (let minute = 0; minute < 20; minute++) {
      await clock.advance(60_000);
      await expect(store.get("k")).rejects.toThrow("not connected");
    }
    await server.restart();
    await until(async () => {
      // A try that began before the return may still have to fail.
      if (clock.pendingTimers > 0) await clock.advance(1000);
      return answers(store);
    });
    await store.set("k", bytesOf("again"), LONG_MS);
    expect(await store.get("k")).toEqual(Buffer.from("again"));
    await store.close?.();
    expect(clock.pendingTimers).toBe(0);
  });

  it("is given up after the time limit when it is frozen, and found again when it goes on", async () => {
    await using({ commandTimeout: 500, connectTimeout: 500 }, async (store) => {
      await store.set("k", bytesOf("v"), LONG_MS);
      server.pause();
      try {
        await expect(store.get("k")).rejects.toThrow("Redis did not answer within 500 ms");
        await expect(store.get("k")).rejects.toThrow("not connected");
        await passing(1500);
        await expect(store.get("k")).rejects.toThrow("not connected");
      } finally {
        server.resume();
      }
      await until(() => answers(store));
      expect(await store.get("k")).toEqual(Buffer.from("v"));
    });
  });

  it("is empty after FLUSHALL and holds what comes then", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    await using({}, async (store) => {
      await store.set("k", bytesOf("v"), LONG_MS);
      await client.flushAll();
      expect(await store.get("k")).toBeUndefined();
      await store.set("k", bytesOf("new"), LONG_MS);
      expect(await store.get("k")).toEqual(Buffer.from("new"));
    });
    client.destroy();
  });

  it("never makes an invalidated tag valid again by forgetting it", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    await using({}, async (store) => {
      const seen = new Set<number>();
      for (let round = 0; round < 3; round++) {
        for (let count = 0; count < 3; count++) {
          const [generation] = (await generations(store, ["faq"])) ?? [];
          expect(seen).not.toContain(generation);
          seen.add(generation as number);
          await store.marks?.invalidate(["faq"]);
        }
        await client.flushAll();
        await passing(5);
      }
    });
    client.destroy();
  });

  it("never lets a sweep be forgotten: what was kept before counts as swept", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    await using({}, async (store) => {
      await store.marks?.sweep("old/*");
      expect(await store.marks?.marks([])).toEqual({ generations: [], sweep: 1 });
      await client.flushAll();
      const { sweep = 0 } = (await store.marks?.marks([])) ?? {};
      expect(sweep).toBeGreaterThan(1_000_000_000_000);
      expect(await store.marks?.sweepsSince(1)).toEqual({ sweeps: [], complete: false });
      await store.marks?.sweep("new/*");
      expect(await store.marks?.sweepsSince(sweep)).toEqual({
        sweeps: [{ number: sweep + 1, pattern: "new/*" }],
        complete: true,
      });
    });
    client.destroy();
  });

  it("is remembered by a process that goes on, though one that is new has begun the namespace again", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    await using({ keyPrefix: "begun:" }, async (old) => {
      await old.marks?.invalidate(["faq"]);
      await client.flushAll();
      await using({ keyPrefix: "begun:" }, async (young) => {
        await young.marks?.invalidate(["faq"]);
        expect(await generations(young, ["faq"])).toEqual([1]);
        expect((await generations(old, ["faq"]))[0]).toBeGreaterThan(1_000_000_000_000);
        expect(await generations(young, ["faq"])).toEqual(await generations(old, ["faq"]));
      });
    });
    client.destroy();
  });

  it("forgets single tags when there are very many, and then all of them have changed", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    await using({ keyPrefix: "many:" }, async (store) => {
      await store.marks?.invalidate(["faq"]);
      await store.marks?.invalidate(["faq"]);
      const before = await generations(store, ["faq", "never"]);
      for (let part = 0; part < 11; part++) {
        await store.marks?.invalidate(Array.from({ length: 9_999 }, (_, index) => `${part}:${index}`));
      }
      expect(await client.hLen("{many:}marks")).toBeLessThan(20_000);
      const after = await generations(store, ["faq", "never"]);
      expect(after[0]).toBeGreaterThan(before[0] as number);
      expect(after[1]).toBeGreaterThan(before[0] as number);
    });
    client.destroy();
  });

  it("keeps its entries when only what every read needs is lost", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    await using({ keyPrefix: "state:" }, async (store) => {
      await store.set("k", bytesOf("v"), LONG_MS);
      await store.marks?.sweep("*");
      await client.del(["{state:}state", "{state:}sweeps"]);
      expect(await store.marks?.read("k", [])).toEqual({
        bytes: Buffer.from("v"),
        marks: { generations: [], sweep: 1 },
      });
      expect(await store.marks?.sweepsSince(0)).toEqual({ sweeps: [], complete: false });
    });
    client.destroy();
  });

  it("may lose the tags of a namespace, and then finds nothing rather than what they had made stale", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    await using({ keyPrefix: "tagged:" }, async (store) => {
      await store.set("k", bytesOf("v"), LONG_MS);
      expect(await generations(store, ["faq"])).toEqual([0]);
      expect(await store.get("k")).toBeDefined();
      await store.marks?.invalidate(["faq"]);
    });
    await client.del("{tagged:}marks");
    await using({ keyPrefix: "tagged:" }, async (store) => {
      expect((await generations(store, ["faq"]))?.[0]).toBeGreaterThan(1_000_000_000_000);
      expect(await store.get("k")).toBeUndefined();
      await store.set("k", bytesOf("new"), LONG_MS);
      expect(await store.get("k")).toEqual(Buffer.from("new"));
    });
    client.destroy();
  });

  it("may lose the mark of a namespace, and then finds nothing rather than what was cleared", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    await using({ keyPrefix: "marked:" }, async (store) => {
      await store.set("k", bytesOf("cleared long ago"), LONG_MS);
      await store.clear();
      await client.del(["{marked:}marks", "{marked:}state"]);
      await store.set("other", bytesOf("v"), LONG_MS);
      await store.get("other");
      await store.set("other", bytesOf("v"), LONG_MS);
      expect(await store.get("other")).toBeDefined();
      expect(await store.get("k")).toBeUndefined();
    });
    client.destroy();
  });

  it("rejects with the code of its error and no value, when it refuses a command", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    await client.configSet("maxmemory", "1");
    try {
      await using({}, async (store) => {
        const error = await store.set("k", bytesOf("secret"), LONG_MS).catch((reason: unknown) => reason);
        expect(String(error)).toBe("StoreError: Redis did not carry out a command: OOM.");
      });
    } finally {
      await client.configSet("maxmemory", "0");
      client.destroy();
    }
  });

  it("that was never there is said so, without its password, and asked for again", async () => {
    const port = await closedPort();
    await using({ url: `redis://user:hunter2@127.0.0.1:${port}` }, async (store) => {
      const error = await store.get("k").catch((reason: unknown) => reason);
      expect(String(error)).toBe("StoreError: Redis is not connected: ECONNREFUSED.");
      await expect(store.get("k")).rejects.toThrow("not connected");
    });
  });

  it("that accepts and says nothing holds up the first operations only, for the time to connect", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as { port: number };
    await using({ url: `redis://user:hunter2@127.0.0.1:${port}`, connectTimeout: 200 }, async (store) => {
      await expect(store.get("k")).rejects.toThrow("not connected");
      await expect(store.get("k")).rejects.toThrow("not connected");
    });
    silent.close();
  });

  it("that is not ready when the client was given is not waited for", async () => {
    const client = createClient({ url: server.url });
    await using({ client }, async (store) => {
      await expect(store.get("k")).rejects.toThrow("the client given is not ready");
    });
  });
});

describe("a process with a redis tier", () => {
  const run = promisify(execFile);
  const stores = new URL("../../src/stores/index.ts", import.meta.url).href;
  const core = new URL("../../src/core/index.ts", import.meta.url).href;
  const program = (url: string, body: string): Promise<{ stdout: string; stderr: string }> =>
    run(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        `import { redis } from ${JSON.stringify(stores)};
         import { createRuntime } from ${JSON.stringify(core)};
         const store = redis({ url: ${JSON.stringify(url)} }).open(createRuntime());
         ${body}`,
      ],
      { timeout: 10_000 },
    );

  it("gets an answer with its very first question, and ends by itself without close", async () => {
    const { stdout, stderr } = await program(
      server.url,
      `await store.set("k", new TextEncoder().encode("v"), 1000); console.log(String(await store.get("k")));`,
    );
    expect({ stdout, stderr }).toEqual({ stdout: "v\n", stderr: "" });
  });

  it("ends by itself while the server is away, with no unhandled error", async () => {
    const { stdout, stderr } = await program(
      `redis://127.0.0.1:${await closedPort()}`,
      `await store.get("k").catch((error) => console.log(error.message));`,
    );
    expect({ stdout, stderr }).toEqual({ stdout: "Redis is not connected: ECONNREFUSED.\n", stderr: "" });
  });

  it("is told what to install when the client is missing", async () => {
    const { stdout, stderr } = await program(
      server.url,
      `const { registerHooks } = await import("node:module");
       registerHooks({ resolve(name, context, next) {
         if (name === "@redis/client") throw new Error("not here");
         return next(name, context);
       } });
       const late = redis().open(createRuntime());
       await late.get("k").catch((error) => console.log(error.name, error.message));
       await store.close();`,
    );
    const sentence = 'The redis tier needs the package "@redis/client": run "npm install @redis/client".';
    expect({ stdout, stderr }).toEqual({ stdout: `MissingPeerError ${sentence}\n`, stderr: "" });
  });

  it("survives its server being killed, and ends by itself", async () => {
    const mortal = await startRedis();
    const { stdout, stderr } = await program(
      mortal.url,
      `await store.set("k", new Uint8Array(3), 1000);
       process.kill(${mortal.pid}, "SIGKILL");
       await new Promise((resolve) => setTimeout(resolve, 1500));
       await store.get("k").catch((error) => console.log(error.message));`,
    );
    expect({ stdout, stderr }).toEqual({ stdout: "Redis is not connected: ECONNREFUSED.\n", stderr: "" });
    await mortal.stop();
  });
});

describe("the options of the redis tier", () => {
  it("are checked when it is declared, and a password is never repeated", () => {
    expect(() => redis({ port: 1 } as never)).toThrow(OptionError);
    expect(() => redis({ commandTimeout: "soon" as never })).toThrow("redis.commandTimeout");
    expect(() => redis({ url: "http://user:hunter2@host" })).toThrow('"redis.url" is Symbol(hidden)');
    expect(() => redis({ url: "user:hunter2@host" })).toThrow(/^(?!.*hunter2)/);
    expect(() => redis({ client: {} as never })).toThrow("redis.client");
    expect(() => redis({ ttl: 0 })).toThrow("redis.ttl");
    expect(redis({ ttl: "1h" }).ttlMs).toBe(3_600_000);
  });
});

async function closedPort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  return port;
}
