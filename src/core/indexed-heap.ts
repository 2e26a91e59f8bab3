/**
 * A binary heap whose members know where they stand, so that any of them can leave or move: O(log n).
 * `before` is the order; `moved` tells a member its new index, and -1 when it has left.
 */
export class IndexedHeap<T> {
  readonly #items: T[] = [];
  readonly #before: (a: T, b: T) => boolean;
  readonly #moved: (item: T, index: number) => void;

  constructor(before: (a: T, b: T) => boolean, moved: (item: T, index: number) => void) {
    this.#before = before;
    this.#moved = moved;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The first by the order. */
  get first(): T | undefined {
    return this.#items[0];
  }

  /** One that has nobody after it. */
  get leaf(): T | undefined {
    return this.#items.at(-1);
  }

  push(item: T): void {
    this.#items.push(item);
    this.#up(item, this.#items.length - 1);
  }

  /** Puts the member at `index` where it belongs, after its rank has changed. */
  update(index: number): void {
    const item = this.#items[index] as T;
    if (this.#up(item, index) === index) this.#down(item, index);
  }

  /** Takes out the member at `index`. */
  remove(index: number): void {
    const items = this.#items;
    const gone = items[index] as T;
    const last = items.pop() as T;
    if (index < items.length) {
      this.#set(last, index);
      this.update(index);
    }
    this.#moved(gone, -1);
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#items[Symbol.iterator]();
  }

  #up(item: T, from: number): number {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#items[parentIndex] as T;
      if (!this.#before(item, parent)) break;
      this.#set(parent, index);
      index = parentIndex;
    }
    this.#set(item, index);
    return index;
  }

  #down(item: T, from: number): void {
    const { length } = this.#items;
    let index = from;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= length) break;
      const right = childIndex + 1;
      if (right < length && this.#before(this.#items[right] as T, this.#items[childIndex] as T)) childIndex = right;
      const child = this.#items[childIndex] as T;
      if (!this.#before(child, item)) break;
      this.#set(child, index);
      index = childIndex;
    }
    this.#set(item, index);
  }

  #set(item: T, index: number): void {
    this.#items[index] = item;
    this.#moved(item, index);
  }
}
