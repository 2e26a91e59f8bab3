import {
  type Account,
  aborted,
  type Call,
  type Cancellation,
  type Clock,
  ClosedError,
  DeadlineExceededError,
  type Fault,
  faultOf,
  type Lease,
  QueueFullError,
  type Runtime,
  refusal,
  type Timer,
  type Waiter,
  WaitQueue,
} from "../../core/index.ts";
import { ServiceTime } from "./service-time.ts";

/** Who asks for a slot. Exactly one of `admitted` and `refused` is called, exactly once; neither may throw. */
export interface Applicant {
  /** 0 (first) to 9 (last). */
  readonly level: number;
  /** The clock's time until which waiting makes sense; `Infinity` without a limit. */
  readonly admitBy: number;
  readonly cancellation: Cancellation | undefined;
  /** The call that events are about; absent for a job. */
  readonly call: Call | undefined;
  admitted(slot: Slot, waitMs: number): void;
  refused(fault: Fault, waitMs: number): void;
}

/** A place among those that run. Given back exactly once; whatever comes later changes nothing. */
export class Slot {
  readonly #lease: Lease;
  readonly #takenAt: number;
  readonly #slots: Slots;

  constructor(lease: Lease, takenAt: number, slots: Slots) {
    this.#lease = lease;
    this.#takenAt = takenAt;
    this.#slots = slots;
  }

  get isOpen(): boolean {
    return this.#lease.isOpen;
  }

  release(): void {
    if (this.#lease.settle()) this.#slots.released(this.#takenAt);
  }
}

/** A place in the queue. */
interface Waiting {
  readonly applicant: Applicant;
  readonly since: number;
  place: Waiter<Waiting> | undefined;
  timer: Timer | undefined;
  off: (() => void) | undefined;
}

export interface SlotLimits {
  readonly concurrency: number;
  readonly maxQueue: number;
}

// An estimate may be off: only one that is clearly beyond the time that is left refuses a call.
const CERTAINTY = 1.5;

/** The slots of one pool and the queue before them. */
export class Slots {
  limits: SlotLimits;
  readonly #clock: Clock;
  readonly #events: Runtime["events"];
  readonly #account: Account;
  readonly #queue = new WaitQueue<Waiting>();
  readonly #service = new ServiceTime();
  #running = 0;
  #closed = false;

  constructor(limits: SlotLimits, runtime: Runtime) {
    this.limits = limits;
    this.#clock = runtime.clock;
    this.#events = runtime.events;
    this.#account = runtime.ledger.account("slots");
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#queue.size;
  }

  get serviceMs(): number | undefined {
    return this.#service.meanMs;
  }

  /** A slot, if one is free and nobody waits for it. */
  take(): Slot | undefined {
    if (this.#running >= this.limits.concurrency || this.#queue.size > 0 || this.#closed) return undefined;
    return this.#open();
  }

  /** Admits the applicant now, queues it, or refuses it. The answer gives a queued one up again with `withdraw`. */
  apply(applicant: Applicant): Waiting | undefined {
    const fault = this.#refusalOf(applicant);
    if (fault !== undefined) {
      applicant.refused(fault, 0);
      return undefined;
    }
    const slot = this.take();
    if (slot !== undefined) {
      applicant.admitted(slot, 0);
      return undefined;
    }
    return this.#enqueue(applicant);
  }

  /** Takes a waiting applicant out and refuses it with `fault`. Says whether it was still waiting. */
  withdraw(waiting: Waiting, fault: Fault): boolean {
    if (waiting.place === undefined || !this.#queue.remove(waiting.place)) return false;
    this.#leave(waiting);
    waiting.applicant.refused(fault, this.#clock.now() - waiting.since);
    return true;
  }

  /** Called by the slot. */
  released(takenAt: number): void {
    this.#running--;
    this.#service.add(this.#clock.now() - takenAt);
    this.drain();
  }

  /** Admits from the queue as long as slots are free. */
  drain(): void {
    while (this.#running < this.limits.concurrency) {
      const waiting = this.#queue.take();
      if (waiting === undefined) return;
      this.#leave(waiting);
      const { applicant } = waiting;
      // Before anybody is told: a listener may ask for a slot of its own.
      const slot = this.#open();
      const waitMs = this.#clock.now() - waiting.since;
      if (this.#events.wants("pool.dequeued")) {
        const payload = { waitMs, depth: this.#queue.size, priority: applicant.level };
        this.#events.emit("pool.dequeued", applicant.call, payload);
      }
      applicant.admitted(slot, waitMs);
    }
  }

  /** Refuses everybody who waits, and whoever comes later. Those that run keep their slots to their end. */
  close(): void {
    this.#closed = true;
    for (let last = this.#queue.last(); last !== undefined; last = this.#queue.last()) {
      this.withdraw(last.item, closedFault());
    }
  }

  /** When a newcomer of `level` would be admitted, in milliseconds from now; `undefined` while too little is known. */
  #waitEstimate(level: number): number | undefined {
    const { meanMs } = this.#service;
    if (meanMs === undefined) return undefined;
    return Math.ceil(((this.#queue.aheadOf(level) + 1) * meanMs) / this.limits.concurrency);
  }

  #open(): Slot {
    this.#running++;
    return new Slot(this.#account.reserve(1), this.#clock.now(), this);
  }

  #refusalOf(applicant: Applicant): Fault | undefined {
    if (this.#closed) return closedFault();
    const { cancellation, level, admitBy } = applicant;
    if (cancellation?.cancelled === true) return aborted(cancellation.reason);
    if (this.#running < this.limits.concurrency && this.#queue.size === 0) return undefined;
    if (admitBy !== Number.POSITIVE_INFINITY) {
      const left = admitBy - this.#clock.now();
      const estimate = this.#waitEstimate(level);
      if (left <= 0 || (estimate !== undefined && estimate > CERTAINTY * left)) {
        return this.#deadlineFault(applicant);
      }
    }
    return this.#makeRoom(level) ? undefined : this.#fullFault(applicant);
  }

  // A full queue gives the place of its least urgent latecomer to a newcomer that is more urgent.
  #makeRoom(level: number): boolean {
    if (this.#queue.size < this.limits.maxQueue) return true;
    const last = this.#queue.last();
    if (last === undefined || last.level <= level) return false;
    return this.withdraw(last.item, this.#fullFault(last.item.applicant));
  }

  #enqueue(applicant: Applicant): Waiting {
    const now = this.#clock.now();
    const waiting: Waiting = { applicant, since: now, place: undefined, timer: undefined, off: undefined };
    waiting.place = this.#queue.add(waiting, applicant.level);
    if (applicant.admitBy !== Number.POSITIVE_INFINITY) {
      waiting.timer = this.#clock.timer(applicant.admitBy - now, () => {
        this.withdraw(waiting, this.#deadlineFault(applicant));
      });
    }
    waiting.off = applicant.cancellation?.onCancel((reason) => {
      this.withdraw(waiting, aborted(reason));
    });
    if (this.#events.wants("pool.queued")) {
      this.#events.emit("pool.queued", applicant.call, { depth: this.#queue.size, priority: applicant.level });
    }
    return waiting;
  }

  #leave(waiting: Waiting): void {
    waiting.timer?.cancel();
    waiting.off?.();
  }

  #fullFault({ level, call }: Applicant): Fault {
    const retryAfterMs = this.#waitEstimate(level);
    this.#rejected("full", level, call, retryAfterMs);
    const message = `The pool's queue is full: ${this.#queue.size} wait, and none of them is less urgent.`;
    return refusal(new QueueFullError(message, { policy: "pool", retryAfterMs }));
  }

  #deadlineFault({ level, call }: Applicant): Fault {
    const retryAfterMs = this.#waitEstimate(level);
    this.#rejected("deadline", level, call, retryAfterMs);
    const message = `The pool has no free slot within the call's deadline: ${this.#queue.size} wait.`;
    return refusal(new DeadlineExceededError(message, { policy: "pool", retryAfterMs }));
  }

  #rejected(
    reason: "full" | "deadline",
    priority: number,
    call: Call | undefined,
    retryAfterMs: number | undefined,
  ): void {
    if (!this.#events.wants("pool.rejected")) return;
    this.#events.emit("pool.rejected", call, { depth: this.#queue.size, priority, reason, retryAfterMs });
  }
}

export type { Waiting };

function closedFault(): Fault {
  return faultOf({ kind: "refused", error: new ClosedError() });
}
