import { FrequencySketch } from "./frequency-sketch.ts";
import { keyHash } from "./key-hash.ts";
import type { Eviction, EvictionItem, EvictionPolicy } from "./policy.ts";
import { Queue } from "./queue.ts";

const WINDOW_SHARE = 0.01;
const PROTECTED_SHARE = 0.8;

/**
 * New entries pass through a small window in order of use. Who leaves it stays only if it was asked for more often than
 * the one it would push out; the others are held in two segments, on probation and protected.
 * W-TinyLFU: Einziger, Friedman, Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM ToS 2017; the window
 * is 1 % and does not adapt. Shares are of bytes.
 */
export function wTinyLfu(): Eviction {
  return { name: "wTinyLfu", create: () => new WTinyLfu() };
}

class WTinyLfu implements EvictionPolicy {
  readonly #window = new Queue();
  readonly #probation = new Queue();
  readonly #protected = new Queue();
  readonly #sketch = new FrequencySketch();
  /** The last to leave the window, until it has proved to be worth its place. */
  #candidate: EvictionItem | undefined;

  onHit(item: EvictionItem): void {
    this.#sketch.add(keyHash(item.key), this.#held);
    if (item.place === this.#probation) {
      this.#probation.remove(item);
      this.#protected.add(item);
      this.#demote();
    } else {
      (item.place as Queue).renew(item);
    }
  }

  onInsert(item: EvictionItem): void {
    this.#sketch.add(keyHash(item.key), this.#held);
    this.#window.add(item);
    while (this.#window.bytes > WINDOW_SHARE * this.#bytes && this.#window.length > 1) {
      this.#candidate = this.#window.take();
      if (this.#candidate !== undefined) this.#probation.add(this.#candidate);
    }
  }

  victim(): EvictionItem | undefined {
    const candidate = this.#candidate?.place === this.#probation ? this.#candidate : undefined;
    this.#candidate = undefined;
    const victim = this.#probation.oldest ?? this.#protected.oldest ?? this.#window.oldest;
    const rejected = candidate !== undefined && victim !== undefined && this.#usesOf(candidate) <= this.#usesOf(victim);
    const item = rejected ? candidate : victim;
    item?.place?.remove(item);
    return item;
  }

  get #held(): number {
    return this.#window.length + this.#probation.length + this.#protected.length;
  }

  get #bytes(): number {
    return this.#window.bytes + this.#probation.bytes + this.#protected.bytes;
  }

  #usesOf(item: EvictionItem): number {
    return this.#sketch.usesOf(keyHash(item.key));
  }

  #demote(): void {
    const room = PROTECTED_SHARE * (this.#probation.bytes + this.#protected.bytes);
    while (this.#protected.bytes > room && this.#protected.length > 1) {
      const item = this.#protected.take();
      if (item !== undefined) this.#probation.add(item);
    }
  }
}
