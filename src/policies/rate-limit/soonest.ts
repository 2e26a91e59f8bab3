const DEAD_KEPT = 64;

/**
 * A heap of things with a time, earliest first. What has become void stays inside until it comes up, or until it
 * outnumbers the rest.
 */
export class Soonest<T> {
  readonly #timeOf: (item: T) => number;
  readonly #isVoid: (item: T) => boolean;
  #heap: T[] = [];
  #voided = 0;

  constructor(timeOf: (item: T) => number, isVoid: (item: T) => boolean) {
    this.#timeOf = timeOf;
    this.#isVoid = isVoid;
  }

  get size(): number {
    return this.#heap.length;
  }

  push(item: T): void {
    this.#heap.push(item);
    this.#rise(this.#heap.length - 1);
  }

  peek(): T | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (!this.#isVoid(top)) return top;
      this.#removeTop();
      this.#voided = Math.max(0, this.#voided - 1);
    }
    return undefined;
  }

  /** To be told when an item inside has become void. */
  voided(): void {
    this.#voided++;
    if (this.#voided < DEAD_KEPT || this.#voided * 2 < this.#heap.length) return;
    this.#voided = 0;
    // A sorted list is a heap.
    this.#heap = this.#heap.filter((item) => !this.#isVoid(item)).sort((a, b) => this.#timeOf(a) - this.#timeOf(b));
  }

  #removeTop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink();
  }

  #rise(start: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfEarlier(index, parent)) return;
      index = parent;
    }
  }

  #sink(): void {
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= this.#heap.length) return;
      const right = left + 1;
      const child = right < this.#heap.length && this.#at(right) < this.#at(left) ? right : left;
      if (!this.#swapIfEarlier(child, index)) return;
      index = child;
    }
  }

  #swapIfEarlier(child: number, parent: number): boolean {
    if (this.#at(child) >= this.#at(parent)) return false;
    const item = this.#heap[child] as T;
    this.#heap[child] = this.#heap[parent] as T;
    this.#heap[parent] = item;
    return true;
  }

  #at(index: number): number {
    return this.#timeOf(this.#heap[index] as T);
  }
}
