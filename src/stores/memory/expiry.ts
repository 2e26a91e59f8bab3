import { Heap } from "../eviction/heap.ts";
import type { Held } from "./held.ts";

/**
 * Entries by when they expire. A heap rather than a timer wheel: it is exact, so that no live entry goes while an
 * expired one is held, and with one time to live for all an entry is placed in a single comparison.
 */
export class Expiry extends Heap<Held> {
  add(held: Held): void {
    this.insert(held, held.entry.expiresAt, 0);
  }

  remove(held: Held): void {
    this.removeAt(held.expirySlot);
  }

  /** One that has expired, if there is any. */
  due(now: number): Held | undefined {
    const held = this.first;
    return held !== undefined && held.entry.expiresAt <= now ? held : undefined;
  }

  protected override moved(held: Held, slot: number): void {
    held.expirySlot = slot;
  }
}
