/** A place in a {@link WaitQueue}. */
export interface Waiter<T> {
  readonly item: T;
  /** 0 (first) to 9 (last). */
  readonly level: number;
}

interface Node<T> extends Waiter<T> {
  previous: Node<T> | undefined;
  next: Node<T> | undefined;
  queued: boolean;
}

interface Level<T> {
  readonly stride: number;
  /** Virtual time at which this level is served next. */
  pass: number;
  head: Node<T> | undefined;
  tail: Node<T> | undefined;
  count: number;
}

const LEVELS = 10;

/**
 * Who waits, and who is next. First come, first served within a level; between levels service is shared by
 * weight, so that an urgent call goes ahead of a crowd and yet nobody starves: a level gets twice the share of
 * the level two below it (critical : high : normal : low : background = 16 : 8 : 4 : 2 : 1).
 *
 * Adding, taking and removing are O(1). Algorithm: stride scheduling (Waldspurger and Weihl, MIT/LCS/TM-528, 1995).
 */
export class WaitQueue<T> {
  #levels: Level<T>[];
  #size = 0;
  /** Virtual time of the last service: a level that was empty joins one stride after it and cannot claim its past. */
  #virtual = 0;

  constructor() {
    this.#levels = Array.from({ length: LEVELS }, (_, level) => ({
      stride: 2 ** ((level - (LEVELS - 1)) / 2),
      pass: 0,
      head: undefined,
      tail: undefined,
      count: 0,
    }));
  }

  get size(): number {
    return this.#size;
  }

  add(item: T, level: number): Waiter<T> {
    const list = this.#levels[level] as Level<T>;
    const node: Node<T> = { item, level, previous: list.tail, next: undefined, queued: true };
    if (list.tail === undefined) {
      list.head = node;
      list.pass = this.#joiningPass(list);
    } else {
      list.tail.next = node;
    }
    list.tail = node;
    list.count++;
    this.#size++;
    return node;
  }

  /** Who is next; stays the same until somebody is taken, removed, or joins ahead. */
  peek(): T | undefined {
    return this.#next()?.head?.item;
  }

  /** Takes the next one. */
  take(): T | undefined {
    const list = this.#next();
    if (list === undefined) return undefined;
    const node = list.head as Node<T>;
    this.#virtual = list.pass;
    list.pass += list.stride;
    this.#unlink(list, node);
    return node.item;
  }

  /** Takes a waiter out, wherever it stands. Says whether it was still there. */
  remove(waiter: Waiter<T>): boolean {
    const node = waiter as Node<T>;
    if (!node.queued) return false;
    this.#unlink(this.#levels[node.level] as Level<T>, node);
    return true;
  }

  /** Who came last in the least urgent level that has anybody: the first to go when room must be made. */
  last(): Waiter<T> | undefined {
    for (let level = LEVELS - 1; level >= 0; level--) {
      const list = this.#levels[level] as Level<T>;
      if (list.tail !== undefined) return list.tail;
    }
    return undefined;
  }

  /** How many of those who wait are served before a newcomer of `level`: all of its own level, of others by weight. */
  aheadOf(level: number): number {
    const own = this.#levels[level] as Level<T>;
    const pass = own.count === 0 ? this.#joiningPass(own) : own.pass + own.count * own.stride;
    let ahead = 0;
    for (const list of this.#levels) {
      if (list === own) ahead += list.count;
      else if (list.count > 0) {
        const turns = (pass - list.pass) / list.stride;
        // Ties go to the more urgent level.
        const before = list.stride < own.stride ? Math.floor(turns) + 1 : Math.ceil(turns);
        ahead += Math.min(list.count, Math.max(0, before));
      }
    }
    return ahead;
  }

  *[Symbol.iterator](): Generator<T> {
    for (const list of this.#levels) for (let node = list.head; node !== undefined; node = node.next) yield node.item;
  }

  // One stride ahead, as if just served: a level that comes back must not overtake more urgent ones that wait.
  #joiningPass({ pass, stride }: Level<T>): number {
    return Math.max(pass, this.#virtual + stride);
  }

  // Ties go to the more urgent level, which comes first.
  #next(): Level<T> | undefined {
    let best: Level<T> | undefined;
    for (const list of this.#levels) {
      if (list.head !== undefined && (best === undefined || list.pass < best.pass)) best = list;
    }
    return best;
  }

  #unlink(list: Level<T>, node: Node<T>): void {
    node.queued = false;
    if (node.previous === undefined) list.head = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) list.tail = node.previous;
    else node.next.previous = node.previous;
    list.count--;
    this.#size--;
  }
}
