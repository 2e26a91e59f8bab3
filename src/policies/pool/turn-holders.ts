import type { Applicant } from "./applicant.ts";

const HOLDERS_MAX = 16;

/**
 * Those whose turn has come while fewer slots are free than they need. Lighter ones may go ahead meanwhile, but only
 * until they have taken as many slots as the pool has: then all that comes free is kept until the first of these fits.
 */
export class TurnHolders {
  readonly #holders: Applicant[] = [];
  #overtaken = 0;

  get count(): number {
    return this.#holders.length;
  }

  add(applicant: Applicant): void {
    this.#holders.push(applicant);
  }

  /** Takes out the first that needs no more than `free` of all `slots`. */
  fitting(free: number, slots: number, need: (applicant: Applicant) => number): Applicant | undefined {
    if (this.#holders.length === 0) return undefined;
    const mayOvertake = this.#overtaken < slots;
    const index = this.#holders.findIndex((holder, at) => (at === 0 || mayOvertake) && need(holder) <= free);
    if (index < 0) return undefined;
    const fitting = this.#takeOut(index);
    if (index > 0) this.overtakenBy(need(fitting));
    return fitting;
  }

  mayBeOvertaken(slots: number): boolean {
    return this.#holders.length === 0 || (this.#overtaken < slots && this.#holders.length < HOLDERS_MAX);
  }

  overtakenBy(slots: number): void {
    if (this.#holders.length > 0) this.#overtaken += slots;
  }

  remove(applicant: Applicant): boolean {
    const index = this.#holders.indexOf(applicant);
    if (index >= 0) this.#takeOut(index);
    return index >= 0;
  }

  [Symbol.iterator](): Iterator<Applicant> {
    return this.#holders[Symbol.iterator]();
  }

  #takeOut(index: number): Applicant {
    if (index === 0) this.#overtaken = 0;
    return this.#holders.splice(index, 1)[0] as Applicant;
  }
}
