const SLOTS = 60;

/** What this process has used of a long window, for a server that has lost count. Forgotten late rather than early. */
export class LongUse {
  readonly #slotMs: number;
  readonly #slots = new Map<number, number>();
  #total = 0;

  constructor(windowMs: number) {
    this.#slotMs = windowMs / SLOTS;
  }

  add(amount: number, now: number): void {
    const slot = Math.floor(now / this.#slotMs);
    this.#slots.set(slot, (this.#slots.get(slot) ?? 0) + amount);
    this.#total += amount;
  }

  total(now: number): number {
    const oldest = Math.floor(now / this.#slotMs) - SLOTS;
    for (const [slot, amount] of this.#slots) {
      if (slot >= oldest) break;
      this.#slots.delete(slot);
      this.#total -= amount;
    }
    return Math.max(0, this.#total);
  }
}
