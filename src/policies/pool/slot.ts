import type { Lease, Usage } from "../../core/index.ts";
import type { Applicant, Place } from "./applicant.ts";
import type { Partition } from "./partitions.ts";
import type { Slots } from "./slots.ts";

/** A place of its own in the pool. */
export class Slot implements Place {
  readonly takenAt: number;
  readonly weight: number;
  readonly partition: Partition;
  /** Who had to wait for it: its tenant was charged. */
  readonly applicant: Applicant | undefined;
  readonly #lease: Lease;
  readonly #slots: Slots;

  constructor(lease: Lease, takenAt: number, partition: Partition, applicant: Applicant | undefined, slots: Slots) {
    this.takenAt = takenAt;
    this.weight = lease.amount;
    this.partition = partition;
    this.applicant = applicant;
    this.#lease = lease;
    this.#slots = slots;
  }

  get isOpen(): boolean {
    return this.#lease.isOpen;
  }

  release(usage?: Usage): void {
    if (this.#lease.settle()) this.#slots.released(this, usage);
  }
}
