import {
  type Account,
  aborted,
  type Clock,
  ClosedError,
  DeadlineExceededError,
  type Fault,
  faultOf,
  QueueFullError,
  type Runtime,
  refusal,
  serviceCost,
  type Usage,
} from "../../core/index.ts";
import { type Applicant, claimOf, type Place } from "./applicant.ts";
import type { PoolSettings } from "./options.ts";
import { type Partition, Partitions } from "./partitions.ts";
import { ServiceTime } from "./service-time.ts";
import { Slot } from "./slot.ts";
import { TurnHolders } from "./turn-holders.ts";

// How far beyond the time that is left an estimate must be for a call to be refused. The estimate of a short wait may be
// far off; in a long one chance evens out, and there some room is kept: whoever is let in on the brink ends too late.
const CERTAINTY = 0.85;
const CERTAINTY_ALONE = 1.5;

/** The slots of one pool and the queue before them. */
export class Slots {
  readonly partitions: Partitions;
  readonly runtime: Runtime;
  readonly #clock: Clock;
  readonly #events: Runtime["events"];
  readonly #account: Account;
  readonly #service = new ServiceTime();
  readonly #holders = new TurnHolders();
  /** Those that wait for a slot again: they take no place of the queue, and make room for nobody. */
  readonly #returning = new Set<Applicant>();
  readonly #needOf = (applicant: Applicant): number => this.#need(applicant);
  #settings: PoolSettings;
  #running = 0;
  #queued = 0;
  #away = 0;
  #closed = false;

  constructor(settings: PoolSettings, runtime: Runtime) {
    this.#settings = settings;
    this.partitions = new Partitions(settings);
    this.runtime = runtime;
    this.#clock = runtime.clock;
    this.#events = runtime.events;
    this.#account = runtime.ledger.account("slots");
  }

  get settings(): PoolSettings {
    return this.#settings;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#queued;
  }

  /** Calls that have given their slot back for a long wait, and have not taken one again. */
  get away(): number {
    return this.#away;
  }

  get serviceMs(): number | undefined {
    return this.#service.meanMs;
  }

  /** Since when the one waits that came first. */
  oldestSince(): number | undefined {
    const times = [...this.partitions].flatMap(({ queue }) => queue.oldestSince() ?? []);
    for (const { waiter } of this.#holders) if (waiter !== undefined) times.push(waiter.since);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  configure(settings: PoolSettings): void {
    this.#settings = settings;
    this.partitions.configure(settings);
    this.drain();
  }

  /** One slot, if one is free and nobody waits for it. */
  take(partition: string | undefined): Slot | undefined {
    if (this.#running >= this.#settings.concurrency || this.#queued > 0 || this.#closed) return undefined;
    return this.#open(1, this.partitions.of(partition), undefined);
  }

  /** Admits the applicant now, queues it, or refuses it; `withdraw` takes a queued one out again. */
  apply(applicant: Applicant): void {
    const fault = this.#refusalOf(applicant);
    if (fault !== undefined) applicant.refused(fault, 0);
    else this.#admitOrQueue(applicant);
  }

  /** The same for one that had a place before: the queue has room for it, and few are before it. */
  readmit(applicant: Applicant): void {
    const fault = this.#hindrance(applicant);
    if (fault !== undefined) {
      applicant.refused(fault, 0);
      return;
    }
    this.#returning.add(applicant);
    this.#admitOrQueue(applicant);
    if (applicant.waiter === undefined) this.#returning.delete(applicant);
  }

  /** Takes a waiting applicant out and refuses it with `fault`. Says whether it was still waiting. */
  withdraw(applicant: Applicant, fault: Fault): boolean {
    const waitMs = this.#remove(applicant);
    if (waitMs === undefined) return false;
    applicant.refused(fault, waitMs);
    this.drain();
    return true;
  }

  /** Takes a waiting applicant out because it has another place. Says whether it was still waiting. */
  place(applicant: Applicant, place: Place): boolean {
    const waitMs = this.#remove(applicant);
    if (waitMs === undefined) return false;
    this.#announce(applicant, waitMs);
    applicant.admitted(place, waitMs);
    this.drain();
    return true;
  }

  /** Called by the slot. */
  released(slot: Slot, usage: Usage | undefined): void {
    if (usage !== undefined) settleTurn(slot, serviceCost(usage));
    this.#free(slot);
  }

  /** Called by a slot that is given back for a while: its tenant has had nothing for what it was charged. */
  left(slot: Slot): void {
    this.#away++;
    settleTurn(slot, 0);
    this.#free(slot);
  }

  /** Called by a slot that is no longer away. */
  cameBack(): void {
    this.#away--;
  }

  /** Admits from the queue as long as slots are free. */
  drain(): void {
    for (let applicant = this.#next(); applicant !== undefined; applicant = this.#next()) {
      this.#queued--;
      this.#unwatch(applicant);
      // Before anybody is told: a listener may ask for a slot of its own.
      const slot = this.#open(this.#need(applicant), this.partitions.of(applicant.partition), applicant);
      const waitMs = this.#clock.now() - (applicant.waiter?.since ?? 0);
      this.#announce(applicant, waitMs);
      applicant.admitted(slot, waitMs);
    }
  }

  /** Refuses everybody who waits, and whoever comes later. Those that run keep their slots to their end. */
  close(): void {
    this.#closed = true;
    const waiting = [...this.#holders, ...[...this.partitions].flatMap(({ queue }) => [...queue])];
    for (const applicant of waiting) this.withdraw(applicant, closedFault());
  }

  /** The next one that fits, if any. */
  #next(): Applicant | undefined {
    const { concurrency } = this.#settings;
    if (this.#closed || this.#queued === 0) return undefined;
    for (;;) {
      const free = concurrency - this.#running;
      if (free <= 0) return undefined;
      const holder = this.#holders.fitting(free, concurrency, this.#needOf);
      if (holder !== undefined) return holder;
      if (!this.#holders.mayBeOvertaken(concurrency)) return undefined;
      const applicant = this.partitions.next()?.queue.take(this.#clock.now());
      if (applicant === undefined) return undefined;
      const need = this.#need(applicant);
      if (need <= free) {
        this.#holders.overtakenBy(need);
        return applicant;
      }
      this.#holders.add(applicant);
    }
  }

  /** Whether it clearly cannot begin by the time to be admitted, or end by its deadline. */
  #isTooLate(applicant: Applicant): boolean {
    const { admitBy, endBy } = applicant;
    if (admitBy === Number.POSITIVE_INFINITY && endBy === Number.POSITIVE_INFINITY) return false;
    const now = this.#clock.now();
    if (admitBy <= now) return true;
    const { meanMs } = this.#service;
    const waitMs = this.#waitEstimate(applicant);
    if (meanMs === undefined || waitMs === undefined) return false;
    const certainty = CERTAINTY + (CERTAINTY_ALONE - CERTAINTY) / Math.sqrt(1 + this.#aheadOf(applicant));
    return waitMs > certainty * (admitBy - now) || waitMs + meanMs > certainty * (endBy - now);
  }

  /** When a newcomer like this one would be admitted, in milliseconds from now; `undefined` while too little is known. */
  #waitEstimate(applicant: Applicant): number | undefined {
    const { meanMs } = this.#service;
    if (meanMs === undefined) return undefined;
    const portion = this.partitions.portion(this.partitions.of(applicant.partition));
    return Math.ceil(((this.#aheadOf(applicant) + 1) * meanMs) / (this.#settings.concurrency * portion));
  }

  #aheadOf({ level, tenant, partition }: Applicant): number {
    return this.#holders.count + this.partitions.of(partition).queue.aheadOf(level, tenant, this.#clock.now());
  }

  // What is heavier than the pool runs alone.
  #need({ weight }: Applicant): number {
    return Math.min(weight, this.#settings.concurrency);
  }

  #fits(applicant: Applicant): boolean {
    return this.#running + this.#need(applicant) <= this.#settings.concurrency;
  }

  #open(weight: number, partition: Partition, applicant: Applicant | undefined): Slot {
    this.#running += weight;
    partition.running += weight;
    return new Slot(this.#account.reserve(weight), this.#clock.now(), partition, applicant, this);
  }

  #free({ weight, partition, takenAt }: Slot): void {
    this.#running -= weight;
    partition.running -= weight;
    this.#service.add((this.#clock.now() - takenAt) * weight);
    this.drain();
  }

  #refusalOf(applicant: Applicant): Fault | undefined {
    const fault = this.#hindrance(applicant);
    if (fault !== undefined || (this.#queued === 0 && this.#fits(applicant))) return fault;
    if (this.#isTooLate(applicant)) return this.#deadlineFault(applicant);
    return this.#makeRoom(applicant) ? undefined : this.#fullFault(applicant);
  }

  #hindrance({ cancellation }: Applicant): Fault | undefined {
    if (this.#closed) return closedFault();
    return cancellation?.cancelled === true ? aborted(cancellation.reason) : undefined;
  }

  // A partition that has less than its part of the queue takes a place from the fullest; else its own must make room.
  #makeRoom({ partition: name, level, tenant }: Applicant): boolean {
    const { maxQueue } = this.#settings;
    if (this.#queued - this.#returning.size < maxQueue) return true;
    const partition = this.partitions.of(name);
    const fullest = this.partitions.fullest();
    const entitled = fullest !== partition && partition.queue.size + 1 <= partition.share * maxQueue;
    const last = entitled ? fullest.queue.last() : partition.queue.lastBehind(level, tenant);
    if (last === undefined || this.#returning.has(last.item)) return false;
    return this.withdraw(last.item, this.#fullFault(last.item));
  }

  #admitOrQueue(applicant: Applicant): void {
    if (this.#queued === 0 && this.#fits(applicant)) {
      applicant.admitted(this.#open(this.#need(applicant), this.partitions.of(applicant.partition), undefined), 0);
    } else {
      this.#enqueue(applicant);
      // Slots may be free that are too few for those before it.
      this.drain();
    }
  }

  #enqueue(applicant: Applicant): void {
    const { level, admitBy, cancellation } = applicant;
    const now = this.#clock.now();
    this.#queued++;
    applicant.waiter = this.partitions.of(applicant.partition).queue.add(applicant, level, claimOf(applicant, now));
    if (admitBy !== Number.POSITIVE_INFINITY || cancellation !== undefined) {
      applicant.watch = {
        timer:
          admitBy === Number.POSITIVE_INFINITY
            ? undefined
            : this.#clock.timer(admitBy - now, () => this.withdraw(applicant, this.#deadlineFault(applicant))),
        off: cancellation?.onCancel((reason) => this.withdraw(applicant, aborted(reason))),
      };
    }
    if (this.#events.wants("pool.queued")) {
      this.#events.emit("pool.queued", applicant.call, { depth: this.#queued, priority: level });
    }
  }

  /** Takes an applicant out of the queue, or from among those whose turn has come; answers how long it has waited. */
  #remove(applicant: Applicant): number | undefined {
    const { waiter } = applicant;
    if (waiter === undefined) return undefined;
    const { queue } = this.partitions.of(applicant.partition);
    if (!queue.remove(waiter)) {
      if (!this.#holders.remove(applicant)) return undefined;
      queue.settle(waiter, 0);
    }
    this.#queued--;
    this.#unwatch(applicant);
    return this.#clock.now() - waiter.since;
  }

  #unwatch(applicant: Applicant): void {
    const { watch } = applicant;
    this.#returning.delete(applicant);
    watch?.timer?.cancel();
    watch?.off?.();
  }

  #announce({ call, level }: Applicant, waitMs: number): void {
    if (!this.#events.wants("pool.dequeued")) return;
    this.#events.emit("pool.dequeued", call, { waitMs, depth: this.#queued, priority: level });
  }

  #fullFault(applicant: Applicant): Fault {
    const retryAfterMs = this.#rejected("full", applicant);
    const message = `The pool's queue is full: ${this.#queued} wait, and none of them has to make room for this one.`;
    return refusal(new QueueFullError(message, { policy: "pool", retryAfterMs }));
  }

  #deadlineFault(applicant: Applicant): Fault {
    const retryAfterMs = this.#rejected("deadline", applicant);
    const message = `The pool has no free slot within the call's deadline: ${this.#queued} wait.`;
    return refusal(new DeadlineExceededError(message, { policy: "pool", retryAfterMs }));
  }

  #rejected(reason: "full" | "deadline", applicant: Applicant): number | undefined {
    const retryAfterMs = this.#waitEstimate(applicant);
    if (this.#events.wants("pool.rejected")) {
      const { level: priority, call } = applicant;
      this.#events.emit("pool.rejected", call, { depth: this.#queued, priority, reason, retryAfterMs });
    }
    return retryAfterMs;
  }
}

function settleTurn({ partition, applicant }: Slot, cost: number): void {
  if (applicant?.waiter !== undefined) partition.queue.settle(applicant.waiter, cost);
}

function closedFault(): Fault {
  return faultOf({ kind: "refused", error: new ClosedError() });
}
