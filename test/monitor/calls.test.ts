import { describe, expect, it } from "vitest";
import {
  broken,
  type Call,
  type Chunk,
  ChunkStream,
  faultOf,
  interrupted,
  OptionError,
  type Outcome,
  pipeline,
  type Runtime,
  type Settlement,
  streamReply,
  valueReply,
  whole,
} from "../../src/core/index.ts";
import { litellmPrices, semconvOf } from "../../src/monitor/index.ts";
import { retry } from "../../src/policies/retry/index.ts";
import { failing, lineOf as lineTo, saying, targetTo } from "../policies/fallback/support.ts";
import { answering, callOf, drain } from "../support/calls.ts";
import { aCall, answered, endOf, monitored, type Rig } from "./support.ts";

type Send = (call: Call) => Promise<Outcome>;

/** A stream whose chunks come one by one, each after its pause. */
function paced(runtime: Runtime, chunks: readonly (readonly [pauseMs: number, chunk: Chunk])[], end: Settlement) {
  const rest = [...chunks];
  const stream = new ChunkStream({
    pull: () =>
      new Promise((resolve) => {
        const [pauseMs, chunk] = rest.shift() ?? [0, end];
        runtime.clock.timer(pauseMs, () => resolve(chunk));
      }),
    cancel: () => broken(faultOf({ kind: "aborted", error: "left" }), { inputTokens: 40, outputTokens: 2 }),
  });
  return streamReply(stream);
}

const content = (value: number): Chunk => ({ role: "content", value });
const framing: Chunk = { role: "preamble", value: 0 };
const used = { inputTokens: 100, outputTokens: 50 };

function lineOf({ runtime }: Rig) {
  return pipeline(retry({ attempts: 3 }, runtime));
}

async function answerTo(rig: Rig, send: Send, stream = false): Promise<Outcome> {
  const outcome = await rig.clock.run(lineOf(rig).execute(callOf(rig.runtime, send, { stream })));
  if (outcome.ok && outcome.body.kind === "stream") await rig.clock.run(drain(outcome.body));
  return outcome;
}

describe("calls and attempts", () => {
  it("are kept apart: one call, two attempts, tokens once, the pause in the call and not in the overhead", async () => {
    const rig = monitored({ prices: { m: { input: 1, output: 1 } } });
    let tries = 0;
    await answerTo(rig, async (call) => {
      if (++tries > 1) return answering(rig.runtime, "yes", 500)(call);
      return faultOf({ kind: "rate_limited", error: new Error("429"), status: 429, retryAfterMs: 2_000 });
    });
    const { monitor } = rig;
    expect(monitor.stats()).toMatchObject({ calls: 1, answered: 1, attempts: 2, inputTokens: 100, outputTokens: 50 });
    const longest = (metric: string) => monitor.read(metric, { aggregate: "max", window: "5m" });
    expect(longest("gen_ai.client.operation.duration")).toBeGreaterThanOrEqual(2.5);
    expect(longest("breakwater.overhead.duration")).toBeCloseTo(0, 6);
    expect(longest("breakwater.retry.delay")).toBeGreaterThanOrEqual(2);
    const attempts = (kind: string) =>
      monitor.read("breakwater.attempts", { aggregate: "count", window: "5m", labels: { kind } });
    expect([attempts("first"), attempts("retry"), attempts("hedge")]).toEqual([1, 1, undefined]);
    expect(monitor.read("gen_ai.client.token.usage", { aggregate: "count", window: "5m" })).toBe(2);
    expect(monitor.stats().costUsd).toBeCloseTo(150 / 1e6);
  });

  it("measure the first content, never the framing, and the pauses between chunks of content", async () => {
    const rig = monitored();
    const chunks = [
      [100, framing],
      [900, content(1)],
      [200, content(2)],
      [50, framing],
    ] as const;
    await answerTo(rig, async () => paced(rig.runtime, chunks, whole({ usage: used })), true);
    const { monitor } = rig;
    expect(monitor.read("gen_ai.client.operation.time_to_first_chunk", { aggregate: "max" })).toBe(1);
    const pauses = "gen_ai.client.operation.time_per_output_chunk";
    expect(monitor.read(pauses, { aggregate: "count" })).toBe(1);
    expect(monitor.read(pauses, { aggregate: "max" })).toBeCloseTo(0.2);
  });

  it("count a stream without content by its reason, and leave it out of the times to first content", async () => {
    const rig = monitored();
    await answerTo(rig, async () => paced(rig.runtime, [[100, framing]], whole()), true);
    const cut = broken(interrupted("cut"));
    await answerTo(rig, async () => paced(rig.runtime, [[100, framing]], cut), true);
    const { monitor } = rig;
    expect(monitor.read("gen_ai.client.operation.time_to_first_chunk", { aggregate: "count" })).toBeUndefined();
    const empty = (reason: string) =>
      monitor.read("breakwater.stream.empty", { aggregate: "count", labels: { reason }, window: "5m" });
    expect([empty("completed"), empty("interrupted")]).toEqual([1, 1]);
  });

  it("keep what a cancelled stream had used", async () => {
    const rig = monitored();
    const { runtime, clock, monitor } = rig;
    const ends: unknown[] = [];
    runtime.events.on("call.cancelled", (event) => void ends.push(event));
    const send: Send = async () =>
      paced(
        runtime,
        [
          [10, content(1)],
          [60_000, content(2)],
        ],
        whole(),
      );
    const outcome = await clock.run(lineOf(rig).execute(callOf(runtime, send, { stream: true })));
    if (!outcome.ok || outcome.body.kind !== "stream") throw new Error("no stream");
    await clock.run(outcome.body.next());
    outcome.body.fail(faultOf({ kind: "aborted", error: "left" }));
    expect(ends).toMatchObject([{ usage: { inputTokens: 40, outputTokens: 2 }, usageCertainty: "atLeast" }]);
    expect(monitor.stats()).toMatchObject({ cancelled: 1, inputTokens: 40, outputTokens: 2 });
  });

  it("tell in the call's usage all attempts that the provider counted, and whether that is all", async () => {
    const rig = monitored();
    const ends: unknown[] = [];
    rig.runtime.events.on("call.completed", (event) => void ends.push(event));
    let tries = 0;
    const partly = broken(interrupted("cut"), { inputTokens: 30, outputTokens: 0, cachedInputTokens: 10 });
    await answerTo(rig, async () =>
      ++tries === 1 ? paced(rig.runtime, [[5, framing]], partly) : valueReply("yes", whole({ usage: used })),
    );
    const usage = { inputTokens: 130, outputTokens: 50, cachedInputTokens: 10 };
    expect(ends).toMatchObject([{ usage, usageCertainty: "atLeast", attempts: 2, answeredBy: "primary" }]);
    const cached = { aggregate: "count", labels: { token_type: "cached_input" }, window: "5m" } as const;
    expect(rig.monitor.read("breakwater.tokens", cached)).toBe(10);
  });

  it("tell a first try at another target from a retry, and price it as the model that was asked there", async () => {
    const prices = { m: { input: 1, output: 1 }, small: { input: 0.1, output: 0.1 } };
    const { clock, runtime, monitor } = monitored({ prices });
    const { line } = lineTo(runtime, { targets: [targetTo("spare", saying("yes"), { model: "small" })] });
    await clock.run(line.execute(callOf(runtime, failing("server_error"))));
    const count = (metric: string, labels: Record<string, string>) =>
      monitor.read(metric, { aggregate: "count", labels });
    expect(count("breakwater.calls", { served_by: "fallback", outcome: "success" })).toBe(1);
    expect(count("breakwater.attempts", { kind: "first", error_type: "server_error" })).toBe(1);
    expect(count("breakwater.attempts", { kind: "fallback", outcome: "success", model: "small" })).toBe(1);
    expect(count("breakwater.fallbacks", { reason: "server_error" })).toBe(1);
    expect(monitor.stats().costUsd).toBeCloseTo((150 * 0.1) / 1e6, 9);
  });

  it("show the age of the oldest call of a provider", async () => {
    const { clock, runtime, monitor } = monitored();
    const [first, second] = [aCall(runtime), aCall(runtime)];
    const started = { stream: false, priority: 5, client: undefined };
    runtime.events.emit("call.started", first, started);
    await clock.advance(30_000);
    runtime.events.emit("call.started", second, started);
    await clock.advance(10_000);
    const age = () => monitor.read("breakwater.call.oldest_age", { labels: { provider: "test" } });
    expect(age()).toBe(40);
    runtime.events.emit("call.cancelled", first, endOf(40_000));
    expect(age()).toBe(10);
    runtime.events.emit("call.cancelled", second, endOf(10_000));
    expect(age()).toBe(0);
  });

  it("have the model that answered as a label where it is another one", () => {
    const { runtime, monitor } = monitored();
    const end = {
      ...endOf(100),
      servedBy: "upstream",
      answeredBy: "hedge",
      tier: undefined,
      finishReasons: [],
    } as const;
    for (const responseModel of ["m", "m-2026", undefined]) {
      runtime.events.emit("call.completed", aCall(runtime), { ...end, responseModel });
    }
    const metric = monitor.metrics().find(({ name }) => name === "gen_ai.client.operation.duration");
    const labels = metric?.series.map((series) => [series.labels["response_model"]]);
    expect(labels).toEqual([[undefined], ["m-2026"]]);
    expect(monitor.read("breakwater.calls", { aggregate: "count", labels: { served_by: "hedge" } })).toBe(3);
  });
});

describe("prices", () => {
  it("may be replaced while running; what was counted stays", () => {
    const { runtime, monitor } = monitored();
    answered(runtime, { usage: used });
    expect(monitor.stats()).not.toHaveProperty("costUsd");
    monitor.setPrices({ m: { input: 10, output: 20 } });
    answered(runtime, { usage: used });
    expect(monitor.stats().costUsd).toBeCloseTo((100 * 10 + 50 * 20) / 1e6);
    monitor.setPrices({ m: { input: 0, output: 0 } });
    answered(runtime, { usage: used });
    expect(monitor.stats().costUsd).toBeCloseTo((100 * 10 + 50 * 20) / 1e6);
    expect(() => monitor.setPrices({ m: { input: -1, output: 1 } })).toThrow(OptionError);
  });

  it("are read from LiteLLM's table, by million tokens", () => {
    const table = {
      "gpt-x": { input_cost_per_token: 2.5e-7, output_cost_per_token: 2e-6, cache_read_input_token_cost: 2.5e-8 },
      "img-x": { output_cost_per_image: 0.04 },
      sample_spec: "text",
    };
    expect(litellmPrices(table)).toEqual({ "gpt-x": { input: 0.25, output: 2, cachedInput: 0.025 } });
  });
});

describe("names of the conventions", () => {
  const namesOf = (semconv: "v1.41" | "latest" | "both") => {
    const { runtime, monitor } = monitored({ semconv });
    answered(runtime, { usage: { ...used, cachedInputTokens: 30, reasoningTokens: 5 } });
    return { monitor, names: monitor.metrics().map(({ name }) => name) };
  };

  it("are those of 1.41, of today, or both, each name once", () => {
    const old = namesOf("v1.41").names;
    const latest = namesOf("latest").names;
    const both = namesOf("both").names;
    expect(old).toContain("gen_ai.client.operation.duration");
    expect(old.some((name) => name.includes("inference"))).toBe(false);
    expect(latest).toContain("gen_ai.client.inference.duration");
    expect(latest).not.toContain("gen_ai.client.operation.duration");
    expect(latest).not.toContain("gen_ai.client.token.usage");
    expect(new Set(both).size).toBe(both.length);
    expect(new Set(both)).toEqual(new Set([...old, ...latest]));
  });

  it("count the same under either", () => {
    const { monitor } = namesOf("latest");
    const sumOf = (name: string) => {
      const metric = monitor.metrics().find((one) => one.name === name);
      return metric?.kind === "histogram" ? metric.series[0]?.sum : metric?.series[0]?.value;
    };
    expect(sumOf("gen_ai.client.inference.usage.input_tokens")).toBe(100);
    expect(sumOf("gen_ai.client.inference.usage.cache_read.input_tokens")).toBe(30);
    expect(sumOf("gen_ai.client.inference.usage.reasoning.output_tokens")).toBe(5);
    expect(sumOf("gen_ai.client.inference.operation.output_tokens")).toBe(50);
    // Reading goes by the names of 1.41 always.
    expect(monitor.read("gen_ai.client.token.usage", { aggregate: "count" })).toBe(2);
  });

  it("follow OTEL_SEMCONV_STABILITY_OPT_IN", () => {
    expect(semconvOf("http, gen_ai_latest_experimental")).toBe("latest");
    expect(semconvOf("http/dup")).toBeUndefined();
    expect(semconvOf(undefined)).toBeUndefined();
  });
});
