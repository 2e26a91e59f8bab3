/** Something due at a time; of two due at the same time the one made first goes first. */
export interface Due {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
  /** Set when it was cancelled or has fired. */
  gone: boolean;
}

// Below this many cancelled entries a sweep costs more than it frees.
const SWEEP_FROM = 64;

/** A binary heap of callbacks by time. Cancelled ones are skipped, and swept out before they are the majority. */
export class DueHeap {
  #entries: Due[] = [];
  #order = 0;
  #cancelled = 0;

  /** Entries that are neither cancelled nor taken. */
  get size(): number {
    return this.#entries.length - this.#cancelled;
  }

  add(at: number, fn: () => void): Due {
    const due: Due = { at, order: this.#order++, fn, gone: false };
    this.#entries.push(due);
    this.#rise(this.#entries.length - 1);
    return due;
  }

  cancel(due: Due): void {
    if (due.gone) return;
    due.gone = true;
    this.#cancelled++;
    if (this.#cancelled > SWEEP_FROM && this.#cancelled > this.#entries.length / 2) this.#sweep();
  }

  peek(): Due | undefined {
    while (this.#entries[0]?.gone === true) {
      this.#removeRoot();
      this.#cancelled--;
    }
    return this.#entries[0];
  }

  /** Takes the next one out. It counts as gone, so that cancelling it later changes nothing. */
  take(): Due | undefined {
    const due = this.peek();
    if (due === undefined) return undefined;
    this.#removeRoot();
    due.gone = true;
    return due;
  }

  #removeRoot(): void {
    const last = this.#entries.pop();
    if (last === undefined || this.#entries.length === 0) return;
    this.#entries[0] = last;
    this.#sink(0);
  }

  #rise(start: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(this.#entries[index] as Due, this.#entries[parent] as Due)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #sink(start: number): void {
    let index = start;
    for (;;) {
      const left = 2 * index + 1;
      let least = index;
      for (const child of [left, left + 1]) {
        if (child < this.#entries.length && before(this.#entries[child] as Due, this.#entries[least] as Due))
          least = child;
      }
      if (least === index) return;
      this.#swap(index, least);
      index = least;
    }
  }

  #swap(a: number, b: number): void {
    const held = this.#entries[a] as Due;
    this.#entries[a] = this.#entries[b] as Due;
    this.#entries[b] = held;
  }

  #sweep(): void {
    this.#entries = this.#entries.filter((due) => !due.gone);
    for (let index = (this.#entries.length >> 1) - 1; index >= 0; index--) this.#sink(index);
    this.#cancelled = 0;
  }
}

function before(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
