import { type Duration, durationMs, knownKeys, type Timer } from "../../core/index.ts";
import type { Optimizer } from "../../optimizer.ts";
import { RECOMMEND_DEFAULTS, type RecommendOptions, recommend } from "./recommend.ts";
import type { Recommendation } from "./recommendation.ts";

export interface WatchOptions extends RecommendOptions {
  /** How often to look. At least 1 minute. Default `"5m"`. */
  readonly every?: Duration;
}

export interface RecommendationWatch {
  /** Those that stood at the last look. */
  list(): readonly Recommendation[];
  close(): void;
}

/**
 * Looks every few minutes, and tells `recommendation.raised` when one comes up and `recommendation.cleared` when it no
 * longer stands. Throws `OptionError`.
 */
export function watchRecommendations(
  optimizer: Pick<Optimizer, "line" | "monitor">,
  options: WatchOptions = {},
): RecommendationWatch {
  const { every = "5m", ...how } = knownKeys("recommend", options, [
    "every",
    ...Object.keys(RECOMMEND_DEFAULTS),
  ]) as WatchOptions;
  const everyMs = durationMs("recommend.every", every, { min: 60_000 });
  const { clock, events } = optimizer.line.runtime;
  let standing: readonly Recommendation[] = recommend(optimizer, how);
  let timer: Timer;

  const tell = (type: "recommendation.raised" | "recommendation.cleared", one: Recommendation): void => {
    const { id, kind, title, evidence } = one;
    events.emit(type, undefined, { id, kind, title, evidence });
  };
  const look = (): void => {
    // First: who hears of what is told below may close the watch.
    arm();
    const before = standing;
    standing = recommend(optimizer, how);
    for (const one of standing) if (!before.some(({ id }) => id === one.id)) tell("recommendation.raised", one);
    for (const one of before) if (!standing.some(({ id }) => id === one.id)) tell("recommendation.cleared", one);
  };
  const arm = (): void => {
    timer = clock.background(everyMs, look);
  };
  for (const one of standing) tell("recommendation.raised", one);
  arm();
  return { list: () => standing, close: () => timer.cancel() };
}
