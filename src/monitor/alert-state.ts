import type { ActiveRule } from "./alert-rule.ts";

/** Where an alert of one rule and one label set stands. Inactive ones have no state. */
export interface AlertState {
  readonly phase: "pending" | "firing";
  /** The clock's time at which the condition began to hold. */
  readonly since: number;
  /** When a value was last there. */
  readonly seenAt: number;
  /** Since when the condition is gone; `undefined` while it holds. */
  readonly calmSince: number | undefined;
}

type Timing = Pick<ActiveRule, "direction" | "threshold" | "clear" | "forMs" | "keepMs"> & {
  readonly query: { readonly windowMs: number };
};

/**
 * The next state, from a value or, `undefined`, from the lack of one: that is neither a breach nor a recovery, and
 * ends an alert only when it lasts for `keep` and at least one window.
 */
export function nextState(
  rule: Timing,
  state: AlertState | undefined,
  value: number | undefined,
  now: number,
): AlertState | undefined {
  if (value === undefined) return state === undefined || now - state.seenAt >= blindMs(rule) ? undefined : state;
  if (state === undefined) {
    if (!isBeyond(rule, value, rule.threshold)) return undefined;
    return { phase: rule.forMs === 0 ? "firing" : "pending", since: now, seenAt: now, calmSince: undefined };
  }
  if (state.phase === "pending") {
    if (!isBeyond(rule, value, rule.threshold)) return undefined;
    return { ...state, phase: now - state.since >= rule.forMs ? "firing" : "pending", seenAt: now };
  }
  if (isBeyond(rule, value, rule.clear)) return { ...state, seenAt: now, calmSince: undefined };
  const calmSince = state.calmSince ?? now;
  return now - calmSince >= rule.keepMs ? undefined : { ...state, seenAt: now, calmSince };
}

function blindMs(rule: Timing): number {
  return Math.max(rule.keepMs, rule.query.windowMs);
}

function isBeyond({ direction }: Timing, value: number, limit: number): boolean {
  return direction === "above" ? value > limit : value < limit;
}
