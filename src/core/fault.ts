import { type RefusedError, StreamInterruptedError, UpstreamTimeoutError } from "./errors.ts";
import type { QuotaUnit } from "./quota.ts";

/**
 * What went wrong, in states that are kept apart because each asks for another answer:
 *
 * | kind | means | what helps |
 * |---|---|---|
 * | `rate_limited` | too many requests or tokens for now | wait until `retryAfterMs` |
 * | `quota_exhausted` | the account has no more until a reset or a payment | another credential |
 * | `overloaded` | the provider has no capacity | fewer calls, later |
 * | `server_error` | the provider failed (5xx) | try again |
 * | `network` | no connection, reset, DNS, TLS | try again |
 * | `timeout` | one of our timers fired on the provider | try again |
 * | `interrupted` | the body ended before the answer was complete | try again if nothing was shown yet |
 * | `malformed` | the reply cannot be read | try again |
 * | `bad_credential` | 401, 403 | another key |
 * | `bad_request` | 400, 404, 409, 413, 422 ... | a corrected request |
 * | `context_length` | the prompt is too long for the model | another model |
 * | `content_filter` | the provider declines this prompt | another prompt |
 * | `aborted` | the caller gave up | nothing |
 * | `refused` | Breakwater itself declined | see the error's `retryAfterMs` |
 * | `unknown` | the caller's own function threw something we cannot read | nothing |
 */
export type FaultKind =
  | "rate_limited"
  | "quota_exhausted"
  | "overloaded"
  | "server_error"
  | "network"
  | "timeout"
  | "interrupted"
  | "malformed"
  | "bad_credential"
  | "bad_request"
  | "context_length"
  | "content_filter"
  | "aborted"
  | "refused"
  | "unknown";

/** How far a fault reaches: other calls within that scope will meet it too. */
export type FaultScope = "call" | "model" | "credential" | "provider";

/** A failure as a value. Judged once, where it is born; policies only read it. */
export interface Fault {
  readonly ok: false;
  readonly kind: FaultKind;
  readonly scope: FaultScope;
  /** Whether the same call may succeed when it is sent again. */
  readonly retryable: boolean;
  /** "Not before": milliseconds from the moment the fault was born; finite and not negative. */
  readonly retryAfterMs: number | undefined;
  /** HTTP status, where there was one. */
  readonly status: number | undefined;
  /** What the caller gets to see: thrown at the door, unless the client rebuilds a response from it. */
  readonly error: unknown;
  /** The provider's own words, so that the door can give them back unchanged. */
  readonly response: RawResponse | undefined;
  /** True when the first content had reached the caller: then nobody may try again. */
  readonly committed: boolean;
  /** Limits that the response told. */
  readonly limits: readonly LimitReading[] | undefined;
}

/** A complete HTTP response as it came. */
export interface RawResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly url: string;
}

/** One limit as a provider's headers tell it. */
export interface LimitReading {
  readonly unit: QuotaUnit;
  /** Window of the limit in milliseconds: 60,000 or 86,400,000 where the provider says or implies it. */
  readonly windowMs: number;
  readonly limit: number | undefined;
  readonly remaining: number | undefined;
  /** Until the bucket is full again, in milliseconds. */
  readonly resetMs: number | undefined;
}

export type FaultDetails = Pick<Fault, "kind" | "error"> & Partial<Omit<Fault, "ok" | "kind" | "error">>;

/** Faults that are the provider's failure, not that of the caller, its account or its limits. */
export const PROVIDER_FAULTS: readonly FaultKind[] = [
  "overloaded",
  "server_error",
  "network",
  "timeout",
  "interrupted",
  "malformed",
];

const PROVIDER_FAILED: ReadonlySet<FaultKind> = new Set(PROVIDER_FAULTS);
const RETRYABLE: ReadonlySet<FaultKind> = new Set<FaultKind>(["rate_limited", ...PROVIDER_FAULTS]);

const SCOPES: Partial<Record<FaultKind, FaultScope>> = {
  rate_limited: "model",
  overloaded: "model",
  server_error: "model",
  quota_exhausted: "credential",
  bad_credential: "credential",
  network: "provider",
  timeout: "model",
};

/** Makes a fault; what is not given follows from its kind. */
export function faultOf(details: FaultDetails): Fault {
  return {
    ok: false,
    kind: details.kind,
    scope: details.scope ?? SCOPES[details.kind] ?? "call",
    retryable: details.retryable ?? RETRYABLE.has(details.kind),
    retryAfterMs: timeOr(details.retryAfterMs),
    status: details.status,
    error: details.error,
    response: details.response,
    committed: details.committed ?? false,
    limits: details.limits,
  };
}

// What a judge of the user's read from a header may be no number; a gate or a lock kept for that would never open again.
function timeOr(ms: number | undefined): number | undefined {
  return ms !== undefined && Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}

/** The fault that stands for one of our own refusals. */
export function refusal(error: RefusedError): Fault {
  return faultOf({ kind: "refused", error, status: error.status, retryAfterMs: error.retryAfterMs });
}

/** The fault of a caller that gave up; `reason` is what its signal carries. */
export function aborted(reason: unknown): Fault {
  return faultOf({ kind: "aborted", error: reason });
}

/** The fault of a timer of ours that fired on the provider. */
export function timedOut(phase: UpstreamTimeoutError["phase"], limitMs: number, committed = false): Fault {
  return faultOf({ kind: "timeout", error: new UpstreamTimeoutError(phase, limitMs), committed });
}

/** The fault of a body that ended before its terminal event. */
export function interrupted(message: string, cause?: unknown): Fault {
  return faultOf({ kind: "interrupted", error: new StreamInterruptedError(message, { cause }) });
}

/** True when the provider failed, not the caller, its account or its limits: what trips a breaker. */
export function blamesProvider(fault: Fault): boolean {
  return PROVIDER_FAILED.has(fault.kind);
}
