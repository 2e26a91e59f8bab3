export { type Estimate, TokenEstimator } from "./token-estimator.ts";
