import type { Measure } from "../reports/measures/index.ts";
import type { RecommendationKind } from "../reports/recommendations/index.ts";

/** How much is changed without being asked. */
export type TuningLevel = (typeof TUNING_LEVELS)[number];
export const TUNING_LEVELS = ["none", "basic", "advanced", "aggressive"] as const;

/** What can be tuned: recommendations that change an option which can be changed back. */
export const TUNABLE_KINDS = [
  "rate_limit_high",
  "retry_useless",
  "hedge_useless",
  "timeout_low",
  "retry_few",
  "pool_small",
  "timeout_high",
] as const satisfies readonly RecommendationKind[];
export type TunableKind = (typeof TUNABLE_KINDS)[number];

interface KindRule {
  /** The first level that has it. */
  readonly from: Exclude<TuningLevel, "none">;
  /** One of these must get better for the change to stay; none: it is enough that nothing gets worse. */
  readonly expects: readonly Measure[];
  /** None of these may get worse. */
  readonly guards: readonly Measure[];
}

/** From what asks less of the provider to what asks more, or to what shows its good only when something goes wrong. */
export const KIND_RULES: Readonly<Record<TunableKind, KindRule>> = {
  rate_limit_high: {
    from: "basic",
    expects: ["throttled"],
    guards: ["answered", "p95", "firstChunkP95", "costPerAnswer"],
  },
  // What is saved are attempts, which a price need not tell of.
  retry_useless: { from: "basic", expects: [], guards: ["answered", "throttled", "costPerAnswer"] },
  hedge_useless: { from: "basic", expects: [], guards: ["answered", "p95", "firstChunkP95", "throttled"] },
  // A call that is answered late took longer than one that failed early.
  timeout_low: { from: "advanced", expects: ["answered", "p95", "costPerAnswer"], guards: ["answered", "throttled"] },
  retry_few: { from: "advanced", expects: ["answered"], guards: ["answered", "throttled", "costPerAnswer"] },
  pool_small: { from: "aggressive", expects: ["p95"], guards: ["answered", "p95", "throttled", "costPerAnswer"] },
  timeout_high: { from: "aggressive", expects: [], guards: ["answered", "p95", "throttled", "costPerAnswer"] },
};

/** By how much one step may change an option, as a factor. */
export const STEP_FACTORS: Readonly<Record<TuningLevel, number>> = {
  none: 1,
  basic: 1.25,
  advanced: 1.5,
  aggressive: 2,
};

/** What a level changes. */
export function kindsOf(level: TuningLevel): TunableKind[] {
  const rank = TUNING_LEVELS.indexOf(level);
  return TUNABLE_KINDS.filter((kind) => TUNING_LEVELS.indexOf(KIND_RULES[kind].from) <= rank);
}

export function isTunable(kind: string): kind is TunableKind {
  return (TUNABLE_KINDS as readonly string[]).includes(kind);
}
