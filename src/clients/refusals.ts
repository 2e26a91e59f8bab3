import {
  BudgetExceededError,
  CircuitBreakerOpenError,
  DeadlineExceededError,
  isRefusedError,
  NotCachedError,
  QueueFullError,
  RateLimitError,
  type RefusalDetails,
  type RefusedError,
  RetryBudgetError,
  ThrottleError,
} from "../core/index.ts";

const REFUSAL_TYPE = "breakwater_refusal";
const CAUSES_MAX = 8;

const ERRORS: Readonly<Record<string, new (message: string, details: RefusalDetails) => RefusedError>> = {
  RATE_LIMITED: RateLimitError,
  THROTTLED: ThrottleError,
  CIRCUIT_OPEN: CircuitBreakerOpenError,
  QUEUE_FULL: QueueFullError,
  DEADLINE_EXCEEDED: DeadlineExceededError,
  BUDGET_EXCEEDED: BudgetExceededError,
  NOT_CACHED: NotCachedError,
  RETRY_BUDGET_SPENT: RetryBudgetError,
};

interface RefusalBody {
  readonly message: string;
  readonly type: typeof REFUSAL_TYPE;
  readonly code: string;
  readonly policy: string;
  readonly param: null;
  readonly retry_after_ms: number | null;
}

const byHeaders = new WeakMap<object, RefusedError>();

/** The response that stands for a refusal where a client expects one; its SDK makes its own error of it, unretried. */
export function refusalResponse(error: RefusedError): Response {
  const { message, code, policy, retryAfterMs } = error;
  const headers: Record<string, string> = { "content-type": "application/json", "x-should-retry": "false" };
  if (retryAfterMs !== undefined) {
    headers["retry-after"] = String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
    headers["retry-after-ms"] = String(Math.ceil(retryAfterMs));
  }
  const body: RefusalBody = {
    message,
    type: REFUSAL_TYPE,
    code,
    policy,
    param: null,
    retry_after_ms: retryAfterMs ?? null,
  };
  const response = new Response(JSON.stringify({ error: body }), { status: error.status, headers });
  byHeaders.set(response.headers, error);
  return response;
}

/**
 * The refusal behind an error: the error itself, one of its causes, or what an SDK made of the response that stood
 * for it. `undefined` when Breakwater did not refuse: then the provider failed, or something else did.
 */
export function refusalOf(error: unknown): RefusedError | undefined {
  let current = error;
  for (let depth = 0; depth < CAUSES_MAX && typeof current === "object" && current !== null; depth++) {
    if (isRefusedError(current)) return current;
    const { headers, error: body, cause } = current as { headers?: unknown; error?: unknown; cause?: unknown };
    const known = typeof headers === "object" && headers !== null ? byHeaders.get(headers) : undefined;
    const refused = known ?? fromBody(body);
    if (refused !== undefined) return refused;
    current = cause;
  }
  return undefined;
}

// The error of another process (a gateway's), or one whose headers were copied on the way. SDKs differ in whether
// they keep the whole body or what is under `error` in it.
function fromBody(body: unknown): RefusedError | undefined {
  const details = isRefusalBody(body) ? body : (body as { readonly error?: unknown } | null | undefined)?.error;
  if (!isRefusalBody(details)) return undefined;
  const Refused = Object.hasOwn(ERRORS, details.code) ? ERRORS[details.code] : undefined;
  if (Refused === undefined) return undefined;
  const { message, policy, retry_after_ms } = details;
  return new Refused(message, { policy, retryAfterMs: retry_after_ms ?? undefined });
}

function isRefusalBody(value: unknown): value is RefusalBody {
  return typeof value === "object" && value !== null && "type" in value && value.type === REFUSAL_TYPE;
}
