/** Units that were granted together: unit x may be used from `from + x / perMs` on; all at once where `perMs` is 0. */
interface Grant {
  readonly from: number;
  readonly perMs: number;
  readonly receivedAt: number;
  used: number;
  left: number;
}

/** How long a unit that may be used is kept unused. */
export const KEPT_MS = 2_000;
/** A paced unit that could have been used so long ago is nobody's any more: its time has passed. */
const LOST_MS = 5_000;

/** Units of one limit that this process holds, soonest first. Times are the clock's. */
export class Grants {
  #grants: Grant[] = [];
  #total = 0;
  #lastAt = Number.NEGATIVE_INFINITY;

  get total(): number {
    return this.#total;
  }

  /** When the last unit may be used. */
  get lastAt(): number {
    return this.#lastAt;
  }

  add(amount: number, from: number, perMs: number, now: number): void {
    if (amount <= 0) return;
    const grant = { from, perMs, receivedAt: now, used: 0, left: amount };
    const after = this.#grants.findIndex((other) => readyAt(other, 1) > readyAt(grant, 1));
    if (after < 0) this.#grants.push(grant);
    else this.#grants.splice(after, 0, grant);
    this.#total += amount;
    this.#lastAt = Math.max(this.#lastAt, readyAt(grant, amount));
  }

  /** When so many units may be used at once; `Infinity` if fewer are held. */
  readyAt(amount: number): number {
    let at = Number.NEGATIVE_INFINITY;
    let missing = amount;
    for (const grant of this.#grants) {
      if (missing <= 0) break;
      at = Math.max(at, readyAt(grant, Math.min(missing, grant.left)));
      missing -= grant.left;
    }
    return missing > 0 ? Number.POSITIVE_INFINITY : at;
  }

  take(amount: number): void {
    let missing = amount;
    for (let first = this.#grants[0]; first !== undefined && missing > 0; first = this.#grants[0]) {
      missing -= this.#takeFrom(first, missing);
    }
  }

  /** Takes out what is held for too long, and tells how much of it others may have. */
  expire(now: number): number {
    let [expired, returned] = [0, 0];
    for (const grant of this.#grants) {
      if (now <= grant.receivedAt + KEPT_MS) continue;
      const amount = readyBy(grant, now - KEPT_MS);
      // It is asleep processes that hold anything for so long.
      returned += amount - (now > grant.receivedAt + LOST_MS ? lostBy(grant, now - LOST_MS) : 0);
      grant.used += amount;
      grant.left -= amount;
      expired += amount;
    }
    if (expired > 0) this.#shrink(expired);
    return returned;
  }

  /** Takes out up to `amount` of those that can be used last, and tells how much. */
  giveBack(amount: number): number {
    let given = 0;
    for (let last = this.#grants.at(-1); last !== undefined && given < amount; last = this.#grants.at(-1)) {
      const part = Math.min(last.left, amount - given);
      last.left -= part;
      given += part;
      if (last.left > 0) break;
      this.#grants.pop();
    }
    if (given > 0) this.#shrink(given);
    return given;
  }

  clear(): number {
    return this.giveBack(this.#total);
  }

  #takeFrom(grant: Grant, amount: number): number {
    const taken = Math.min(grant.left, amount);
    grant.left -= taken;
    grant.used += taken;
    this.#total -= taken;
    if (grant.left > 0) return taken;
    this.#grants.shift();
    this.#forget(grant);
    return taken;
  }

  #shrink(amount: number): void {
    this.#total -= amount;
    this.#grants = this.#grants.filter(({ left }) => left > 0);
    this.#findLast();
  }

  // One that is used up may have reached further than those that begin later.
  #forget(grant: Grant): void {
    if (this.#grants.length === 0 || readyAt(grant, 0) >= this.#lastAt) this.#findLast();
  }

  #findLast(): void {
    // Rounding must not leave a trace of what is gone.
    if (this.#grants.length === 0) this.#total = 0;
    this.#lastAt = Math.max(...this.#grants.map((grant) => readyAt(grant, grant.left)));
  }
}

function readyAt({ from, perMs, used }: Grant, amount: number): number {
  return perMs === 0 ? from : from + (used + amount) / perMs;
}

/** How many of those that are left could be used by `at`. */
function readyBy({ from, perMs, used, left }: Grant, at: number): number {
  return perMs === 0 ? left : Math.min(left, Math.max(0, Math.floor((at - from) * perMs) - used));
}

function lostBy(grant: Grant, at: number): number {
  return grant.perMs === 0 ? 0 : readyBy(grant, at);
}
