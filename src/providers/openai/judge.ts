import type { FaultKind } from "../../core/index.ts";
import { type ErrorFacts, isDailyQuota } from "./error-body.ts";
import { objectOf } from "./json.ts";

export interface Verdict {
  readonly kind: FaultKind;
  /** Where it differs from what the kind implies. */
  readonly retryable?: boolean;
}

interface Rule {
  readonly kind: FaultKind;
  applies(facts: ErrorFacts): boolean;
}

const QUOTA_NAMES =
  /insufficient_quota|credit_balance_exhausted|enforced_spend_limit_reached|billing|insufficient_(balance|credits|funds)/;
const QUOTA_WORDS = /credit balance is too low|insufficient (balance|credits|funds)|free-models-per-day/i;
const CONTEXT_NAMES = /context_length_exceeded|exceed_context_size/;
const CONTEXT_WORDS =
  /maximum context length|prompt is too long|exceeds the (available )?context|context (length|window|size) (is )?exceeded/i;
const FILTER_NAMES = /content_filter|content_policy|responsibleaipolicyviolation|moderation|invalid_prompt/;
const FILTER_WORDS = /flagged (by|as)|content management policy/i;
const CAPACITY_NAMES = /overloaded|capacity_exceeded|resource_unavailable|slow_down|unavailable_error/;
const CAPACITY_WORDS = /overloaded|resource unavailable|high demand|server busy|no capacity/i;
const MODEL_NAMES = /\bmodel_/;
const MODEL_WORDS = /access to (the |this )?model/i;
const SAMPLING_NAMES = /tool_use_failed|json_validate_failed/;

/** The first that applies decides; the status decides only when none does. */
const RULES: readonly Rule[] = [
  { kind: "quota_exhausted", applies: isQuota },
  {
    kind: "context_length",
    applies: (facts) => CONTEXT_NAMES.test(facts.names) || (isClientError(facts) && CONTEXT_WORDS.test(facts.message)),
  },
  { kind: "content_filter", applies: isFiltered },
  // A request that is larger than the limit: no wait makes it fit.
  { kind: "bad_request", applies: isTooLarge },
  {
    kind: "overloaded",
    applies: (facts) =>
      !isClientError(facts) && (CAPACITY_NAMES.test(facts.names) || CAPACITY_WORDS.test(facts.message)),
  },
];

/** What an error means. Pure; `noAllowance`: a header says that the limit is zero. */
export function judge(facts: ErrorFacts, noAllowance = false): Verdict {
  if (noAllowance && facts.status === 429) return { kind: "quota_exhausted" };
  const rule = RULES.find(({ applies }) => applies(facts));
  if (rule !== undefined) return { kind: rule.kind };
  return facts.status === undefined ? judgeByName(facts) : judgeByStatus(facts.status, facts);
}

function judgeByStatus(status: number, { names, message }: ErrorFacts): Verdict {
  if (status === 429) return { kind: "rate_limited" };
  // A key that may not ask for one model may ask for the others.
  if (status === 403 && (MODEL_NAMES.test(names) || MODEL_WORDS.test(message))) return { kind: "bad_request" };
  if (status === 401 || status === 403) return { kind: "bad_credential" };
  // 498 is Groq's flex tier, 529 Anthropic's overload behind a gateway.
  if (status === 498 || status === 503 || status === 529) return { kind: "overloaded" };
  if (status === 408 || status >= 500) return { kind: "server_error" };
  // A lost race at the provider, or a sample of the model that broke its schema: the next may do.
  return { kind: "bad_request", retryable: status === 409 || SAMPLING_NAMES.test(names) };
}

// Inside of a stream most errors have no status.
function judgeByName({ names }: ErrorFacts): Verdict {
  if (names.includes("rate_limit")) return { kind: "rate_limited" };
  if (/authentication|api_key|permission/.test(names)) return { kind: "bad_credential" };
  if (/invalid_|not_found|bad_?request|unsupported/.test(names)) {
    return { kind: "bad_request", retryable: SAMPLING_NAMES.test(names) };
  }
  return { kind: "server_error" };
}

function isClientError({ status }: ErrorFacts): boolean {
  return status !== undefined && status < 500 && status !== 429 && status !== 498;
}

function isQuota(facts: ErrorFacts): boolean {
  const { status, names, message } = facts;
  if (status === 402 || isDailyQuota(facts) || QUOTA_NAMES.test(names) || QUOTA_WORDS.test(message)) return true;
  return status === 429 && /\blimit:? 0\b(?![.,]\d)/i.test(message);
}

function isFiltered({ status, names, message, error }: ErrorFacts): boolean {
  if (status !== undefined && status !== 400 && status !== 403) return false;
  const { reasons, flagged_input } = objectOf(error["metadata"]);
  return FILTER_NAMES.test(names) || FILTER_WORDS.test(message) || reasons !== undefined || flagged_input !== undefined;
}

function isTooLarge({ status, message }: ErrorFacts): boolean {
  if (status !== undefined && status !== 429 && status !== 413) return false;
  if (/\brequest too large\b/i.test(message)) return true;
  const [, limit, requested] = /\bLimit:? ([\d,]+).*?\bRequested:? ([\d,]+)/is.exec(message) ?? [];
  return limit !== undefined && requested !== undefined && numberIn(requested) > numberIn(limit);
}

function numberIn(text: string): number {
  return Number(text.replaceAll(",", ""));
}
