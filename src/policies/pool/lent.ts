import { AsyncLocalStorage } from "node:async_hooks";
import type { Slot, Slots } from "./slots.ts";

interface Lent {
  readonly slots: Slots;
  readonly slot: Slot;
}

const lent = new AsyncLocalStorage<Lent>();
let lending = false;

/** Runs a job's function so that the calls it makes pass on the job's own slot. */
export function lend<T>(slots: Slots, slot: Slot, fn: () => T): T {
  lending = true;
  return lent.run({ slots, slot }, fn);
}

/**
 * True within a running job of this pool. Its calls need no second slot: if they did, a pool full of jobs that
 * each make a call would wait for itself.
 */
export function insideJob(slots: Slots): boolean {
  if (!lending) return false;
  const current = lent.getStore();
  return current !== undefined && current.slots === slots && current.slot.isOpen;
}
