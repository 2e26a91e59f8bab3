import { getEventListeners } from "node:events";
import OpenAI from "openai";
import { describe, expect, it, vi } from "vitest";
import { callThrough, runInScope } from "../../src/clients/index.ts";
import {
  type Call,
  type Fault,
  OptionError,
  type Outcome,
  type Policy,
  pipeline,
  QueueFullError,
  type Settlement,
  timedOut,
} from "../../src/core/index.ts";
import { collect, refusing, rejectionOf, retrying, wrappedClient } from "./support/clients.ts";
import { json, startServer } from "./support/server.ts";

const request = { model: "my-model", input: "Hello", temperature: 0 };

/** A line that shows calls, faults and endings. */
function looking(...rest: readonly Policy[]) {
  const calls: Call[] = [];
  const faults: Fault[] = [];
  const endings: Settlement[] = [];
  const policy: Policy = {
    name: "look",
    ring: "call",
    async handle(call, next) {
      calls.push(call);
      const outcome: Outcome = await next(call);
      if (outcome.ok) outcome.settled.subscribe((settlement) => endings.push(settlement));
      else faults.push(outcome);
      return outcome;
    },
  };
  return { line: pipeline(policy, ...rest), calls, faults, endings };
}

const tick = () => new Promise((resolve) => setTimeout(resolve, 1));

describe("a function's value", () => {
  it("comes back as it is", async () => {
    const value = { text: "Hi", when: new Date(0) };
    expect(await callThrough(pipeline(), request, () => value)).toBe(value);
    expect(await callThrough(pipeline(), request, async () => value)).toBe(value);
    expect(await callThrough(pipeline(), request, () => undefined)).toBeUndefined();
  });

  it("brings its usage, and may be kept unless it is nothing", async () => {
    const { line, endings } = looking();
    await callThrough(line, request, () => ({ usage: { prompt_tokens: 3, completion_tokens: 4 } }));
    await callThrough(line, request, () => ({ usage: { inputTokens: 5, outputTokens: 6 } }));
    await callThrough(line, request, () => undefined);
    expect(endings).toMatchObject([
      { usage: { inputTokens: 3, outputTokens: 4 }, storable: true },
      { usage: { inputTokens: 5, outputTokens: 6 }, storable: true },
      { usage: undefined, storable: false },
    ]);
  });

  it("belongs to a call with the request's own fields, scope and length", async () => {
    const { line, calls } = looking();
    const input = [{ role: "user", content: "12345" }, "678"];
    await runInScope({ priority: "high" }, () =>
      callThrough(line, { ...request, input, provider: "mine", operation: "rerank", max_tokens: 9 }, () => 1, {
        client: "c",
      }),
    );
    expect(calls[0]).toMatchObject({
      provider: "mine",
      operation: "rerank",
      model: "my-model",
      credential: "anonymous",
      inputChars: 12,
      maxOutputTokens: 9,
      scope: { priority: 3, client: "c" },
    });
  });

  it("is asked for although the input has no end", async () => {
    const cycle: Record<string, unknown> = { text: "a" };
    cycle["left"] = cycle;
    cycle["right"] = [cycle, cycle];
    expect(await callThrough(pipeline(), { model: "m", input: cycle }, () => "answer")).toBe("answer");
  });

  it("is asked for again on each attempt", async () => {
    const attempts: number[] = [];
    const result = await callThrough(pipeline(retrying(3)), request, ({ attempt }) => {
      attempts.push(attempt);
      if (attempt < 3) throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
      return "third";
    });
    expect([result, attempts]).toEqual(["third", [1, 2, 3]]);
  });
});

describe("a function's stream", () => {
  async function* words(...texts: string[]) {
    yield* texts;
  }

  it("passes value by value and is over at its end", async () => {
    const { line, endings } = looking();
    const stream = await callThrough(line, request, () => words("a", "b"));
    expect(endings).toEqual([]);
    expect(await collect(stream)).toEqual(["a", "b"]);
    expect(endings).toMatchObject([{ fault: undefined, storable: true }]);
    expect(await collect(stream)).toEqual([]);
  });

  it("gives values in order to a reader that asks ahead", async () => {
    const stream = await callThrough(pipeline(), request, () => words("a", "b"));
    const iterator = stream[Symbol.asyncIterator]();
    const results = await Promise.all([iterator.next(), iterator.next(), iterator.next()]);
    expect(results.map(({ value }) => value)).toEqual(["a", "b", undefined]);
  });

  it("closes the function's iterator and aborts its signal when the reader leaves", async () => {
    let closed = false;
    let signal: AbortSignal | undefined;
    const { line, endings } = looking();
    const stream = await callThrough(line, request, async function* (context) {
      signal = context.signal;
      try {
        for (;;) yield "x";
      } finally {
        closed = true;
      }
    });
    for await (const _value of stream) break;
    await tick();
    expect([closed, signal?.aborted]).toEqual([true, true]);
    expect(endings).toMatchObject([{ fault: { kind: "aborted" }, storable: false }]);
  });

  it("throws what the function threw on the way, once", async () => {
    const thrown = new Error("broke off");
    const { line, endings } = looking();
    const stream = await callThrough(line, request, async function* () {
      yield "a";
      throw thrown;
    });
    const iterator = stream[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: false, value: "a" });
    expect(await rejectionOf(iterator.next())).toBe(thrown);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(endings).toMatchObject([{ fault: { kind: "unknown", committed: true } }]);
  });

  it("ends with the caller's reason when the call is given up, also while nobody reads", async () => {
    const controller = new AbortController();
    const { line, endings } = looking();
    const stream = await callThrough(line, request, () => words("a"), { signal: controller.signal });
    const reason = new Error("enough");
    controller.abort(reason);
    expect(endings).toMatchObject([{ fault: { kind: "aborted" } }]);
    expect(await rejectionOf(collect(stream))).toBe(reason);
  });
});

describe("a function's error", () => {
  const openaiError = (status: number, error: object, headers = new Headers()) =>
    OpenAI.APIError.generate(status, { error }, undefined, headers);

  const judged: readonly [name: string, error: unknown, expected: Partial<Fault>][] = [
    ["anything else", new Error("x"), { kind: "unknown", retryable: false }],
    ["no error object at all", "text", { kind: "unknown", retryable: false }],
    [
      "the SDK's 429",
      openaiError(429, { message: "slow", code: "rate_limit_exceeded" }),
      { kind: "rate_limited", status: 429 },
    ],
    ["the SDK's 500", openaiError(500, { message: "x" }), { kind: "server_error", retryable: true }],
    ["the SDK's 401", openaiError(401, { message: "x" }), { kind: "bad_credential", retryable: false }],
    ["a statusCode", Object.assign(new Error("x"), { statusCode: 503 }), { retryable: true, status: 503 }],
    [
      "an axios response",
      Object.assign(new Error("x"), { response: { status: 400, headers: {} } }),
      { kind: "bad_request" },
    ],
    ["the SDK's lost connection", new OpenAI.APIConnectionError({ message: undefined }), { kind: "network" }],
    ["the SDK's timeout", new OpenAI.APIConnectionTimeoutError(), { kind: "timeout" }],
    ["fetch failed", new TypeError("fetch failed"), { kind: "network", retryable: true }],
    ["a code in the cause", new Error("x", { cause: { code: "ECONNREFUSED" } }), { kind: "network" }],
    ["a time limit of its own", new DOMException("too slow", "TimeoutError"), { kind: "timeout" }],
    ["an abort that is not ours", new DOMException("x", "AbortError"), { kind: "unknown", retryable: false }],
    [
      "our own refusal",
      new QueueFullError("full", { policy: "pool", retryAfterMs: 5 }),
      { kind: "refused", retryAfterMs: 5 },
    ],
  ];

  for (const [name, error, expected] of judged) {
    it(`reaches the caller unchanged and is judged: ${name}`, async () => {
      const { line, faults } = looking();
      expect(await rejectionOf(callThrough(line, request, () => Promise.reject(error)))).toBe(error);
      expect(faults).toMatchObject([expected]);
    });
  }

  it("is known for a refusal also when it comes out of an optimized client", async () => {
    await using server = await startServer(json({}));
    const inner = wrappedClient(server, refusing(new QueueFullError("full", { policy: "pool" })));
    const { line, faults } = looking();
    const error = await rejectionOf(
      callThrough(line, request, () => inner.chat.completions.create({ model: "m", messages: [] })),
    );
    expect(error).toBeInstanceOf(OpenAI.InternalServerError);
    expect(faults).toMatchObject([{ kind: "refused", retryable: false }]);
  });

  it("is judged by the request's own judge first", async () => {
    const { line, faults } = looking();
    const fail = (judge: () => object | undefined) =>
      rejectionOf(callThrough(line, { ...request, judge }, () => Promise.reject(openaiError(500, {}))));
    await fail(() => ({ kind: "overloaded", retryAfterMs: 10 }));
    await fail(() => ({ retryable: false }));
    await fail(() => ({ kind: "bad_request" }));
    await fail(() => undefined);
    await fail(() => {
      throw new Error("a bad judge");
    });
    expect(faults).toMatchObject([
      { kind: "overloaded", retryable: true, retryAfterMs: 10 },
      { kind: "server_error", retryable: false },
      { kind: "bad_request", retryable: false },
      { kind: "server_error", retryable: true },
      { kind: "server_error", retryable: true },
    ]);
  });

  it("is the typed refusal when the line declines", async () => {
    const refused = new QueueFullError("full", { policy: "pool" });
    const fn = vi.fn();
    expect(await rejectionOf(callThrough(refusing(refused), request, fn))).toBe(refused);
    expect(fn).not.toHaveBeenCalled();
  });

  it("is ours when a time limit of the line passes", async () => {
    const line = pipeline({ name: "timeout", ring: "attempt", handle: async () => timedOut("attempt", 5) });
    expect(await rejectionOf(callThrough(line, request, () => 1))).toMatchObject({ code: "UPSTREAM_TIMEOUT" });
  });
});

describe("giving up a function", () => {
  it("does not call it when the signal is aborted already", async () => {
    const fn = vi.fn();
    const reason = new Error("no");
    expect(await rejectionOf(callThrough(pipeline(), request, fn, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(fn).not.toHaveBeenCalled();
  });

  it("is immediate although the function does not listen, and what comes late harms nobody", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", note);
    const controller = new AbortController();
    const late = Promise.withResolvers<unknown>();
    const promise = callThrough(pipeline(), request, () => late.promise, { signal: controller.signal });
    await tick();
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await rejectionOf(promise)).toBe(reason);
    late.reject(new Error("late"));
    await tick();
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });

  it("closes a stream that comes late", async () => {
    const controller = new AbortController();
    const late = Promise.withResolvers<AsyncIterable<string>>();
    const promise = callThrough(pipeline(), request, () => late.promise, { signal: controller.signal });
    await tick();
    controller.abort();
    await rejectionOf(promise);
    const closed = Promise.withResolvers<void>();
    late.resolve({
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: "x" }),
        return: async () => {
          closed.resolve();
          return { done: true, value: undefined };
        },
      }),
    });
    await closed.promise;
  });

  it("tells the function through its signal", async () => {
    const controller = new AbortController();
    let signal: AbortSignal | undefined;
    const promise = callThrough(
      pipeline(),
      request,
      (context) => {
        signal = context.signal;
        return new Promise(() => {});
      },
      { signal: controller.signal },
    );
    await tick();
    controller.abort("reason");
    await rejectionOf(promise);
    expect(signal).toMatchObject({ aborted: true, reason: "reason" });
  });

  it("leaves nothing behind on the call when it did not come to that", async () => {
    const { line, calls } = looking();
    const stream = await callThrough(line, request, async function* () {
      yield 1;
    });
    await collect(stream);
    await callThrough(line, request, () => 1);
    await rejectionOf(callThrough(line, request, () => Promise.reject(new Error("x"))));
    expect(calls.map(({ cancellation }) => cancellation.listenerCount)).toEqual([0, 0, 0]);
  });
});

describe("something thrown that cannot be read", () => {
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  const busy = Object.assign(new Error("busy"), { status: 503, error: circular });
  const thrown: Record<string, readonly [unknown, string]> = {
    "a circular body": [busy, "overloaded"],
    "a circular body in a response": [{ status: 503, message: "", response: { data: circular } }, "overloaded"],
    "a message without a text form": [{ message: Object.create(null) }, "unknown"],
    nothing: [undefined, "unknown"],
  };

  for (const [name, [error, kind]] of Object.entries(thrown)) {
    it(`is thrown as it is, by a call and by a stream: ${name}`, async () => {
      const { line, faults, endings } = looking();
      expect(await rejectionOf(callThrough(line, request, () => Promise.reject(error)))).toBe(error);
      const stream = await callThrough(line, request, async function* () {
        yield 1;
        throw error;
      });
      const iterator = stream[Symbol.asyncIterator]();
      await iterator.next();
      expect(await rejectionOf(iterator.next())).toBe(error);
      expect([faults[0]?.kind, endings[0]?.fault?.kind]).toEqual([kind, kind]);
    });
  }
});

describe("a body that an SDK's error carries", () => {
  const body = { error: { message: "You exceeded your current quota.", type: "insufficient_quota" } };
  const errors: Record<string, object> = {
    OpenAI: { status: 429, error: body.error },
    Anthropic: { status: 429, error: body },
    "the AI SDK": { statusCode: 429, responseBody: JSON.stringify(body), responseHeaders: {} },
    axios: { status: 429, response: { status: 429, data: body, headers: {} } },
    "axios, as text": { response: { status: 429, data: JSON.stringify(body), headers: {} } },
  };

  for (const [name, fields] of Object.entries(errors)) {
    it(`tells what failed: ${name}`, async () => {
      const { line, faults } = looking();
      await rejectionOf(callThrough(line, request, () => Promise.reject(Object.assign(new Error("429"), fields))));
      expect(faults[0]?.kind).toBe("quota_exhausted");
    });
  }
});

describe("a malformed request", () => {
  it("keeps the prompt out of the error, and leaves no listener", async () => {
    for (const wrong of ["a secret prompt", [{ role: "user", content: "a secret prompt" }]]) {
      const error = await rejectionOf(callThrough(pipeline(), wrong as never, () => 1));
      expect(error).toBeInstanceOf(OptionError);
      expect(String(error)).not.toContain("secret");
    }
    const { signal } = new AbortController();
    const input = {
      get text(): string {
        throw new Error("not now");
      },
    };
    await rejectionOf(callThrough(pipeline(), { ...request, input }, () => 1, { signal }));
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  const wrong: Record<string, unknown> = {
    "no object": "text",
    "no model": { input: "a" },
    "no input": { model: "m" },
    "a temperature that is no number": { ...request, temperature: "0" },
    "a stream flag that is no boolean": { ...request, stream: 1 },
    "a judge that is no function": { ...request, judge: {} },
    "an empty provider": { ...request, provider: "" },
    "an empty operation": { ...request, operation: "" },
    "a credential that is no text": { ...request, credential: 5 },
  };

  for (const [name, value] of Object.entries(wrong)) {
    it(`is refused before the function is called: ${name}`, async () => {
      const fn = vi.fn();
      expect(await rejectionOf(callThrough(pipeline(), value as typeof request, fn))).toBeInstanceOf(OptionError);
      expect(fn).not.toHaveBeenCalled();
    });
  }

  it("is also one without a function or with an unknown scope option", async () => {
    expect(await rejectionOf(callThrough(pipeline(), request, "fn" as never))).toBeInstanceOf(OptionError);
    expect(await rejectionOf(callThrough(pipeline(), request, () => 1, { tag: "a" } as never))).toBeInstanceOf(
      OptionError,
    );
  });
});
