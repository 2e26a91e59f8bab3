import { describe, expect, it } from "vitest";
import { type Fault, faultOf, type Outcome, valueReply, whole } from "../../../src/core/index.ts";
import type { CacheOptions } from "../../../src/policies/cache/index.ts";
import { type CallOptions, virtualRuntime } from "../../support/calls.ts";
import { benchOf } from "./support/questions.ts";

const body = { status: 400, statusText: "Bad Request", headers: [], body: "{}", url: "" };
const badRequest = faultOf({ kind: "bad_request", status: 400, error: new Error("no such field"), response: body });

function negativeBench(fault: Fault, options: Partial<CacheOptions> = {}) {
  const { clock, runtime } = virtualRuntime();
  const bench = benchOf(runtime, { negativeTtl: "5s", ...options });
  let asked = 0;
  const ask = (callOptions?: CallOptions): Promise<Outcome> =>
    bench.ask(callOptions, async () => {
      asked++;
      return fault;
    });
  return { clock, bench, ask, asked: () => asked };
}

describe("a request that the provider says is wrong", () => {
  it("meets the same fault again without being sent, until its time is over", async () => {
    const { clock, bench, ask, asked } = negativeBench(badRequest);
    expect(await ask()).toBe(badRequest);
    await clock.advance(4999);
    expect(await ask()).toBe(badRequest);
    expect(asked()).toBe(1);
    expect(bench.policy.stats()).toMatchObject({ negativeHits: 1, misses: { absent: 1 } });
    await clock.advance(1);
    await ask();
    expect(asked()).toBe(2);
  });

  it("is sent again each time unless the option is set", async () => {
    const { ask, asked } = negativeBench(badRequest, { negativeTtl: 0 });
    await ask();
    await ask();
    expect(asked()).toBe(2);
  });

  it.each([
    ["a status that may change", { kind: "bad_request", status: 404 }],
    ["a conflict", { kind: "bad_request", status: 409 }],
    ["a request that is too large for now", { kind: "bad_request", status: 413 }],
    ["a fault without a status", { kind: "bad_request" }],
    ["a bad credential", { kind: "bad_credential", status: 401 }],
    ["a limit", { kind: "rate_limited", status: 429 }],
    ["a failure of the provider", { kind: "server_error", status: 500 }],
    ["a declined prompt", { kind: "content_filter", status: 400 }],
    ["a fault that may pass", { kind: "bad_request", status: 400, retryAfterMs: 1000 }],
    ["a fault worth a retry", { kind: "bad_request", status: 400, retryable: true }],
    ["a long text", { kind: "bad_request", status: 400, response: { ...body, body: "x".repeat(20_000) } }],
  ] as const)("is not remembered for %s", async (_name, details) => {
    const { ask, asked } = negativeBench(faultOf({ error: new Error(), ...details }));
    await ask();
    await ask();
    expect(asked()).toBe(2);
  });

  it("is remembered for a prompt that is too long", async () => {
    const { ask, asked } = negativeBench(faultOf({ kind: "context_length", status: 400, error: new Error() }));
    await ask();
    await ask();
    expect(asked()).toBe(1);
  });

  it("is remembered of its caller alone, and of nobody who wants no trace kept", async () => {
    const { ask, asked } = negativeBench(badRequest);
    await ask({ scope: { cache: "no-store" } });
    await ask({ scope: { client: "a" } });
    await ask({ scope: { client: "b" } });
    await ask({ credential: "other" });
    expect(asked()).toBe(4);
    await ask({ scope: { client: "a" } });
    expect(asked()).toBe(4);
  });

  it("is forgotten with a refresh that succeeds, and with the whole cache", async () => {
    const { bench, ask, asked } = negativeBench(badRequest);
    await ask();
    await ask({ scope: { cache: "refresh" } });
    expect(asked()).toBe(2);
    await bench.ask({ scope: { cache: "refresh" } });
    expect(await bench.value()).toBe("answer 1");
    await ask({ request: { input: "a third" } });
    await bench.ask({ request: { input: "a third" }, scope: { cache: "refresh" } }, async () =>
      valueReply("cut off", whole({ storable: false })),
    );
    await ask({ request: { input: "a third" } });
    expect(asked()).toBe(4);
    await ask({ request: { input: "other" } });
    await bench.policy.clear();
    await ask({ request: { input: "other" } });
    expect(asked()).toBe(6);
  });

  it("is one of at most a thousand", async () => {
    const { ask, asked } = negativeBench(badRequest);
    for (let input = 0; input <= 1000; input++) await ask({ request: { input } });
    await ask({ request: { input: 1 } });
    expect(asked()).toBe(1001);
    await ask({ request: { input: 0 } });
    expect(asked()).toBe(1002);
  });
});
