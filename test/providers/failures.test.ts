import { describe, expect, it } from "vitest";
import type { FaultKind } from "../../src/core/index.ts";
import { readConnectionFailure, readFailure, readLimits } from "../../src/providers/openai/index.ts";
import { fixture, type Json, rawResponse, rows } from "./recordings.ts";

const NOON = Date.UTC(2026, 0, 1, 12);

const failure = (status: number, body: unknown, headers: Record<string, string> = {}, provider = "openai") =>
  readFailure(rawResponse(body, { status, headers: Object.entries(headers) }), provider, NOON);

const error = (fields: object) => ({ error: fields });

/** What is expected of each recorded or quoted error that came with an error status, in the order of the file. */
const EXPECTED: readonly (readonly [start: string, kind: FaultKind, retryable: boolean])[] = [
  ["model 'nonexistent' not found", "bad_request", false],
  ["models/nonexistent-model is not found", "bad_request", false],
  ["The model `nonexistent` does not exist", "bad_request", false],
  ["The requested model 'gpt-5.2-proo'", "bad_request", false],
  ["model: claude-sonet-4-5", "bad_request", false],
  ["models/gemini-3.6-flahs is not found", "bad_request", false],
  ["The model `llama-3.3-70b-versatlie`", "bad_request", false],
  ["This model does not support effort", "bad_request", false],
  ["Tool choice is required", "bad_request", true],
  ["Cannot fetch content from the provided URL", "bad_request", false],
  ["The file type you uploaded", "bad_request", false],
  ["Invalid file data: 'input[3]", "bad_request", false],
  ["Invalid file data: 'input[4]", "bad_request", false],
  ["Unsupported value: 'messages[0].role' does not support 'developer'", "bad_request", false],
  ["Unsupported value: 'messages[0].role' does not support 'system'", "bad_request", false],
  ["Item 'rs_68c42de022c881948db7ed1cc2529f2e", "bad_request", false],
  ["Provider returned error", "rate_limited", true],
  ["Rate limit reached for gpt-4o", "rate_limited", true],
  ["Request too large for gpt-4o", "bad_request", false],
  ["You exceeded your current quota", "quota_exhausted", false],
  ["Your input exceeds the context window", "context_length", false],
  ["Requests to the ChatCompletions_Create Operation", "rate_limited", true],
  ["The response was filtered", "content_filter", false],
  ["Overloaded", "overloaded", true],
  ["prompt is too long", "context_length", false],
  ["Your credit balance is too low", "quota_exhausted", false],
  ["(quota)", "quota_exhausted", false],
  ["Flex tier capacity exceeded", "overloaded", true],
  ["Rate limit exceeded", "rate_limited", true],
  ["Rate limit exceeded", "quota_exhausted", false],
  ["Service tier capacity exceeded", "overloaded", true],
  ["Rate limit exceeded: free-models-per-day", "quota_exhausted", false],
  ["server busy", "overloaded", true],
  ["Loading model", "overloaded", true],
  ["request (13392 tokens) exceeds", "context_length", false],
  ["This model's maximum context length", "context_length", false],
];

function messageOf(body: Json): string {
  const inner = body["error"] as Json | string | undefined;
  return String(typeof inner === "object" ? inner["message"] : (inner ?? body["message"]));
}

describe("every recorded and quoted error", () => {
  const told = rows("errors.jsonl").filter((row) => (row["status"] as number) >= 400);

  it("is in the table", () => {
    expect(told).toHaveLength(EXPECTED.length);
  });

  it.each(EXPECTED.map(([start, kind, retryable], index) => ({ start, kind, retryable, row: told[index] as Json })))(
    "$start: $kind",
    ({ start, kind, retryable, row }) => {
      const body = row["body"] as Json;
      expect(messageOf(body).startsWith(start)).toBe(true);
      const headers = row["headers"] as Record<string, string>;
      const fault = failure(row["status"] as number, body, headers, row["provider"] as string);
      expect(fault).toMatchObject({ kind, retryable, status: row["status"], error: undefined });
      expect(fault.response?.body).toBe(JSON.stringify(body));
    },
  );
});

describe("the status of a failure that says nothing more", () => {
  it.each([
    [400, "bad_request", false],
    [401, "bad_credential", false],
    [402, "quota_exhausted", false],
    [403, "bad_credential", false],
    [404, "bad_request", false],
    [408, "server_error", true],
    [409, "bad_request", true],
    [413, "bad_request", false],
    [422, "bad_request", false],
    [429, "rate_limited", true],
    [498, "overloaded", true],
    [500, "server_error", true],
    [502, "server_error", true],
    [503, "overloaded", true],
    [504, "server_error", true],
    [529, "overloaded", true],
    [304, "bad_request", false],
  ] as const)("%i is %s", (status, kind, retryable) => {
    for (const body of ["", "<html>Bad gateway</html>", "null", "[]", '"text"', "{}"]) {
      expect(failure(status, body)).toMatchObject({ kind, retryable, status });
    }
  });

  it("gives way to x-should-retry", () => {
    expect(failure(400, "", { "x-should-retry": "true" }).retryable).toBe(true);
    expect(failure(429, "", { "X-Should-Retry": "false" }).retryable).toBe(false);
    expect(failure(500, "", { "x-should-retry": "maybe" }).retryable).toBe(true);
  });
});

describe("codes that say more than the status", () => {
  it.each([
    [429, error({ code: "insufficient_quota" }), "quota_exhausted"],
    [429, error({ type: "insufficient_quota" }), "quota_exhausted"],
    [403, error({ code: "insufficient_quota", message: "x" }), "quota_exhausted"],
    // A key without access to one model: no reason to keep it from the others.
    [403, error({ code: "model_not_found", message: "Project `p` does not have access to model `m`" }), "bad_request"],
    [403, error({ message: "You don't have access to the model with the specified model ID." }), "bad_request"],
    [429, error({ code: "credit_balance_exhausted" }), "quota_exhausted"],
    [429, error({ message: "Quota exceeded for metric, limit: 0, model: gemini" }), "quota_exhausted"],
    [429, error({ code: "resource_unavailable", message: "Resource Unavailable" }), "overloaded"],
    [429, error({ message: "The system is currently experiencing high demand." }), "overloaded"],
    [500, error({ code: "overloaded" }), "overloaded"],
    [
      413,
      error({ message: "Request too large: Limit 6000, Requested 8000", code: "rate_limit_exceeded" }),
      "bad_request",
    ],
    [429, error({ message: "TPM: Limit 30,000, Used 1, Requested 250,011." }), "bad_request"],
    [400, error({ message: "This is not overloaded: bad field" }), "bad_request"],
    [400, error({ code: "content_policy_violation" }), "content_filter"],
    [403, error({ code: 403, metadata: { reasons: ["violence"], flagged_input: "x" } }), "content_filter"],
    [429, [error({ code: 429, message: "Resource exhausted", status: "RESOURCE_EXHAUSTED" })], "rate_limited"],
    [422, { detail: "context length exceeded" }, "context_length"],
  ] as const)("%i %j", (status, body, kind) => {
    expect(failure(status, body).kind).toBe(kind);
  });

  it("know a daily quota of Gemini from a limit per minute", () => {
    const perMinute = JSON.parse(
      JSON.stringify({
        error: {
          code: 429,
          status: "RESOURCE_EXHAUSTED",
          message: "You exceeded your current quota, please check your plan.",
          details: [
            { violations: [{ quotaId: "GenerateRequestsPerMinutePerProjectPerModel-FreeTier" }] },
            { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "34.4s" },
          ],
        },
      }),
    );
    expect(failure(429, perMinute)).toMatchObject({ kind: "rate_limited", retryAfterMs: 34_400 });
    perMinute.error.details[0].violations[0].quotaId = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
    expect(failure(429, perMinute)).toMatchObject({ kind: "quota_exhausted", retryAfterMs: undefined });
  });

  it("let a 402 with a wait be tried again", () => {
    expect(failure(402, "", { "retry-after": "3" })).toMatchObject({ kind: "rate_limited", retryAfterMs: 3_000 });
  });
});

describe("the wait that a provider asks for", () => {
  const words = (message: string) => failure(429, error({ message })).retryAfterMs;

  it.each([
    [{ "retry-after-ms": "2000" }, 2_000],
    [{ "retry-after-ms": "12.5", "retry-after": "9" }, 12.5],
    [{ "x-ms-retry-after-ms": "300" }, 300],
    [{ "retry-after": "2" }, 2_000],
    [{ "retry-after": "0.25" }, 250],
    [{ "retry-after": String((NOON + 90_000) / 1_000) }, 90_000],
    [{ "retry-after": "0" }, 0],
    [{ "retry-after": new Date(NOON + 90_000).toUTCString() }, 90_000],
    [{ "retry-after": new Date(NOON - 90_000).toUTCString() }, 0],
    [{ "retry-after": "-5" }, undefined],
    [{ "retry-after": "soon" }, undefined],
    [{ "retry-after": "" }, undefined],
    [{ "retry-after-ms": "Infinity" }, undefined],
    [{}, undefined],
  ])("in %j is %s", (headers, expected) => {
    expect(failure(429, "", headers as Record<string, string>).retryAfterMs).toBe(expected);
  });

  it.each([
    ["Please try again in 20ms.", 20],
    ["Please try again in 2s. Visit https://platform.openai.com", 2_000],
    ["Please try again in 6m0s.", 360_000],
    ["Please try again in 1h2m3.5s", 3_723_500],
    ["Please retry after 60 seconds.", 60_000],
    ["Please retry after 1 minute.", 60_000],
    ["please retry in 46.5s", 46_500],
    ["Try again in 5 more", undefined],
    ["Please try again later", undefined],
  ])("%s", (message, expected) => {
    expect(words(message)).toBe(expected);
  });

  it("may be a reset in the body", () => {
    const metadata = { headers: { "X-RateLimit-Reset": String(NOON + 5_000) } };
    const body = error({ message: "Rate limit exceeded: free-models-per-day", code: 429, metadata });
    expect(failure(429, body)).toMatchObject({ kind: "quota_exhausted", retryAfterMs: 5_000 });
  });

  it("takes no time to look for in a hostile message", () => {
    const message = `try again in ${"1 s".repeat(50_000)} Limit 1 ${"Requested ".repeat(50_000)}`;
    expect(failure(429, error({ message })).kind).toBe("rate_limited");
  });
});

describe("rate-limit headers", () => {
  const sets = JSON.parse(fixture("ratelimit-headers.json")) as { provider: string; headers: Record<string, string> }[];
  const requests = (limit?: number, remaining?: number, resetMs?: number, windowMs = 60_000) => ({
    unit: "requests",
    windowMs,
    limit,
    remaining,
    resetMs,
  });
  const tokens = (limit?: number, remaining?: number, resetMs?: number) => ({
    unit: "tokens",
    windowMs: 60_000,
    limit,
    remaining,
    resetMs,
  });
  // Their resets are dates.
  const inputTokens = (limit: number, remaining: number) => ({ ...tokens(limit, remaining), unit: "inputTokens" });
  const outputTokens = (limit: number, remaining: number) => ({ ...tokens(limit, remaining), unit: "outputTokens" });
  const DAY = 86_400_000;

  /** In the order of the file. */
  const expected = [
    [requests(10_000, 9_999, 6), tokens(1_000_000, 999_977, 1)],
    [requests(30_000, 29_999, 2), tokens(150_000_000, 149_999_972, 0)],
    [requests(5_000, 4_999, 12), tokens(160_000, 159_976, 9)],
    [requests(60, 59, 1_000), tokens(150_000, 149_984, 360_000)],
    [tokens(30_000, 30_000, 0)],
    [requests(undefined, 119), tokens(undefined, 119_984)],
    [requests(60, 59, 10_000), tokens(150_000, 149_984, 300_000)],
    [],
    [requests(4_000, 3_999), inputTokens(200_000, 200_000), outputTokens(80_000, 80_000)],
    [requests(1_000, 1_000), inputTokens(40_000, 19)],
    [],
    [requests(14_400, 14_399, 6_000, DAY), tokens(30_000, 29_987, 26)],
    [requests(14_400, 14_398, 11_354.999999, DAY), tokens(30_000, 29_869, 261)],
    [requests(14_400, 14_370, 179_560, DAY), tokens(18_000, 17_997, 7_660)],
    [requests(60, 59), tokens(50_000, 47_196)],
    [],
    [requests(100, 0, 30_000)],
    [requests(100, 72, 50_000)],
  ];

  it("are all in the table", () => {
    expect(sets).toHaveLength(expected.length);
  });

  it.each(sets.map((set, index) => ({ ...set, index })))("of $provider, set $index", ({ provider, headers, index }) => {
    expect(readLimits(new Headers(headers), provider)).toEqual(expected[index]);
  });

  it("tell a day where the reset implies one", () => {
    const headers = { limit: "200", remaining: "199", reset: "7m12s" };
    const named = Object.entries(headers).map(([part, value]) => [`x-ratelimit-${part}-requests`, value] as const);
    expect(readLimits(new Headers(named.map(([name, value]) => [name, value])), "openai")).toEqual([
      requests(200, 199, 432_000, DAY),
    ]);
  });

  it("are per day at Groq also while nothing is used", () => {
    const headers = { "x-ratelimit-limit-requests": "14400", "x-ratelimit-remaining-requests": "14400" };
    expect(readLimits(new Headers(headers), "groq")).toEqual([requests(14_400, 14_400, undefined, DAY)]);
    expect(readLimits(new Headers(headers), "openai")).toEqual([requests(14_400, 14_400)]);
  });

  it("give the tighter one of two limits of a kind", () => {
    const headers = new Headers({
      "x-ratelimit-limit-tokens": "1000",
      "x-ratelimit-remaining-tokens": "900",
      "x-ratelimit-limit-project-tokens": "500",
      "x-ratelimit-remaining-project-tokens": "20",
    });
    expect(readLimits(headers, "openai")).toEqual([tokens(500, 20)]);
  });

  it("come with the fault", () => {
    const fault = failure(429, "", { "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0" });
    expect(fault.limits).toEqual([requests(60, 0)]);
    expect(failure(429, "").limits).toBeUndefined();
  });

  it("are read from headers that no Headers object would take", () => {
    const raw = rawResponse("", {
      status: 429,
      headers: [
        ["bad name", "bad\nvalue"],
        ["Retry-After", "1"],
      ],
    });
    expect(readFailure(raw, "openai", NOON).retryAfterMs).toBe(1_000);
  });
});

describe("what a fetch threw", () => {
  it.each([
    [new TypeError("fetch failed", { cause: Object.assign(new Error(), { code: "ECONNRESET" }) }), "network"],
    [new TypeError("terminated"), "network"],
    ["a string", "network"],
    [undefined, "network"],
    [
      new TypeError("fetch failed", { cause: Object.assign(new Error(), { code: "HPE_INVALID_CONSTANT" }) }),
      "malformed",
    ],
    [Object.assign(new Error("incorrect header check"), { code: "Z_DATA_ERROR" }), "malformed"],
  ])("%s is %s", (thrown, kind) => {
    expect(readConnectionFailure(thrown)).toMatchObject({ kind, retryable: true, error: thrown });
  });

  it("may be its own cause", () => {
    const loop = new Error("loop");
    loop.cause = loop;
    expect(readConnectionFailure(loop).kind).toBe("network");
  });
});

describe("an error with members of a form that nobody expects", () => {
  it("is judged by its status", () => {
    const odd = { toString: 1, valueOf: 1 };
    const details = [{ violations: [{ quotaId: odd }] }];
    for (const fields of [
      { code: odd, status: odd, type: odd, message: odd },
      { details, metadata: { headers: { "X-RateLimit-Reset": odd } } },
    ]) {
      expect(failure(400, error(fields)).kind).toBe("bad_request");
      expect(failure(429, error(fields))).toMatchObject({ kind: "rate_limited", retryAfterMs: undefined });
    }
  });
});
