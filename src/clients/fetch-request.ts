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
  const body = init?.body ?? (request === undefined ? undefined : await bodyOf(request, headers));
  if (!isPlainBody(body)) return undefined;
  const text = typeof body === "string" ? body : textOfBytes(body);
  if (text === undefined) return undefined;
  return { method, url, headers, text, body, signal: init?.signal === undefined ? request?.signal : init.signal };
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

function textOfBytes(body: Uint8Array<ArrayBuffer> | ArrayBuffer): string | undefined {
  const bytes =
    body instanceof ArrayBuffer ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.length);
  return isUtf8(bytes) ? bytes.toString("utf8") : undefined;
}
