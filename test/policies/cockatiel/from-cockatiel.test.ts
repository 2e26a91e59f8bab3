import {
  bulkhead,
  ConsecutiveBreaker,
  ConstantBackoff,
  circuitBreaker,
  handleAll,
  handleWhen,
  retry,
  TimeoutStrategy,
  timeout,
  wrap,
} from "cockatiel";
import { describe, expect, it } from "vitest";
import {
  faultOf,
  OptionError,
  type Outcome,
  pipeline,
  streamReply,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { fromCockatiel, LineFailure } from "../../../src/policies/cockatiel/index.ts";
import { callOf, drain, streamOf, virtualRuntime } from "../../support/calls.ts";

const failing = faultOf({ kind: "server_error", error: new Error("500"), status: 500 });

describe("a cockatiel policy in a line", () => {
  it("retries what its own filter takes from the fault", async () => {
    const { runtime } = virtualRuntime();
    const onServerErrors = handleWhen((error) => error instanceof LineFailure && error.fault.kind === "server_error");
    const policy = fromCockatiel(retry(onServerErrors, { maxAttempts: 2, backoff: new ConstantBackoff(1) }), {
      ring: "border",
    });
    const seen: number[] = [];
    const outcome = await pipeline(policy).execute(
      callOf(runtime, async ({ attempt }): Promise<Outcome> => {
        seen.push(attempt);
        return attempt < 3 ? failing : valueReply("third", whole());
      }),
    );
    expect(outcome).toMatchObject({ ok: true, body: { value: "third" } });
    expect(seen).toEqual([1, 2, 3]);
  });

  it("gives the fault back unchanged when it gives up", async () => {
    const { runtime } = virtualRuntime();
    const policy = fromCockatiel(retry(handleAll, { maxAttempts: 1, backoff: new ConstantBackoff(1) }), {
      ring: "border",
    });
    expect(await pipeline(policy).execute(callOf(runtime, async () => failing))).toBe(failing);
  });

  it("refuses as ours when its breaker is open or its bulkhead full", async () => {
    const { runtime } = virtualRuntime();
    const breaker = fromCockatiel(
      circuitBreaker(handleAll, { halfOpenAfter: 60_000, breaker: new ConsecutiveBreaker(1) }),
      { ring: "attempt", name: "mine" },
    );
    const line = pipeline(breaker);
    await line.execute(callOf(runtime, async () => failing));
    expect(await line.execute(callOf(runtime, async () => failing))).toMatchObject({
      kind: "refused",
      error: { code: "CIRCUIT_OPEN", policy: "mine" },
    });
    const full = pipeline(fromCockatiel(bulkhead(1, 0), { ring: "call" }));
    void full.execute(callOf(runtime, () => new Promise(() => {})));
    expect(await full.execute(callOf(runtime, async () => failing))).toMatchObject({
      kind: "refused",
      error: { code: "QUEUE_FULL" },
    });
  });

  it("does not kill a stream that outlives it, although cockatiel aborts on return", async () => {
    const { runtime } = virtualRuntime();
    const policy = fromCockatiel(wrap(timeout(1000, TimeoutStrategy.Aggressive)), { ring: "attempt" });
    const outcome = await pipeline(policy).execute(
      callOf(runtime, async () => streamReply(streamOf([{ role: "content", value: "a" }])), { stream: true }),
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(outcome.ok && outcome.body.kind === "stream" && (await drain(outcome.body))).toEqual(["a"]);
  });

  it("stops with its caller", async () => {
    const { runtime } = virtualRuntime();
    const call = callOf(
      runtime,
      (attempt) =>
        new Promise((resolve) =>
          attempt.cancellation.onCancel((error) => resolve(faultOf({ kind: "aborted", error }))),
        ),
    );
    const outcome = pipeline(fromCockatiel(bulkhead(1), { ring: "call" })).execute(call);
    await new Promise((resolve) => setImmediate(resolve));
    call.cancellation.cancel("gone");
    expect(await outcome).toMatchObject({ kind: "aborted", error: "gone" });
    expect(call.cancellation.listenerCount).toBe(0);
  });

  it("says what it takes", () => {
    expect(() => fromCockatiel({} as never, { ring: "call" })).toThrowError(/a cockatiel policy, with `execute`/);
    expect(() => fromCockatiel(bulkhead(1), { ring: "outer" as never })).toThrowError(OptionError);
  });
});
