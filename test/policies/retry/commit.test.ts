import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  broken,
  type Call,
  type Chunk,
  ChunkStream,
  type Commit,
  type Fault,
  faultOf,
  interrupted,
  type Outcome,
  pipeline,
  type Runtime,
  sleep,
  streamFor,
  streamReply,
  type Wire,
  whole,
} from "../../../src/core/index.ts";
import { type AfterCommit, type RetryOptions, retry } from "../../../src/policies/retry/index.ts";
import { callOf, jsonWire, virtualRuntime } from "../../support/calls.ts";

/** What one try does: says so many tokens of the answer, and then ends as it says. */
interface Try {
  readonly says: number;
  readonly ends: "well" | "cut" | "told" | "refused" | "aborted";
}

const ANSWER = ["The", " tide", " comes", " in", " twice", " a", " day", "."];

/** Asks for the rest from the n-th character on. */
const textWire: Wire = {
  ...jsonWire,
  contentText: (_call, value) => (typeof value === "string" ? value : undefined),
  continuation: (call, text) => ({
    call: call.with({ request: { from: text } }),
    accept: (chunk) => (chunk.role === "preamble" ? [] : [chunk]),
  }),
};

const lost = (): Fault => faultOf({ kind: "network", error: new Error("reset") });

/** A `send` that plays the tries in order; the last one again and again. */
function playing(runtime: Runtime, tries: readonly Try[]) {
  const state = { sent: 0, pulling: 0 };
  const send = async (call: Call): Promise<Outcome> => {
    const script = tries[Math.min(state.sent, tries.length - 1)] as Try;
    state.sent++;
    if (script.ends === "refused") return lost();
    const from = (call.request as { from?: string }).from ?? "";
    let before = 0;
    while (ANSWER.slice(0, before).join("").length < from.length) before++;
    const left = ANSWER.slice(before);
    const says = script.ends === "well" ? left : left.slice(0, script.says);
    const chunks: Chunk[] = [
      { role: "preamble", value: "(begin)" },
      ...says.map((value): Chunk => ({ role: "content", value })),
      ...(script.ends === "told" ? [{ role: "failure", value: "(failed)" } as const] : []),
      ...(script.ends === "well" ? [{ role: "end", value: "(end)" } as const] : []),
    ];
    const end = script.ends === "well" ? whole() : broken(interrupted("cut"));
    const pull = async () => {
      state.pulling++;
      await sleep(runtime, call, 10);
      state.pulling--;
      return chunks.shift() ?? end;
    };
    return streamReply(streamFor(call, { pull, cancel: () => (script.ends === "told" ? end : undefined) }));
  };
  return { send, state };
}

/** Reads as an application would: what it shows, and how that ended. */
async function read(options: RetryOptions, tries: readonly Try[], abortAfter?: number) {
  const { clock, runtime } = virtualRuntime();
  const policy = retry({ baseDelay: "100ms", ...options }, runtime);
  const { send, state } = playing(runtime, tries);
  let shown: string[] = [];
  const restarts: unknown[] = [];
  const onRestart = (restart: unknown): void => {
    restarts.push(restart);
    shown = [];
  };
  const call = callOf(runtime, send, { stream: true, wire: textWire, scope: { onRestart } });
  const run = async (): Promise<{ fault: Fault | undefined; storable: boolean; failures: number }> => {
    const outcome = await pipeline(policy).execute(call);
    if (!outcome.ok) return { fault: outcome, storable: false, failures: 0 };
    const stream = outcome.body as ChunkStream;
    let failures = 0;
    for (let chunk = await stream.next(); chunk !== undefined; chunk = await stream.next()) {
      if (chunk.role === "failure") failures++;
      if (chunk.role !== "content") continue;
      shown.push(String(chunk.value));
      if (shown.length === abortAfter) call.cancellation.cancel("left");
    }
    const { fault, storable } = stream.settled.value ?? whole();
    return { fault, storable, failures };
  };
  const end = await clock.run(run());
  await clock.advance(60_000);
  return { ...end, shown, restarts, sent: state.sent, pulling: state.pulling, policy, clock, call };
}

const aTry: fc.Arbitrary<Try> = fc.record({
  says: fc.nat(ANSWER.length),
  ends: fc.constantFrom("well" as const, "cut" as const, "cut" as const, "told" as const, "refused" as const),
});
const aCommit: fc.Arbitrary<Commit> = fc.oneof(
  fc.constantFrom("firstContent" as const, "complete" as const),
  fc.record({ tokens: fc.integer({ min: 1, max: 10 }) }),
);

describe("the commit protocol", () => {
  it("never shows content twice and never ends well after a failure, whatever the tries do", async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(aTry, { minLength: 1, maxLength: 6 }),
        aCommit,
        fc.constantFrom<AfterCommit>("error", "restart", "continue"),
        fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
        async (tries, commit, afterCommit, abortAfter) => {
          const end = await read({ commit, afterCommit }, tries, abortAfter);
          expect(ANSWER.join("").startsWith(end.shown.join(""))).toBe(true);
          if (end.fault === undefined) expect(end.shown).toEqual(ANSWER);
          if (end.fault !== undefined && end.shown.length > 0) expect(end.fault.committed).toBe(true);
          if (end.failures > 0) expect(end.fault).toBeDefined();
          expect(end.failures).toBeLessThanOrEqual(1);
          expect(end.sent).toBeLessThanOrEqual(4);
          expect(end.clock.pendingTimers).toBe(0);
          expect(end.pulling).toBe(0);
          expect(end.call.cancellation.listenerCount).toBe(0);
          seen.add(`${afterCommit} ${end.fault === undefined ? "well" : "badly"} ${end.policy.snapshot().resumed > 0}`);
        },
      ),
      { numRuns: 3_000 },
    );
    expect([...seen].sort()).toEqual([
      "continue badly false",
      "continue badly true",
      "continue well false",
      "continue well true",
      "error badly false",
      "error well false",
      "restart badly false",
      "restart badly true",
      "restart well false",
      "restart well true",
    ]);
  });

  it("mends a failure unseen until the commit point, wherever that is", async () => {
    for (const [commit, sent, shown] of [
      ["firstContent", 1, 3],
      [{ tokens: 3 }, 1, 3],
      [{ tokens: 4 }, 2, 8],
      ["complete", 2, 8],
    ] as const) {
      const end = await read({ commit }, [
        { says: 3, ends: "cut" },
        { says: 8, ends: "well" },
      ]);
      expect([end.sent, end.shown.length]).toEqual([sent, shown]);
      expect(end.restarts).toEqual([]);
    }
  });

  it("restarts only for a caller who allows it, tells it before the first new chunk, and keeps nothing of it", async () => {
    const script: Try[] = [
      { says: 3, ends: "told" },
      { says: 8, ends: "well" },
    ];
    const end = await read({ afterCommit: "restart" }, script);
    expect(end).toMatchObject({ fault: undefined, storable: false, failures: 0, shown: ANSWER, sent: 2 });
    expect(end.restarts).toEqual([{ attempt: 2, given: 3 }]);

    const { clock, runtime } = virtualRuntime();
    const { send, state } = playing(runtime, script);
    const line = pipeline(retry({ afterCommit: "restart" }, runtime));
    const outcome = await clock.run(line.execute(callOf(runtime, send, { stream: true })));
    if (!outcome.ok || !(outcome.body instanceof ChunkStream)) throw new Error("not a stream");
    while ((await clock.run(outcome.body.next())) !== undefined);
    expect(outcome.settled.value?.fault).toMatchObject({ kind: "interrupted", committed: true });
    expect(state.sent).toBe(1);
  });

  it("ends with the failure when the caller cannot take back what it showed", async () => {
    const { clock, runtime } = virtualRuntime();
    const { send } = playing(runtime, [
      { says: 3, ends: "cut" },
      { says: 8, ends: "well" },
    ]);
    const onRestart = (): void => {
      throw new Error("printed already");
    };
    const call = callOf(runtime, send, { stream: true, scope: { onRestart } });
    const outcome = await clock.run(pipeline(retry({ afterCommit: "restart" }, runtime)).execute(call));
    if (!outcome.ok || !(outcome.body instanceof ChunkStream)) throw new Error("not a stream");
    const values: unknown[] = [];
    for (;;) {
      const chunk = await clock.run(outcome.body.next());
      if (chunk === undefined) break;
      values.push(chunk.value);
    }
    expect(values).toEqual(["(begin)", ...ANSWER.slice(0, 3)]);
    expect(outcome.settled.value?.fault).toMatchObject({ kind: "interrupted" });
  });

  it("asks for the rest with what was given, more than once where it must", async () => {
    const end = await read({ afterCommit: "continue" }, [
      { says: 2, ends: "cut" },
      { says: 3, ends: "told" },
      { says: 8, ends: "well" },
    ]);
    expect(end).toMatchObject({ fault: undefined, storable: false, shown: ANSWER, sent: 3 });
    expect(end.policy.snapshot()).toMatchObject({ resumed: 2, retries: 2 });
  });

  it("gives the failure chunk of the provider when no other try comes of it", async () => {
    const end = await read({ afterCommit: "continue", attempts: 2 }, [
      { says: 2, ends: "told" },
      { says: 0, ends: "refused" },
    ]);
    expect(end).toMatchObject({ failures: 1, fault: { kind: "interrupted", committed: true }, sent: 2 });
  });

  it("makes no further try for a reader who leaves in the pause", async () => {
    const { clock, runtime } = virtualRuntime();
    const { send, state } = playing(runtime, [{ says: 2, ends: "cut" }]);
    const call = callOf(runtime, send, { stream: true, wire: textWire });
    const line = pipeline(retry({ afterCommit: "continue", baseDelay: "10s", maxDelay: "10s" }, runtime));
    const outcome = await clock.run(line.execute(call));
    if (!outcome.ok || !(outcome.body instanceof ChunkStream)) throw new Error("not a stream");
    for (let chunks = 0; chunks < 3; chunks++) await clock.run(outcome.body.next());
    const waiting = outcome.body.next();
    await clock.advance(20);
    outcome.body.fail(faultOf({ kind: "aborted", error: "left" }));
    expect(await waiting).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
    expect(call.cancellation.listenerCount).toBe(0);
    await clock.advance(60_000);
    expect(state.sent).toBe(1);
  });

  it("reads its options by name", () => {
    expect(() => retry({ commit: { tokens: 0 } })).toThrow(/retry\.commit\.tokens/);
    expect(() => retry({ commit: "late" as never })).toThrow(/retry\.commit/);
    expect(() => retry({ afterCommit: "again" as never })).toThrow(/retry\.afterCommit/);
  });
});
