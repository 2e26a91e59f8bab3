import type { Entry } from "../../core/index.ts";
import type { EvictionItem, Place } from "../eviction/index.ts";

/** One entry as an eviction policy ranks it. */
export class Ranked implements EvictionItem {
  readonly key: string;
  readonly entry: Entry;
  readonly bytes: number;
  place: Place | undefined = undefined;
  newer: EvictionItem | undefined = undefined;
  older: EvictionItem | undefined = undefined;
  slot = 0;
  uses = 0;
  gain = 0;
  value = 0;
  order = 0;

  constructor(key: string, entry: Entry, bytes: number) {
    this.key = key;
    this.entry = entry;
    this.bytes = bytes;
  }

  get cost(): number {
    return this.entry.cost;
  }

  get tookMs(): number {
    return this.entry.tookMs;
  }

  get expiresAt(): number {
    return this.entry.expiresAt;
  }
}

/** One entry as the store holds it: ranked among all, by when it expires, and, where owners have shares, among its own. */
export class Held extends Ranked {
  expirySlot = 0;
  own: Ranked | undefined = undefined;
}
