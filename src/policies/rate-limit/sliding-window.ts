import { type Meter, PastLimit, type Unit } from "./meter.ts";

interface Slot {
  readonly firstAt: number;
  lastAt: number;
  amount: number;
}

const SLOTS_PER_WINDOW = 1_000;
const SLOTS_ASSUMED = 60;
// Of the limit: what is left of fractions that were added and taken away again must not fill a window.
const NEGLIGIBLE = 1e-9;

/**
 * An exact limit: in no window, wherever it begins, is more taken than the limit. A log of what was taken when;
 * neighbours within a thousandth of the window share a slot that leaves with its youngest member, so the log stays
 * small and errs on the safe side. Corrections that find more used than estimated may pass the limit.
 *
 * As a guard it counts what calls are expected to use, and lets `slack` more pass.
 */
export class SlidingWindow implements Meter {
  readonly unit: Unit;
  readonly windowMs: number;
  guards = false;
  slack = 0;
  #limit: number;
  #slots: Slot[] = [];
  #head = 0;
  #total = 0;
  readonly #pastLimit = new PastLimit();

  constructor(unit: Unit, limit: number, windowMs: number) {
    this.unit = unit;
    this.windowMs = windowMs;
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Begins in the middle: with `amount` that may have been taken at any time since `since`, evenly spread. */
  assume(amount: number, since: number, now: number): void {
    const from = Math.max(since, now - this.windowMs);
    const slots = Math.min(SLOTS_ASSUMED, Math.ceil(amount));
    for (let slot = 1; slot <= slots; slot++) {
      const at = from + ((now - from) * slot) / slots;
      this.#slots.push({ firstAt: at, lastAt: at, amount: amount / slots });
    }
    this.#total += amount;
  }

  delay(amount: number, now: number, ahead = 0): number {
    const needed = Math.min(amount, this.#limit) - this.slack;
    let excess = this.taken(now) + ahead + needed - this.#limit - NEGLIGIBLE * this.#limit;
    if (excess <= 0) return 0;
    for (let index = this.#head; index < this.#slots.length; index++) {
      const slot = this.#slots[index] as Slot;
      excess -= slot.amount;
      if (excess <= 0) return slot.lastAt + this.windowMs - now;
    }
    // Those ahead fill whole windows of their own.
    return this.windowMs * Math.ceil(1 + excess / this.#limit);
  }

  take(amount: number, now: number): void {
    this.#expire(now);
    this.#add(Math.min(amount, this.#limit), now);
  }

  correct(estimate: number, used: number, takenAt: number, now: number): void {
    this.#expire(now);
    const change = Math.min(used, this.#limit) - this.#pastLimit.bounded(estimate, takenAt, this.#limit);
    if (change > 0) this.#add(change, now);
    else if (change < 0) this.#remove(-change, takenAt);
  }

  setLimit(limit: number, now: number): void {
    this.#pastLimit.changed(this.#limit, limit, now);
    this.#limit = limit;
  }

  taken(now: number): number {
    this.#expire(now);
    return this.#total;
  }

  free(now: number): number {
    return Math.max(0, 1 - this.taken(now) / this.#limit);
  }

  #add(amount: number, now: number): void {
    this.#total += amount;
    const last = this.#slots.at(-1);
    if (last !== undefined && now - last.firstAt < this.windowMs / SLOTS_PER_WINDOW) {
      last.amount += amount;
      last.lastAt = now;
    } else {
      this.#slots.push({ firstAt: now, lastAt: now, amount });
    }
  }

  // The slot may have left already; then there is nothing to give back.
  #remove(amount: number, takenAt: number): void {
    for (let index = this.#slots.length - 1; index >= this.#head; index--) {
      const slot = this.#slots[index] as Slot;
      if (slot.firstAt > takenAt) continue;
      if (slot.lastAt < takenAt) return;
      const removed = Math.min(amount, slot.amount);
      slot.amount -= removed;
      this.#total -= removed;
      return;
    }
  }

  #expire(now: number): void {
    for (let slot = this.#slots[this.#head]; slot !== undefined; slot = this.#slots[this.#head]) {
      if (slot.lastAt + this.windowMs > now) break;
      this.#total -= slot.amount;
      this.#head++;
    }
    if (this.#head === this.#slots.length) {
      this.#slots = [];
      this.#head = 0;
      this.#total = 0;
    } else if (this.#head > SLOTS_PER_WINDOW) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
  }
}
