/** Where an alert of one rule and one label set stands. Inactive ones have no state. */
export interface AlertState {
  readonly phase: "pending" | "firing" | "recovering";
  /** The rank of its level: 1 info, 2 warning, 3 critical. It only rises while the alert lasts. */
  readonly rank: number;
  /** Since when, by the clock, the value is beyond the threshold of each rank, without a break. */
  readonly heldSince: readonly [number | undefined, number | undefined, number | undefined];
  /** When a value was last there. */
  readonly seenAt: number;
  /** Since when the condition is gone; `undefined` while it holds. */
  readonly calmSince: number | undefined;
}

/** What was read of a label set. */
export interface Verdict {
  /** The rank of the most severe level whose threshold the value is beyond; 0 for none. */
  readonly rank: number;
  /** Whether the value is back within the bound for the way back. */
  readonly calm: boolean;
}

export interface Timing {
  /** Rank of the rule's least severe level. */
  readonly rank: number;
  readonly forMs: number;
  readonly keepMs: number;
  readonly windowMs: number;
  readonly noData: "keep" | "resolve" | "fire";
}

type Held = AlertState["heldSince"];
const NEVER_HELD: Held = [undefined, undefined, undefined];

/**
 * The next state, from a verdict or, `undefined`, from a lack of data: that is neither a breach nor a recovery until it
 * lasts for `keep` and at least one window. Gives `undefined` for an alert that is over, or never was.
 *
 * inactive -> pending (`for`) -> firing -> recovering (`keep`) -> over; from recovering back to firing, and from pending
 * back to inactive.
 */
export function nextState(
  timing: Timing,
  state: AlertState | undefined,
  verdict: Verdict | undefined,
  now: number,
): AlertState | undefined {
  if (verdict === undefined) return withoutData(timing, state, now);
  return withData(timing, state, verdict, now);
}

function withData(timing: Timing, state: AlertState | undefined, verdict: Verdict, now: number) {
  const heldSince = held(state?.heldSince ?? NEVER_HELD, verdict.rank, now);
  const rank = Math.max(rankHeld(heldSince, timing.forMs, now), state?.rank ?? 0);
  if (state === undefined || state.phase === "pending") {
    if (verdict.rank === 0) return undefined;
    const phase = rankHeld(heldSince, timing.forMs, now) > 0 ? "firing" : "pending";
    // What is only pending may yet turn out worse.
    const shown = phase === "firing" ? rank : timing.rank;
    return { phase, rank: shown, heldSince, seenAt: now, calmSince: undefined } as const;
  }
  if (!verdict.calm) return { phase: "firing", rank, heldSince, seenAt: now, calmSince: undefined } as const;
  const calmSince = state.calmSince ?? now;
  if (now - calmSince >= timing.keepMs) return undefined;
  return { phase: "recovering", rank, heldSince, seenAt: now, calmSince } as const;
}

function withoutData(timing: Timing, state: AlertState | undefined, now: number): AlertState | undefined {
  if (timing.noData === "fire") return withData(timing, state, { rank: timing.rank, calm: false }, now);
  if (state === undefined) return undefined;
  if (timing.noData === "keep" && state.phase !== "pending") return asItWas(timing, state, now);
  const blindMs = Math.max(timing.keepMs, timing.windowMs);
  return now - state.seenAt < blindMs ? state : undefined;
}

// The last value goes on: one that was back ends the alert in the end.
function asItWas({ keepMs }: Timing, state: AlertState, now: number): AlertState | undefined {
  return state.calmSince !== undefined && now - state.calmSince >= keepMs ? undefined : state;
}

function held([info, warning, critical]: Held, rank: number, now: number): Held {
  return [
    rank >= 1 ? (info ?? now) : undefined,
    rank >= 2 ? (warning ?? now) : undefined,
    rank >= 3 ? (critical ?? now) : undefined,
  ];
}

function rankHeld(heldSince: Held, forMs: number, now: number): number {
  for (let rank = heldSince.length; rank > 0; rank--) {
    const since = heldSince[rank - 1];
    if (since !== undefined && now - since >= forMs) return rank;
  }
  return 0;
}
