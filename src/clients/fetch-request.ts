import { isUtf8 } from "node:buffer";

export type FetchInput = Parameters<typeof fetch>[0];
export type FetchInit = NonNullable<Parameters<typeof fetch>[1]>;

/** A request that a dialect may be able to read. */
export interface ReadableRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  /** The body as text, for reading only. */
  readonly text: string;
  /** The body as it is sent, the same bytes on each attempt. */
  readonly body: string | Uint8Array<ArrayBuffer> | ArrayBuffer;
  readonly signal: AbortSignal | null | undefined;
}

/**
 * The same with headers of its own, as they are now: the caller may change his while the call waits, an iterator can
 * be read only once, and they are read for the credential and sent on each attempt.
 */
export function withOwnHeaders(init: FetchInit | undefined): FetchInit | undefined {
  const headers = init?.headers;
  if (typeof headers !== "object" || headers === null) return init;
  if (headers instanceof Headers) return { ...init, headers: new Headers(headers) };
  return { ...init, headers: Symbol.iterator in headers ? [...headers] : { ...headers } };
}

/**
 * Reads what was given to `fetch`, without consuming it. `undefined` for anything that cannot be a JSON call: another
 * method than POST, no body, a form, a stream, bytes that are not text.
 */
export async function readFetchRequest(
  input: FetchInput,
  init: FetchInit | undefined,
): Promise<ReadableRequest | undefined> {
  const request = input instanceof Request ? input : undefined;
  const method = (init?.method ?? request?.method ?? "GET").toUpperCase();
  if (method !== "POST") return undefined;
  const url = URL.parse(request?.url ?? String(input));
  if (url === null) return undefined;
  const headers = headersOf(init?.headers ?? request?.headers);
  const given = init?.body ?? (request === undefined ? undefined : await bodyOf(request, headers));
  if (!isPlainBody(given)) return undefined;
  const body = ownBody(given);
  const text = typeof body === "string" ? body : textOfBytes(body);
  if (text === undefined) return undefined;
  return { method, url, headers, text, body, signal: init?.signal === undefined ? request?.signal : init.signal };
}

/** What `fetch` is to be given to send `body` in place of the request's own. */
export function withOtherBody({ headers }: ReadableRequest, body: unknown): Pick<FetchInit, "headers" | "body"> {
  const fitting = new Headers(headers);
  fitting.delete("content-length");
  return { headers: fitting, body: JSON.stringify(body) };
}

function headersOf(headers: FetchInit["headers"]): Headers {
  return headers instanceof Headers ? headers : new Headers(headers);
}

// A copy is read, so that a request which turns out not to be ours can still go out untouched.
async function bodyOf(request: Request, headers: Headers): Promise<ArrayBuffer | undefined> {
  if (request.body === null || request.bodyUsed) return undefined;
  if (headers.get("content-type")?.includes("json") !== true) return undefined;
  return request.clone().arrayBuffer();
}

function isPlainBody(body: unknown): body is ReadableRequest["body"] {
  return typeof body === "string" || body instanceof Uint8Array || body instanceof ArrayBuffer;
}

// A copy of bytes, which the caller may change while the call waits. A Buffer's own `slice` would not be one.
function ownBody(body: ReadableRequest["body"]): ReadableRequest["body"] {
  if (typeof body === "string") return body;
  return body instanceof ArrayBuffer ? body.slice(0) : new Uint8Array(body);
}

function textOfBytes(body: Uint8Array<ArrayBuffer> | ArrayBuffer): string | undefined {
  const bytes =
    body instanceof ArrayBuffer ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.length);
  return isUtf8(bytes) ? bytes.toString("utf8") : undefined;
}
