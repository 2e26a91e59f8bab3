import type { Facts } from "./facts.ts";
import type { Recommendation } from "./recommendation.ts";

/** Looks at the facts and says what could be better. */
export type Rule = (facts: Facts) => Recommendation | undefined;

const ATTEMPTS = "breakwater.attempts";
const ATTEMPT_DURATION = "breakwater.attempt.duration";
const CALL_DURATION = "breakwater.call.duration";
const FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk";

const THROTTLED_MAX = 0.02;
const TIMED_OUT_MAX = 0.01;
const NEAR_LIMIT = 0.8;
const FAR_BELOW_LIMIT = 0.3;
// Nobody waits long for such a timeout, and it leaves room for an answer that is longer than the last hour's.
const TIMEOUT_MIN_MS = 30_000;
const RETRY_SUCCESS_MIN = 0.1;
const RETRY_SUCCESS_GOOD = 0.5;
const GIVEN_UP_MAX = 0.02;
const HEDGES_WON_MIN = 0.05;
const QUEUE_SHARE_MAX = 0.2;
const CACHED_INPUT_MIN = 0.1;
const BREAKER_OPENS_MAX = 3;
const HOUR_MS = 3_600_000;
const RAISE = 1.5;

/** The provider refuses more than 2 % of the attempts: ask no faster than it was seen to answer. */
const rateLimitHigh: Rule = (facts) => {
  const n = facts.count(ATTEMPTS);
  const throttled = facts.count(ATTEMPTS, { error_type: "rate_limited" });
  if (n < facts.minCount || throttled / n <= THROTTLED_MAX) return undefined;
  const observed = perMinuteUnderLimit(facts);
  const from = facts.option("rateLimit.requestsPerMinute");
  const said = {
    id: "rate_limit_high",
    kind: "rate_limit_high",
    title: `The provider refused ${percent(throttled / n)} of the attempts for its rate limit.`,
    evidence: { n, throttled, answeredPerMinute: observed ?? "unknown" },
    advice: "Set rateLimit.requestsPerMinute to what the provider was seen to answer, or ask for a higher limit.",
    undoWhen: "Calls wait longer for the own limit than they did for the provider's.",
  } as const;
  // A limit of the whole process would hold back the other models too.
  if (observed === undefined || modelsOf(facts) > 1 || (from !== undefined && from <= observed)) return said;
  return { ...said, change: { option: "rateLimit.requestsPerMinute", from, to: Math.max(1, Math.floor(observed)) } };
};

/** Timeouts end more than 1 % of the attempts, and good answers come near the limit. */
function timeoutLow(phase: "attempt" | "firstToken", p95Of: (facts: Facts) => number | undefined): Rule {
  return (facts) => {
    const n = facts.count(ATTEMPTS);
    const timeouts = facts.count("breakwater.timeouts", { phase });
    const limit = facts.option(`timeout.${phase}`);
    const p95 = p95Of(facts);
    if (n < facts.minCount || limit === undefined || p95 === undefined) return undefined;
    if (timeouts / n <= TIMED_OUT_MAX || p95 <= NEAR_LIMIT * limit) return undefined;
    return {
      id: `timeout_low:${phase}`,
      kind: "timeout_low",
      title: `timeout.${phase} ends ${percent(timeouts / n)} of the attempts, and good answers come near it.`,
      evidence: { n, timeouts, p95Ms: Math.round(p95), limitMs: limit },
      change: { option: `timeout.${phase}`, from: limit, to: Math.round(limit * RAISE) },
      advice: `Raise timeout.${phase}.`,
      undoWhen: "No more calls are answered than before.",
    };
  };
}

const attemptTimeoutLow = timeoutLow("attempt", (facts) =>
  ms(facts.value(ATTEMPT_DURATION, "p95", { outcome: "success" })),
);
const firstTokenTimeoutLow = timeoutLow("firstToken", (facts) => ms(facts.value(FIRST_CHUNK, "p95")));

/** The slowest good answers come in less than 30 % of the limit: one that hangs is waited for longer than it need be. */
const attemptTimeoutHigh: Rule = (facts) => {
  const n = facts.count(ATTEMPT_DURATION, { outcome: "success" });
  const limit = facts.option("timeout.attempt");
  const p99 = ms(facts.value(ATTEMPT_DURATION, "p99", { outcome: "success" }));
  if (n < facts.minCount || limit === undefined || p99 === undefined) return undefined;
  const to = Math.max(TIMEOUT_MIN_MS, Math.ceil(p99 / FAR_BELOW_LIMIT));
  if (p99 / limit >= FAR_BELOW_LIMIT || to >= limit) return undefined;
  return {
    id: "timeout_high:attempt",
    kind: "timeout_high",
    title: `timeout.attempt is ${ratio(limit / p99)} times the p99 of good answers.`,
    evidence: { n, p99Ms: Math.round(p99), limitMs: limit },
    change: { option: "timeout.attempt", from: limit, to },
    advice: "Lower timeout.attempt, so that an attempt that hangs is given up sooner.",
    undoWhen: "Timeouts end more than 1 % of the attempts.",
  };
};

/** Fewer than 10 % of the retries succeed, although most first tries do. */
const retryUseless: Rule = (facts) => {
  const n = facts.count(ATTEMPTS, { kind: "retry" });
  const succeeded = facts.count(ATTEMPTS, { kind: "retry", outcome: "success" });
  const attempts = facts.option("retry.attempts");
  const first = facts.count(ATTEMPTS, { kind: "first" });
  const firstFailed = facts.count(ATTEMPTS, { kind: "first", outcome: "error" });
  if (n < facts.minCount || succeeded / n >= RETRY_SUCCESS_MIN) return undefined;
  // While the provider is down no retry succeeds, which says nothing of those of other days.
  if (firstFailed / first >= 0.5) return undefined;
  const mostly = mostOf(facts, "breakwater.retries", "reason");
  return {
    id: "retry_useless",
    kind: "retry_useless",
    title: `Only ${percent(succeeded / n)} of the retries succeeded; most were for ${mostly}.`,
    evidence: { n, succeeded, mostly },
    ...(attempts !== undefined &&
      attempts > 1 && { change: { option: "retry.attempts", from: attempts, to: attempts - 1 } }),
    advice: "Make fewer attempts: retry.attempts.",
    undoWhen: "Fewer calls are answered than before.",
  };
};

/** More than 2 % of the calls fail because all attempts are used up, and retries help. */
const retryFew: Rule = (facts) => {
  const n = facts.count("breakwater.calls");
  const givenUp = facts.count("breakwater.retries.exhausted", { by: "attempts" });
  const attempts = facts.option("retry.attempts");
  if (n < facts.minCount || givenUp / n <= GIVEN_UP_MAX || attempts === undefined) return undefined;
  const retries = facts.count(ATTEMPTS, { kind: "retry" });
  const succeeded = facts.count(ATTEMPTS, { kind: "retry", outcome: "success" });
  if (attempts > 1 && (retries === 0 || succeeded / retries < RETRY_SUCCESS_GOOD)) return undefined;
  return {
    id: "retry_few",
    kind: "retry_few",
    title: `${percent(givenUp / n)} of the calls failed after ${attempts === 1 ? "their only attempt" : `${attempts} attempts`}.`,
    evidence: { n, givenUp, retries, succeeded },
    change: { option: "retry.attempts", from: attempts, to: attempts + 1 },
    advice: "Make one attempt more: retry.attempts.",
    undoWhen: "No more calls are answered than before, or attempts per call rise above 1.5.",
  };
};

/** Fewer than 5 % of the second tries answer first, and each is paid for. */
const hedgeUseless: Rule = (facts) => {
  const n = facts.count("breakwater.hedges");
  const won = facts.count("breakwater.hedges", { result: "won" });
  if (n < facts.minCount || won / n >= HEDGES_WON_MIN) return undefined;
  const from = facts.option("hedge.budget");
  if (from === 0) return undefined;
  return {
    id: "hedge_useless",
    kind: "hedge_useless",
    title: `Only ${percent(won / n)} of the second tries answered first.`,
    evidence: { n, won },
    change: { option: "hedge.budget", from, to: 0 },
    advice: "Make no second tries: hedge.budget 0, or hedge false.",
    undoWhen: "The p95 of the time to the first token rises.",
  };
};

/** Waiting in the queue is more than 20 % of what a call takes. */
const poolSmall: Rule = (facts) => {
  const n = facts.count("breakwater.pool.wait");
  const wait = ms(facts.value("breakwater.pool.wait", "p95"));
  const whole = facts.value(CALL_DURATION, "p95");
  const concurrency = facts.option("pool.concurrency");
  if (n < facts.minCount || wait === undefined || whole === undefined || wait / whole <= QUEUE_SHARE_MAX)
    return undefined;
  const n429 = facts.count(ATTEMPTS, { error_type: "rate_limited" });
  // More at a time would only meet the provider's limit.
  if (n429 / Math.max(1, facts.count(ATTEMPTS)) > THROTTLED_MAX) return undefined;
  return {
    id: "pool_small",
    kind: "pool_small",
    title: `Calls wait in the queue for ${percent(wait / whole)} of their time (p95).`,
    evidence: { n, waitP95Ms: Math.round(wait), callP95Ms: Math.round(whole) },
    ...(concurrency !== undefined && {
      change: { option: "pool.concurrency", from: concurrency, to: Math.ceil(concurrency * RAISE) },
    }),
    advice: "Raise pool.concurrency.",
    undoWhen: "The provider refuses more, or the p95 of calls does not fall.",
  };
};

/** A breaker opens more than three times an hour, although over the whole time few attempts fail. */
const breakerNervous: Rule = (facts) => {
  const opened = facts.count("breakwater.breaker.transitions", { to: "open" });
  const n = facts.count(ATTEMPTS);
  const failed = facts.count(ATTEMPTS, { outcome: "error" });
  if (n < facts.minCount || (opened * HOUR_MS) / facts.windowMs <= BREAKER_OPENS_MAX || failed / n > 0.25)
    return undefined;
  return {
    id: "breaker_nervous",
    kind: "breaker_nervous",
    title: `The breaker opened ${opened} times, although only ${percent(failed / n)} of the attempts failed.`,
    evidence: { n, opened, failed },
    change: { option: "breaker.minimumCalls", from: facts.option("breaker.minimumCalls"), to: 20 },
    advice: "Let the breaker look at more calls: breaker.minimumCalls, or a longer breaker.window.",
    undoWhen: "An outage is noticed too late.",
  };
};

/** The provider reads less than 10 % of the input from its prompt cache. */
const cachedInputLow: Rule = (facts) => {
  const n = facts.count(ATTEMPTS, { outcome: "success" });
  const input = facts.count("breakwater.tokens", { token_type: "input" });
  const cached = facts.count("breakwater.tokens", { token_type: "cached_input" });
  // Providers begin to cache at about a thousand tokens; where they never did, the model may not.
  if (n < facts.minCount || input / n < 1_024 || cached === 0 || cached / input >= CACHED_INPUT_MIN) return undefined;
  return {
    id: "prompt_order",
    kind: "prompt_order",
    title: `The provider had only ${percent(cached / input)} of the input tokens in its prompt cache.`,
    evidence: { n, inputTokens: input, cachedInputTokens: cached },
    advice: "Put what is the same in every prompt first. The advisor says which prompts it is about.",
    undoWhen: "The share does not rise.",
  };
};

/** A metric has met its bound of label sets. */
const seriesOverflow: Rule = (facts) => {
  const [worst] = facts.monitor
    .metrics()
    .flatMap(({ name, kind, series }) => (name === "breakwater.monitor.overflow" && kind === "counter" ? series : []))
    .toSorted((a, b) => b.value - a.value);
  const metric = worst?.labels["metric"];
  if (worst === undefined || metric === undefined || facts.count("breakwater.monitor.overflow") === 0) return undefined;
  const label = widestLabel(facts, metric);
  return {
    id: `series_overflow:${metric}`,
    kind: "series_overflow",
    title: `${metric} has too many label sets${label === undefined ? "" : `, most of them by ${label}`}.`,
    evidence: { n: worst.value, label: label ?? "unknown" },
    advice: "Send fewer different values of that label, or raise monitor.maxSeries.",
    undoWhen: "You need to tell those values apart.",
  };
};

/** In the order of their weight: at most five are shown. */
export const RULES: readonly Rule[] = [
  rateLimitHigh,
  // Before retries: what a timeout cuts off, another attempt cuts off as well.
  attemptTimeoutLow,
  firstTokenTimeoutLow,
  retryFew,
  poolSmall,
  breakerNervous,
  retryUseless,
  hedgeUseless,
  attemptTimeoutHigh,
  cachedInputLow,
  seriesOverflow,
];

/** The most good answers in a minute in which the provider also refused. */
function perMinuteUnderLimit({ monitor, windowMs }: Facts): number | undefined {
  const minutes = Math.min(60, Math.max(6, Math.floor(windowMs / 60_000)));
  const stepped = { aggregate: "count", minutes, stepSeconds: 60 } as const;
  const [good] = monitor.timeline(ATTEMPTS, { ...stepped, labels: { outcome: "success" } });
  const [refused] = monitor.timeline(ATTEMPTS, { ...stepped, labels: { error_type: "rate_limited" } });
  // The last minute is not over.
  const counts = (good?.points ?? [])
    .slice(0, -1)
    .flatMap(([, value], index) => ((refused?.points[index]?.[1] ?? 0) > 0 && value !== null ? [value] : []));
  return counts.length === 0 ? undefined : Math.max(...counts);
}

function modelsOf(facts: Facts): number {
  return valuesOf(facts, ATTEMPTS, "model").length;
}

function valuesOf({ monitor }: Facts, metric: string, label: string): string[] {
  return monitor.timeline(metric, { aggregate: "count", minutes: 60, stepSeconds: 600, by: label }).flatMap((one) => {
    const value = one.labels[label];
    return value !== undefined && one.points.some(([, count]) => (count ?? 0) > 0) ? [value] : [];
  });
}

function mostOf(facts: Facts, metric: string, label: string): string {
  const counts = valuesOf(facts, metric, label).map(
    (value) => [value, facts.count(metric, { [label]: value })] as const,
  );
  return counts.toSorted(([, a], [, b]) => b - a)[0]?.[0] ?? "unknown";
}

function widestLabel({ monitor }: Facts, metric: string): string | undefined {
  const found = monitor.metrics().find(({ name }) => name === metric);
  const widths = (found?.labelKeys ?? []).map(
    (key) => [key, new Set(found?.series.map(({ labels }) => labels[key])).size] as const,
  );
  return widths.toSorted(([, a], [, b]) => b - a)[0]?.[0];
}

function ms(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}

function ratio(value: number): string {
  return String(Number(value.toPrecision(2)));
}
