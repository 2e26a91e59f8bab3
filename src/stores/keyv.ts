import {
  type ByteStore,
  type Duration,
  knownKeys,
  OptionError,
  type Runtime,
  StoreError,
  textOf,
} from "../core/index.ts";
import { newGeneration } from "./generation.ts";
import { type Tier, ttlOf } from "./tier.ts";

/** What is needed of an instance of Keyv 5. */
export interface KeyvInstance {
  readonly store: unknown;
  readonly namespace?: string | undefined;
  on(event: "error", listener: (error: unknown) => void): unknown;
  off(event: "error", listener: (error: unknown) => void): unknown;
}

export interface KeyvOptions {
  /** Shown in events and statistics. Default `"keyv"`. */
  readonly name?: string;
  /** First part of every key: a namespace of its own within Keyv's. Default `"breakwater:"`. */
  readonly keyPrefix?: string;
  /** Longest time to keep an entry here. Default: as long as the cache says. */
  readonly ttl?: Duration;
}

export const KEYV_DEFAULTS = { name: "keyv", keyPrefix: "breakwater:" } as const satisfies KeyvOptions;

/**
 * A tier in whatever a Keyv 5 instance rests on: a `Map`, `@keyv/redis`, `@keyv/sqlite` or any other adapter. The
 * instance stays yours: it is never cleared, disconnected or closed here.
 *
 * It talks to the adapter of the instance, in Keyv's own format, and not through Keyv, which hides failures, confuses
 * keys that begin like its namespace, and clears what others keep in the same place. So Keyv's `serialize`,
 * `compression` and hooks do not apply. Tags live in this process only: an adapter cannot count atomically.
 *
 * Throws {@link OptionError}.
 */
export function keyv(instance: KeyvInstance, options: KeyvOptions = {}): Tier {
  knownKeys("keyv", options, ["name", "keyPrefix", "ttl"]);
  const name = textOf("keyv.name", options.name ?? KEYV_DEFAULTS.name);
  const keyPrefix = textOf("keyv.keyPrefix", options.keyPrefix ?? KEYV_DEFAULTS.keyPrefix);
  if (!isAdapter(instance?.store)) throw new OptionError("keyv", instance, "an instance of Keyv 5");
  return {
    name,
    ttlMs: ttlOf("keyv", options.ttl),
    open: (runtime) => new KeyvStore(name, instance, keyPrefix, runtime),
  };
}

/** A Keyv adapter, or a `Map`. */
interface Adapter {
  get(key: string): unknown;
  getMany?(keys: string[]): Promise<unknown[]>;
  set(key: string, value: string, ttl?: number): unknown;
  delete(key: string): unknown;
}

function isAdapter(store: unknown): store is Adapter {
  if (typeof store !== "object" || store === null) return false;
  const { get, set, delete: remove } = store as Partial<Adapter>;
  return typeof get === "function" && typeof set === "function" && typeof remove === "function";
}

class KeyvStore implements ByteStore {
  readonly name: string;
  readonly holds = "bytes";
  readonly #keyv: KeyvInstance;
  readonly #runtime: Runtime;
  readonly #keyPrefix: string;
  readonly #generationKey: string;
  #generation: string | undefined;
  #beginning: Promise<string> | undefined;
  // Adapters report some failures as an event and an answer as if nothing were there.
  #failures = 0;
  #failure: unknown;
  readonly #onError = (error: unknown): void => {
    this.#failures++;
    this.#failure = error;
  };

  constructor(name: string, keyv: KeyvInstance, keyPrefix: string, runtime: Runtime) {
    this.name = name;
    this.#keyv = keyv;
    this.#runtime = runtime;
    const namespace = keyv.namespace === undefined ? "" : `${keyv.namespace}:`;
    this.#keyPrefix = `${namespace}${keyPrefix}entry:`;
    this.#generationKey = `${namespace}${keyPrefix}generation`;
    keyv.on("error", this.#onError);
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const stored = this.#keyPrefix + key;
    const [generationText, text] = await this.#read([this.#generationKey, stored]);
    const generation = itemIn(generationText);
    this.#generation = generation?.value;
    if (generation === undefined || text === undefined) return undefined;
    const item = itemIn(text);
    // Whatever it is, it was not written here: whoever reads it finds that it is no entry.
    if (item === undefined) return Buffer.from(String(text));
    if (item.expires !== undefined && item.expires <= this.#runtime.clock.wall()) {
      await this.#ask((adapter) => adapter.delete(stored));
      return undefined;
    }
    if (!item.value.startsWith(generation.value)) return undefined;
    return Buffer.from(item.value.slice(generation.value.length), "base64");
  }

  async set(key: string, bytes: Uint8Array, ttlMs: number): Promise<void> {
    const generation = this.#generation ?? (await this.#beginGeneration());
    const value = generation + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
    const expires = this.#runtime.clock.wall() + ttlMs;
    await this.#ask((adapter) => adapter.set(this.#keyPrefix + key, JSON.stringify({ value, expires }), ttlMs));
  }

  async delete(key: string): Promise<void> {
    await this.#ask((adapter) => adapter.delete(this.#keyPrefix + key));
  }

  async clear(): Promise<void> {
    this.#generation = await this.#writeGeneration();
  }

  close(): void {
    this.#keyv.off("error", this.#onError);
  }

  // Adapters cannot write only where nothing is: of those that begin at once in this process, one does.
  #beginGeneration(): Promise<string> {
    this.#beginning ??= this.#readOrBegin().finally(() => {
      this.#beginning = undefined;
    });
    return this.#beginning;
  }

  async #readOrBegin(): Promise<string> {
    const [found] = await this.#read([this.#generationKey]);
    const generation = itemIn(found)?.value ?? (await this.#writeGeneration());
    this.#generation = generation;
    return generation;
  }

  async #writeGeneration(): Promise<string> {
    const value = newGeneration().toString("base64url");
    await this.#ask((adapter) => adapter.set(this.#generationKey, JSON.stringify({ value })));
    return value;
  }

  async #read(keys: string[]): Promise<unknown[]> {
    const texts = await this.#ask((adapter) =>
      adapter.getMany === undefined ? Promise.all(keys.map((key) => adapter.get(key))) : adapter.getMany(keys),
    );
    return texts.map((text) => text ?? undefined);
  }

  /** Runs `work`, and rejects if the instance reports a failure meanwhile. */
  async #ask<T>(work: (adapter: Adapter) => T | Promise<T>): Promise<T> {
    const before = this.#failures;
    let result: T;
    try {
      result = await work(this.#keyv.store as Adapter);
    } catch (error) {
      throw this.#failed(error);
    }
    if (this.#failures !== before) throw this.#failed(this.#failure);
    return result;
  }

  #failed(cause: unknown): StoreError {
    return new StoreError(`The ${this.name} tier failed.`, cause);
  }
}

/** What an adapter holds under a key, as Keyv writes it. */
interface Item {
  readonly value: string;
  /** Milliseconds since the Unix epoch. */
  readonly expires?: number;
}

function itemIn(text: unknown): Item | undefined {
  try {
    const { value, expires } = JSON.parse(String(text)) as Partial<Item>;
    if (typeof value === "string") return expires === undefined ? { value } : { value, expires };
  } catch {
    // It is none.
  }
  return undefined;
}
