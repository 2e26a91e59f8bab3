import {
  aborted,
  type Call,
  defaultRuntime,
  type Fault,
  integerIn,
  knownKeys,
  type Next,
  type Outcome,
  type Policy,
  type Runtime,
} from "../../core/index.ts";
import { insideJob } from "./lent.ts";
import { type Applicant, Slot, type SlotLimits, Slots } from "./slots.ts";

export { createJobs, type JobContext, type JobOptions, type JobStatus, type Jobs } from "./jobs.ts";

export interface PoolOptions {
  /** How many calls may run at once, streams until their end included. At least 1. Default 64. */
  readonly concurrency?: number | undefined;
  /** How many calls may wait. 0 lets none wait. Default 10,000. */
  readonly maxQueue?: number | undefined;
}

export const POOL_DEFAULTS = { concurrency: 64, maxQueue: 10_000 } as const;

/** The pool's state for `optimizer.stats()`. */
export interface PoolSnapshot {
  readonly concurrency: number;
  readonly maxQueue: number;
  readonly running: number;
  readonly queued: number;
  /** Mean time a slot is held, in milliseconds; absent before 20 calls have ended. */
  readonly serviceMs: number | undefined;
}

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
 * Bounds how many calls run at once and lets the others wait by priority. A slot is held from admission until the
 * reply is settled, which for a stream is its end.
 *
 * Waiting calls are served by weight (critical : high : normal : low : background = 16 : 8 : 4 : 2 : 1) and in order
 * of arrival within a priority, so nobody starves. When the queue is full, a newcomer takes the place of the latest
 * of the least urgent ones if that one is less urgent than itself; the loser is refused.
 *
 * Refuses with `QueueFullError` when there is no place, and with `DeadlineExceededError` when the call's time to be
 * admitted runs out, or at once when the service times of the calls before it say that it clearly will. Both carry
 * `retryAfterMs` as soon as 20 calls have been measured.
 *
 * Throws {@link OptionError} for a wrong option.
 */
export function pool(options: PoolOptions = {}, runtime: Runtime = defaultRuntime()): PoolPolicy {
  const slots = new Slots(limitsOf(options, POOL_DEFAULTS), runtime);

  return {
    name: "pool",
    ring: "call",
    runtime,
    slots,
    handle(call, next) {
      if (insideJob(slots)) return next(call);
      if (call.cancellation.cancelled) return Promise.resolve(aborted(call.cancellation.reason));
      const slot = slots.take();
      return slot === undefined ? waitAndPass(slots, runtime, call, next) : pass(slot, call, next);
    },
    update(changes) {
      slots.limits = limitsOf(changes, slots.limits);
      slots.drain();
    },
    snapshot: () => ({ ...slots.limits, running: slots.running, queued: slots.queued, serviceMs: slots.serviceMs }),
    close: () => slots.close(),
  };
}

function limitsOf(options: PoolOptions, base: SlotLimits): SlotLimits {
  knownKeys("pool", options, Object.keys(POOL_DEFAULTS));
  const { concurrency = base.concurrency, maxQueue = base.maxQueue } = options;
  return {
    concurrency: integerIn("pool.concurrency", concurrency, 1),
    maxQueue: integerIn("pool.maxQueue", maxQueue, 0),
  };
}

async function waitAndPass(slots: Slots, runtime: Runtime, call: Call, next: Next): Promise<Outcome> {
  const admission = await new Promise<Slot | Fault>((resolve) => {
    slots.apply(new WaitingCall(call, runtime, resolve));
  });
  return admission instanceof Slot ? pass(admission, call, next) : admission;
}

async function pass(slot: Slot, call: Call, next: Next): Promise<Outcome> {
  const outcome = await next(call);
  if (outcome.ok) outcome.settled.subscribe(() => slot.release());
  else slot.release();
  return outcome;
}

class WaitingCall implements Applicant {
  readonly call: Call;
  readonly #runtime: Runtime;
  readonly #resolve: (admission: Slot | Fault) => void;

  constructor(call: Call, runtime: Runtime, resolve: (admission: Slot | Fault) => void) {
    this.call = call;
    this.#runtime = runtime;
    this.#resolve = resolve;
  }

  get level(): number {
    return this.call.scope.priority;
  }

  get admitBy(): number {
    return this.call.admitBy;
  }

  get cancellation(): Call["cancellation"] {
    return this.call.cancellation;
  }

  admitted(slot: Slot, waitMs: number): void {
    this.call.trace.waited(this.#runtime.clock.now(), "pool", "queue", waitMs);
    this.#resolve(slot);
  }

  refused(fault: Fault, waitMs: number): void {
    this.call.trace.waited(this.#runtime.clock.now(), "pool", "queue", waitMs);
    this.#resolve(fault);
  }
}
