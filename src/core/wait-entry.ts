import type { TenantLine } from "./tenant-line.ts";

const IN_LIST = -1;
export const LEFT = -2;
export const SERVED = -3;

/** A waiter as the queue knows it: a member of its tenant's line and of its class's order of arrival. */
export class WaitEntry<T> {
  readonly item: T;
  readonly line: TenantLine<T>;
  /** What its service is expected to cost; from `take` on, what its tenant was charged. */
  cost: number;
  readonly due: number;
  /** When it came, by the clock of whoever fills the queue. */
  readonly since: number;
  /** Which one came first among those of one time. */
  readonly order: number;
  /** Index in the heap of its line, or one of the states above. */
  place = IN_LIST;
  previous: WaitEntry<T> | undefined;
  next: WaitEntry<T> | undefined;
  older: WaitEntry<T> | undefined;
  newer: WaitEntry<T> | undefined;

  constructor(item: T, line: TenantLine<T>, claim: Claim, order: number) {
    this.item = item;
    this.line = line;
    this.cost = claim.cost ?? 1;
    this.due = claim.due ?? 0;
    this.since = claim.since ?? 0;
    this.order = order;
  }

  get level(): number {
    return this.line.members.level;
  }

  get queued(): boolean {
    return this.place >= IN_LIST;
  }
}

/** What a waiter's place depends on besides its level. */
export interface Claim {
  /** Whose it is; those without one are one tenant. */
  readonly tenant?: string | undefined;
  /** What serving it is expected to take of what tenants share, such as tokens. Default 1. */
  readonly cost?: number | undefined;
  /** Among those of its tenant the earliest due is first; what is equal goes by arrival. Default 0. */
  readonly due?: number | undefined;
  /** The time at which it came. Default 0. */
  readonly since?: number | undefined;
}
