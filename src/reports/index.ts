/**
 * What happened, what got worse, what could be better, and how healthy it all is: as data, Markdown, JSON, HTML and
 * pictures.
 *
 * @module
 */
export { png } from "../charts/index.ts";
export { type DailyReport, type DailyReportOptions, dailyReport, type ReportHandler } from "./daily.ts";
export { formatHtml, formatJson, formatMarkdown, type HtmlOptions } from "./format.ts";
export { type CallsSummaryOptions, type ReportedCall, type SummarizedBy, summaryFromCalls } from "./from-calls.ts";
export { type HealthScore, type HealthScoreOptions, healthScore, type ScoreDeduction } from "./health-score.ts";
export { JOURNAL_DEFAULTS, type Journal, type JournalOptions, journal, type SummaryOptions } from "./journal.ts";
export type { Comparison, Measure, Verdict } from "./measures/index.ts";
export { type PlotOptions, plot, plotPng } from "./plot.ts";
export {
  RECOMMEND_DEFAULTS,
  RECOMMENDATION_KINDS,
  type Recommendation,
  type RecommendationKind,
  type RecommendationWatch,
  type RecommendedChange,
  type RecommendOptions,
  recommend,
  type WatchOptions,
  watchRecommendations,
} from "./recommendations/index.ts";
export type { Degradation, KindReport, Spread, Summary } from "./summary.ts";
