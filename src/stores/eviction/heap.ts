// Small, for an owner with a share of its own may hold a handful.
const FIRST_ROOM = 8;

/**
 * A binary heap by `value`, and by `order` where it is equal; the lowest comes first. An item knows its slot, so that
 * any of them can leave.
 */
export abstract class Heap<T> {
  readonly #items: T[] = [];
  // Beside the items rather than in them: comparing then stays within one piece of memory.
  #values = new Float64Array(FIRST_ROOM);
  #orders = new Float64Array(FIRST_ROOM);

  get length(): number {
    return this.#items.length;
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  /** Tells `item` its slot. */
  protected abstract moved(item: T, slot: number): void;

  protected insert(item: T, value: number, order: number): void {
    const slot = this.#items.length;
    if (slot === this.#values.length) this.#resize(slot * 2);
    this.#items.push(item);
    this.#up(slot, item, value, order);
  }

  protected removeAt(slot: number): void {
    const last = this.#items.length - 1;
    const moved = this.#items.pop() as T;
    if (slot < last) this.#settle(slot, moved, this.#values[last] as number, this.#orders[last] as number);
    if (last >= FIRST_ROOM && last < this.#values.length / 4) this.#resize(this.#values.length / 2);
  }

  /** Whether the first was placed with these. */
  protected firstIs(value: number, order: number): boolean {
    return value === this.#values[0] && order === this.#orders[0];
  }

  /** Places the first anew, which is worth more than it was. */
  protected raiseFirst(item: T, value: number, order: number): void {
    this.#down(0, item, value, order);
  }

  #settle(slot: number, item: T, value: number, order: number): void {
    if (slot > 0 && this.#goesBefore(value, order, (slot - 1) >> 1)) this.#up(slot, item, value, order);
    else this.#down(slot, item, value, order);
  }

  #up(from: number, item: T, value: number, order: number): void {
    let slot = from;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (!this.#goesBefore(value, order, parent)) break;
      this.#move(parent, slot);
      slot = parent;
    }
    this.#put(slot, item, value, order);
  }

  #down(from: number, item: T, value: number, order: number): void {
    const { length } = this.#items;
    let slot = from;
    for (;;) {
      let child = slot * 2 + 1;
      if (child >= length) break;
      const other = child + 1;
      if (other < length && this.#goesBefore(this.#values[other] as number, this.#orders[other] as number, child)) {
        child = other;
      }
      if (this.#goesBefore(value, order, child)) break;
      this.#move(child, slot);
      slot = child;
    }
    this.#put(slot, item, value, order);
  }

  #goesBefore(value: number, order: number, slot: number): boolean {
    const other = this.#values[slot] as number;
    return value < other || (value === other && order < (this.#orders[slot] as number));
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#items[from] as T, this.#values[from] as number, this.#orders[from] as number);
  }

  #put(slot: number, item: T, value: number, order: number): void {
    this.#items[slot] = item;
    this.#values[slot] = value;
    this.#orders[slot] = order;
    this.moved(item, slot);
  }

  #resize(room: number): void {
    this.#values = resized(this.#values, room);
    this.#orders = resized(this.#orders, room);
  }
}

function resized(from: Float64Array, room: number): Float64Array<ArrayBuffer> {
  const to = new Float64Array(room);
  to.set(from.subarray(0, room));
  return to;
}
