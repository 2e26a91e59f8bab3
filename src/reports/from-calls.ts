import { knownKeys, numberIn } from "../core/index.ts";
import { Counts } from "./measures/index.ts";
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
}

export interface CallsSummaryOptions {
  /** End of the stretch, milliseconds since the Unix epoch: calls that began before. */
  readonly to: number;
  /** How long a stretch, in hours, above 0 and up to 744; it is compared with the stretch of that length before. Default 24. */
  readonly hours?: number;
}

const HOUR_MS = 3_600_000;
const SLICES = 24;
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
  knownKeys("summary", options, ["to", "hours"]);
  const to = numberIn("summary.to", options.to, 0, Number.MAX_SAFE_INTEGER);
  const hours = numberIn("summary.hours", options.hours ?? 24, 0.1, 744);
  const lengthMs = (hours * HOUR_MS) / SLICES;
  const start = to - 2 * SLICES * lengthMs;
  const slices: Slice[] = Array.from({ length: 2 * SLICES }, (_, index) => ({
    from: start + index * lengthMs,
    to: start + (index + 1) * lengthMs,
    counts: new Counts(),
  }));
  for await (const row of rows) {
    const slice = slices[Math.floor((row.startedAt - start) / lengthMs)];
    if (slice !== undefined) add(slice.counts, row);
  }
  const before = slices.slice(0, SLICES);
  const known = before.some(({ counts }) => counts.kinds.size > 0) ? before : [];
  return summaryOf(slices.slice(SLICES), known);
}

function add(into: Counts, row: ReportedCall): void {
  const { op, provider, model, outcome, errorType, servedBy, durationMs, ttfcMs } = row;
  const { counts, duration, firstChunk } = into.of({
    op: op ?? "unknown",
    provider: provider ?? "unknown",
    model: model ?? "unknown",
  });
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
