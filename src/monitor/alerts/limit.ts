import type { Limit } from "./rule.ts";
import type { Verdict } from "./state.ts";

/** A verdict and the threshold it was judged by, for people. */
export interface Judgement extends Verdict {
  readonly threshold: number;
}

/** Judges a value. `median`: of the label set's own past, where the limit asks for it; without it there is no verdict. */
export function judge(limit: Limit, value: number, median: number | undefined): Judgement | undefined {
  const { direction, levels, clear, baseline } = limit;
  if (baseline !== undefined && median === undefined) return undefined;
  const scaled = (times: number): number =>
    baseline === undefined ? times : Math.max(baseline.atLeast, times * (median ?? 0));
  let rank = 0;
  let threshold = scaled(levels[0]?.at ?? 0);
  for (const level of levels) {
    const at = scaled(level.at);
    if (!isBeyond(direction, value, at)) break;
    rank = level.rank;
    threshold = at;
  }
  return { rank, calm: !isBeyond(direction, value, scaled(clear)), threshold };
}

/** The verdict on two values together: both must be beyond, and one that is back is enough to be calm. */
export function both(first: Judgement, second: Judgement): Judgement {
  const rank = second.rank === 0 ? 0 : first.rank;
  return { rank, calm: first.calm || second.calm, threshold: first.threshold };
}

function isBeyond(direction: Limit["direction"], value: number, limit: number): boolean {
  return direction === "above" ? value > limit : value < limit;
}
