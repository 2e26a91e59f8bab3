import { parseDuration, waitInWords } from "./duration.ts";
import type { ErrorFacts } from "./error-body.ts";
import { numberOf, objectOf, objectsIn, textOf } from "./json.ts";
import type { HeaderLookup } from "./limits.ts";

const EPOCH_SECONDS_FROM = 1_000_000_000;

/**
 * How long the provider asks to wait, in milliseconds: its headers first, then what the body says. A date counts from
 * `wallMs`, milliseconds since the Unix epoch; a past one is 0. Where that is not known, dates are not read.
 */
export function readRetryAfter(header: HeaderLookup, facts: ErrorFacts, wallMs?: number): number | undefined {
  const found =
    amount(header("retry-after-ms")) ??
    amount(header("x-ms-retry-after-ms")) ??
    secondsOrDate(header("retry-after"), wallMs) ??
    untilReset(facts, wallMs) ??
    retryInfo(facts) ??
    waitInWords(facts.message);
  return found !== undefined && Number.isFinite(found) ? found : undefined;
}

function amount(text: string | null | undefined): number | undefined {
  return typeof text === "string" && /^\d+(?:\.\d+)?$/.test(text.trim()) ? Number(text) : undefined;
}

function secondsOrDate(text: string | null | undefined, wallMs: number | undefined): number | undefined {
  const seconds = amount(text);
  // Nobody means decades: some gateways tell the time of day at which to come back.
  if (seconds !== undefined && seconds > EPOCH_SECONDS_FROM) return until(seconds * 1_000, wallMs);
  if (seconds !== undefined) return seconds * 1_000;
  // `Date.parse` takes "-5" for a year; a date of HTTP begins with the day of the week.
  const at = typeof text === "string" && /^[a-z]/i.test(text.trim()) ? Date.parse(text) : Number.NaN;
  return until(at, wallMs);
}

// OpenRouter repeats the headers of a limit in the body; the reset is in milliseconds since the Unix epoch.
function untilReset({ error }: ErrorFacts, wallMs: number | undefined): number | undefined {
  return until(numberOf(objectOf(objectOf(error["metadata"])["headers"])["X-RateLimit-Reset"]), wallMs);
}

function until(at: number, wallMs: number | undefined): number | undefined {
  return Number.isNaN(at) || wallMs === undefined ? undefined : Math.max(0, at - wallMs);
}

// Google: {"@type": ".../google.rpc.RetryInfo", "retryDelay": "34.4s"}
function retryInfo({ error }: ErrorFacts): number | undefined {
  const delay = objectsIn(error["details"])
    .map((detail) => textOf(detail["retryDelay"]))
    .find((text) => text !== undefined);
  return delay === undefined ? undefined : parseDuration(delay);
}
