import type { ByteStore, Entry, EntryStore, Runtime } from "../../../../src/core/index.ts";
import type { CacheTier } from "../../../../src/policies/cache/index.ts";

/** A store in memory as small as the contract allows. */
export class MapStore implements EntryStore {
  readonly name: string;
  readonly holds = "entries";
  readonly entries = new Map<string, Entry>();

  constructor(name = "map") {
    this.name = name;
  }

  get(key: string): Entry | undefined {
    return this.entries.get(key);
  }

  set(key: string, entry: Entry): void {
    this.entries.set(key, entry);
  }

  delete(key: string): void {
    this.entries.delete(key);
  }

  clear(): void {
    this.entries.clear();
  }
}

export type Trouble = "none" | "hangs" | "throws" | "rejects";

/** A server that keeps bytes, several processes' worth, and can be made slow or broken. */
export class ByteServer {
  readonly values = new Map<string, { bytes: Uint8Array; expiresAt: number }>();
  readonly generations = new Map<string, number>();
  trouble: Trouble = "none";
  delayMs = 0;
  /** Operations that reached it, whatever became of them. */
  asked: string[] = [];
  closed = 0;

  async operate<T>(runtime: Runtime, operation: string, work: () => T): Promise<T> {
    this.asked.push(operation);
    if (this.trouble === "hangs") return new Promise(() => {});
    if (this.trouble === "rejects") throw Object.assign(new Error("secret: hunter2"), { code: "ECONNREFUSED" });
    if (this.delayMs > 0) await new Promise<void>((resolve) => runtime.clock.timer(this.delayMs, resolve));
    return work();
  }
}

export interface ServerStoreOptions {
  readonly name?: string;
  /** Whether the server counts generations of tags. Default true. */
  readonly tags?: boolean;
}

/** A tier that rests in `server`. */
export function serverTier(server: ByteServer, { name = "server", tags = true }: ServerStoreOptions = {}): CacheTier {
  return {
    name,
    open(runtime) {
      const operate = <T>(operation: string, work: () => T): Promise<T> => {
        if (server.trouble === "throws") throw new TypeError("broken store");
        return server.operate(runtime, operation, work);
      };
      const store: ByteStore = {
        name,
        holds: "bytes",
        get: (key) =>
          operate("get", () => {
            const value = server.values.get(key);
            return value === undefined || value.expiresAt <= runtime.clock.wall() ? undefined : value.bytes;
          }),
        set: (key, bytes, ttlMs) =>
          operate("set", () => void server.values.set(key, { bytes, expiresAt: runtime.clock.wall() + ttlMs })),
        delete: (key) => operate("delete", () => void server.values.delete(key)),
        clear: () => operate("clear", () => server.values.clear()),
        stats: () => operate("stats", () => ({ entries: server.values.size, bytes: undefined })),
        close: () => void server.closed++,
        ...(tags && {
          generations: (names: readonly string[]) =>
            operate("generations", () => names.map((tag) => server.generations.get(tag) ?? 0)),
          invalidate: (names: readonly string[]) =>
            operate("invalidate", () => {
              for (const tag of names) server.generations.set(tag, (server.generations.get(tag) ?? 0) + 1);
            }),
        }),
      };
      return store;
    },
  };
}

export function mapTier(store: MapStore = new MapStore()): CacheTier {
  return { name: store.name, open: () => store };
}
