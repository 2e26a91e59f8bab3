import type { ChangeReason } from "./adaptive-limit.ts";

/** Why the throttle refuses a call. */
export type RefusalReason = "full" | "deadline" | "provider_refuses" | "condition";

/** The last move of a limit. */
export interface LastChange {
  readonly reason: ChangeReason;
  readonly from: number;
  readonly limit: number;
  /** The clock's time. */
  readonly at: number;
}

export interface TargetSnapshot {
  /** Calls that may run at once. */
  readonly limit: number;
  readonly inFlight: number;
  readonly waiting: number;
  /** How slow the provider is beside the best that was seen: 1 for as fast as ever. `undefined`: not known yet. */
  readonly signals: { readonly tokens: number | undefined; readonly firstToken: number | undefined };
  /** The share of calls that is refused because the provider would refuse them. */
  readonly refusing: number;
  /** The share of calls that is refused because the own process is in a bad condition; the same for all targets. */
  readonly shedding: number;
  readonly lastChange: LastChange | undefined;
}

export function messageOf(reason: RefusalReason, key: string, limit: number): string {
  switch (reason) {
    case "full":
      return `The throttle of ${key} lets ${limit} calls run at once, and its queue is full.`;
    case "deadline":
      return `The throttle of ${key} lets ${limit} calls run at once, and none ends in time for this one.`;
    case "provider_refuses":
      return `The provider refuses most calls to ${key}: the throttle sends it only a part of them.`;
    case "condition":
      return "This process is in a bad condition (see the events condition.changed): less urgent calls are refused.";
  }
}
