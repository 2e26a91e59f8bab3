/**
 * Applies recommendations to a running line, watches what comes of them, and takes back what did no good.
 *
 * @module
 */
export { type AutoTune, autoTune } from "./auto-tune.ts";
export type { TuningEntry } from "./history.ts";
export { TUNABLE_KINDS, TUNING_LEVELS, type TunableKind, type TuningLevel } from "./kinds.ts";
export { AUTO_TUNE_DEFAULTS, type AutoTuneOptions, type TuningBounds } from "./options.ts";
