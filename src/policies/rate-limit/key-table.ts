import type { Key } from "./key.ts";

const KEYS_MAX = 5_000;
const LOOKED_AT_MAX = 64;

/** Keys of one rank, made on first use. Bounded: the oldest idle one goes first, and never one that is waited for. */
export class KeyTable<K extends Key> {
  readonly #make: (name: string, now: number) => K;
  #keys = new Map<string, K>();

  constructor(make: (name: string, now: number) => K) {
    this.#make = make;
  }

  get size(): number {
    return this.#keys.size;
  }

  get(name: string, now: number): K {
    let key = this.#keys.get(name);
    if (key === undefined) {
      if (this.#keys.size >= KEYS_MAX) this.#forgetOne(now);
      key = this.#make(name, now);
      this.#keys.set(name, key);
    }
    return key;
  }

  values(): Iterable<K> {
    return this.#keys.values();
  }

  // Those still in use go to the back, so that the next search begins behind them.
  #forgetOne(now: number): void {
    let victim: string | undefined;
    let looked = 0;
    for (const [name, key] of this.#keys) {
      if (looked++ === LOOKED_AT_MAX) break;
      if (key.isIdle(now)) {
        victim = name;
        break;
      }
      if (key.waiting === 0) victim ??= name;
      this.#keys.delete(name);
      this.#keys.set(name, key);
    }
    if (victim !== undefined) this.#keys.delete(victim);
  }
}
