/** What a recommendation is about; also what automatic tuning switches on and off. */
export type RecommendationKind = (typeof RECOMMENDATION_KINDS)[number];

export const RECOMMENDATION_KINDS = [
  "rate_limit_high",
  "timeout_low",
  "timeout_high",
  "retry_useless",
  "retry_few",
  "hedge_useless",
  "pool_small",
  "breaker_nervous",
  "prompt_order",
  "series_overflow",
] as const;

/** An option of the running line and what to make of it; times are milliseconds. */
export interface RecommendedChange {
  /** As `createOptimizer` names it: `"timeout.attempt"`. */
  readonly option: string;
  /** What it is now; absent where there is none, or where the line does not tell. */
  readonly from: number | undefined;
  readonly to: number;
}

/** What could be better, with the figures that say so. */
export interface Recommendation {
  /** The same for the same thing: the kind, and what tells it from others of that kind. */
  readonly id: string;
  readonly kind: RecommendationKind;
  /** One sentence. */
  readonly title: string;
  /** The figures behind it; `n` says how many values they are made of. */
  readonly evidence: Readonly<Record<string, number | string>>;
  /** What to do. */
  readonly advice: string;
  /** Absent where it is not an option of the line that would have to change. */
  readonly change?: RecommendedChange;
  /** When to take the change back. */
  readonly undoWhen: string;
}
