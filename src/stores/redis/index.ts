import { type ByteStore, type Duration, durationMs, knownKeys, type Runtime, textOf } from "../../core/index.ts";
import {
  Commands,
  type Connection,
  type RedisClient,
  type RedisCluster,
  type RedisServer,
  redisServer,
} from "../../redis/index.ts";
import { type Tier, ttlOf } from "../tier.ts";
import { type RedisKeys, redisKeys } from "./keys.ts";
import { RedisLeases } from "./leases.ts";
import { RedisMarks } from "./marks.ts";
import { RedisWatch } from "./watch.ts";

export type { RedisClient, RedisCluster };

export interface RedisOptions {
  /** `redis://[[user]:password@]host[:port][/database]`, or `rediss:` for TLS. Default `"redis://localhost:6379"`. */
  readonly url?: string;
  /** A connected client of your own instead of `url`, or one of Redis Cluster; it is never closed here. */
  readonly client?: RedisClient | RedisCluster;
  /**
   * First part of every key: a namespace of its own. With a hash tag, as in `"{app}:"`, everything is kept by one node of
   * a cluster; without one, entries are spread. Default `"breakwater:"`.
   */
  readonly keyPrefix?: string;
  /** Longest time to keep an entry here. Default: as long as the cache says. */
  readonly ttl?: Duration;
  /** Longest time to connect. Default `"2s"`. */
  readonly connectTimeout?: Duration;
  /**
   * Longest time to wait for the answer to a command; then the connection counts as dead and is made again.
   * Default `"1s"`.
   */
  readonly commandTimeout?: Duration;
}

export const REDIS_DEFAULTS = {
  url: "redis://localhost:6379",
  keyPrefix: "breakwater:",
  connectTimeout: "2s",
  commandTimeout: "1s",
} as const satisfies RedisOptions;

/**
 * A tier in Redis 6 or newer (or Valkey), which processes and machines share. Needs the package `@redis/client`.
 * Connects in the background, and again within a second whenever the server is back; meanwhile every operation
 * rejects at once with {@link StoreError}. Throws {@link OptionError}.
 */
export function redis(options: RedisOptions = {}): Tier {
  knownKeys("redis", options, ["url", "client", "keyPrefix", "ttl", "connectTimeout", "commandTimeout"]);
  const keyPrefix = textOf("redis.keyPrefix", options.keyPrefix ?? REDIS_DEFAULTS.keyPrefix);
  const atLeast = { min: 1 };
  const connectMs = durationMs(
    "redis.connectTimeout",
    options.connectTimeout ?? REDIS_DEFAULTS.connectTimeout,
    atLeast,
  );
  const commandMs = durationMs(
    "redis.commandTimeout",
    options.commandTimeout ?? REDIS_DEFAULTS.commandTimeout,
    atLeast,
  );
  const server = redisServer("redis", "The redis tier", options, connectMs);
  return {
    name: "redis",
    ttlMs: ttlOf("redis", options.ttl),
    open: (runtime) => new RedisStore(server, redisKeys(keyPrefix, server.isCluster), commandMs, runtime),
  };
}

class RedisStore implements ByteStore {
  readonly name = "redis";
  readonly holds = "bytes";
  readonly marks: RedisMarks;
  readonly leases: RedisLeases;
  readonly #connection: Connection;
  readonly #commands: Commands;
  readonly #keys: RedisKeys;
  readonly #watch: RedisWatch | undefined;

  constructor(server: RedisServer, keys: RedisKeys, commandMs: number, runtime: Runtime) {
    this.#connection = server.connect(runtime);
    this.#keys = keys;
    this.#commands = new Commands(this.#connection, {
      ms: commandMs,
      after: (ms, fn) => runtime.clock.background(ms, fn),
    });
    this.marks = new RedisMarks(this.#commands, keys, runtime.clock);
    this.leases = new RedisLeases(this.#commands, keys);
    if (server.subscribe === undefined) return;
    const watch = new RedisWatch(this.marks, keys, server.subscribe, runtime);
    this.marks.watch = (listener) => watch.watch(listener);
    this.#watch = watch;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return (await this.marks.read(key, [])).bytes;
  }

  async set(key: string, bytes: Uint8Array, ttlMs: number): Promise<void> {
    const value = Buffer.concat([await this.marks.generation(), bytes]);
    const name = this.#keys.entry(key);
    await this.#commands.send(name, ["SET", name, value, "PX", String(ttlMs)]);
  }

  async delete(key: string): Promise<void> {
    const name = this.#keys.entry(key);
    await this.#commands.send(name, ["DEL", name]);
  }

  clear(): Promise<void> {
    return this.marks.clear();
  }

  close(): void {
    this.#watch?.close();
    this.#connection.close();
  }
}
