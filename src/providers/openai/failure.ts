import { type Fault, faultOf, type LimitReading, type RawResponse } from "../../core/index.ts";
import { type ErrorFacts, errorFromBody, isDailyQuota } from "./error-body.ts";
import { judge, type Verdict } from "./judge.ts";
import { limitInWords } from "./limit-in-words.ts";
import { type HeaderLookup, limitsFrom } from "./limits.ts";
import { readRetryAfter } from "./retry-after.ts";

/**
 * A response that is not 2xx as a fault. `wallMs` is the time of day in milliseconds since the Unix epoch, against
 * which dates are read. `fault.response` is `raw` and `fault.error` is `undefined`: the client rebuilds the response.
 *
 * `x-should-retry` goes before our own judgement of whether to retry.
 */
export function readFailure(raw: RawResponse, provider: string, wallMs: number): Fault {
  const header = lookup(raw.headers);
  const facts = errorFromBody(raw.body, raw.status);
  // Gemini tells a wait of seconds with a quota that is renewed at midnight.
  const retryAfterMs = isDailyQuota(facts) ? undefined : readRetryAfter(header, facts, wallMs);
  const verdict = inFlightBudget(judge(facts, hasNoAllowance(header)), facts, retryAfterMs);
  const limits = limitsToldBy(header, facts, provider);
  return faultOf({
    ...verdict,
    ...shouldRetry(header),
    retryAfterMs,
    status: raw.status,
    error: undefined,
    response: raw,
    limits: limits.length === 0 ? undefined : limits,
  });
}

/** An error that came inside of a 200: in its body or its stream. The client adds the response. */
export function faultOfError(facts: ErrorFacts): Fault {
  return faultOf({
    ...judge(facts),
    retryAfterMs: readRetryAfter(() => undefined, facts),
    status: facts.status,
    error: undefined,
  });
}

// Headers tell what was true a moment later, and all limits; words only the one that was met.
function limitsToldBy(header: HeaderLookup, facts: ErrorFacts, provider: string): LimitReading[] {
  const limits = limitsFrom(header, provider);
  const worded = facts.status === 429 ? limitInWords(facts.message) : undefined;
  const isKnown = limits.some(({ unit, windowMs }) => unit === worded?.unit && windowMs === worded.windowMs);
  return worded === undefined || isKnown ? limits : [...limits, worded];
}

function shouldRetry(header: HeaderLookup): { readonly retryable?: boolean } {
  const told = header("x-should-retry");
  return told === "true" || told === "false" ? { retryable: told === "true" } : {};
}

// OpenRouter answers 402 with a wait while calls in flight hold the rest of the money.
function inFlightBudget(verdict: Verdict, { status }: ErrorFacts, retryAfterMs: number | undefined): Verdict {
  return status === 402 && retryAfterMs !== undefined ? { kind: "rate_limited" } : verdict;
}

// Mistral's way of saying that a key has no access.
function hasNoAllowance(header: HeaderLookup): boolean {
  return header("x-ratelimit-limit-req-minute") === "0";
}

function lookup(headers: RawResponse["headers"]): HeaderLookup {
  const byName = new Map(headers.map(([name, value]) => [name.toLowerCase(), value]));
  return (name) => byName.get(name);
}
