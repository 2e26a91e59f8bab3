import type { Eviction, EvictionItem, EvictionPolicy } from "./policy.ts";
import { Queue } from "./queue.ts";

/**
 * A hand goes from the oldest to the newest over and over; it takes the first entry that was not asked for since it
 * passed. SIEVE: Zhang, Yang, Yue, Vigfusson, Rashmi, "SIEVE is Simpler than LRU", NSDI 2024.
 */
export function sieve(): Eviction {
  return { name: "sieve", create: () => new Sieve() };
}

class Sieve implements EvictionPolicy {
  readonly #queue = new SieveQueue();

  onHit(item: EvictionItem): void {
    item.uses = 1;
  }

  onInsert(item: EvictionItem): void {
    this.#queue.add(item);
  }

  victim(): EvictionItem | undefined {
    const queue = this.#queue;
    let item = queue.hand ?? queue.oldest;
    while (item !== undefined && item.uses > 0) {
      item.uses = 0;
      item = item.newer ?? queue.oldest;
    }
    queue.hand = item;
    if (item !== undefined) queue.remove(item);
    return item;
  }
}

class SieveQueue extends Queue {
  hand: EvictionItem | undefined;

  override remove(item: EvictionItem): void {
    if (item === this.hand) this.hand = item.newer;
    super.remove(item);
  }
}
