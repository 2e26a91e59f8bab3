import { Heap } from "./heap.ts";
import type { EvictionItem, Place } from "./policy.ts";

// A long time of hits leaves many items to be placed anew; more than this at once would hold up the event loop.
const RAISED_MAX = 1000;

/**
 * Items by `value`, and by `order` where it is equal; the lowest goes first.
 *
 * Both may grow while an item is in it, and nobody need say so: the heap has placed the item too low at worst, and looks
 * again before it gives the item away. So a hit costs an assignment, and what is given away is exact, but for items
 * beyond the first thousand that have all grown since the last time.
 */
export class Ranking extends Heap<EvictionItem> implements Place {
  add(item: EvictionItem): void {
    item.place = this;
    this.insert(item, item.value, item.order);
  }

  remove(item: EvictionItem): void {
    item.place = undefined;
    this.removeAt(item.slot);
  }

  /** Takes out the lowest. */
  take(): EvictionItem | undefined {
    const lowest = this.#lowest();
    if (lowest !== undefined) this.remove(lowest);
    return lowest;
  }

  #lowest(): EvictionItem | undefined {
    let lowest: EvictionItem | undefined;
    for (let raised = 0; raised < RAISED_MAX; raised++) {
      const item = this.first;
      if (item === undefined || this.firstIs(item.value, item.order)) return item;
      if (lowest === undefined || item.value < lowest.value) lowest = item;
      this.raiseFirst(item, item.value, item.order);
    }
    return lowest;
  }

  protected override moved(item: EvictionItem, slot: number): void {
    item.slot = slot;
  }
}
