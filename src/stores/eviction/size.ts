import type { Eviction, EvictionItem, EvictionPolicy } from "./policy.ts";
import { Ranking } from "./ranking.ts";

/** The largest goes; of several, what was not asked for the longest. */
export function size(): Eviction {
  return { name: "size", create: () => new Size() };
}

class Size implements EvictionPolicy {
  readonly #ranking = new Ranking();
  #order = 0;

  onHit(item: EvictionItem): void {
    item.order = ++this.#order;
  }

  onInsert(item: EvictionItem): void {
    item.value = -item.bytes;
    this.onHit(item);
    this.#ranking.add(item);
  }

  victim(): EvictionItem | undefined {
    return this.#ranking.take();
  }
}
