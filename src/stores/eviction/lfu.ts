import type { Eviction, EvictionItem, EvictionPolicy } from "./policy.ts";
import { Ranking } from "./ranking.ts";

/** Least frequently used: what was asked for least often goes; of several, what was not asked for the longest. */
export function lfu(): Eviction {
  return { name: "lfu", create: () => new Lfu() };
}

class Lfu implements EvictionPolicy {
  readonly #ranking = new Ranking();
  #order = 0;

  onHit(item: EvictionItem): void {
    item.value = ++item.uses;
    item.order = ++this.#order;
  }

  onInsert(item: EvictionItem): void {
    this.onHit(item);
    this.#ranking.add(item);
  }

  victim(): EvictionItem | undefined {
    return this.#ranking.take();
  }
}
