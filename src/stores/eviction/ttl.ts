import type { Eviction, EvictionItem, EvictionPolicy } from "./policy.ts";
import { Ranking } from "./ranking.ts";

/** What expires first goes; of several, what was kept the longest. */
export function ttl(): Eviction {
  return { name: "ttl", create: () => new Ttl() };
}

class Ttl implements EvictionPolicy {
  readonly #ranking = new Ranking();
  #order = 0;

  onHit(): void {}

  onInsert(item: EvictionItem): void {
    item.value = item.expiresAt;
    item.order = ++this.#order;
    this.#ranking.add(item);
  }

  victim(): EvictionItem | undefined {
    return this.#ranking.take();
  }
}
