import type { ErrorBody } from "./answer-writer.ts";
import type { ReadFault, RetryHint } from "./provider-faults.ts";
import type { Refusal } from "./provider-limits.ts";
import type { BadRequest } from "./provider-request.ts";

/** A whole reply that is not an answer. */
export interface PlainReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export const SERVER_ERROR: ErrorBody = {
  message: "The server had an error while processing your request. Sorry about that!",
  type: "server_error",
  param: null,
  code: "server_error",
};

const OVERLOADED: ErrorBody = {
  message: "The engine is currently overloaded, please try again later",
  type: "server_error",
  param: null,
  code: "overloaded",
};

const QUOTA: ErrorBody = {
  message:
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
  type: "insufficient_quota",
  param: null,
  code: "insufficient_quota",
};

const BAD_CREDENTIAL: ErrorBody = {
  message: "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.",
  type: "invalid_request_error",
  param: null,
  code: "invalid_api_key",
};

/** A JSON reply. */
export function jsonReply(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): PlainReply {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(value) };
}

export function badRequest(error: BadRequest): PlainReply {
  const { message, param } = error;
  return jsonReply(400, { error: { message, type: "invalid_request_error", param, code: null } });
}

export function notFound(message: string, code: string | null): PlainReply {
  return jsonReply(404, { error: { message, type: "invalid_request_error", param: null, code } });
}

/** The reply to a request that a limit turned away. */
export function limitReply(refusal: Refusal, model: string, concurrencyStatus: 429 | 503): PlainReply {
  const { limitName, limit, used, requested, waitMs } = refusal;
  const amounts = `Limit ${limit}, Used ${used}, Requested ${requested}.`;
  if (limitName === "concurrency") {
    return concurrencyStatus === 503
      ? jsonReply(503, { error: OVERLOADED })
      : rateLimited(`Too many concurrent requests for ${model}: ${amounts}`, "requests", {});
  }
  const type = limitName === "tokens per min (TPM)" ? "tokens" : "requests";
  if (!Number.isFinite(waitMs)) {
    return rateLimited(
      `Request too large for ${model} in organization org-simulated on ${limitName}: Limit ${limit}, Requested ${requested}. The input or output tokens must be reduced in order to run successfully.`,
      type,
      {},
    );
  }
  return rateLimited(
    `Rate limit reached for ${model} in organization org-simulated on ${limitName}: ${amounts} Please try again in ${waitWords(waitMs)}.`,
    type,
    { "retry-after": seconds(waitMs), "retry-after-ms": String(Math.ceil(waitMs)) },
  );
}

/** The reply of a fault that needs no look at the request; `undefined`: another kind of fault. `wall` is the time of day. */
export function faultReply(fault: ReadFault, model: string, wall: number): PlainReply | undefined {
  switch (fault.kind) {
    case "rateLimited": {
      const words = fault.hint === "text" ? ` Please try again in ${waitWords(fault.waitMs)}.` : "";
      const message = `Rate limit reached for ${model} in organization org-simulated on requests per min (RPM).${words}`;
      return rateLimited(message, "requests", hintHeaders(fault.hint, fault.waitMs, wall));
    }
    case "overloaded":
      return jsonReply(fault.status, { error: OVERLOADED }, hintHeaders(fault.hint, fault.waitMs, wall));
    case "quotaExhausted":
      return jsonReply(429, { error: QUOTA });
    case "badCredential":
      return jsonReply(401, { error: BAD_CREDENTIAL });
    case "status":
      return statusReply(fault.status);
    case "wrongContentType":
      return htmlReply(200, "Welcome");
    default:
      return undefined;
  }
}

// 502 and 504 come from the proxy in front of a provider, which answers with a page.
function statusReply(status: number): PlainReply {
  if (status === 502) return htmlReply(502, "Bad gateway");
  if (status === 504) return htmlReply(504, "Gateway time-out");
  const type = status >= 500 ? SERVER_ERROR.type : "invalid_request_error";
  const message = status >= 500 ? SERVER_ERROR.message : `The request failed with status ${status}.`;
  return jsonReply(status, { error: { message, type, param: null, code: null } });
}

function htmlReply(status: number, title: string): PlainReply {
  const body = `<!DOCTYPE html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`;
  return { status, headers: { "content-type": "text/html; charset=utf-8" }, body };
}

function rateLimited(message: string, type: string, headers: Readonly<Record<string, string>>): PlainReply {
  return jsonReply(429, { error: { message, type, param: null, code: "rate_limit_exceeded" } }, headers);
}

function hintHeaders(hint: RetryHint, waitMs: number, wall: number): Record<string, string> {
  if (hint === "seconds") return { "retry-after": seconds(waitMs) };
  if (hint === "milliseconds") return { "retry-after-ms": String(Math.ceil(waitMs)) };
  // A date has whole seconds: rounded up, so that it never comes too early.
  if (hint === "date") return { "retry-after": new Date(Math.ceil((wall + waitMs) / 1000) * 1000).toUTCString() };
  return {};
}

function seconds(ms: number): string {
  return String(Math.ceil(ms / 1000));
}

function waitWords(ms: number): string {
  return ms < 1000 ? `${Math.ceil(ms)}ms` : `${Math.ceil(ms) / 1000}s`;
}
