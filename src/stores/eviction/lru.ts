import type { Eviction, EvictionItem, EvictionPolicy } from "./policy.ts";
import { Queue } from "./queue.ts";

/** Least recently used: what was not asked for the longest goes. */
export function lru(): Eviction {
  return { name: "lru", create: () => new Lru() };
}

class Lru implements EvictionPolicy {
  readonly #queue = new Queue();

  onHit(item: EvictionItem): void {
    this.#queue.renew(item);
  }

  onInsert(item: EvictionItem): void {
    this.#queue.add(item);
  }

  victim(): EvictionItem | undefined {
    return this.#queue.take();
  }
}
