import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { promisify } from "node:util";
import { createClient } from "@redis/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ByteStore, createRuntime, OptionError } from "../../src/core/index.ts";
import { type RedisOptions, redis, StoreError } from "../../src/stores/index.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { bytesOf } from "./entries.ts";
import { itConforms, openBytes, passing, until } from "./support.ts";

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

async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

describe("the redis tier", () => {
  itConforms({
    open: (space) => openBytes(redis({ url: server.url, keyPrefix: `${space}:` }), createRuntime()),
    shared: true,
    tags: true,
  });

  it("works over a client of the user's own, and leaves it open", async () => {
    const client = createClient({ url: server.url });
    client.on("error", () => {});
    await client.connect();
    await using({ client }, async (store) => {
      await store.set("k", Uint8Array.of(0xff, 0, 0x80), LONG_MS);
      expect([...((await store.get("k")) ?? [])]).toEqual([0xff, 0, 0x80]);
      await store.invalidate?.(["faq"]);
      expect(await store.generations?.(["faq"])).toEqual([1]);
      await store.close?.();
      await expect(store.get("k")).rejects.toThrow("closed");
    });
    expect(await client.ping()).toBe("PONG");
    client.destroy();
  });

  it("leaves nothing in the server that never expires but three small keys", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    await using({ keyPrefix: "counted:" }, async (store) => {
      await store.set("k", bytesOf("v"), LONG_MS);
      await store.clear();
      await store.set("k", bytesOf("v"), LONG_MS);
      await store.invalidate?.(["faq"]);
      expect((await client.keys("counted:*")).sort()).toEqual([
        "counted:entry:k",
        "counted:generation",
        "counted:tags",
      ]);
      expect(await client.pTTL("counted:entry:k")).toBeGreaterThan(LONG_MS - 5000);
    });
    client.destroy();
  });
});

describe("a Redis that fails", () => {
  it("makes operations reject at once while it is killed, and gives hits within 3 seconds of coming back", async () => {
    await using({}, async (store) => {
      await store.set("k", bytesOf("v"), LONG_MS);
      await server.kill();
      await until(async () =>
        store.get("k").then(
          () => false,
          () => true,
        ),
      );
      for (const operation of [
        () => store.get("k"),
        () => store.set("k", bytesOf("v"), LONG_MS),
        () => store.delete("k"),
        () => store.clear(),
        () => store.generations?.(["faq"]),
        () => store.invalidate?.(["faq"]),
      ]) {
        const error = await Promise.resolve(operation()).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(StoreError);
        expect(String(error)).toContain("Redis is not connected");
      }
      expect(await elapsedMs(() => store.get("k").catch(() => {}))).toBeLessThan(100);

      await server.restart();
      const backMs = await elapsedMs(async () => {
        await until(() =>
          store.get("k").then(
            () => true,
            () => false,
          ),
        );
        await store.set("k", bytesOf("again"), LONG_MS);
        expect(await store.get("k")).toEqual(Buffer.from("again"));
      });
      expect(backMs).toBeLessThan(3000);
    });
  });

  it("is given up after the time limit when it is frozen, and found again when it goes on", async () => {
    await using({ commandTimeout: 200, connectTimeout: 300 }, async (store) => {
      await store.set("k", bytesOf("v"), LONG_MS);
      server.pause();
      try {
        await expect(store.get("k")).rejects.toThrow("Redis did not answer within 200 ms");
        expect(await elapsedMs(() => store.get("k").catch(() => {}))).toBeLessThan(150);
        await passing(1500);
        await expect(store.get("k")).rejects.toThrow("not connected");
      } finally {
        server.resume();
      }
      expect(
        await elapsedMs(() =>
          until(async () =>
            store.get("k").then(
              (value) => value !== undefined,
              () => false,
            ),
          ),
        ),
      ).toBeLessThan(3000);
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
          const [generation] = (await store.generations?.(["faq"])) ?? [];
          expect(seen).not.toContain(generation);
          seen.add(generation as number);
          await store.invalidate?.(["faq"]);
        }
        await client.flushAll();
        await passing(5);
      }
    });
    client.destroy();
  });

  it("may lose the tags of a namespace, and then finds nothing rather than what they had made stale", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    await using({ keyPrefix: "tagged:" }, async (store) => {
      await store.set("k", bytesOf("v"), LONG_MS);
      expect(await store.generations?.(["faq"])).toEqual([0]);
      expect(await store.get("k")).toBeDefined();
      await store.invalidate?.(["faq"]);
    });
    await client.del("tagged:tags");
    await using({ keyPrefix: "tagged:" }, async (store) => {
      expect((await store.generations?.(["faq"]))?.[0]).toBeGreaterThan(1_000_000_000_000);
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
      await client.del("marked:generation");
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
      expect(await elapsedMs(() => store.get("k").catch(() => {}))).toBeLessThan(50);
    });
  });

  it("that accepts and says nothing holds up the first operations only, for the time to connect", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as { port: number };
    await using({ url: `redis://user:hunter2@127.0.0.1:${port}`, connectTimeout: 200 }, async (store) => {
      expect(await elapsedMs(() => store.get("k").catch(() => {}))).toBeLessThan(1000);
      expect(await elapsedMs(() => store.get("k").catch(() => {}))).toBeLessThan(50);
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
  });
});

async function closedPort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  return port;
}
