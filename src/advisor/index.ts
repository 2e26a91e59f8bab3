/**
 * Says which calls are slow, asked again and again, expensive, badly cached by the provider, timed out or retried, and
 * what a change would save.
 *
 * @module
 */
export { type Advisor, advisor } from "./advisor.ts";
export type { Kind } from "./facts.ts";
export type { Finding, FindingKind } from "./findings.ts";
export { formatAdvice } from "./format.ts";
export { adviceFromRows, type LoggedCall } from "./from-rows.ts";
export { ADVISOR_DEFAULTS, type AdvisorOptions } from "./options.ts";
export type { AdvisorReport, KindSummary, ScoreReason } from "./report.ts";
