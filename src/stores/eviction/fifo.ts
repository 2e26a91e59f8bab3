import type { Eviction, EvictionItem, EvictionPolicy } from "./policy.ts";
import { Queue } from "./queue.ts";

/** First in, first out: what was kept the longest goes, however often it is asked for. */
export function fifo(): Eviction {
  return { name: "fifo", create: () => new Fifo() };
}

class Fifo implements EvictionPolicy {
  readonly #queue = new Queue();

  onHit(): void {}

  onInsert(item: EvictionItem): void {
    this.#queue.add(item);
  }

  victim(): EvictionItem | undefined {
    return this.#queue.take();
  }
}
