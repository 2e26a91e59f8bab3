import {
  type ByteStore,
  type Duration,
  durationMs,
  knownKeys,
  OptionError,
  type Runtime,
  textOf,
} from "../../core/index.ts";
import { GENERATION_BYTES, newGeneration } from "../generation.ts";
import { StoreError } from "../store-error.ts";
import type { Tier } from "../tier.ts";
import { AS_BYTES, BorrowedConnection, Commands, type Connection, type RedisClient } from "./client.ts";
import { OwnConnection } from "./own-connection.ts";

export type { RedisClient };

export interface RedisOptions {
  /** `redis://[[user]:password@]host[:port][/database]`, or `rediss:` for TLS. Default `"redis://localhost:6379"`. */
  readonly url?: string;
  /** A connected client of your own instead of `url`; it is never closed here. */
  readonly client?: RedisClient;
  /** First part of every key: a namespace of its own. Default `"breakwater:"`. */
  readonly keyPrefix?: string;
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
  knownKeys("redis", options, ["url", "client", "keyPrefix", "connectTimeout", "commandTimeout"]);
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
  const connect = connector(options, connectMs);
  return { name: "redis", open: (runtime) => new RedisStore(connect(runtime), keyPrefix, commandMs, runtime) };
}

function connector({ url, client }: RedisOptions, connectMs: number): (runtime: Runtime) => Connection {
  if (client === undefined) {
    const checked = urlOf(url ?? REDIS_DEFAULTS.url);
    return (runtime) => new OwnConnection(checked, connectMs, runtime);
  }
  if (url !== undefined) throw new OptionError("redis.client", client, "nothing when redis.url is given, too");
  if (typeof client?.sendCommand !== "function") {
    throw new OptionError("redis.client", client, "a connected client of @redis/client or redis");
  }
  return () => new BorrowedConnection(client);
}

function urlOf(value: unknown): string {
  if (typeof value === "string" && /^rediss?:/.test(value) && URL.canParse(value)) return value;
  // An address may hold a password, which no error repeats.
  const shown = typeof value === "string" ? Symbol("hidden") : value;
  throw new OptionError("redis.url", shown, 'an address such as "redis://localhost:6379"');
}

const INVALIDATE = "for i = 1, #ARGV do redis.call('HINCRBY', KEYS[1], ARGV[i], 1) end";
const EPOCH = "epoch";

class RedisStore implements ByteStore {
  readonly name = "redis";
  readonly holds = "bytes";
  readonly #connection: Connection;
  readonly #commands: Commands;
  readonly #runtime: Runtime;
  readonly #keyPrefix: string;
  readonly #generationKey: string;
  readonly #tagsKey: string;
  // As last read. An entry written under one that has passed is never found: late, but not wrong.
  #generation: Buffer | undefined;
  #hasSeenTags = false;
  #beginning: Promise<Buffer> | undefined;

  constructor(connection: Connection, keyPrefix: string, commandMs: number, runtime: Runtime) {
    this.#connection = connection;
    this.#commands = new Commands(connection, {
      ms: commandMs,
      after: (ms, fn) => runtime.clock.background(ms, fn),
    });
    this.#runtime = runtime;
    this.#keyPrefix = `${keyPrefix}entry:`;
    this.#generationKey = `${keyPrefix}generation`;
    this.#tagsKey = `${keyPrefix}tags`;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const reply = await this.#commands.send(["MGET", this.#generationKey, this.#keyPrefix + key], AS_BYTES);
    const [generation, value] = reply as [Buffer | null, Buffer | null];
    this.#generation = generation ?? undefined;
    if (generation === null || value === null) return undefined;
    const written = value.subarray(0, GENERATION_BYTES);
    return generation.equals(written) ? value.subarray(GENERATION_BYTES) : undefined;
  }

  async set(key: string, bytes: Uint8Array, ttlMs: number): Promise<void> {
    const generation = this.#generation ?? (await this.#begin());
    const value = Buffer.concat([generation, bytes]);
    await this.#commands.send(["SET", this.#keyPrefix + key, value, "PX", String(ttlMs)]);
  }

  async delete(key: string): Promise<void> {
    await this.#commands.send(["DEL", this.#keyPrefix + key]);
  }

  async clear(): Promise<void> {
    await this.#begin();
    await this.#replaceGeneration();
  }

  async generations(tags: readonly string[]): Promise<readonly number[]> {
    if (tags.length === 0) return [];
    const command = ["HMGET", this.#tagsKey, EPOCH, ...tags.map(fieldOf)];
    let [epoch, ...counts] = (await this.#commands.send(command)) as (string | null)[];
    if (epoch === null) {
      await this.#begin();
      [epoch, ...counts] = (await this.#commands.send(command)) as (string | null)[];
    }
    this.#hasSeenTags = true;
    return counts.map((count) => Number(epoch) + Number(count));
  }

  async invalidate(tags: readonly string[]): Promise<void> {
    if (tags.length === 0) return;
    await this.#commands.send(["EVAL", INVALIDATE, "1", this.#tagsKey, ...tags.map(fieldOf)]);
  }

  close(): void {
    this.#connection.close();
  }

  /** The namespace's generation and tags, begun where there are none. */
  #begin(): Promise<Buffer> {
    this.#beginning ??= this.#beginTags()
      .then(() => this.#beginGeneration())
      .finally(() => {
        this.#beginning = undefined;
      });
    return this.#beginning;
  }

  /**
   * Begins the tags of a new namespace at 0, before it has a generation: so one with a generation and no tags has lost
   * them (the server restarted empty, FLUSHALL, evicted for lack of memory). Then what they had made stale must not
   * become good again: entries are cleared, and generations begin where none has been.
   */
  async #beginTags(): Promise<void> {
    if ((await this.#commands.send(["HEXISTS", this.#tagsKey, EPOCH])) === 1) return;
    const forgotten = this.#hasSeenTags || (await this.#commands.send(["EXISTS", this.#generationKey])) === 1;
    if (forgotten) await this.#replaceGeneration();
    const epoch = forgotten ? Math.round(this.#runtime.clock.wall()) : 0;
    await this.#commands.send(["HSETNX", this.#tagsKey, EPOCH, String(epoch)]);
  }

  // Of several processes that begin one at once, the first decides.
  async #beginGeneration(): Promise<Buffer> {
    await this.#commands.send(["SET", this.#generationKey, newGeneration(), "NX"]);
    const generation = (await this.#commands.send(["GET", this.#generationKey], AS_BYTES)) as Buffer | null;
    if (generation === null) throw new StoreError("Redis does not keep what is written to it.");
    this.#generation = generation;
    return generation;
  }

  async #replaceGeneration(): Promise<void> {
    const generation = newGeneration();
    await this.#commands.send(["SET", this.#generationKey, generation]);
    this.#generation = generation;
  }
}

function fieldOf(tag: string): string {
  return `t:${tag}`;
}
