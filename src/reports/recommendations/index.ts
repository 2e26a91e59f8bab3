export {
  fittingOption,
  isReversible,
  LINE_OPTIONS,
  type LineOptionName,
  optionOf,
  setOption,
} from "./options.ts";
export { RECOMMEND_DEFAULTS, type RecommendOptions, recommend } from "./recommend.ts";
export {
  RECOMMENDATION_KINDS,
  type Recommendation,
  type RecommendationKind,
  type RecommendedChange,
} from "./recommendation.ts";
export { type RecommendationWatch, type WatchOptions, watchRecommendations } from "./watch.ts";
