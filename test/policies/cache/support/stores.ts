import type {
  ByteStore,
  Entry,
  EntryStore,
  Marks,
  MarksChange,
  Runtime,
  StoreLeases,
  StoreMarks,
} from "../../../../src/core/index.ts";
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

interface Watcher {
  readonly runtime: Runtime;
  readonly listener: (change: MarksChange) => void;
  /** The number of the last change that it knows of. */
  seq: number;
}

const CHECK_EVERY_MS = 1000;

/** A server that keeps bytes, several processes' worth, and can be made slow or broken. */
export class ByteServer {
  readonly values = new Map<string, { bytes: Uint8Array; expiresAt: number }>();
  readonly generations = new Map<string, number>();
  readonly leases = new Map<string, { holder: string; until: number }>();
  readonly watchers = new Set<Watcher>();
  sweeps: { number: number; pattern: string }[] = [];
  sweep = 0;
  seq = 0;
  trouble: Trouble = "none";
  /** Whether it tells of changes. */
  telling = true;
  delayMs = 0;
  /** From one who changes something to those who are told. */
  tellDelayMs = 1;
  /** Which messages are lost. */
  loses: () => boolean = () => false;
  /** Operations that reached it, whatever became of them. */
  asked: string[] = [];
  closed = 0;

  async operate<T>(runtime: Runtime, operation: string, work: () => T): Promise<T> {
    this.asked.push(operation);
    if (this.trouble === "hangs") return new Promise(() => {});
    if (this.trouble === "rejects") throw Object.assign(new Error("secret: hunter2"), { code: "ECONNREFUSED" });
    if (this.delayMs === 0) return work();
    // Half of the way there, half of the way back.
    await new Promise<void>((resolve) => runtime.clock.timer(this.delayMs / 2, resolve));
    const result = work();
    await new Promise<void>((resolve) => runtime.clock.timer(this.delayMs / 2, resolve));
    return result;
  }

  marks(tags: readonly string[]): Marks {
    return { generations: tags.map((tag) => this.generations.get(tag) ?? 0), sweep: this.sweep };
  }

  value(runtime: Runtime, key: string): Uint8Array | undefined {
    const value = this.values.get(key);
    return value === undefined || value.expiresAt <= runtime.clock.wall() ? undefined : value.bytes;
  }

  /** Tells everybody but `own` of a change, as far as no message is lost. */
  tell(change: MarksChange, own: Watcher | undefined): void {
    const seq = ++this.seq;
    if (own !== undefined && own.seq === seq - 1) own.seq = seq;
    for (const watcher of this.watchers) {
      if (watcher === own || !this.telling || this.loses()) continue;
      watcher.runtime.clock.background(this.tellDelayMs, () => {
        if (!this.watchers.has(watcher) || watcher.seq >= seq) return;
        watcher.listener(watcher.seq === seq - 1 ? change : { kind: "missed" });
        watcher.seq = seq;
      });
    }
  }

  /** Notices silence: what a watcher finds when it compares its number with the server's. */
  check(watcher: Watcher): void {
    if (!this.watchers.has(watcher)) return;
    watcher.runtime.clock.background(CHECK_EVERY_MS, () => {
      if (this.telling && watcher.seq !== this.seq) {
        watcher.seq = this.seq;
        watcher.listener({ kind: "missed" });
      }
      this.check(watcher);
    });
  }
}

export interface ServerStoreOptions {
  readonly name?: string;
  readonly ttlMs?: number;
  /** Whether the server counts generations of tags and sweeps. Default true. */
  readonly tags?: boolean;
  /** Whether it tells of changes. Default false. */
  readonly watch?: boolean;
  /** Whether it has leases. Default false. */
  readonly leases?: boolean;
}

/** A tier that rests in `server`. */
export function serverTier(server: ByteServer, options: ServerStoreOptions = {}): CacheTier {
  const { name = "server", ttlMs, tags = true, watch = false, leases = false } = options;
  return {
    name,
    ttlMs,
    open(runtime) {
      const operate = <T>(operation: string, work: () => T): Promise<T> => {
        if (server.trouble === "throws") throw new TypeError("broken store");
        return server.operate(runtime, operation, work);
      };
      const { marks, changed, stop } = marksOf(server, runtime, operate, watch);
      const store: ByteStore = {
        name,
        holds: "bytes",
        get: (key) => operate("get", () => server.value(runtime, key)),
        set: (key, bytes, ttl) =>
          operate("set", () => void server.values.set(key, { bytes, expiresAt: runtime.clock.wall() + ttl })),
        delete: (key) => operate("delete", () => void server.values.delete(key)),
        clear: () =>
          operate("clear", () => {
            server.values.clear();
            changed({ kind: "clear" });
          }),
        stats: () => operate("stats", () => ({ entries: server.values.size, bytes: undefined })),
        close: () => {
          stop();
          server.closed++;
        },
        ...(tags && { marks }),
        ...(leases && { leases: leasesOf(server, runtime, operate) }),
      };
      return store;
    },
  };
}

type Operate = <T>(operation: string, work: () => T) => Promise<T>;

const SWEEPS_MAX = 20;

function marksOf(server: ByteServer, runtime: Runtime, operate: Operate, watch: boolean) {
  let own: Watcher | undefined;
  const changed = (change: MarksChange) => server.tell(change, own);
  const stop = () => {
    if (own !== undefined) server.watchers.delete(own);
  };
  const marks: StoreMarks = {
    read: (key, tags) => operate("read", () => ({ bytes: server.value(runtime, key), marks: server.marks(tags) })),
    marks: (tags) => operate("marks", () => server.marks(tags)),
    invalidate: (tags) =>
      operate("invalidate", () => {
        for (const tag of tags) server.generations.set(tag, (server.generations.get(tag) ?? 0) + 1);
        changed({ kind: "tags", tags });
      }),
    sweep: (pattern) =>
      operate("sweep", () => {
        server.sweeps.push({ number: ++server.sweep, pattern });
        server.sweeps = server.sweeps.slice(-SWEEPS_MAX);
        changed({ kind: "sweep", pattern });
      }),
    sweepsSince: (after) =>
      operate("sweepsSince", () => {
        const sweeps = server.sweeps.filter(({ number }) => number > after);
        return { sweeps, complete: sweeps.length === server.sweep - after };
      }),
    ...(watch && {
      watch: (listener: (change: MarksChange) => void) => {
        own = { runtime, listener, seq: server.seq };
        server.watchers.add(own);
        server.check(own);
        return { connected: () => server.telling && server.trouble === "none", stop };
      },
    }),
  };
  return { marks, changed, stop };
}

function leasesOf(server: ByteServer, runtime: Runtime, operate: Operate): StoreLeases {
  return {
    acquire: (key, holder, leaseMs) =>
      operate("acquire", () => {
        const now = runtime.clock.now();
        const lease = server.leases.get(key);
        if (lease !== undefined && lease.holder !== holder && lease.until > now) return false;
        server.leases.set(key, { holder, until: now + leaseMs });
        return true;
      }),
    release: (key, holder) =>
      operate("release", () => {
        if (server.leases.get(key)?.holder === holder) server.leases.delete(key);
      }),
  };
}

export function mapTier(store: MapStore = new MapStore(), ttlMs?: number): CacheTier {
  return { name: store.name, ttlMs, open: () => store };
}
