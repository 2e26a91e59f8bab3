import { describe, expect, it } from "vitest";
import {
  aborted,
  broken,
  Cancellation,
  type Chunk,
  type FaultKind,
  faultOf,
  interrupted,
  QueueFullError,
  streamReply,
} from "../../../src/core/index.ts";
import { breaker } from "../../../src/policies/breaker/index.ts";
import { FALLBACK_DEFAULTS } from "../../../src/policies/fallback/index.ts";
import { rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { retry } from "../../../src/policies/retry/index.ts";
import { throttle } from "../../../src/policies/throttle/index.ts";
import { answering, callOf, drain, streamOf, virtualRuntime } from "../../support/calls.ts";
import { answer, failing, heard, lineOf, saying, targetTo, valueIn } from "./support.ts";

describe("a call whose target fails", () => {
  it.each(FALLBACK_DEFAULTS.on.filter((kind) => kind !== "refused" && kind !== "context_length"))(
    "is answered by the next target after %s",
    async (kind) => {
      const { runtime } = virtualRuntime();
      const events = heard(runtime, "fallback.used");
      const { line } = lineOf(runtime, { targets: [targetTo("spare", saying("from the spare"))] });
      const call = callOf(runtime, failing(kind));
      expect(valueIn(await line.execute(call))).toBe("from the spare");
      expect(events).toMatchObject([{ from: "test/m/k", to: "spare/m", reason: kind }]);
      expect(call.trace.explain(call).steps).toMatchObject([
        { policy: "fallback", what: "moved", detail: `test/m/k to spare/m: ${kind}` },
      ]);
    },
  );

  it.each<FaultKind>(["bad_request", "aborted", "content_filter", "unknown"])(
    "stays where it is after %s",
    async (kind) => {
      const { runtime } = virtualRuntime();
      const { line } = lineOf(runtime, { targets: [targetTo("spare", saying("from the spare"))] });
      expect(valueIn(await line.execute(callOf(runtime, failing(kind))))).toBe(kind);
    },
  );

  it("moves only after the kinds that the user named", async () => {
    const { runtime } = virtualRuntime();
    const { line } = lineOf(runtime, { targets: [targetTo("spare", saying("spare"))], on: ["content_filter"] });
    expect(valueIn(await line.execute(callOf(runtime, failing("server_error"))))).toBe("server_error");
    expect(valueIn(await line.execute(callOf(runtime, failing("content_filter"))))).toBe("spare");
  });

  it("goes through the targets in order and gives the last fault when none answers", async () => {
    const { runtime } = virtualRuntime();
    const asked: string[] = [];
    const noting = (name: string, kind: FaultKind) =>
      targetTo(name, async () => {
        asked.push(name);
        return faultOf({ kind, error: undefined });
      });
    const targets = [
      noting("a", "overloaded"),
      noting("b", "server_error"),
      noting("c", "bad_request"),
      noting("d", "timeout"),
    ];
    const { line } = lineOf(runtime, { targets });
    expect(valueIn(await line.execute(callOf(runtime, failing("network"))))).toBe("bad_request");
    expect(asked).toEqual(["a", "b", "c"]);
  });

  it("is not sent anywhere once its caller has given up or its deadline has passed", async () => {
    const { runtime, clock } = virtualRuntime();
    let asked = 0;
    const spare = targetTo("spare", async () => {
      asked++;
      return answer("spare");
    });
    const { line } = lineOf(runtime, { targets: [spare] });
    const cancellation = new Cancellation();
    const cancelled = callOf(
      runtime,
      async () => {
        cancellation.cancel("enough");
        return faultOf({ kind: "server_error", error: undefined });
      },
      { cancellation },
    );
    expect(valueIn(await line.execute(cancelled))).toBe("server_error");
    const late = callOf(
      runtime,
      async () => {
        await clock.advance(1_000);
        return faultOf({ kind: "timeout", error: undefined });
      },
      { scope: { deadline: "1s" } },
    );
    expect(valueIn(await line.execute(late))).toBe("timeout");
    expect(asked).toBe(0);
  });

  it("passes over a target that it cannot be sent to", async () => {
    const { runtime } = virtualRuntime();
    const impossible = { name: "impossible", model: undefined, apply: () => undefined };
    const { line } = lineOf(runtime, { targets: [impossible, targetTo("spare", saying("spare"))] });
    expect(valueIn(await line.execute(callOf(runtime, failing("server_error"))))).toBe("spare");
    const alone = lineOf(runtime, { targets: [impossible] });
    expect(valueIn(await alone.line.execute(callOf(runtime, failing("server_error"))))).toBe("server_error");
  });
});

describe("a target of the user's own making that throws", () => {
  it("is passed over, and holds nothing", async () => {
    const { runtime } = virtualRuntime();
    const throwing = {
      ...targetTo("throwing", saying("never")),
      apply: () => Promise.reject(new Error("no such place")),
    };
    const { line, policy } = lineOf(runtime, { targets: [throwing, targetTo("spare", saying("spare"))] });
    expect(valueIn(await line.execute(callOf(runtime, failing("server_error"))))).toBe("spare");
    expect(policy.snapshot().targets["throwing/m"]).toMatchObject({ inFlight: 0 });
  });
});

describe("a stream", () => {
  const content: Chunk = { role: "content", value: "first" };

  it("moves on when it fails before its first content", async () => {
    const { runtime } = virtualRuntime();
    const { line } = lineOf(runtime, { targets: [targetTo("spare", saying("spare"))] });
    const preamble: Chunk = { role: "preamble", value: "head" };
    const send = async () => streamReply(streamOf([preamble], broken(interrupted("cut"))));
    expect(valueIn(await line.execute(callOf(runtime, send, { stream: true })))).toBe("spare");
  });

  it("stays when it fails after content, and tells of it", async () => {
    const { runtime } = virtualRuntime();
    const { line, policy } = lineOf(runtime, { targets: [targetTo("spare", saying("spare"))] });
    const send = async () => streamReply(streamOf([content], broken(interrupted("cut"))));
    const outcome = await line.execute(callOf(runtime, send, { stream: true }));
    if (!outcome.ok || outcome.body.kind !== "stream") throw new Error("expected a stream");
    expect(await drain(outcome.body)).toEqual(["first"]);
    expect(outcome.settled.value?.fault).toMatchObject({ kind: "interrupted", committed: true });
    expect(policy.snapshot().targets["test/m/k"]).toMatchObject({ inFlight: 0, failed: 1 });
  });

  it("counts as under way until its end", async () => {
    const { runtime } = virtualRuntime();
    const { line, policy } = lineOf(runtime, { targets: [targetTo("spare", saying("spare"))] });
    const outcome = await line.execute(callOf(runtime, async () => streamReply(streamOf([content])), { stream: true }));
    if (!outcome.ok || outcome.body.kind !== "stream") throw new Error("expected a stream");
    expect(policy.snapshot().targets["test/m/k"]?.inFlight).toBe(1);
    outcome.body.fail(aborted("enough"));
    expect(policy.snapshot().targets["test/m/k"]?.inFlight).toBe(0);
  });
});

describe("a refusal of our own", () => {
  it("moves on at once and costs nothing when the breaker is open", async () => {
    const { runtime, clock } = virtualRuntime();
    const guard = breaker({ consecutiveFailures: 1, halfOpenAfter: "1m", maxOpen: "1m" }, runtime);
    let sent = 0;
    const { line } = lineOf(runtime, { targets: [targetTo("spare", saying("spare"))] }, guard);
    const send = async () => {
      sent++;
      return faultOf({ kind: "server_error", error: undefined });
    };
    for (let n = 0; n < 50; n++) expect(valueIn(await line.execute(callOf(runtime, send)))).toBe("spare");
    expect(sent).toBe(1);
    expect(clock.now()).toBe(0);
    await line.close();
  });

  it("moves on when the limit would keep the call waiting longer than maxWait, and waits when it would not", async () => {
    const { runtime, clock } = virtualRuntime();
    const limiter = rateLimit({ perModel: { requestsPerMinute: 60 }, burst: "1s" }, runtime);
    const targets = [targetTo("spare", saying("spare"), { model: "other" })];
    const { line } = lineOf(runtime, { targets, maxWait: "2s" }, limiter);
    const outcomes = Array.from({ length: 6 }, () => line.execute(callOf(runtime, saying("own"))));
    await clock.advance(10_000);
    const answers = (await Promise.all(outcomes)).map(valueIn);
    // One at once, and one a second for the two seconds that are waited for; the spare has a limit of its own.
    expect(answers.slice(0, 3)).toEqual(["own", "own", "own"]);
    expect(answers.slice(3)).toEqual(["spare", "spare", "spare"]);
    await line.close();
  });

  it("moves on when maxWait has been waited out, and does not come back", async () => {
    const { runtime, clock } = virtualRuntime();
    const permits = throttle({ adaptive: false, initial: 1 }, runtime);
    const { line } = lineOf(runtime, { targets: [targetTo("spare", saying("spare"))], maxWait: "2s" }, permits);
    const slow = line.execute(callOf(runtime, answering(runtime, "own", 60_000)));
    const ends: number[] = [];
    void line.execute(callOf(runtime, saying("own"))).then(() => ends.push(clock.now()));
    await clock.advance(10_000);
    expect(ends).toEqual([2_000]);
    await clock.advance(60_000);
    expect(valueIn(await slow)).toBe("own");
    await line.close();
  });

  it("is not answered by another target when it concerns the call itself", async () => {
    const { runtime } = virtualRuntime();
    const refusing = failing({ kind: "refused", error: new QueueFullError("full", { policy: "pool" }) });
    const { line } = lineOf(runtime, { targets: [targetTo("spare", saying("spare"))] });
    expect(valueIn(await line.execute(callOf(runtime, refusing)))).toBe("refused");
  });
});

describe("together with retry", () => {
  it("a short pause is waited for, and a retry-after beyond maxWait moves on now", async () => {
    const { runtime, clock } = virtualRuntime();
    const { line } = lineOf(
      runtime,
      { targets: [targetTo("spare", saying("spare"))], maxWait: "2s" },
      retry({}, runtime),
    );
    const oneFailure = (retryAfterMs: number) => {
      let n = 0;
      return async () =>
        n++ === 0 ? faultOf({ kind: "overloaded", error: undefined, retryAfterMs }) : answer("own, second try");
    };
    const short = line.execute(callOf(runtime, oneFailure(1_000)));
    await clock.advance(2_000);
    expect(valueIn(await short)).toBe("own, second try");
    expect(valueIn(await line.execute(callOf(runtime, oneFailure(30_000))))).toBe("spare");
    await line.close();
  });

  it("the last target has all the retries and all the time of the call", async () => {
    const { runtime, clock } = virtualRuntime();
    let tries = 0;
    const spare = targetTo("spare", async () => {
      tries++;
      return tries < 4 ? faultOf({ kind: "overloaded", error: undefined, retryAfterMs: 20_000 }) : answer("at last");
    });
    const { line } = lineOf(runtime, { targets: [spare] }, retry({ attempts: 4 }, runtime));
    const outcome = line.execute(callOf(runtime, failing("quota_exhausted")));
    await clock.advance(90_000);
    expect(valueIn(await outcome)).toBe("at last");
    await line.close();
  });
});

describe("a prompt that is long", () => {
  it("goes to the first target whose window it fits", async () => {
    const { runtime } = virtualRuntime();
    const events = heard(runtime, "fallback.used");
    const { line } = lineOf(runtime, {
      own: { maxInputTokens: 1_000 },
      targets: [
        targetTo("small", saying("small"), { maxInputTokens: 2_000 }),
        targetTo("large", saying("large"), { maxInputTokens: 1_000_000 }),
      ],
    });
    expect(valueIn(await line.execute(callOf(runtime, saying("own"), { inputChars: 400 })))).toBe("own");
    expect(valueIn(await line.execute(callOf(runtime, saying("own"), { inputChars: 100_000 })))).toBe("large");
    expect(events).toMatchObject([{ from: "test/m/k", to: "large/m", reason: "too_long" }]);
  });

  it("moves only to a larger window when its target finds it too long", async () => {
    const { runtime } = virtualRuntime();
    const targets = [
      targetTo("unknown", saying("unknown")),
      targetTo("smaller", saying("smaller"), { maxInputTokens: 50_000 }),
      targetTo("larger", saying("larger"), { maxInputTokens: 200_000 }),
    ];
    const own = { maxInputTokens: 100_000 };
    const { line } = lineOf(runtime, { own, targets });
    expect(valueIn(await line.execute(callOf(runtime, failing("context_length"))))).toBe("larger");
    const none = lineOf(runtime, { own, targets: targets.slice(0, 2) });
    expect(valueIn(await none.line.execute(callOf(runtime, failing("context_length"))))).toBe("context_length");
  });
});

it("a call that finds its target busy is answered as soon as it would have been without a fallback", async () => {
  const { runtime, clock } = virtualRuntime();
  const { line } = lineOf(runtime, { targets: [targetTo("spare", saying("spare"))] });
  const outcome = line.execute(callOf(runtime, answering(runtime, "own", 300)));
  await clock.advance(300);
  expect(valueIn(await outcome)).toBe("own");
  expect(clock.pendingTimers).toBe(0);
});
