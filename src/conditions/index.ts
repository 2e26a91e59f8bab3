export { type ConditionName, type ConditionSample, type ConditionSampler, sampleConditions } from "./sample.ts";
export {
  type ConditionReading,
  type ConditionSource,
  type ProcessShare,
  processConditions,
  processShare,
} from "./source.ts";
export {
  CONDITION_DEFAULTS,
  type ConditionChange,
  type ConditionOptions,
  type ConditionThresholds,
  type ConditionWatch,
  readConditionOptions,
  watchConditions,
} from "./watch.ts";
