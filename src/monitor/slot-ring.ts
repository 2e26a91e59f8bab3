/** Length of a fine slot, and so the precision of windows of up to 5 minutes. */
export const FINE_MS = 5_000;
/** The longest window that is that precise. */
export const FINE_WINDOW_MS = 300_000;
/** One more than these 5 minutes have, because the current slot is not over. */
const FINE_SLOTS = 61;
const MINUTE_MS = 60_000;
/** One more than the hour that can be asked for, because the current minute is not over. */
const MINUTE_SLOTS = 61;
const BLOCK_MS = 600_000;
const BLOCK_MINUTES = BLOCK_MS / MINUTE_MS;
/** Those that an hour touches. */
const BLOCK_SLOTS = 7;
/** The longest window that can be asked for. */
export const WINDOW_MAX_MS = 3_600_000;

/** Where the first slot begins whose middle lies within the last `windowMs`. */
export function windowStart(now: number, windowMs: number): number {
  const lengthMs = windowMs > FINE_WINDOW_MS ? MINUTE_MS : FINE_MS;
  return Math.round((now - windowMs) / lengthMs) * lengthMs;
}

interface Slot<T> {
  /** Number of the slot since the clock's origin. */
  readonly number: number;
  readonly value: T;
}

/** What a slot holds: how it begins, how one is added to a longer one that it lies in, what its end means. */
export interface SlotKind<T> {
  fresh(now: number): T;
  /** Called in the order of time. */
  fold(into: T, from: T): void;
  drop?(value: T): void;
}

/** Slots of one length, the latest of them. */
class Level<T> {
  readonly lengthMs: number;
  #slots: (Slot<T> | undefined)[];
  #kind: SlotKind<T>;

  constructor(lengthMs: number, size: number, kind: SlotKind<T>) {
    this.lengthMs = lengthMs;
    this.#slots = new Array<Slot<T> | undefined>(size).fill(undefined);
    this.#kind = kind;
  }

  /** The slot of that number, made when it is not there. A slot that is too old to have a place is `undefined`. */
  take(number: number, now: number): Slot<T> | undefined {
    const index = number % this.#slots.length;
    const old = this.#slots[index];
    if (old !== undefined && old.number >= number) return old.number === number ? old : undefined;
    if (old !== undefined) this.#kind.drop?.(old.value);
    this.#slots[index] = undefined;
    const slot = { number, value: this.#kind.fresh(now) };
    this.#slots[index] = slot;
    return slot;
  }

  get(number: number): Slot<T> | undefined {
    const slot = this.#slots[number % this.#slots.length];
    return slot?.number === number ? slot : undefined;
  }

  has(slot: Slot<T>): boolean {
    return this.#slots[slot.number % this.#slots.length] === slot;
  }

  /** Visits what begins at `from` or later. */
  visit(from: number, visitor: (value: T, start: number) => void): void {
    for (const slot of this.#slots) {
      if (slot !== undefined && slot.number * this.lengthMs >= from) visitor(slot.value, slot.number * this.lengthMs);
    }
  }

  forget(before: number): void {
    for (const [index, slot] of this.#slots.entries()) {
      if (slot === undefined || slot.number * this.lengthMs >= before) continue;
      this.#kind.drop?.(slot.value);
      this.#slots[index] = undefined;
    }
  }
}

/**
 * The last hour of something: in slots of 5 s for the last 5 minutes, of a minute, and of 10 minutes, so that a long
 * window is the sum of few. A slot is made when something is put into it; when it is over, it is added to the next longer
 * one that it lies in.
 */
export class SlotRing<T> {
  #kind: SlotKind<T>;
  #fine: Level<T>;
  #minutes: Level<T>;
  #blocks: Level<T>;
  /** The last that was written to: not part of its minute yet. */
  #current: Slot<T> | undefined;
  /** The last that was added to: not part of its block yet. */
  #minute: Slot<T> | undefined;

  constructor(kind: SlotKind<T>) {
    this.#kind = kind;
    this.#fine = new Level(FINE_MS, FINE_SLOTS, kind);
    this.#minutes = new Level(MINUTE_MS, MINUTE_SLOTS, kind);
    this.#blocks = new Level(BLOCK_MS, BLOCK_SLOTS, kind);
  }

  /** The slot of now. */
  at(now: number): T {
    const number = Math.floor(now / FINE_MS);
    return this.#current?.number === number ? this.#current.value : this.#rotate(number, now);
  }

  /**
   * Visits what lies in the slots whose middle is within the last `windowMs`: slots of a minute for windows over 5 minutes,
   * else of 5 s. Whole minutes and blocks stand for the slots in them.
   */
  visit(now: number, windowMs: number, visitor: (value: T) => void): void {
    const from = windowStart(now, windowMs);
    const firstMinute = Math.ceil(from / MINUTE_MS);
    const fineEnd = Math.min(firstMinute * MINUTE_MS, now + 1);
    for (let number = from / FINE_MS; number * FINE_MS < fineEnd; number++) {
      const slot = this.#fine.get(number);
      if (slot !== undefined) visitor(slot.value);
    }
    const lastMinute = Math.floor(now / MINUTE_MS);
    let minute = firstMinute;
    while (minute <= lastMinute) {
      const block = minute % BLOCK_MINUTES === 0 ? this.#blocks.get(minute / BLOCK_MINUTES) : undefined;
      if (block === undefined) {
        const slot = this.#minutes.get(minute++);
        if (slot !== undefined) visitor(slot.value);
      } else {
        visitor(block.value);
        minute += BLOCK_MINUTES;
        const open = this.#minute;
        if (open !== undefined && Math.floor(open.number / BLOCK_MINUTES) === block.number) visitor(open.value);
      }
    }
    this.#visitCurrent(firstMinute * MINUTE_MS, visitor);
  }

  /** Visits every slot that begins at `from` or later, with its start: of 5 s if that is `fine` enough, else of a minute. */
  visitFrom(from: number, fine: boolean, visitor: (value: T, start: number) => void): void {
    if (fine) {
      this.#fine.visit(from, visitor);
    } else {
      this.#minutes.visit(from, visitor);
      this.#visitCurrent(from, visitor);
    }
  }

  /** Drops what began before the clock's time `before`. */
  forget(before: number): void {
    this.#fine.forget(before);
    this.#minutes.forget(before);
    this.#blocks.forget(before);
    if (this.#current !== undefined && !this.#fine.has(this.#current)) this.#current = undefined;
    if (this.#minute !== undefined && !this.#minutes.has(this.#minute)) this.#minute = undefined;
  }

  #visitCurrent(from: number, visitor: (value: T, start: number) => void): void {
    const slot = this.#current;
    if (slot !== undefined && slot.number * FINE_MS >= from) visitor(slot.value, slot.number * FINE_MS);
  }

  #rotate(number: number, now: number): T {
    const over = this.#current;
    if (over !== undefined) {
      this.#current = undefined;
      this.#close(over, now);
    }
    const slot = this.#fine.take(number, now) ?? { number, value: this.#kind.fresh(now) };
    this.#current = slot;
    return slot.value;
  }

  #close(over: Slot<T>, now: number): void {
    const number = Math.floor((over.number * FINE_MS) / MINUTE_MS);
    const last = this.#minute;
    if (last !== undefined && last.number !== number) {
      const block = this.#blocks.take(Math.floor((last.number * MINUTE_MS) / BLOCK_MS), now);
      if (block !== undefined) this.#kind.fold(block.value, last.value);
    }
    const minute = last?.number === number ? last : this.#minutes.take(number, now);
    this.#minute = minute;
    if (minute !== undefined) this.#kind.fold(minute.value, over.value);
  }
}
