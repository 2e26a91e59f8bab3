import type { CallFacts } from "./facts.ts";
import { type AdvisorOptions, readAdvisorOptions } from "./options.ts";
import { type AdvisorReport, adviceOf } from "./report.ts";
import { Tally } from "./tally.ts";

/** What is read of a logged call: a `CallRow` of `breakwater/call-log` has it. */
export interface LoggedCall {
  readonly startedAt: number;
  readonly provider: string | null;
  readonly model: string | null;
  readonly route: string | null;
  readonly template: string | null;
  readonly question: string | null;
  readonly servedBy: string | null;
  readonly attempts: number;
  readonly timeouts: number;
  readonly timeoutMs: number;
  readonly failedMs: number;
  readonly queueMs: number;
  readonly throttleMs: number;
  readonly rateLimitMs: number;
  readonly backoffMs: number;
  readonly durationMs: number;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cachedInputTokens: number | null;
  readonly cost: number | null;
}

/**
 * What the advisor would have said of logged calls, oldest first: `adviceFromRows(log.rows({ from }))`. Everything there
 * is counts, whatever `window` says. Repeated questions and templates are known only where the log has fingerprints; the
 * order of prompts is not. Throws `OptionError`, and what reading the rows throws.
 */
export async function adviceFromRows(
  rows: AsyncIterable<LoggedCall> | Iterable<LoggedCall>,
  options: AdvisorOptions = {},
): Promise<AdvisorReport> {
  const settings = { ...readAdvisorOptions(options), windowMs: Number.POSITIVE_INFINITY };
  let tally: Tally | undefined;
  let endedAt = 0;
  for await (const row of rows) {
    tally ??= new Tally(settings, row.startedAt);
    endedAt = Math.max(endedAt, row.startedAt + row.durationMs);
    tally.addCall(factsOf(row));
  }
  return adviceOf((tally ?? new Tally(settings, 0)).counted(endedAt), settings);
}

const WITHOUT_PROVIDER: readonly string[] = ["cache", "coalesced"];

function factsOf(row: LoggedCall): CallFacts {
  const { inputTokens, outputTokens, cachedInputTokens, timeouts, attempts } = row;
  const retries = Math.max(0, attempts - 1 - timeouts);
  return {
    at: row.startedAt + row.durationMs,
    provider: row.provider ?? undefined,
    model: row.model ?? undefined,
    route: row.route ?? undefined,
    template: row.template ?? undefined,
    question: row.question ?? undefined,
    durationMs: row.durationMs,
    waits: { queue: row.queueMs, throttle: row.throttleMs, rateLimit: row.rateLimitMs, backoff: row.backoffMs },
    attempts,
    isUpstream: row.servedBy !== null && !WITHOUT_PROVIDER.includes(row.servedBy) && attempts > 0,
    uncached: "unknown",
    usage:
      inputTokens === null || outputTokens === null
        ? undefined
        : { inputTokens, outputTokens, cachedInputTokens: cachedInputTokens ?? 0 },
    price: undefined,
    cost: row.cost ?? undefined,
    timeouts,
    timeoutMs: row.timeoutMs,
    retries,
    failedMs: row.failedMs,
    failure: undefined,
    inputChars: 0,
    pieces: [],
  };
}
