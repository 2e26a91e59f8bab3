import { describe, expect, it } from "vitest";
import {
  aborted,
  type Call,
  Cancellation,
  type ChunkStream,
  faultOf,
  type Outcome,
  pipeline,
  streamFor,
  streamReply,
  valueReply,
  whole,
} from "../../src/core/index.ts";
import { cache } from "../../src/policies/cache/index.ts";
import { coalesce } from "../../src/policies/coalesce/index.ts";
import { retry } from "../../src/policies/retry/index.ts";
import { ByteServer, mapTier, serverTier } from "../policies/cache/support/stores.ts";
import { callOf, drain, virtualRuntime } from "../support/calls.ts";

const LATENCY_MS = 50;
const CHUNKS = ["a", "b", "c"];

/** A line in virtual time before a provider that takes 50 ms, or 50 ms for each of three chunks. */
function lineOver(shared: boolean, fails = false) {
  const { clock, runtime } = virtualRuntime();
  const tiers = shared ? [mapTier(), serverTier(new ByteServer(), { watch: true, leases: true })] : [mapTier()];
  const policy = cache({ tiers }, runtime);
  const line = pipeline(
    policy,
    coalesce({}, runtime),
    retry({ attempts: 3, baseDelay: "1s", maxDelay: "1s" }, runtime),
  );
  const upstream = { asked: 0, cancelled: 0 };
  const wait = () => new Promise<void>((resolve) => void clock.timer(LATENCY_MS, resolve));

  const send = (call: Call): Promise<Outcome> => {
    upstream.asked++;
    call.cancellation.onCancel(() => void upstream.cancelled++);
    if (fails) {
      const error = Object.assign(new Error("overloaded"), { attempt: upstream.asked });
      return wait().then(() => faultOf({ kind: "overloaded", error, status: 503 }));
    }
    return call.stream ? streamed(call) : plain(call);
  };
  const plain = (call: Call): Promise<Outcome> =>
    new Promise((resolve) => {
      const timer = clock.timer(LATENCY_MS, () => resolve(valueReply(CHUNKS.join(""), whole())));
      call.cancellation.onCancel((reason) => {
        timer.cancel();
        resolve(aborted(reason));
      });
    });
  const streamed = async (call: Call): Promise<Outcome> => {
    const rest = CHUNKS.map((value) => ({ role: "content" as const, value }));
    const pull = () => wait().then(() => rest.shift() ?? whole());
    return streamReply(streamFor(call, { pull, cancel: () => undefined }));
  };

  const ask = async (stream: boolean, cancellation = new Cancellation()): Promise<string> => {
    const outcome = await line.execute(callOf(runtime, send, { stream, cancellation }));
    if (!outcome.ok) return outcome.kind;
    if (outcome.body.kind === "value") return String(outcome.body.value);
    return read(outcome.body);
  };
  const raw = () => line.execute(callOf(runtime, send));
  return { clock, upstream, ask, raw };
}

async function read(stream: ChunkStream): Promise<string> {
  const text = (await drain(stream)).join("");
  return stream.settled.value?.fault?.kind ?? text;
}

const places = [
  ["memory alone", false],
  ["memory over a shared tier", true],
] as const;

describe.each(places)("10,000 callers of one process with the same question: %s", (_place, shared) => {
  it.each([
    ["whole", false],
    ["streamed", true],
  ])("cost one request, %s", async (_form, stream) => {
    const { clock, upstream, ask } = lineOver(shared);
    const answers = await clock.run(Promise.all(Array.from({ length: 10_000 }, () => ask(stream))));
    expect(new Set(answers)).toEqual(new Set(["abc"]));
    expect(upstream.asked).toBe(1);
    expect(await clock.run(ask(stream))).toBe("abc");
    expect(upstream.asked).toBe(1);
  });
});

describe.each(places)("1,000 callers of a provider that fails: %s", (_place, shared) => {
  it("cost one request for each attempt, and all have its error in the time of one", async () => {
    const { clock, upstream, raw } = lineOver(shared, true);
    const outcomes = await clock.run(Promise.all(Array.from({ length: 1000 }, () => raw())));
    expect(upstream.asked).toBe(3);
    const errors = outcomes.map((outcome) => (outcome.ok ? undefined : outcome.error));
    expect(new Set(errors).size).toBe(1);
    expect(errors[0]).toMatchObject({ message: "overloaded", attempt: 3 });
    expect(clock.now()).toBeLessThanOrEqual(1.2 * (3 * LATENCY_MS + 2 * 1000));
  });
});

describe.each(places)("who gives up: %s", (_place, shared) => {
  for (const stream of [false, true]) {
    const form = stream ? "streamed" : "whole";

    it(`as the first, settles at once and takes nobody's answer away (${form})`, async () => {
      const { clock, upstream, ask } = lineOver(shared);
      const cancellation = new Cancellation();
      const first = ask(stream, cancellation);
      const others = Array.from({ length: 20 }, () => ask(stream));
      await clock.advance(LATENCY_MS / 2);
      cancellation.cancel("bored");
      const at = clock.now();
      expect(await clock.run(first)).toBe("aborted");
      expect(clock.now()).toBe(at);
      expect(new Set(await clock.run(Promise.all(others)))).toEqual(new Set(["abc"]));
      expect(upstream).toEqual({ asked: 1, cancelled: 0 });
    });

    it(`as one of the others, settles at once and takes nobody's answer away (${form})`, async () => {
      const { clock, upstream, ask } = lineOver(shared);
      const first = ask(stream);
      const cancellations = Array.from({ length: 20 }, () => new Cancellation());
      const others = cancellations.map((cancellation) => ask(stream, cancellation));
      await clock.advance(LATENCY_MS / 2);
      for (const cancellation of cancellations.slice(0, 10)) cancellation.cancel("bored");
      const at = clock.now();
      expect(await clock.run(Promise.all(others.slice(0, 10)))).toEqual(Array(10).fill("aborted"));
      expect(clock.now()).toBe(at);
      expect(await clock.run(Promise.all([first, ...others.slice(10)]))).toEqual(Array(11).fill("abc"));
      expect(upstream).toEqual({ asked: 1, cancelled: 0 });
    });

    it(`as the last, cancels the provider's work at once (${form})`, async () => {
      const { clock, upstream, ask } = lineOver(shared);
      const cancellations = Array.from({ length: 20 }, () => new Cancellation());
      const calls = cancellations.map((cancellation) => ask(stream, cancellation));
      await clock.advance(LATENCY_MS / 2);
      for (const cancellation of cancellations.slice(1)) cancellation.cancel("bored");
      expect(upstream.cancelled).toBe(0);
      cancellations[0]?.cancel("bored");
      expect(upstream).toEqual({ asked: 1, cancelled: 1 });
      const at = clock.now();
      expect(await clock.run(Promise.all(calls))).toEqual(Array(20).fill("aborted"));
      expect(clock.now()).toBe(at);
      expect(await clock.run(ask(stream))).toBe("abc");
      expect(upstream.asked).toBe(2);
    });
  }
});
