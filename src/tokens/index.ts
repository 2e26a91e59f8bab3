export type { TokenCounter } from "./token-counter.ts";
export { type Estimate, TokenEstimator } from "./token-estimator.ts";
