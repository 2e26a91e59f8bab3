import { type Comparison, compared, type KindCounts, type Measure } from "../reports/measures/index.ts";
import { KIND_RULES, type TunableKind } from "./kinds.ts";

export interface Judgement {
  /** `wait`: more has to be seen. */
  readonly verdict: "keep" | "roll_back" | "wait";
  readonly reason: string;
  readonly comparisons: readonly Comparison[];
}

interface Seen {
  readonly before: readonly KindCounts[];
  readonly after: readonly KindCounts[];
  readonly minCount: number;
  /** Whether as much has been seen after as is asked for; and whether nobody waits any longer. */
  readonly isWhole: boolean;
  readonly isLast: boolean;
}

/** What is to become of a change: back at once when something got worse for sure, else decided when enough was seen. */
export function judged(kind: TunableKind, { before, after, minCount, isWhole, isLast }: Seen): Judgement {
  const { expects, guards } = KIND_RULES[kind];
  const measures = [...new Set<Measure>([...guards, ...expects])];
  const comparisons = compared(measures, { before, after }, minCount);
  const of = (measure: Measure): Comparison | undefined => comparisons.find((one) => one.measure === measure);
  const worse = guards.map(of).find((one) => one?.verdict === "worse");
  if (worse !== undefined) return { verdict: "roll_back", reason: `${worse.measure} got worse`, comparisons };
  if (!isWhole) return { verdict: "wait", reason: "", comparisons };
  const better = expects.map(of).find((one) => one?.verdict === "better");
  if (better !== undefined) return { verdict: "keep", reason: `${better.measure} got better`, comparisons };
  const isKnown = (of("answered") as Comparison).verdict !== "too_few";
  if (!isKnown) {
    return isLast
      ? { verdict: "roll_back", reason: "too few calls to tell", comparisons }
      : { verdict: "wait", reason: "", comparisons };
  }
  return expects.length === 0
    ? { verdict: "keep", reason: "nothing got worse", comparisons }
    : { verdict: "roll_back", reason: `${expects.join(", ")} did not get better`, comparisons };
}
