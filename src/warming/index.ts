export { WARM_DEFAULTS, type WarmCall, type WarmContext, type WarmOptions } from "./options.ts";
export type { WarmEnding, WarmedOptimizer } from "./pass.ts";
export { progressLine, progressText, type WarmProgress } from "./progress.ts";
export { type PromptPattern, type Prompts, type PromptsOptions, prompts } from "./prompts.ts";
export type { WarmItems, WarmSource } from "./source.ts";
export { type Warming, type WarmSummary, warm } from "./warm.ts";
