import type { Entry, EntryStore, Runtime, StoreStats } from "../../core/index.ts";
import type { Eviction, EvictionPolicy } from "../eviction/index.ts";
import { entryBytes } from "./entry-size.ts";
import { Expiry } from "./expiry.ts";
import { Held } from "./held.ts";
import { OwnerShares } from "./owner-shares.ts";

interface Bounds {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly maxOwnerShare: number;
}

// One giant must not push out everybody else.
const LARGEST_SHARE = 1 / 8;

// Each set adds one entry and takes out up to this many that have expired: few enough for a busy event loop.
const EXPIRED_PER_SET_MAX = 16;

export class MemoryStore implements EntryStore {
  readonly name = "memory";
  readonly holds = "entries";
  readonly #bounds: Bounds;
  readonly #eviction: Eviction;
  readonly #runtime: Runtime;
  readonly #held = new Map<string, Held>();
  #policy: EvictionPolicy;
  #expiry = new Expiry();
  #shares: OwnerShares | undefined;
  #bytes = 0;

  constructor(bounds: Bounds, eviction: Eviction, runtime: Runtime) {
    this.#bounds = bounds;
    this.#eviction = eviction;
    this.#runtime = runtime;
    this.#policy = eviction.create();
    this.#shares = this.#newShares();
  }

  get(key: string): Entry | undefined {
    const held = this.#held.get(key);
    if (held === undefined) return undefined;
    if (held.entry.expiresAt <= this.#runtime.clock.wall()) {
      this.#remove(held);
      return undefined;
    }
    this.#policy.onHit(held);
    this.#shares?.onHit(held);
    return held.entry;
  }

  set(key: string, entry: Entry): void {
    const now = this.#runtime.clock.wall();
    const before = this.#held.get(key);
    if (before !== undefined) this.#remove(before);
    this.#removeExpired(now);
    const bytes = entryBytes(key, entry);
    if (entry.expiresAt <= now || bytes > this.#bounds.maxBytes * LARGEST_SHARE) return;
    const held = new Held(key, entry, bytes);
    held.uses = before?.uses ?? 0;
    this.#held.set(key, held);
    this.#bytes += bytes;
    this.#expiry.add(held);
    this.#shares?.onInsert(held);
    this.#policy.onInsert(held);
    if (this.#shares !== undefined || this.#isOver) this.#makeRoom(held, now);
  }

  delete(key: string): void {
    const held = this.#held.get(key);
    if (held !== undefined) this.#remove(held);
  }

  clear(): void {
    this.#held.clear();
    this.#policy = this.#eviction.create();
    this.#expiry = new Expiry();
    this.#shares = this.#newShares();
    this.#bytes = 0;
  }

  stats(): StoreStats {
    return { entries: this.#held.size, bytes: this.#allBytes };
  }

  close(): void {
    this.clear();
  }

  get #allBytes(): number {
    return this.#shares === undefined ? this.#bytes : this.#bytes + this.#shares.overheadBytes;
  }

  get #isOver(): boolean {
    return this.#allBytes > this.#bounds.maxBytes || this.#held.size > this.#bounds.maxEntries;
  }

  #newShares(): OwnerShares | undefined {
    const { maxBytes, maxOwnerShare } = this.#bounds;
    return maxOwnerShare < 1 ? new OwnerShares(this.#eviction, maxBytes * maxOwnerShare) : undefined;
  }

  /** What expired goes first, then what the owner of the `latest` has too much of, then what is worth least. */
  #makeRoom(latest: Held, now: number): void {
    let entries = 0;
    let bytes = 0;
    for (;;) {
      const tooMuchOwned = this.#shares?.isOver(latest) === true;
      if (!tooMuchOwned && !this.#isOver) break;
      const expired = this.#expiry.due(now);
      const held = expired ?? (tooMuchOwned ? this.#ownVictim(latest) : this.#victim());
      if (held === undefined) break;
      this.#remove(held);
      if (held === expired) continue;
      entries++;
      bytes += held.bytes;
    }
    const { events } = this.#runtime;
    if (entries > 0 && events.wants("cache.evicted")) {
      events.emit("cache.evicted", undefined, { tier: this.name, entries, bytes });
    }
  }

  #ownVictim(latest: Held): Held | undefined {
    return this.#held.get(this.#shares?.victim(latest)?.key ?? latest.key);
  }

  // A policy of the user's own that has lost count must not cost the bound.
  #victim(): Held | undefined {
    const key = this.#policy.victim()?.key;
    return (key === undefined ? undefined : this.#held.get(key)) ?? this.#held.values().next().value;
  }

  #removeExpired(now: number): void {
    for (let removed = 0; removed < EXPIRED_PER_SET_MAX; removed++) {
      const held = this.#expiry.due(now);
      if (held === undefined) return;
      this.#remove(held);
    }
  }

  #remove(held: Held): void {
    this.#held.delete(held.key);
    this.#bytes -= held.bytes;
    this.#expiry.remove(held);
    held.place?.remove(held);
    this.#shares?.remove(held);
  }
}
