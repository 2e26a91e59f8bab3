/** Length of a fine slot, and so the precision of windows of up to 5 minutes. */
export const FINE_MS = 5_000;
const FINE_WINDOW_MS = 300_000;
/** One more than these 5 minutes have, because the current slot is not over. */
const FINE_SLOTS = 61;
const FINE_PER_COARSE = 12;
/** One more than the hour that can be asked for, because the current minute is not over. */
const COARSE_SLOTS = 61;
/** The longest window that can be asked for. */
export const WINDOW_MAX_MS = 3_600_000;

interface Slot<T> {
  /** Number of the slot since the clock's origin. */
  readonly number: number;
  readonly value: T;
}

/** What a slot holds: how it begins, how an old one is added to the minute it belongs to, what its end means. */
export interface SlotKind<T> {
  fresh(now: number): T;
  fold(into: T, from: T): void;
  drop?(value: T): void;
}

/**
 * The last hour of something, in slots: 5 s each for the last 5 minutes, 60 s each before. A slot is made when
 * something is put into it. What is put in lies in exactly one slot, so a window is the sum of its slots.
 */
export class SlotRing<T> {
  #kind: SlotKind<T>;
  #fine: (Slot<T> | undefined)[] = [];
  #coarse: (Slot<T> | undefined)[] = [];
  #current: Slot<T> | undefined;

  constructor(kind: SlotKind<T>) {
    this.#kind = kind;
  }

  /** The slot of now. */
  at(now: number): T {
    const number = Math.floor(now / FINE_MS);
    if (this.#current?.number !== number) this.#current = this.#rotate(number, now);
    return this.#current.value;
  }

  /** Visits the slots whose middle lies within the last `windowMs`. */
  visit(now: number, windowMs: number, visitor: (value: T) => void): void {
    const from = now - windowMs;
    const coarseMs = FINE_MS * FINE_PER_COARSE;
    for (const slot of this.#coarse) {
      if (slot === undefined) continue;
      const start = slot.number * coarseMs;
      // A minute that is still being filled holds only what is older than the fine slots.
      const end = Math.min(start + coarseMs, now - FINE_WINDOW_MS);
      if ((start + end) / 2 >= from) visitor(slot.value);
    }
    for (const slot of this.#fine) if (slot && (slot.number + 0.5) * FINE_MS >= from) visitor(slot.value);
  }

  /** Drops what began before the clock's time `before`. */
  forget(before: number): void {
    const keep =
      (lengthMs: number) =>
      (slot: Slot<T> | undefined): Slot<T> | undefined => {
        if (slot === undefined || slot.number * lengthMs >= before) return slot;
        this.#kind.drop?.(slot.value);
        return undefined;
      };
    this.#fine = this.#fine.map(keep(FINE_MS));
    this.#coarse = this.#coarse.map(keep(FINE_MS * FINE_PER_COARSE));
    if (this.#current !== undefined && !this.#fine.includes(this.#current)) this.#current = undefined;
  }

  #rotate(number: number, now: number): Slot<T> {
    const fresh = { number, value: this.#kind.fresh(now) };
    const index = number % FINE_SLOTS;
    const old = this.#fine[index];
    this.#fine[index] = fresh;
    if (old !== undefined) this.#fold(old, now);
    return fresh;
  }

  #fold(old: Slot<T>, now: number): void {
    const number = Math.floor(old.number / FINE_PER_COARSE);
    const index = number % COARSE_SLOTS;
    let minute = this.#coarse[index];
    // After a long pause an old slot may belong to a minute whose place has long gone to a later one.
    if (minute === undefined || minute.number < number) {
      this.#coarse[index] = undefined;
      if (minute !== undefined) this.#kind.drop?.(minute.value);
      minute = { number, value: this.#kind.fresh(now) };
      this.#coarse[index] = minute;
    }
    if (minute.number === number) this.#kind.fold(minute.value, old.value);
    this.#kind.drop?.(old.value);
  }
}
