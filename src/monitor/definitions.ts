import { type FaultKind, PROVIDER_FAULTS } from "../core/index.ts";
import type { MetricDefinition, MetricKind } from "./metric.ts";

const CALL = ["op", "provider", "model"];
// What no event has touched for this long is not known any more: its policy may have forgotten the key.
const STATE_TTL_MS = 600_000;
const FIXED = [
  "outcome",
  "served_by",
  "error_type",
  "kind",
  "reason",
  "source",
  "phase",
  "token_type",
  "result",
  "unit",
  "state",
  "to",
  "level",
];

function define(
  kind: MetricKind,
  name: string,
  unit: string,
  labels: readonly string[],
  description: string,
  ttlMs?: number,
): MetricDefinition {
  const fixed = labels.filter((label) => FIXED.includes(label));
  return { kind, name, unit, labels, description, fixed, ...(ttlMs !== undefined && { ttlMs }) };
}

/** Every metric that is fed from events. */
export const DEFINITIONS = {
  operationDuration: define(
    "histogram",
    "gen_ai.client.operation.duration",
    "s",
    [...CALL, "error_type"],
    "A call as its caller saw it, retries and waits included.",
  ),
  timeToFirstChunk: define(
    "histogram",
    "gen_ai.client.operation.time_to_first_chunk",
    "s",
    CALL,
    "Streamed calls: from the start of the call to the first content.",
  ),
  tokenUsage: define(
    "histogram",
    "gen_ai.client.token.usage",
    "{token}",
    [...CALL, "token_type"],
    "Tokens of a call that the provider was asked for; token_type is input or output.",
  ),
  calls: define(
    "counter",
    "breakwater.calls",
    "{call}",
    [...CALL, "outcome", "served_by", "error_type"],
    "Calls that ended. outcome is success, error, cancelled or rejected (by Breakwater itself).",
  ),
  callsInFlight: define("gauge", "breakwater.calls.in_flight", "{call}", CALL, "Calls that have not ended."),
  callDuration: define(
    "histogram",
    "breakwater.call.duration",
    "ms",
    [...CALL, "outcome"],
    "A call as its caller saw it, in milliseconds.",
  ),
  callWait: define(
    "histogram",
    "breakwater.call.wait",
    "ms",
    [...CALL, "reason"],
    "Time a call waited inside the line, for calls that did; reason is queue, throttle, rate_limit or backoff.",
  ),
  attempts: define(
    "counter",
    "breakwater.attempts",
    "{attempt}",
    [...CALL, "kind", "outcome", "error_type"],
    "Requests to the provider that ended. kind is first or retry, outcome success or error.",
  ),
  attemptDuration: define(
    "histogram",
    "breakwater.attempt.duration",
    "s",
    [...CALL, "outcome", "error_type"],
    "One request to the provider, to the end of its body.",
  ),
  retries: define(
    "counter",
    "breakwater.retries",
    "{retry}",
    [...CALL, "reason", "source"],
    "Retries that were scheduled; source is backoff or retry_after.",
  ),
  timeouts: define("counter", "breakwater.timeouts", "{timeout}", [...CALL, "phase"], "Timeouts that fired."),
  streamInterruptions: define(
    "counter",
    "breakwater.stream.interruptions",
    "{stream}",
    [...CALL, "reason"],
    "Streams that broke after they had begun.",
  ),
  breakerState: define(
    "gauge",
    "breakwater.breaker.state",
    "1",
    ["provider", "model", "breaker", "state"],
    "1 for the state a breaker is in, 0 for the others: closed, half_open, open.",
    STATE_TTL_MS,
  ),
  breakerTransitions: define(
    "counter",
    "breakwater.breaker.transitions",
    "{transition}",
    ["breaker", "to"],
    "Changes of a breaker's state.",
  ),
  breakerRejections: define(
    "counter",
    "breakwater.breaker.rejections",
    "{call}",
    ["breaker"],
    "Calls that an open breaker refused.",
  ),
  rateLimitWait: define("histogram", "breakwater.ratelimit.wait", "s", ["limiter"], "Waits for a rate limit."),
  rateLimitRejections: define(
    "counter",
    "breakwater.ratelimit.rejections",
    "{call}",
    ["limiter"],
    "Calls that a rate limit refused.",
  ),
  rateLimitRemaining: define(
    "gauge",
    "breakwater.ratelimit.remaining",
    "1",
    ["key", "unit", "window"],
    "What the provider says is left of a limit, 0 to 1; unit is requests or tokens, window its length.",
    STATE_TTL_MS,
  ),
  throttleLimit: define(
    "gauge",
    "breakwater.throttle.limit",
    "{call}",
    ["key"],
    "Calls at a time that the adaptive throttle admits.",
    STATE_TTL_MS,
  ),
  throttleWait: define("histogram", "breakwater.throttle.wait", "s", ["key"], "Waits for the adaptive throttle."),
  throttleRejections: define(
    "counter",
    "breakwater.throttle.rejections",
    "{call}",
    ["key"],
    "Calls that the adaptive throttle refused.",
  ),
  poolDepth: define("gauge", "breakwater.pool.depth", "{call}", [], "Calls that wait in the pool's queue."),
  poolWait: define(
    "histogram",
    "breakwater.pool.wait",
    "s",
    ["priority"],
    "Waits in the pool's queue, for calls that did.",
  ),
  poolRejections: define(
    "counter",
    "breakwater.pool.rejections",
    "{call}",
    ["priority", "reason"],
    "Calls that the pool refused; reason is full or deadline.",
  ),
  cacheLookups: define(
    "counter",
    "breakwater.cache.lookups",
    "{lookup}",
    [...CALL, "result", "tier"],
    "Looks at the cache; result is hit, miss or bypass, tier is where a hit was found.",
  ),
  cacheTierFailures: define(
    "counter",
    "breakwater.cache.tier_failures",
    "{failure}",
    ["tier", "operation"],
    "Operations of a cache tier that failed; the calls went on without it.",
  ),
  cacheTierDisabled: define(
    "gauge",
    "breakwater.cache.tier_disabled",
    "1",
    ["tier"],
    "1 while a cache tier is left out because it failed.",
    STATE_TTL_MS,
  ),
  cost: define("counter", "breakwater.cost", "USD", CALL, "Cost of answers from the provider, with the option prices."),
  costSaved: define(
    "counter",
    "breakwater.cost.saved",
    "USD",
    CALL,
    "What answers from the cache or of a coalesced call would have cost.",
  ),
  alerts: define("counter", "breakwater.alerts", "{alert}", ["rule", "level", "state"], "Alerts that were sent."),
} as const;

/** A number that is made of others when it is asked for. */
export interface DerivedMetric {
  readonly name: string;
  readonly unit: string;
  readonly labels: readonly string[];
  readonly description: string;
  /** The counter whose total is divided by the part of itself that has the labels `per`. */
  readonly of: string;
  readonly per: Readonly<Record<string, string>>;
}

export const AMPLIFICATION: DerivedMetric = {
  name: "breakwater.amplification",
  unit: "1",
  labels: CALL,
  description: "Attempts per call that reached the provider: 1 when nothing is retried.",
  of: DEFINITIONS.attempts.name,
  per: { kind: "first" },
};

/** Faults that an operator can do something about; the caller's own mistakes are not among them. */
export const SERVICE_ERRORS: readonly FaultKind[] = [
  ...PROVIDER_FAULTS,
  "rate_limited",
  "quota_exhausted",
  "bad_credential",
  "unknown",
];
