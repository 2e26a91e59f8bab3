const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const SECURITY_HEADERS = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
} as const;

type Headers = Readonly<Record<string, string>>;

/** A reply with the headers that every one has; not stored anywhere unless `headers` say otherwise. */
export function reply(status: number, body: string | Uint8Array | ReadableStream | null, headers: Headers): Response {
  return new Response(body as string | null, {
    status,
    headers: { "cache-control": "no-store", ...SECURITY_HEADERS, ...headers },
  });
}

export function json(value: unknown, status = 200, headers: Headers = {}): Response {
  return reply(status, `${JSON.stringify(value)}\n`, { "content-type": "application/json; charset=utf-8", ...headers });
}

/** An error as JSON: `{ "error": { "code", "message" } }`. */
export function problem(status: number, code: string, message: string, headers: Headers = {}): Response {
  return json({ error: { code, message } }, status, headers);
}

/** To the same path with a slash at its end, which the relative links of the page need. */
export function slashAdded(path: string, search: string): Response {
  // Begun with "./": a name with a colon would be read as a scheme.
  return reply(308, null, { location: `./${path.split("/").at(-1)}/${search}` });
}
