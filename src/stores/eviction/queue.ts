import type { EvictionItem, Place } from "./policy.ts";

/** Items in a row, newest first. The links are in the items, so every step is a few assignments. */
export class Queue implements Place {
  newest: EvictionItem | undefined;
  oldest: EvictionItem | undefined;
  /** Of all items in it. */
  bytes = 0;
  length = 0;

  /** Puts an item that is in no place before the newest. */
  add(item: EvictionItem): void {
    item.place = this;
    item.newer = undefined;
    item.older = this.newest;
    if (this.newest === undefined) this.oldest = item;
    else this.newest.newer = item;
    this.newest = item;
    this.bytes += item.bytes;
    this.length++;
  }

  remove(item: EvictionItem): void {
    if (item.newer === undefined) this.newest = item.older;
    else item.newer.older = item.older;
    if (item.older === undefined) this.oldest = item.newer;
    else item.older.newer = item.newer;
    item.newer = undefined;
    item.older = undefined;
    item.place = undefined;
    this.bytes -= item.bytes;
    this.length--;
  }

  /** Makes an item of this queue its newest. */
  renew(item: EvictionItem): void {
    if (item === this.newest) return;
    this.remove(item);
    this.add(item);
  }

  /** Takes out the oldest. */
  take(): EvictionItem | undefined {
    const { oldest } = this;
    if (oldest !== undefined) this.remove(oldest);
    return oldest;
  }
}
