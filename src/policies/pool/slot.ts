import { aborted, type Call, type Fault, type Lease, type Usage } from "../../core/index.ts";
import type { Applicant, Place } from "./applicant.ts";
import type { Partition } from "./partitions.ts";
import type { Slots } from "./slots.ts";
import { WaitingCall } from "./waiting-call.ts";

/** A place of its own in the pool. While it is away it counts for nothing, and comes back as another one of the slots. */
export class Slot implements Place {
  takenAt: number;
  readonly weight: number;
  partition: Partition;
  /** Who had to wait for it: its tenant was charged. */
  applicant: Applicant | undefined;
  since: number | undefined;
  isAway = false;
  #lease: Lease;
  readonly #slots: Slots;
  #stays = false;
  #returning: WaitingCall | undefined;

  constructor(lease: Lease, takenAt: number, partition: Partition, applicant: Applicant | undefined, slots: Slots) {
    this.takenAt = takenAt;
    this.weight = lease.amount;
    this.partition = partition;
    this.applicant = applicant;
    this.#lease = lease;
    this.#slots = slots;
  }

  get isOpen(): boolean {
    return this.isAway || this.#lease.isOpen;
  }

  release(usage?: Usage): void {
    if (this.#lease.settle()) this.#slots.released(this, usage);
    else if (this.isAway) this.#endAway();
  }

  leave(): boolean {
    if (this.#stays || !this.#lease.isOpen) return false;
    this.since ??= this.applicant?.waiter?.since ?? this.takenAt;
    this.isAway = true;
    this.#lease.settle();
    this.#slots.left(this);
    return true;
  }

  takeNow(call: Call): boolean {
    if (!this.isAway) return this.#lease.isOpen;
    if (this.#returning !== undefined) return false;
    const slot = this.#slots.take(call.scope.partition);
    if (slot !== undefined) this.#become(slot);
    return slot !== undefined;
  }

  take(call: Call): Promise<Fault | undefined> {
    if (this.takeNow(call)) return Promise.resolve(undefined);
    if (!this.isAway || this.#returning !== undefined) return Promise.resolve(aborted(call.cancellation.reason));
    return new Promise((resolve) => {
      const admitted = (admission: Place | Fault): void => {
        this.#returning = undefined;
        if (admission instanceof Slot) this.#become(admission);
        resolve("ok" in admission ? admission : undefined);
      };
      this.#returning = new WaitingCall(call, this.#slots.runtime, admitted, this.since);
      this.#slots.readmit(this.#returning);
    });
  }

  stay(): void {
    this.#stays = true;
  }

  #become(slot: Slot): void {
    this.takenAt = slot.takenAt;
    this.partition = slot.partition;
    this.applicant = slot.applicant ?? this.applicant;
    this.#lease = slot.#lease;
    this.isAway = false;
    this.#slots.cameBack();
  }

  /** The call is over before it has taken its slot again. */
  #endAway(): void {
    this.isAway = false;
    this.#slots.cameBack();
    if (this.#returning !== undefined) this.#slots.withdraw(this.#returning, aborted(undefined));
  }
}
