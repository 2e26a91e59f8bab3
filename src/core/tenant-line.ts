import { IndexedHeap } from "./indexed-heap.ts";
import type { WaitClass } from "./wait-class.ts";
import { LEFT, type WaitEntry } from "./wait-entry.ts";

// How much the latest settlement says about what the next one will be.
const RATIO_WEIGHT = 0.1;
const RATIO_MIN = 0.01;
const RATIO_MAX = 100;

/** Those of one tenant in one class, the earliest due first, and what the tenant has had of the service. */
export class TenantLine<T> {
  readonly tenant: string;
  readonly members: WaitClass<T>;
  /** Virtual tokens: what it was served, raised to the others' when it comes back. The least is next. */
  counter = 0;
  /** Since when it has been waiting without a break: who is first among equals. */
  joined = 0;
  /** Index among the class's tenants by counter, and by how many wait; -1 while nobody does. */
  turnIndex = -1;
  backlogIndex = -1;
  count = 0;
  /** What its members really cost, relative to what was expected of them. */
  #ratio = 1;
  // Who is due no earlier than all before it, which is nearly everybody, stands in the list; the others in the heap.
  #head: WaitEntry<T> | undefined;
  #tail: WaitEntry<T> | undefined;
  #early: IndexedHeap<WaitEntry<T>> | undefined;

  constructor(tenant: string, members: WaitClass<T>) {
    this.tenant = tenant;
    this.members = members;
  }

  get first(): WaitEntry<T> | undefined {
    const early = this.#early?.first;
    if (early === undefined || this.#head === undefined) return this.#head ?? early;
    return dueBefore(early, this.#head) ? early : this.#head;
  }

  /** The latest due, as far as the list goes; else one of the others. */
  get last(): WaitEntry<T> | undefined {
    return this.#tail ?? this.#early?.leaf;
  }

  add(entry: WaitEntry<T>): void {
    this.count++;
    if (this.#tail !== undefined && entry.due < this.#tail.due) {
      this.#early ??= new IndexedHeap<WaitEntry<T>>(dueBefore, setPlace);
      this.#early.push(entry);
      return;
    }
    entry.previous = this.#tail;
    if (this.#tail === undefined) this.#head = entry;
    else this.#tail.next = entry;
    this.#tail = entry;
  }

  remove(entry: WaitEntry<T>): void {
    this.count--;
    if (entry.place >= 0) this.#early?.remove(entry.place);
    else this.#unlink(entry);
    entry.place = LEFT;
  }

  /** Charges what an entry is expected to cost, by what was learned of the tenant. */
  charge(entry: WaitEntry<T>): void {
    entry.cost *= this.#ratio;
    this.counter += entry.cost;
  }

  /** Puts what an entry really cost in place of what was charged. */
  settle(entry: WaitEntry<T>, cost: number): void {
    const { cost: charged } = entry;
    this.counter += cost - charged;
    entry.cost = cost;
    if (charged <= 0 || cost <= 0) return;
    const seen = (cost / charged) * this.#ratio;
    const learned = this.#ratio + (seen - this.#ratio) * RATIO_WEIGHT;
    this.#ratio = Math.min(RATIO_MAX, Math.max(RATIO_MIN, learned));
  }

  #unlink(entry: WaitEntry<T>): void {
    if (entry.previous === undefined) this.#head = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === undefined) this.#tail = entry.previous;
    else entry.next.previous = entry.previous;
    entry.previous = undefined;
    entry.next = undefined;
  }
}

function dueBefore<T>(a: WaitEntry<T>, b: WaitEntry<T>): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}

function setPlace<T>(entry: WaitEntry<T>, index: number): void {
  entry.place = index;
}
