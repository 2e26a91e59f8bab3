import type { Key } from "./key.ts";

const KEYS_MAX = 5_000;
const LOOKED_AT_MAX = 64;
/**
 * Keys of one rank, made on first use. Bounded: idle ones are forgotten. One in use never is, for its limit would begin
 * anew; when all are, newcomers share one key.
 */
export class KeyTable<K extends Key> {
  readonly #make: (name: string, now: number) => K;
  #keys = new Map<string, K>();

  constructor(make: (name: string, now: number) => K) {
    this.#make = make;
  }

  get size(): number {
    return this.#keys.size;
  }

  /** `others` names the key of those for whom there is no room. */
  get(name: string, now: number, others = ""): K {
    const key = this.#keys.get(name);
    if (key !== undefined) return key;
    // One place is kept for the others.
    if (this.#keys.size < KEYS_MAX - 1 || this.#forgetOne(now)) return this.#add(name, now);
    return this.#keys.get(others) ?? this.#add(others, now);
  }

  /** The key of this name, if it is there. */
  peek(name: string): K | undefined {
    return this.#keys.get(name);
  }

  values(): Iterable<K> {
    return this.#keys.values();
  }

  #add(name: string, now: number): K {
    const key = this.#make(name, now);
    this.#keys.set(name, key);
    return key;
  }

  // Those still in use go to the back, so that the next search begins behind them.
  #forgetOne(now: number): boolean {
    let looked = 0;
    for (const [name, key] of this.#keys) {
      if (looked++ === LOOKED_AT_MAX) break;
      this.#keys.delete(name);
      if (key.isIdle(now)) {
        key.share?.close();
        return true;
      }
      this.#keys.set(name, key);
    }
    return false;
  }
}
