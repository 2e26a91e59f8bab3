import type { FaultKind } from "../../core/index.ts";
import { drawnTimes, fitLatency, type LatencyFit, medianOf, quantileOf, type TimedAnswer } from "./latency-fit.ts";
import { answeredUpstream, type TracedCall } from "./traced-call.ts";

/** A provider as a trace shows it. */
export interface ProviderFit {
  /** `assumed`: the trace tells no times. */
  readonly latencyFrom: "trace" | "assumed";
  /** Answers that it was fitted to. */
  readonly answers: number;
  readonly latency: LatencyFit;
  /** Of models with at least 50 answers of their own. */
  readonly perModel: Readonly<Record<string, LatencyFit>>;
  /** What the time until the first token is multiplied by where it is streamed: 1 is as the formula has it. */
  readonly firstTokenFactor: number;
  /** Share of the tries that failed for reasons of the provider other than its limits. */
  readonly failureRate: number;
  /** The most that it took in any minute, where it told of a limit; `undefined`: it told of none. */
  readonly requestsPerMinute: number | undefined;
  readonly tokensPerMinute: number | undefined;
}

/** Quantiles of the times of calls that had no part in the fit, in milliseconds. */
export interface HeldOutError {
  readonly calls: number;
  readonly quantiles: readonly {
    readonly quantile: 0.5 | 0.9 | 0.99;
    readonly realMs: number;
    readonly fittedMs: number;
    /** Of the real one: 0.1 is a tenth too long. */
    readonly error: number;
  }[];
}

const MODEL_ANSWERS_MIN = 50;
const ANSWERS_MIN = 20;
const MINUTE_MS = 60_000;
const OF_THE_PROVIDER: ReadonlySet<FaultKind> = new Set<FaultKind>([
  "overloaded",
  "server_error",
  "network",
  "timeout",
  "interrupted",
  "malformed",
]);

/**
 * A usual small model, for traces that tell no times: medians of OpenAI's, as the simulated provider of
 * `breakwater/testing` has them, with a spread of a third up and down.
 */
const ASSUMED: LatencyFit = {
  firstMs: 650,
  perInputTokenMs: 0.1,
  perOutputTokenMs: 21,
  varies: "whole",
  factors: [0.6, 0.75, 0.85, 0.93, 1, 1.08, 1.17, 1.3, 1.5, 2, 4],
};

/** Fits a provider to what a trace tells of it. */
export function fitProvider(calls: readonly TracedCall[]): ProviderFit {
  const answered = calls.filter(answeredUpstream);
  const answers = timedAnswers(answered);
  const latencyFrom = answers.length >= ANSWERS_MIN ? "trace" : "assumed";
  const latency = latencyFrom === "trace" ? fitLatency(answers) : ASSUMED;
  const byModel = Map.groupBy(answered, ({ model }) => model ?? "");
  const perModel = [...byModel].flatMap(([model, own]): [string, LatencyFit][] => {
    const timed = timedAnswers(own);
    return timed.length < MODEL_ANSWERS_MIN ? [] : [[model, fitLatency(timed)]];
  });
  return {
    latencyFrom,
    answers: answers.length,
    latency,
    perModel: Object.fromEntries(perModel),
    firstTokenFactor: firstTokenFactorOf(answered, latency),
    failureRate: failureRateOf(calls, answered.length),
    ...limitsOf(calls),
  };
}

export function latencyOf({ perModel, latency }: ProviderFit, model: string): LatencyFit {
  return perModel[model] ?? latency;
}

/** How far the times of other calls than the fitted ones are from those that the fit gives them; `undefined` where they tell none. */
export function heldOutError(fit: ProviderFit, calls: readonly TracedCall[]): HeldOutError | undefined {
  const held = calls.filter((call) => answeredUpstream(call) && call.providerMs !== undefined);
  if (held.length < ANSWERS_MIN || fit.latencyFrom === "assumed") return undefined;
  const real = Float64Array.from(held, ({ providerMs = 0 }) => providerMs).sort();
  const fitted = drawnTimes(
    held.map(({ model = "", inputTokens = 0, outputTokens = 0 }) => ({
      fit: latencyOf(fit, model),
      inputTokens,
      outputTokens,
    })),
  );
  const quantiles = ([0.5, 0.9, 0.99] as const).map((quantile) => {
    const [realMs, fittedMs] = [quantileOf(real, quantile), quantileOf(fitted, quantile)];
    return { quantile, realMs, fittedMs, error: fittedMs / realMs - 1 };
  });
  return { calls: held.length, quantiles };
}

function timedAnswers(answered: readonly TracedCall[]): TimedAnswer[] {
  return answered.flatMap(({ inputTokens, outputTokens, providerMs: ms }) =>
    inputTokens === undefined || outputTokens === undefined || ms === undefined || ms <= 0
      ? []
      : [{ inputTokens, outputTokens, ms }],
  );
}

function firstTokenFactorOf(answered: readonly TracedCall[], { firstMs, perInputTokenMs }: LatencyFit): number {
  const factors = answered.flatMap(({ firstTokenMs, inputTokens = 0 }) =>
    firstTokenMs === undefined ? [] : [firstTokenMs / Math.max(1, firstMs + perInputTokenMs * inputTokens)],
  );
  return factors.length < ANSWERS_MIN ? 1 : medianOf(factors);
}

function failureRateOf(calls: readonly TracedCall[], answers: number): number {
  let failed = 0;
  for (const { failures = [] } of calls) failed += failures.filter((kind) => OF_THE_PROVIDER.has(kind)).length;
  return failed === 0 ? 0 : failed / (failed + answers);
}

// Without a refusal nothing says that there was more load than the provider takes.
function limitsOf(calls: readonly TracedCall[]): Pick<ProviderFit, "requestsPerMinute" | "tokensPerMinute"> {
  const none = { requestsPerMinute: undefined, tokensPerMinute: undefined };
  if (!calls.some(({ failures = [] }) => failures.includes("rate_limited"))) return none;
  let [requests, tokens, mostRequests, mostTokens, oldest] = [0, 0, 0, 0, 0];
  const taken = calls.filter(answeredUpstream);
  const tokensOf = ({ inputTokens = 0, outputTokens = 0 }: TracedCall): number => inputTokens + outputTokens;
  for (const call of taken) {
    for (let old = taken[oldest]; old !== undefined && old.at <= call.at - MINUTE_MS; old = taken[++oldest]) {
      requests--;
      tokens -= tokensOf(old);
    }
    requests++;
    tokens += tokensOf(call);
    mostRequests = Math.max(mostRequests, requests);
    mostTokens = Math.max(mostTokens, tokens);
  }
  return { requestsPerMinute: mostRequests, tokensPerMinute: mostTokens };
}
