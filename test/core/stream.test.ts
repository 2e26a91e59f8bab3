import { describe, expect, it } from "vitest";
import {
  aborted,
  broken,
  type Chunk,
  ChunkStream,
  type Fault,
  faultOf,
  interrupted,
  type Settlement,
  streamFor,
  whole,
} from "../../src/core/index.ts";
import { callOf, drain, streamOf, virtualRuntime } from "../support/calls.ts";

const content = (value: string): Chunk => ({ role: "content", value });
const preamble = (value: string): Chunk => ({ role: "preamble", value });

function controlled() {
  const waiting: ((item: Chunk | Settlement) => void)[] = [];
  const cancelled: Fault[] = [];
  const stream = new ChunkStream({
    pull: () => new Promise((resolve) => waiting.push(resolve)),
    cancel: (reason) => {
      cancelled.push(reason);
      return undefined;
    },
  });
  return { stream, waiting, cancelled };
}

describe("a streamed body", () => {
  it("hands out every chunk, then ends, then settles with how it ended", async () => {
    const end = whole({ usage: { inputTokens: 1, outputTokens: 2 } });
    const stream = streamOf([preamble("a"), content("b"), content("c")], end);
    expect(await drain(stream)).toEqual(["a", "b", "c"]);
    expect(stream.settled.value).toBe(end);
    expect(await stream.next()).toBeUndefined();
  });

  it("hands out after priming what priming has read, and commits only when content is handed out", async () => {
    const stream = streamOf([preamble("a"), content("b"), content("c")]);
    expect(await stream.prime()).toBeUndefined();
    expect(stream.committed).toBe(false);
    expect(await drain(stream)).toEqual(["a", "b", "c"]);
    expect(stream.committed).toBe(true);
  });

  it("tells when priming that it failed before any content", async () => {
    const fault = interrupted("cut");
    const stream = streamOf([preamble("a")], broken(fault));
    expect(await stream.prime()).toBe(fault);
    expect(stream.settled.value?.fault?.committed).toBe(false);
  });

  it("marks a fault after content as committed", async () => {
    const stream = streamOf([content("a")], broken(interrupted("cut")));
    await drain(stream);
    expect(stream.settled.value?.fault).toMatchObject({ kind: "interrupted", committed: true });
  });

  it("ends a waiting consumer at once when it fails, cancels its source once and drops the late chunk", async () => {
    const { stream, waiting, cancelled } = controlled();
    const next = stream.next();
    stream.fail(aborted("gone"));
    stream.fail(faultOf({ kind: "timeout", error: new Error("late") }));
    expect(await next).toBeUndefined();
    expect(cancelled.map(({ kind }) => kind)).toEqual(["aborted"]);
    waiting[0]?.(content("late"));
    await Promise.resolve();
    expect(stream.settled.value?.fault?.kind).toBe("aborted");
    expect(stream.chunkCount).toBe(0);
  });

  it("is complete when its consumer leaves after the end, and keeps the usage of a cut one", () => {
    const complete = whole({ usage: { inputTokens: 1, outputTokens: 2 } });
    const stream = new ChunkStream({ pull: async () => content("a"), cancel: () => complete });
    stream.fail(aborted("enough"));
    expect(stream.settled.value).toBe(complete);
  });

  it("shows a late observer what was read ahead and not yet handed out", async () => {
    const stream = streamOf([preamble("a"), content("b"), content("c")]);
    await stream.prime();
    await stream.next();
    const seen: unknown[] = [];
    stream.observe({ chunk: ({ value }) => seen.push(value) });
    await drain(stream);
    expect(seen).toEqual(["b", "c"]);
  });

  it("shows observers every pull and every chunk as it comes from the source", async () => {
    const stream = streamOf([content("a"), content("b")]);
    const seen: string[] = [];
    stream.observe({ pulled: () => seen.push("pull"), chunk: (chunk) => seen.push(String(chunk.value)) });
    await drain(stream);
    expect(seen).toEqual(["pull", "a", "pull", "b", "pull"]);
  });

  it("ends with its call also while nobody pulls, and leaves no listener behind", async () => {
    const { runtime } = virtualRuntime();
    const call = callOf(runtime, async () => aborted("unused"));
    const stream = streamFor(call, { pull: () => new Promise(() => {}), cancel: () => {} });
    expect(call.cancellation.listenerCount).toBe(1);
    call.cancellation.cancel("stop");
    expect(stream.settled.value?.fault).toMatchObject({ kind: "aborted", error: "stop" });

    const other = callOf(runtime, async () => aborted("unused"));
    await drain(streamFor(other, { pull: async () => whole(), cancel: () => {} }));
    expect(other.cancellation.listenerCount).toBe(0);
  });
});
