import { AsyncLocalStorage } from "node:async_hooks";
import type { Call, Fault, Usage } from "../../core/index.ts";
import type { Applicant, Place } from "./applicant.ts";
import type { Slots } from "./slots.ts";

/**
 * A place whose holder runs code of the user's. While that code waits for a call that it makes to the same pool, the
 * place is lent to the call: if it were not, a pool full of such code would wait for itself. One call at a time has it;
 * others that it makes at once queue like any, and the first of them has the place when it comes back.
 */
export class Lender implements Place {
  readonly slots: Slots;
  readonly #place: Place;
  #waiting: Set<Applicant> | undefined;
  #lent = false;
  #ended = false;
  #usage: Usage | undefined;

  constructor(slots: Slots, place: Place) {
    this.slots = slots;
    this.#place = place;
  }

  get isOpen(): boolean {
    return !this.#ended;
  }

  /** The place, if no other call has it. */
  borrow(): Place | undefined {
    if (this.#lent || this.#ended || this.#place.isAway) return undefined;
    this.#lent = true;
    return new Loan(() => this.#returned());
  }

  /** Gives the place to a queued call as soon as it comes back; `forget` when that has another, or none. */
  waits(applicant: Applicant): void {
    this.#waiting ??= new Set();
    this.#waiting.add(applicant);
  }

  forget(applicant: Applicant): void {
    this.#waiting?.delete(applicant);
  }

  get isAway(): boolean {
    return this.#place.isAway;
  }

  get since(): number | undefined {
    return this.#place.since;
  }

  /** Not while a call has it. */
  leave(): boolean {
    return !this.#lent && this.#place.leave();
  }

  takeNow(call: Call): boolean {
    return this.#place.takeNow(call);
  }

  take(call: Call): Promise<Fault | undefined> {
    return this.#place.take(call);
  }

  stay(): void {
    this.#place.stay();
  }

  /** The holder has ended. A call that still has the place keeps it to its own end. */
  release(usage?: Usage): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#usage = usage;
    this.#waiting = undefined;
    if (!this.#lent) this.#place.release(usage);
  }

  #returned(): void {
    this.#lent = false;
    if (this.#ended) {
      this.#place.release(this.#usage);
      return;
    }
    const waiting = this.#waiting ?? [];
    for (const applicant of waiting) {
      this.forget(applicant);
      const loan = this.borrow();
      if (loan === undefined) return;
      if (this.slots.place(applicant, loan)) return;
      this.#lent = false;
    }
  }
}

/** Its lender waits for whoever has it and keeps the slot: so it is never left. */
class Loan implements Place {
  readonly isAway = false;
  readonly since = undefined;
  #giveBack: (() => void) | undefined;

  constructor(giveBack: () => void) {
    this.#giveBack = giveBack;
  }

  get isOpen(): boolean {
    return this.#giveBack !== undefined;
  }

  leave(): boolean {
    return false;
  }

  takeNow(): boolean {
    return true;
  }

  take(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  stay(): void {}

  release(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    giveBack?.();
  }
}

const current = new AsyncLocalStorage<Lender>();
let lending = false;

/** Runs `fn`; the calls it makes to the same pool, at any depth and after any `await`, may borrow its place. */
export function lend<T>(lender: Lender, fn: () => T): T {
  lending = true;
  return current.run(lender, fn);
}

/** The lender whose code runs now, if it holds a place of `slots`. */
export function lenderOf(slots: Slots): Lender | undefined {
  if (!lending) return undefined;
  const lender = current.getStore();
  return lender !== undefined && lender.slots === slots && lender.isOpen ? lender : undefined;
}
