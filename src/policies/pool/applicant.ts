import type { Call, Cancellation, Claim, Fault, Seat, Timer, Usage, Waiter } from "../../core/index.ts";

/** A place among those that run, given back exactly once; whatever comes later changes nothing. */
export interface Place extends Seat {
  readonly isOpen: boolean;
  /** `usage` is what its holder has used, where that is known. */
  release(usage?: Usage): void;
}

/** Who asks for a place. Exactly one of `admitted` and `refused` is called, exactly once; neither may throw. */
export interface Applicant {
  /** 0 (first) to 9 (last). */
  readonly level: number;
  /** The clock's time until which waiting makes sense; `Infinity` without a limit. */
  readonly admitBy: number;
  /** The clock's time at which it must have ended; `Infinity` without a limit. */
  readonly endBy: number;
  /** How many slots it takes. */
  readonly weight: number;
  /** Whose it is: service is shared between tenants of one level. */
  readonly tenant: string | undefined;
  readonly partition: string | undefined;
  /** When it first asked for a place, if it had one before; `undefined`: when it is queued. */
  readonly cameAt: number | undefined;
  /** What it is expected to cost its tenant, in weighted tokens. */
  readonly cost: number;
  readonly cancellation: Cancellation | undefined;
  /** The call that events are about; absent for a job. */
  readonly call: Call | undefined;
  /** Its place in the queue, kept here by the slots. */
  waiter: Waiter<Applicant> | undefined;
  /** What ends its waiting early, kept here by the slots. */
  watch: Watch | undefined;
  admitted(place: Place, waitMs: number): void;
  refused(fault: Fault, waitMs: number): void;
}

export interface Watch {
  readonly timer: Timer | undefined;
  readonly off: (() => void) | undefined;
}

// A deadline further away, or none, counts as this: nobody is overtaken for ever by those who are always due sooner.
const DUE_WITHIN_MS = 60_000;

export function claimOf({ tenant, cost, admitBy, cameAt }: Applicant, since: number): Claim {
  return { tenant, cost, due: Math.min(admitBy, (cameAt ?? since) + DUE_WITHIN_MS), since };
}
