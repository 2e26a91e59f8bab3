import type { Call } from "./call.ts";
import type { Timer } from "./clock.ts";
import { QueueFullError } from "./errors.ts";
import { type Fault, refusal } from "./fault.ts";
import type { Next } from "./policy.ts";
import type { Outcome } from "./reply.ts";
import type { Runtime } from "./runtime.ts";

/**
 * A call's slot in the pool, for policies that let the call wait long: meanwhile others may have it. A call that has left
 * its slot takes it again before it is sent, and holds no permit and no reservation while it waits for that.
 */
export interface Seat {
  readonly isAway: boolean;
  /** When the call first asked for a slot; known once it has left. */
  readonly since: number | undefined;
  /** Gives the slot back. Says whether it did: an answer that has begun keeps its slot. */
  leave(): boolean;
  /** Takes a slot again if one is free and nobody waits for it. Says whether the call has one. */
  takeNow(call: Call): boolean;
  /** Takes a slot again, in the pool's queue if need be. Gives the fault of a call that gets none. */
  take(call: Call): Promise<Fault | undefined>;
  /** From now on the slot is kept to the end. */
  stay(): void;
}

/** A wait that is expected to be longer, or has been, is one without the slot. */
export const LONG_WAIT_MS = 1_000;

/**
 * What a policy gives back when a call's turn has come while no slot was free for it: the call is to take its slot and to
 * be sent again, by retry or else by the pool. It never reaches a caller.
 */
export const WITHOUT_SLOT: Fault = refusal(
  new QueueFullError("The pool had no free slot when the call's turn came.", { policy: "pool" }),
);

/** Sends the call, and again each time it was without a slot when its turn came: what was tried before is not tried again. */
export async function sentWithSlot(call: Call, next: Next): Promise<Outcome> {
  let outcome = await next(call);
  while (outcome === WITHOUT_SLOT) outcome = (await call.trace.seat?.take(call)) ?? (await next(call));
  return outcome;
}

/** Gives the call's slot back when its wait gets long, or is expected to. The timer is the caller's to cancel. */
export function leaveWhenLong({ clock }: Runtime, call: Call, expectedMs: number): Timer | undefined {
  const { seat } = call.trace;
  if (seat === undefined) return undefined;
  if (expectedMs <= LONG_WAIT_MS) return clock.background(LONG_WAIT_MS, () => seat.leave());
  seat.leave();
  return undefined;
}
