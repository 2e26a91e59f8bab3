import { WaitQueue, type WaitRules } from "../../core/index.ts";
import { type Applicant, claimOf } from "./applicant.ts";
import type { PoolSettings } from "./options.ts";

// Calls of no partition must not wait for ever where the shares leave nothing.
const REST_SHARE_MIN = 0.01;

/** A part of the pool: who waits there and how many of the slots it has. */
export class Partition {
  share: number;
  /** Slots taken by its own. */
  running = 0;
  readonly queue: WaitQueue<Applicant>;

  constructor(share: number, rules: WaitRules) {
    this.share = share;
    this.queue = new WaitQueue(rules);
  }
}

/** The parts of one pool: those with a name, and the rest. */
export class Partitions {
  readonly #rest: Partition;
  #named = new Map<string, Partition>();
  #all: readonly Partition[];

  constructor(settings: PoolSettings) {
    this.#rest = new Partition(1, settings.rules);
    this.#all = [this.#rest];
    this.configure(settings);
  }

  /** The partition of that name; the rest for any other. */
  of(name: string | undefined): Partition {
    return (name === undefined ? undefined : this.#named.get(name)) ?? this.#rest;
  }

  /** Whose turn it is: of those that have somebody waiting the one that has least of its share. */
  next(): Partition | undefined {
    let next: Partition | undefined;
    for (const partition of this.#all) {
      if (partition.queue.size === 0) continue;
      if (next === undefined || partition.running / partition.share < next.running / next.share) next = partition;
    }
    return next;
  }

  /** The one whose queue is longest for its share. */
  fullest(): Partition {
    let fullest = this.#rest;
    for (const partition of this.#all) {
      if (partition.queue.size / partition.share > fullest.queue.size / fullest.share) fullest = partition;
    }
    return fullest;
  }

  /** The part of all slots that `partition` has while those wait that wait now. */
  portion(partition: Partition): number {
    let shares = 0;
    for (const other of this.#all) if (other === partition || other.queue.size > 0) shares += other.share;
    return partition.share / shares;
  }

  /** Takes new shares and rules. Who waits goes where it belongs now: to a new partition, or from one that is no more to the rest. */
  configure({ shares, rules }: PoolSettings): void {
    const before = this.#named;
    this.#named = new Map();
    let left = 1;
    for (const [name, share] of shares) {
      const partition = before.get(name) ?? new Partition(share, rules);
      partition.share = share;
      left -= share;
      this.#named.set(name, partition);
    }
    this.#rest.share = Math.max(left, REST_SHARE_MIN);
    this.#all = [this.#rest, ...this.#named.values()];
    for (const { queue } of this.#all) queue.rules = rules;
    if ([...this.#named.keys()].some((name) => !before.has(name))) this.#sort(this.#rest);
    for (const [name, partition] of before) if (!this.#named.has(name)) this.#sort(partition);
  }

  get named(): ReadonlyMap<string, Partition> {
    return this.#named;
  }

  [Symbol.iterator](): Iterator<Partition> {
    return this.#all[Symbol.iterator]();
  }

  #sort(partition: Partition): void {
    for (const applicant of [...partition.queue]) {
      const { waiter } = applicant;
      const { queue } = this.of(applicant.partition);
      if (queue === partition.queue || waiter === undefined || !partition.queue.remove(waiter)) continue;
      applicant.waiter = queue.add(applicant, waiter.level, claimOf(applicant, waiter.since));
    }
  }
}
