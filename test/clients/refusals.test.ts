import { type APIError, InternalServerError, RateLimitError as OpenAIRateLimitError } from "openai";
import { describe, expect, it } from "vitest";
import { createFetch, refusalOf } from "../../src/clients/index.ts";
import {
  BudgetExceededError,
  CircuitBreakerOpenError,
  DeadlineExceededError,
  NotCachedError,
  QueueFullError,
  RateLimitError,
  type RefusedError,
  ThrottleError,
} from "../../src/core/index.ts";
import { completion } from "./support/answers.ts";
import { refusing, rejectionOf, wrappedClient } from "./support/clients.ts";
import { json, startServer } from "./support/server.ts";

const chat = { model: "gpt-test", messages: [{ role: "user" as const, content: "Hello" }] };
const details = { policy: "room", retryAfterMs: 1_200 };

const all: readonly RefusedError[] = [
  new RateLimitError("no room", details),
  new ThrottleError("no room", details),
  new CircuitBreakerOpenError("no room", details),
  new QueueFullError("no room", details),
  new DeadlineExceededError("no room", details),
  new BudgetExceededError("no room", details),
  new NotCachedError("no room", { policy: "room" }),
];

describe("a refusal through the SDK", () => {
  for (const refused of all) {
    it(`is the SDK's own error for ${refused.status}, unretried, and ${refused.name} behind it`, async () => {
      await using server = await startServer(json(completion));
      const client = wrappedClient(server, refusing(refused)).withOptions({ maxRetries: 2 });
      const error = (await rejectionOf(client.chat.completions.create(chat))) as APIError;
      expect(error).toBeInstanceOf(refused.status === 429 ? OpenAIRateLimitError : InternalServerError);
      expect(error).toMatchObject({ status: refused.status, type: "breakwater_refusal", code: refused.code });
      expect(error.message).toBe(`${refused.status} no room`);
      expect(refusalOf(error)).toBe(refused);
      expect(server.seen).toHaveLength(0);
    });
  }

  it("is found among causes", async () => {
    await using server = await startServer(json(completion));
    const refused = new QueueFullError("full", details);
    const error = await rejectionOf(wrappedClient(server, refusing(refused)).chat.completions.create(chat));
    expect(refusalOf(new Error("outer", { cause: new Error("middle", { cause: error }) }))).toBe(refused);
    expect(refusalOf(refused)).toBe(refused);
  });

  it("is rebuilt from the body where only that is left", () => {
    for (const refused of all) {
      const { message, code, policy, retryAfterMs } = refused;
      const body = {
        message,
        type: "breakwater_refusal",
        code,
        policy,
        param: null,
        retry_after_ms: retryAfterMs ?? null,
      };
      for (const error of [{ error: body }, { error: { error: body } }]) {
        const found = refusalOf(error);
        expect(found).toBeInstanceOf(refused.constructor);
        expect(found).toMatchObject({ message, code, policy, retryAfterMs });
      }
    }
  });

  it("is told apart from the provider's own errors", async () => {
    await using server = await startServer(json({ error: { message: "Slow down", code: "rate_limit_exceeded" } }, 429));
    const error = await rejectionOf(wrappedClient(server).chat.completions.create(chat));
    expect(error).toBeInstanceOf(OpenAIRateLimitError);
    expect(refusalOf(error)).toBeUndefined();
    for (const other of [undefined, null, "text", 1, {}, new Error("x"), { error: { type: "breakwater_refusal" } }]) {
      expect(refusalOf(other)).toBeUndefined();
    }
    const loop = new Error("loop");
    loop.cause = loop;
    expect(refusalOf(loop)).toBeUndefined();
  });
});

describe("the response of a refusal", () => {
  const respond = (refused: RefusedError) =>
    createFetch(refusing(refused))("https://api.openai.com/v1/chat/completions", {
      method: "POST",
      body: JSON.stringify(chat),
    });

  it("says when to come back, in whole seconds of at least one and in milliseconds", async () => {
    const response = await respond(new RateLimitError("no room", { policy: "rateLimit", retryAfterMs: 1_200.4 }));
    expect(Object.fromEntries(response.headers)).toEqual({
      "content-type": "application/json",
      "x-should-retry": "false",
      "retry-after": "2",
      "retry-after-ms": "1201",
    });
    expect(await response.json()).toEqual({
      error: {
        message: "no room",
        type: "breakwater_refusal",
        code: "RATE_LIMITED",
        policy: "rateLimit",
        param: null,
        retry_after_ms: 1_200.4,
      },
    });
    expect((await respond(new RateLimitError("x", { policy: "p", retryAfterMs: 0 }))).headers.get("retry-after")).toBe(
      "1",
    );
  });

  it("says nothing of it when waiting does not help", async () => {
    const response = await respond(new BudgetExceededError("spent", { policy: "budget" }));
    expect(response.headers.has("retry-after")).toBe(false);
    expect(response.headers.has("retry-after-ms")).toBe(false);
  });
});
