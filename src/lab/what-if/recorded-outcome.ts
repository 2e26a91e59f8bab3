import { dollarsFor, type ModelPrice } from "../../core/index.ts";
import { quantileOf } from "./latency-fit.ts";
import { answeredUpstream, type TracedCall } from "./traced-call.ts";

/** What a trace tells of how its calls ended. */
export interface RecordedOutcome {
  readonly answered: number;
  readonly refused: number;
  readonly failed: number;
  readonly attempts: number;
  readonly rateLimited: number;
  readonly hitRate: number;
  /** US dollars for the answers that the provider gave. */
  readonly costDollars: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly durations: readonly number[];
}

const QUANTILES = 101;

/** `undefined` where no call tells how long it took. */
export function recordedOutcome(
  calls: readonly TracedCall[],
  priceOf: (model: string) => ModelPrice,
): RecordedOutcome | undefined {
  const answered = calls.filter(({ outcome = "answered" }) => outcome === "answered");
  const known = answered.flatMap(({ durationMs, providerMs }) => durationMs ?? providerMs ?? []);
  if (known.length === 0) return undefined;
  const durations = Float64Array.from(known).sort();
  const upstream = calls.filter(answeredUpstream);
  const refused = calls.filter(({ outcome }) => outcome === "refused").length;
  const failures = calls.flatMap((call) => call.failures ?? []);
  const costDollars = upstream.reduce(
    (sum, { model = "", inputTokens = 0, outputTokens = 0 }) =>
      sum + dollarsFor(priceOf(model), { inputTokens, outputTokens }),
    0,
  );
  return {
    answered: answered.length,
    refused,
    failed: calls.length - answered.length - refused,
    attempts: upstream.length + failures.length,
    rateLimited: failures.filter((kind) => kind === "rate_limited").length,
    hitRate: answered.length === 0 ? 0 : 1 - upstream.length / answered.length,
    costDollars,
    p50Ms: quantileOf(durations, 0.5),
    p99Ms: quantileOf(durations, 0.99),
    durations: Array.from({ length: QUANTILES }, (_, index) => quantileOf(durations, index / (QUANTILES - 1))),
  };
}
