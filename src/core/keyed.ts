interface Kept<T> {
  readonly value: T;
  used: boolean;
}

const STEPS_MAX = 64;

/**
 * A bounded number of states by key, made on first use. When it is full, one that is idle and was not lately used
 * makes room; when there is none, the newcomer gets a state that is not kept.
 * Algorithm: CLOCK, "second chance" (Corbato, 1968).
 */
export class Keyed<T> {
  readonly #kept = new Map<string, Kept<T>>();
  readonly #max: number;
  readonly #create: (key: string) => T;
  readonly #isIdle: (value: T) => boolean;

  constructor(max: number, create: (key: string) => T, isIdle: (value: T) => boolean) {
    this.#max = max;
    this.#create = create;
    this.#isIdle = isIdle;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** The state of `key`, if it is kept. */
  peek(key: string): T | undefined {
    return this.#kept.get(key)?.value;
  }

  get(key: string): T {
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      kept.used = true;
      return kept.value;
    }
    const value = this.#create(key);
    if (this.#kept.size < this.#max || this.#makeRoom()) this.#kept.set(key, { value, used: false });
    return value;
  }

  *[Symbol.iterator](): Generator<readonly [key: string, value: T]> {
    for (const [key, { value }] of this.#kept) yield [key, value];
  }

  #makeRoom(): boolean {
    let steps = 0;
    for (const [key, kept] of this.#kept) {
      this.#kept.delete(key);
      if (!kept.used && this.#isIdle(kept.value)) return true;
      kept.used = false;
      this.#kept.set(key, kept);
      if (++steps >= STEPS_MAX) return false;
    }
    return false;
  }
}
