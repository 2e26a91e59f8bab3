/** When something was last seen, of the most recent `max` that were. */
export class Recent<K> {
  readonly #seenAt = new Map<K, number>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#seenAt.size;
  }

  seenAt(key: K): number | undefined {
    return this.#seenAt.get(key);
  }

  see(key: K, now: number): void {
    // Deleted and set again, so that the map stays in order of use.
    if (!this.#seenAt.delete(key) && this.#seenAt.size >= this.#max) {
      this.#seenAt.delete(this.#seenAt.keys().next().value as K);
    }
    this.#seenAt.set(key, now);
  }
}
