import { Ghosts } from "./ghosts.ts";
import { keyHash } from "./key-hash.ts";
import type { Eviction, EvictionItem, EvictionPolicy } from "./policy.ts";
import { Queue } from "./queue.ts";

const SMALL_SHARE = 0.1;
const USES_MAX = 3;

/**
 * Three queues: a small one that new entries pass through, a main one for those asked for again meanwhile, and a memory
 * of the keys that left the small one and go straight into the main one when they come back.
 * S3-FIFO: Yang, Zhang, Qiu, Yue, Rashmi, "FIFO Queues are All You Need for Cache Eviction", SOSP 2023. Shares are of bytes.
 */
export function s3fifo(): Eviction {
  return { name: "s3fifo", create: () => new S3Fifo() };
}

class S3Fifo implements EvictionPolicy {
  readonly #small = new Queue();
  readonly #main = new Queue();
  readonly #ghosts = new Ghosts();

  onHit(item: EvictionItem): void {
    if (item.uses < USES_MAX) item.uses++;
  }

  onInsert(item: EvictionItem): void {
    const known = item.uses > 1 || this.#ghosts.usesOf(keyHash(item.key), this.#main.length) > 0;
    (known ? this.#main : this.#small).add(item);
  }

  victim(): EvictionItem | undefined {
    for (;;) {
      const fromSmall =
        this.#main.length === 0 || this.#small.bytes > SMALL_SHARE * (this.#small.bytes + this.#main.bytes);
      const item = (fromSmall ? this.#small : this.#main).take();
      if (item === undefined) return undefined;
      if (fromSmall ? item.uses > 1 : item.uses > 0) {
        item.uses = fromSmall ? 0 : item.uses - 1;
        this.#main.add(item);
      } else {
        if (fromSmall) this.#ghosts.add(keyHash(item.key), 1, this.#main.length);
        return item;
      }
    }
  }
}
