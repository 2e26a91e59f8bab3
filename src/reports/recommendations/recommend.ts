import { type Duration, durationMs, integerIn, knownKeys } from "../../core/index.ts";
import type { Optimizer } from "../../optimizer.ts";
import { Facts } from "./facts.ts";
import type { Recommendation } from "./recommendation.ts";
import { RULES } from "./rules.ts";

export interface RecommendOptions {
  /** How far back to look: 5 minutes to 1 hour. Default `"1h"`. */
  readonly window?: Duration;
  /** With fewer calls, attempts or waits nothing is said of them. Default 200. */
  readonly minCount?: number;
}

export const RECOMMEND_DEFAULTS = { window: "1h", minCount: 200 } as const satisfies RecommendOptions;

const SHOWN_MAX = 5;

/**
 * What the last hour says could be better, the weightiest first and at most five. Rules with fixed thresholds, no model:
 * the same figures always give the same. Throws `OptionError`.
 */
export function recommend(
  optimizer: Pick<Optimizer, "line" | "monitor">,
  options: RecommendOptions = {},
): readonly Recommendation[] {
  knownKeys("recommend", options, Object.keys(RECOMMEND_DEFAULTS));
  const { window = RECOMMEND_DEFAULTS.window, minCount = RECOMMEND_DEFAULTS.minCount } = options;
  const windowMs = durationMs("recommend.window", window, { min: 300_000, max: 3_600_000 });
  const facts = new Facts(optimizer, windowMs, integerIn("recommend.minCount", minCount, 20));
  return RULES.flatMap((rule) => rule(facts) ?? []).slice(0, SHOWN_MAX);
}
