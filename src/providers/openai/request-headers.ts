import { CREDENTIAL_HEADERS } from "./credential.ts";

/** What only carries or traces a request, and the credential, by which answers are kept apart anyway. */
const OUTSIDE: ReadonlySet<string> = new Set([
  ...CREDENTIAL_HEADERS,
  "accept",
  "accept-encoding",
  "b3",
  "baggage",
  "cache-control",
  "connection",
  "content-length",
  "content-type",
  "host",
  "idempotency-key",
  "keep-alive",
  "pragma",
  "request-id",
  "sentry-trace",
  "traceparent",
  "tracestate",
  "transfer-encoding",
  "user-agent",
  "x-amzn-trace-id",
  "x-client-request-id",
  "x-cloud-trace-context",
  "x-correlation-id",
  "x-ms-client-request-id",
  "x-request-id",
]);
const OUTSIDE_PREFIXES = /^(x-stainless|x-b3|x-datadog|sec)-/;

/** The headers that may change the answer, names in lower case and in order: `OpenAI-Beta`, a gateway's route ... */
export function meaningfulHeaders(headers: Headers): [name: string, value: string][] {
  return [...headers].filter(([name]) => !OUTSIDE.has(name) && !OUTSIDE_PREFIXES.test(name));
}

const OF_THE_BODY = ["content-digest", "content-md5", "digest", "signature", "x-amz-content-sha256", "x-signature"];

/** Whether a header says what the body is, so that none other can be sent in its place. */
export function bindsItsBody(headers: Headers): boolean {
  return OF_THE_BODY.some((name) => headers.has(name));
}
