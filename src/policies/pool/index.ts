import {
  aborted,
  type Call,
  defaultRuntime,
  type Fault,
  type Next,
  type Outcome,
  type Policy,
  type Runtime,
  type Usage,
  WITHOUT_SLOT,
} from "../../core/index.ts";
import type { Place } from "./applicant.ts";
import { Lender, lend, lenderOf } from "./lender.ts";
import { type PoolOptions, readPoolOptions } from "./options.ts";
import { Slots } from "./slots.ts";
import { type PoolSnapshot, snapshotOf } from "./snapshot.ts";
import { WaitingCall } from "./waiting-call.ts";

export {
  createJobs,
  type JobContext,
  type JobInfo,
  type JobListOptions,
  type JobOptions,
  type JobStatus,
  type Jobs,
} from "./jobs.ts";
export { type PartitionOptions, POOL_DEFAULTS, type PoolOptions } from "./options.ts";
export type { PartitionSnapshot, PoolSnapshot } from "./snapshot.ts";

export interface PoolPolicy extends Policy {
  readonly name: "pool";
  readonly runtime: Runtime;
  /** What `createJobs` shares with the calls. */
  readonly slots: Slots;
  /** Changes the running pool: a larger one admits at once, a smaller one shrinks as slots come free. */
  update(options: PoolOptions): void;
  snapshot(): PoolSnapshot;
  /** Refuses everybody who waits and whoever comes later with `ClosedError`; running calls go on to their end. */
  close(): void;
}

/**
 * Bounds how many calls run at once and lets the others wait. A slot is held from admission until the reply is settled,
 * which for a stream is its end.
 *
 * Waiting calls are served by weight of their priority (critical : high : normal : low : background = 16 : 8 : 4 : 2 : 1),
 * within a priority each client by the tokens it has had, and of one client the earliest deadline first; so nobody
 * starves. When the queue is full, the latest of the least urgent ones makes room for a newcomer that is more urgent, or
 * whose client has fewer waiting; the loser is refused. `partitions` keeps parts of the pool for calls that name them.
 *
 * Refuses with `QueueFullError` when there is no place, and with `DeadlineExceededError` when the call's time to be
 * admitted runs out, or at once when the service times of the calls before it say that it clearly will. Both carry
 * `retryAfterMs` as soon as 20 calls have been measured.
 *
 * A call that waits long within, for a limit, a permit or its next try, gives its slot back meanwhile and takes one again
 * before it is sent, by the time at which it first asked for one.
 *
 * A function of the user's lends its slot to the calls that it makes to the same pool, one at a time.
 *
 * Throws {@link OptionError} for a wrong option.
 */
export function pool(options: PoolOptions = {}, runtime: Runtime = defaultRuntime()): PoolPolicy {
  const slots = new Slots(readPoolOptions(options), runtime);

  return {
    name: "pool",
    ring: "call",
    runtime,
    slots,
    handle(call, next) {
      if (call.cancellation.cancelled) return Promise.resolve(aborted(call.cancellation.reason));
      const lender = lenderOf(slots);
      const place = lender?.borrow() ?? slots.take(call.scope.partition);
      return place === undefined ? waitAndPass(slots, runtime, lender, call, next) : pass(slots, place, call, next);
    },
    update: (changes) => slots.configure(readPoolOptions(changes, slots.settings)),
    snapshot: () => snapshotOf(slots, runtime.clock.now()),
    close: () => slots.close(),
  };
}

async function waitAndPass(
  slots: Slots,
  runtime: Runtime,
  lender: Lender | undefined,
  call: Call,
  next: Next,
): Promise<Outcome> {
  const admission = await new Promise<Place | Fault>((resolve) => {
    const waiting = new WaitingCall(call, runtime, (place) => {
      lender?.forget(waiting);
      resolve(place);
    });
    slots.apply(waiting);
    if (waiting.waiter !== undefined) lender?.waits(waiting);
  });
  return "ok" in admission ? admission : pass(slots, admission, call, next);
}

function pass(slots: Slots, place: Place, call: Call, next: Next): Promise<Outcome> {
  // Only such a call runs code that may make calls of its own.
  if (call.wire.name === "function") {
    const lender = new Lender(slots, place);
    return hold(lender, call, (again) => lend(lender, () => next(again)));
  }
  return hold(place, call, next);
}

async function hold(place: Place, call: Call, next: Next): Promise<Outcome> {
  const { trace } = call;
  // Of two that share a record nobody knows whose slot is left.
  if (trace.seat === undefined) trace.seat = place;
  else trace.seat.stay();
  let outcome = await next(call);
  while (outcome === WITHOUT_SLOT) outcome = (await place.take(call)) ?? (await next(call));
  if (outcome.ok) {
    place.stay();
    outcome.settled.subscribe(({ usage }) => end(place, call, usage));
  } else {
    end(place, call);
  }
  return outcome;
}

function end(place: Place, { trace }: Call, usage?: Usage): void {
  if (trace.seat === place) trace.seat = undefined;
  place.release(usage);
}
