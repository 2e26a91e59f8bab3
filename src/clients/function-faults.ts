import { type Fault, faultOf, isRefusedError, type RawResponse, refusal } from "../core/index.ts";
import { readFailure } from "../providers/openai/index.ts";
import type { ErrorJudge } from "./function-request.ts";
import { refusalOf } from "./refusals.ts";

/** What a function of the user's threw, as a fault. `fault.error` is always the very thing that was thrown. */
export function judgeThrown(error: unknown, judge: ErrorJudge | undefined, provider: string, wallMs: number): Fault {
  const fault = { ...judgeByForm(error, provider, wallMs), error, response: undefined };
  const opinion = opinionOf(judge, error);
  if (opinion === undefined) return fault;
  // Another kind brings what follows from it, unless the judge says that too.
  const base = opinion.kind === undefined ? fault : { kind: opinion.kind, status: fault.status };
  return faultOf({ ...base, ...opinion, error });
}

// A judge that throws has no opinion: the function's error is what the caller must see.
function opinionOf(judge: ErrorJudge | undefined, error: unknown): ReturnType<ErrorJudge> {
  try {
    return judge?.(error);
  } catch {
    return undefined;
  }
}

// Getters, proxies and objects without a text form throw when they are read.
function judgeByForm(error: unknown, provider: string, wallMs: number): Fault {
  try {
    return readThrown(error, provider, wallMs);
  } catch {
    return faultOf({ kind: "unknown", error });
  }
}

function readThrown(error: unknown, provider: string, wallMs: number): Fault {
  const refused = isRefusedError(error) ? error : refusalOf(error);
  if (refused !== undefined) return refusal(refused);
  const response = responseIn(error);
  if (response !== undefined) return readFailure(response, provider, wallMs);
  return faultOf({ kind: connectionKind(error) ?? "unknown", error });
}

type Loose = { readonly [field: string]: unknown };

/** The response that the errors of HTTP clients carry, in the forms that are common. */
function responseIn(error: unknown): RawResponse | undefined {
  if (!isObject(error)) return undefined;
  const response = isObject(error["response"]) ? error["response"] : undefined;
  const status = error["status"] ?? error["statusCode"] ?? response?.["status"];
  if (typeof status !== "number" || !Number.isInteger(status) || status < 400 || status > 599) return undefined;
  const headers = headersIn(error["headers"] ?? error["responseHeaders"] ?? response?.["headers"]);
  return { status, statusText: "", headers, url: "", body: bodyIn(error, response) };
}

function headersIn(headers: unknown): [string, string][] {
  if (headers instanceof Headers) return [...headers];
  if (!isObject(headers)) return [];
  return Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
}

// SDKs differ in whether `error` is the whole body or what the body has under that name. The AI SDK keeps the body as
// text beside the error, axios as data in its response.
function bodyIn(error: Loose, response: Loose | undefined): string {
  const inner = error["error"];
  const body = isObject(inner) ? (isObject(inner["error"]) ? inner : { error: inner }) : response?.["data"];
  const text = error["responseBody"] ?? (isPlain(body) ? jsonOf(body) : body);
  if (typeof text === "string" && /^\s*[[{]/.test(text)) return text;
  return jsonOf({ error: { message: String(error["message"]), code: error["code"] } }) ?? "";
}

// A circular body tells nothing; the status still does.
function jsonOf(value: object): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

function isPlain(value: unknown): value is object {
  return isObject(value) && Object.getPrototypeOf(value) === Object.prototype;
}

const CONNECTION_CODE =
  /^(ECONN(RESET|REFUSED|ABORTED)|EPIPE|ENOTFOUND|EAI_AGAIN|E(HOST|NET)UNREACH|UND_ERR_(SOCKET|CLOSED|DESTROYED))$/;
const TIMEOUT_CODE = /^(ETIMEDOUT|ESOCKETTIMEDOUT|UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT)$/;
const CONNECTION_WORDS = /^(fetch failed|terminated|socket hang up|connection error\.)$/i;
const TIMEOUT_WORDS = /^request timed out\.?$/i;
const CAUSES_MAX = 5;

function connectionKind(error: unknown): "network" | "timeout" | undefined {
  let current = error;
  let found: "network" | undefined;
  for (let depth = 0; depth < CAUSES_MAX && isObject(current); depth++) {
    const code = String(current["code"]);
    const message = String(current["message"]);
    if (TIMEOUT_CODE.test(code) || TIMEOUT_WORDS.test(message) || current["name"] === "TimeoutError") return "timeout";
    if (CONNECTION_CODE.test(code) || CONNECTION_WORDS.test(message)) found = "network";
    current = current["cause"];
  }
  return found;
}

function isObject(value: unknown): value is Loose {
  return typeof value === "object" && value !== null;
}
