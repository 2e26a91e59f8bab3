import { knownKeys, numberIn, oneOf } from "../core/index.ts";
import type { Labels } from "../monitor/index.ts";
import { Counts, type KindCounts } from "./measures/index.ts";
import { type Slice, type Summary, summaryOf } from "./summary.ts";

/** One call, as a call log keeps it; see `CallRow` of `breakwater/call-log`. */
export interface ReportedCall {
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly op: string | null;
  readonly provider: string | null;
  readonly model: string | null;
  readonly outcome: string;
  readonly errorType: string | null;
  readonly servedBy: string | null;
  readonly attempts: number;
  readonly timeouts: number;
  readonly durationMs: number;
  readonly ttfcMs: number | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cost: number | null;
  /** Of the scope. */
  readonly client?: string | null;
  readonly route?: string | null;
}

/** What is told apart: operation, provider and model together; or whose calls they were; or what for. */
export type SummarizedBy = (typeof SUMMARIZED_BY)[number];

const SUMMARIZED_BY = ["model", "client", "route"] as const;

export interface CallsSummaryOptions {
  /** End of the stretch, milliseconds since the Unix epoch: calls that began before. */
  readonly to: number;
  /** How long a stretch, in hours, above 0 and up to 744; it is compared with the stretch of that length before. Default 24. */
  readonly hours?: number;
  /** What is told apart, in up to 24 parts. `client` needs a log with `clients: true`. Default `"model"`. */
  readonly by?: SummarizedBy;
}

const HOUR_MS = 3_600_000;
const SLICES = 24;
const UNKNOWN = "unknown";
const MISTAKES = ["bad_request", "context_length", "content_filter"];

/**
 * Sums up the rows of a call log, which outlives the process: `summaryFromCalls(log.rows({ from }), { to })`, where `from` is
 * twice the hours before. Calls of kinds are told apart by their rows; how often a provider's limit was met is not in them.
 * Throws `OptionError`.
 */
export async function summaryFromCalls(
  rows: AsyncIterable<ReportedCall> | Iterable<ReportedCall>,
  options: CallsSummaryOptions,
): Promise<Summary> {
  knownKeys("summary", options, ["to", "hours", "by"]);
  const by = oneOf("summary.by", options.by ?? "model", SUMMARIZED_BY);
  const to = numberIn("summary.to", options.to, 0, Number.MAX_SAFE_INTEGER);
  const hours = numberIn("summary.hours", options.hours ?? 24, 0.1, 744);
  const lengthMs = (hours * HOUR_MS) / SLICES;
  const start = to - 2 * SLICES * lengthMs;
  const slices: Slice[] = Array.from({ length: 2 * SLICES }, (_, index) => ({
    from: start + index * lengthMs,
    to: start + (index + 1) * lengthMs,
    counts: new Counts(),
  }));
  // The same kinds in every slice: one that is told apart in some and not in others would seem to come and go.
  const kinds = new Counts();
  for await (const row of rows) {
    const slice = slices[Math.floor((row.startedAt - start) / lengthMs)];
    if (slice === undefined) continue;
    const { labels } = kinds.ofKind(labelsOf(row, by));
    add(slice.counts.ofKind(labels), row);
  }
  const before = slices.slice(0, SLICES);
  const known = before.some(({ counts }) => counts.kinds.size > 0) ? before : [];
  return summaryOf(slices.slice(SLICES), known);
}

function labelsOf({ op, provider, model, client, route }: ReportedCall, by: SummarizedBy): Labels {
  if (by === "client") return { client: client ?? UNKNOWN };
  if (by === "route") return { route: route ?? UNKNOWN };
  return { op: op ?? UNKNOWN, provider: provider ?? UNKNOWN, model: model ?? UNKNOWN };
}

function add({ counts, duration, firstChunk }: KindCounts, row: ReportedCall): void {
  const { outcome, errorType, servedBy, durationMs, ttfcMs } = row;
  counts.calls++;
  if (outcome === "success") counts.answered++;
  else if (outcome === "cancelled") counts.cancelled++;
  else if (!MISTAKES.includes(errorType ?? "")) counts.unanswered++;
  if (servedBy === "cache" || servedBy === "coalesced") counts.shared++;
  counts.attempts += row.attempts;
  if (row.attempts > 0) counts.firstAttempts++;
  counts.timeouts += row.timeouts;
  // Tokens of an answer that was there already were paid for by another row.
  if (row.attempts > 0) {
    counts.inputTokens += row.inputTokens ?? 0;
    counts.outputTokens += row.outputTokens ?? 0;
  }
  counts.cost += row.cost ?? 0;
  duration.record(durationMs);
  if (ttfcMs !== null) firstChunk.record(ttfcMs);
}
