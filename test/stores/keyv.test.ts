import KeyvRedis from "@keyv/redis";
import { createClient } from "@redis/client";
import { Keyv } from "keyv";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ByteStore, createRuntime, OptionError } from "../../src/core/index.ts";
import { type KeyvOptions, keyv, StoreError } from "../../src/stores/index.ts";
import { virtualRuntime } from "../support/calls.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { bytesOf } from "./entries.ts";
import { itConforms, NOTHING_MORE, openBytes } from "./support.ts";

const LONG_MS = 60_000;

function open(instance: Keyv, options?: KeyvOptions): ByteStore {
  return openBytes(keyv(instance, options), createRuntime());
}

describe("the keyv tier over a Map", () => {
  const spaces = new Map<string, Map<string, unknown>>();
  itConforms({
    open: (space) => {
      const map = spaces.get(space) ?? new Map();
      spaces.set(space, map);
      return open(new Keyv(map));
    },
    shared: true,
    ...NOTHING_MORE,
  });
});

describe("the keyv tier over one Map for all", () => {
  const map = new Map();
  itConforms({ open: (space) => open(new Keyv(map), { keyPrefix: `${space}:` }), shared: true, ...NOTHING_MORE });
});

describe("the keyv tier over @keyv/redis", () => {
  let server: RedisServer;
  const instances: Keyv[] = [];
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(async () => {
    await Promise.all(instances.map((instance) => instance.disconnect()));
    await server.stop();
  });

  function connected(url: string, namespace?: string): Keyv {
    const instance = new Keyv(new KeyvRedis(url), namespace === undefined ? {} : { namespace });
    instance.on("error", () => {});
    instances.push(instance);
    return instance;
  }

  itConforms({
    open: (space) => open(connected(server.url), { keyPrefix: `${space}:` }),
    shared: true,
    ...NOTHING_MORE,
  });

  it("keeps namespaces of one server apart, whatever their names", async () => {
    const [tenant, other] = [open(connected(server.url, "tenant")), open(connected(server.url, "tenant:eu"))];
    await other.set("k", bytesOf("secret"), LONG_MS);
    for (const key of ["k", "eu:k", "tenant:k", "tenant:eu:k"]) expect(await tenant.get(key)).toBeUndefined();
    await tenant.clear();
    expect(await other.get("k")).toEqual(Buffer.from("secret"));
  });

  it("rejects what the server refuses, instead of saying that it was kept", async () => {
    const instance = connected(server.url);
    const store = open(instance);
    await store.set("k", bytesOf("v"), LONG_MS);
    const client = createClient({ url: server.url });
    await client.connect();
    await client.configSet("maxmemory", "1");
    await expect(store.set("k", bytesOf("w"), LONG_MS)).rejects.toThrow("The keyv tier failed");
    await client.configSet("maxmemory", "0");
    client.destroy();
    await store.set("k", bytesOf("w"), LONG_MS);
    expect(await store.get("k")).toEqual(Buffer.from("w"));
  });
});

describe("the keyv tier", () => {
  it("leaves what others keep in the same place", async () => {
    const instance = new Keyv();
    await instance.set("of the user", 1);
    const store = open(instance);
    await store.set("k", bytesOf("v"), LONG_MS);
    await store.clear();
    await store.close?.();
    expect(await instance.get("of the user")).toBe(1);
  });

  it("keeps two namespaces over one adapter apart", async () => {
    const map = new Map();
    const [one, two] = [open(new Keyv(map, { namespace: "one" })), open(new Keyv(map, { namespace: "two" }))];
    await one.set("k", bytesOf("secret"), LONG_MS);
    expect(await two.get("k")).toBeUndefined();
    await two.clear();
    expect(await one.get("k")).toEqual(Buffer.from("secret"));
  });

  it("can be read through by the user's own iteration", async () => {
    const instance = new Keyv();
    await open(instance).set("k", bytesOf("v"), LONG_MS);
    const keys: unknown[] = [];
    for await (const [key] of instance.iterator?.(undefined) ?? []) keys.push(key);
    expect(keys).toContain("breakwater:entry:k");
  });

  it("expires by the clock of the runtime, also over an adapter that never does", async () => {
    const { clock, runtime } = virtualRuntime();
    const map = new Map();
    const store = openBytes(keyv(new Keyv(map)), runtime);
    await store.set("k", bytesOf("v"), 1000);
    await clock.advance(999);
    expect(await store.get("k")).toEqual(Buffer.from("v"));
    await clock.advance(1);
    expect(await store.get("k")).toBeUndefined();
    expect([...map.keys()]).toEqual(["keyv:breakwater:generation"]);
  });

  it("rejects with a reason when the adapter fails", async () => {
    const broken = {
      get: () => Promise.reject(new Error("down")),
      set: () => Promise.reject(new Error("down")),
      delete: () => Promise.reject(new Error("down")),
      clear: () => Promise.resolve(),
    };
    const store = open(new Keyv(broken as never), { name: "mine" });
    for (const operation of [
      () => store.get("k"),
      () => store.set("k", bytesOf("v"), LONG_MS),
      () => store.delete("k"),
      () => store.clear(),
    ]) {
      const error = await Promise.resolve(operation()).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(StoreError);
      expect(error).toMatchObject({ message: "The mine tier failed.", cause: { message: "down" } });
    }
  });

  it("gives what it cannot read as it is, which no cache takes for an entry, and begins a namespace anew", async () => {
    const map = new Map();
    const garbled = open(new Keyv(map));
    await garbled.set("k", bytesOf("v"), LONG_MS);
    const texts = ["not JSON", "{}", "null", '"text"', '{"value":1}'];
    for (const text of texts) {
      map.set("keyv:breakwater:entry:k", text);
      expect(await garbled.get("k")).toEqual(Buffer.from(text));
    }
    for (const text of texts) {
      map.set("keyv:breakwater:generation", text);
      expect(await garbled.get("k")).toBeUndefined();
      await garbled.set("k", bytesOf("v"), LONG_MS);
      expect(await garbled.get("k")).toEqual(Buffer.from("v"));
    }
  });

  it("leaves no listener behind when it is closed", async () => {
    const instance = new Keyv();
    const before = instance.listeners("error").length;
    const store = open(instance);
    await store.close?.();
    expect(instance.listeners("error")).toHaveLength(before);
  });

  it("has its options checked when it is declared", () => {
    expect(() => keyv({} as never)).toThrow(OptionError);
    expect(() => keyv(undefined as never)).toThrow("an instance of Keyv 5");
    expect(() => keyv(new Keyv(), { prefix: "x" } as never)).toThrow("keyv.prefix");
  });
});
