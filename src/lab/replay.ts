import { type Eviction, type EvictionItem, Heap, type Place } from "../stores/eviction/index.ts";
import type { CacheTrace } from "./cache-trace.ts";

/** What a cache would have saved of a trace. */
export interface Replay {
  readonly hits: number;
  readonly hitBytes: number;
  readonly savedCost: number;
  readonly savedMs: number;
  /** By number of the owner. */
  readonly savedByOwner: Float64Array;
  readonly seconds: number;
}

class Item implements EvictionItem {
  readonly keyNumber: number;
  readonly key: string;
  readonly bytes: number;
  readonly cost: number;
  readonly tookMs: number;
  readonly expiresAt: number;
  place: Place | undefined = undefined;
  newer: EvictionItem | undefined = undefined;
  older: EvictionItem | undefined = undefined;
  uses = 0;
  gain = 0;
  value = 0;
  order = 0;
  slot = 0;
  expirySlot = 0;

  constructor(trace: CacheTrace, row: number) {
    this.keyNumber = trace.keyOf[row] as number;
    this.key = trace.keys[this.keyNumber] as string;
    this.bytes = trace.bytes[row] as number;
    this.cost = trace.cost[row] as number;
    this.tookMs = trace.tookMs[row] as number;
    this.expiresAt = (trace.at[row] as number) + (trace.ttlMs[row] as number);
  }
}

class Expiry extends Heap<Item> {
  add(item: Item): void {
    if (item.expiresAt !== Number.POSITIVE_INFINITY) this.insert(item, item.expiresAt, 0);
  }

  remove(item: Item): void {
    if (item.expiresAt !== Number.POSITIVE_INFINITY) this.removeAt(item.expirySlot);
  }

  protected override moved(item: Item, slot: number): void {
    item.expirySlot = slot;
  }
}

/**
 * Asks a cache of `maxBytes` for every request in order, and keeps what it did not have. As the memory tier does, it
 * lets go of what has expired before anything else. An answer that is larger than the cache is not kept.
 */
export function replay(trace: CacheTrace, eviction: Eviction, maxBytes: number): Replay {
  const policy = eviction.create();
  const expiry = new Expiry();
  const held: (Item | undefined)[] = new Array(trace.keys.length).fill(undefined);
  const savedByOwner = new Float64Array(trace.owners.length);
  let [bytes, hits, hitBytes, savedCost, savedMs] = [0, 0, 0, 0, 0];
  const drop = (item: Item): void => {
    held[item.keyNumber] = undefined;
    bytes -= item.bytes;
    expiry.remove(item);
    item.place?.remove(item);
  };
  const startedAt = performance.now();
  for (let row = 0; row < trace.length; row++) {
    const number = trace.keyOf[row] as number;
    const now = trace.at[row] as number;
    const found = held[number];
    if (found !== undefined && found.expiresAt > now) {
      policy.onHit(found);
      const cost = trace.cost[row] as number;
      hits++;
      hitBytes += found.bytes;
      savedCost += cost;
      savedMs += trace.tookMs[row] as number;
      const owner = trace.ownerOf[row] as number;
      savedByOwner[owner] = (savedByOwner[owner] as number) + cost;
      continue;
    }
    if (found !== undefined) drop(found);
    if ((trace.bytes[row] as number) > maxBytes) continue;
    const item = new Item(trace, row);
    item.uses = found?.uses ?? 0;
    held[number] = item;
    bytes += item.bytes;
    expiry.add(item);
    policy.onInsert(item);
    while (bytes > maxBytes) {
      const { first } = expiry;
      const victim = first !== undefined && first.expiresAt <= now ? first : (policy.victim() as Item | undefined);
      if (victim === undefined) throw new Error(`The policy ${eviction.name} has lost entries.`);
      drop(victim);
    }
  }
  return { hits, hitBytes, savedCost, savedMs, savedByOwner, seconds: (performance.now() - startedAt) / 1000 };
}
