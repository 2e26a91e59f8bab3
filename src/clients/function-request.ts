import { booleanOf, type FaultDetails, functionOf, numberIn, OptionError, textOf } from "../core/index.ts";

/** What a call of one's own function asks for. Whatever else it holds is part of the question, and of its key. */
export interface FunctionRequest {
  readonly model: string;
  /** The prompt, in whatever form the function takes it. JSON-like, or the call is not cached. */
  readonly input: unknown;
  readonly temperature?: number | undefined;
  /** Whether the function gives an async iterable. Default false; only statistics and time limits depend on it. */
  readonly stream?: boolean | undefined;
  /** Who answers, for limits, breakers and metrics. Default `"function"`. */
  readonly provider?: string | undefined;
  /** Default `"chat"`. */
  readonly operation?: string | undefined;
  /** The secret the function uses, or a name for it: keeps limits and cached answers of different ones apart. */
  readonly credential?: string | undefined;
  /** Reads an error of the function's where Breakwater cannot; what it leaves out is judged as usual. */
  readonly judge?: ErrorJudge | undefined;
  readonly [field: string]: unknown;
}

/** Says what kind of failure an error is. `undefined`: no opinion. */
export type ErrorJudge = (error: unknown) => Partial<Omit<FaultDetails, "error">> | undefined;

/** Throws `OptionError` unless `request` has the form of one. */
export function checkRequest(request: FunctionRequest): void {
  const prototype = typeof request === "object" && request !== null ? Object.getPrototypeOf(request) : undefined;
  if (prototype !== Object.prototype && prototype !== null) {
    // A text or an array in its place is the prompt, which stays out of the message.
    const shown = typeof request === "string" ? "" : Array.isArray(request) ? [] : request;
    throw new OptionError("request", shown, "an object with `model` and `input`");
  }
  textOf("request.model", request.model);
  if (request.input === undefined) throw new OptionError("request.input", undefined, "the prompt, in any JSON form");
  const { temperature, stream, provider, operation, credential, judge } = request;
  if (temperature !== undefined) numberIn("request.temperature", temperature, 0, Number.MAX_VALUE);
  if (stream !== undefined) booleanOf("request.stream", stream);
  if (provider !== undefined) textOf("request.provider", provider);
  if (operation !== undefined) textOf("request.operation", operation);
  if (judge !== undefined) functionOf("request.judge", judge);
  if (credential !== undefined && (typeof credential !== "string" || credential === "")) {
    // The value stays out of the message: it may be most of a secret.
    throw new OptionError("request.credential", typeof credential === "string" ? "" : {}, "text");
  }
}

// More than any prompt has; a cycle ends here too.
const VALUES_MAX = 100_000;

/** Characters of all texts in `value`, for estimates. */
export function charsOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  const pending = [value];
  let chars = 0;
  for (let count = 0; count < VALUES_MAX && pending.length > 0; count++) {
    const next = pending.pop();
    if (typeof next === "string") chars += next.length;
    else if (hasMembers(next)) for (const member of Object.values(next)) pending.push(member);
  }
  return chars;
}

// Bytes have no texts in them, and may have millions of members.
function hasMembers(value: unknown): value is object {
  return typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
}

const OUTPUT_LIMITS = ["max_tokens", "maxTokens", "max_output_tokens", "maxOutputTokens", "max_completion_tokens"];

/** The most tokens the answer may have, where the request says so under one of the usual names. */
export function maxOutputTokensOf(request: FunctionRequest): number | undefined {
  for (const name of OUTPUT_LIMITS) {
    const limit = request[name];
    if (typeof limit === "number" && limit > 0 && Number.isFinite(limit)) return limit;
  }
  return undefined;
}
