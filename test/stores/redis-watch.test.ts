import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createClient } from "@redis/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ByteStore, createRuntime, type MarksChange, type Runtime } from "../../src/core/index.ts";
import { type RedisOptions, redis } from "../../src/stores/redis/index.ts";
import { virtualRuntime } from "../support/calls.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { openBytes, passing, until } from "./support.ts";

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

let spaces = 0;

interface Watched {
  readonly store: ByteStore;
  readonly other: ByteStore;
  readonly told: MarksChange[];
  readonly prefix: string;
  readonly connected: () => boolean;
  readonly stop: () => void;
}

/** A runtime whose time passes twenty times as fast. */
function hastyRuntime(): { runtime: Runtime; stop(): void } {
  const { clock, runtime } = virtualRuntime();
  const ticking = setInterval(() => void clock.advance(500), 25);
  return { runtime, stop: () => clearInterval(ticking) };
}

const PATIENT = { connectTimeout: "60s", commandTimeout: "60s" } as const;

/** Two stores of a namespace of their own; the first is watched. */
async function watched(work: (watch: Watched) => Promise<void>, options: RedisOptions = {}): Promise<void> {
  const prefix = `w${++spaces}:`;
  const url = options.client === undefined ? { url: server.url } : {};
  const hasty = hastyRuntime();
  const store = openBytes(redis({ keyPrefix: prefix, ...PATIENT, ...url, ...options }), hasty.runtime);
  const other = openBytes(redis({ keyPrefix: prefix, url: server.url }), createRuntime());
  const told: MarksChange[] = [];
  const watch = store.marks?.watch?.((change) => told.push(change));
  if (watch === undefined) throw new Error("The store cannot be watched.");
  try {
    await until(watch.connected);
    expect(told).toEqual([]);
    await work({ store, other, told, prefix, ...watch });
  } finally {
    await Promise.all([store.close?.(), other.close?.()]);
    hasty.stop();
  }
}

async function asking<T>(work: (send: (...command: string[]) => Promise<unknown>) => Promise<T>): Promise<T> {
  const client = createClient({ url: server.url });
  client.on("error", () => {});
  await client.connect();
  try {
    return await work((...command) => client.sendCommand(command));
  } finally {
    client.destroy();
  }
}

const MISSED = { kind: "missed" } as const;

describe("a watcher of a redis tier", () => {
  it("is told of a thousand changes, each once and in order", async () => {
    await watched(async ({ other, told }) => {
      const tags = Array.from({ length: 1000 }, (_, index) => `tag${index}`);
      await Promise.all(tags.map((tag) => other.marks?.invalidate([tag])));
      await until(() => told.length >= 1000);
      await passing(150);
      expect(told).toEqual(tags.map((tag) => ({ kind: "tags", tags: [tag] })));
    });
  });

  it("learns within seconds that a message never arrived", async () => {
    await watched(async ({ told, prefix, connected }) => {
      await asking((send) => send("HINCRBY", `{${prefix}}marks`, "seq", "1"));
      await until(() => told.length > 0);
      expect(told).toEqual([MISSED]);
      await until(connected);
    });
  });

  it("learns from the next message that one before it never arrived", async () => {
    await watched(async ({ other, told, prefix }) => {
      await asking((send) => send("HINCRBY", `{${prefix}}marks`, "seq", "1"));
      await other.marks?.invalidate(["faq"]);
      await until(() => told.length > 0);
      expect(told).toEqual([MISSED]);
    });
  });

  it("learns that it missed something while its connection was cut, and is told again after", async () => {
    await watched(async ({ other, told, connected }) => {
      await asking(async (send) => {
        await send("CLIENT", "KILL", "TYPE", "pubsub");
        await other.marks?.invalidate(["meanwhile"]);
      });
      await until(() => told.length > 0 && connected());
      expect(told).toEqual([MISSED]);
      await other.marks?.sweep("*");
      await until(() => told.length > 1);
      expect(told[1]).toEqual({ kind: "sweep", pattern: "*" });
    });
  });

  it("is told nothing when nothing happened while its connection was cut", async () => {
    await watched(async ({ told, connected }) => {
      await asking((send) => send("CLIENT", "KILL", "TYPE", "pubsub"));
      await until(() => !connected());
      await until(connected);
      expect(told).toEqual([]);
    });
  });

  it("learns that all marks are gone", async () => {
    await watched(async ({ store, other, told }) => {
      await other.marks?.invalidate(["faq"]);
      await until(() => told.length === 1);
      await asking((send) => send("FLUSHALL"));
      await until(() => told.length > 1);
      expect(told[1]).toEqual(MISSED);
      expect((await store.marks?.marks(["faq"]))?.generations[0]).toBeGreaterThan(1_000_000_000_000);
    });
  });

  it("is not connected while the server is frozen", async () => {
    await watched(
      async ({ told, connected }) => {
        server.pause();
        try {
          await until(() => !connected());
        } finally {
          server.resume();
        }
        await until(connected);
        expect(told).toEqual([]);
      },
      { commandTimeout: "10s" },
    );
  });

  it("is told of too long a change as missed, and so of what it cannot read", async () => {
    await watched(async ({ other, told, prefix }) => {
      await other.marks?.invalidate(Array.from({ length: 10_000 }, (_, index) => `a tag of some length ${index}`));
      await until(() => told.length === 1);
      for (const message of ["nonsense", "7 {", '8 {"kind":"tags"}']) {
        await asking((send) => send("PUBLISH", `{${prefix}}changes`, message));
      }
      await until(() => told.length >= 4);
      expect(new Set(told.map(({ kind }) => kind))).toEqual(new Set(["missed"]));
      await until(async () => {
        await other.marks?.invalidate(["faq"]);
        return told.some(({ kind }) => kind === "tags");
      });
    });
  });

  it("that began while the server was away is told that it cannot know what it missed", async () => {
    const gone = await startTcpProxy(1);
    await gone.close();
    const { clock, runtime } = virtualRuntime();
    const store = openBytes(redis({ url: `redis://127.0.0.1:${gone.port}`, keyPrefix: "late:" }), runtime);
    const told: MarksChange[] = [];
    const watch = store.marks?.watch?.((change) => told.push(change));
    await passing(100);
    await clock.advance(3000);
    expect(watch?.connected()).toBe(false);
    expect(told).toEqual([]);
    watch?.stop();
    await store.close?.();
    expect(clock.pendingTimers).toBe(0);
  });

  it("listens by a copy of the user's client, and cannot where there is none to be had", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    await watched(
      async ({ other, told }) => {
        await other.marks?.invalidate(["faq"]);
        await until(() => told.length > 0);
        expect(told).toEqual([{ kind: "tags", tags: ["faq"] }]);
      },
      { client },
    );
    const bare = { isReady: true, sendCommand: (command: string[]) => client.sendCommand(command) } as never;
    expect(openBytes(redis({ client: bare }), createRuntime()).marks?.watch).toBeUndefined();
    client.destroy();
  });

  it("leaves no connection behind when it is stopped, and none when the store is closed", async () => {
    const subscribers = async (): Promise<number> =>
      asking(
        async (send) =>
          String(await send("CLIENT", "LIST", "TYPE", "pubsub"))
            .split("\n")
            .filter(Boolean).length,
      );
    await watched(async ({ stop }) => {
      expect(await subscribers()).toBe(1);
      stop();
      await until(async () => (await subscribers()) === 0);
    });
    await watched(async () => {});
    await until(async () => (await subscribers()) === 0);
    await asking(async (send) =>
      expect(
        String(await send("CLIENT", "LIST"))
          .trim()
          .split("\n"),
      ).toHaveLength(1),
    );
  });

  it("keeps no process alive", async () => {
    const [stores, core] = ["stores", "core"].map(
      (room) => new URL(`../../src/${room}/index.ts`, import.meta.url).href,
    );
    const program = `
      import { redis } from ${JSON.stringify(stores)};
      import { createRuntime } from ${JSON.stringify(core)};
      const store = redis({ url: ${JSON.stringify(server.url)} }).open(createRuntime());
      const { connected } = store.marks.watch(() => {});
      while (!connected()) await new Promise((resolve) => setTimeout(resolve, 5));
      console.log("watching");`;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
      timeout: 10_000,
    });
    expect({ stdout, stderr }).toEqual({ stdout: "watching\n", stderr: "" });
  });
});
