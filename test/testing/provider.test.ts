import { describe, expect, test } from "vitest";
import { OptionError } from "../../src/core/index.ts";
import {
  createProviderModel,
  type ProviderLogEntry,
  type ProviderModelOptions,
  simulatedFetch,
  VirtualClock,
} from "../../src/testing/index.ts";
import { CHAT_URL, chat, events, STEADY } from "./bodies.ts";

interface Message {
  readonly choices: readonly { readonly message: { readonly content: string }; readonly finish_reason: string }[];
  readonly usage: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
    readonly completion_tokens_details: { readonly reasoning_tokens: number };
  };
}

function setUp(options: ProviderModelOptions = {}) {
  const clock = new VirtualClock();
  const provider = createProviderModel({ ...STEADY, clock, ...options });
  const text = (init: RequestInit): Promise<string> =>
    clock.run(provider.fetch(CHAT_URL, init).then((reply) => reply.text()));
  const json = async (init: RequestInit): Promise<Message> => JSON.parse(await text(init));
  return { clock, provider, text, json };
}

function contentOf(stream: string): string {
  return events(stream)
    .map((event) => (event["choices"] as { delta: { content?: string } }[])[0]?.delta.content ?? "")
    .join("");
}

describe("answers", () => {
  test("have exactly as many words as tokens were asked for", async () => {
    const { json } = setUp();
    const reply = await json(chat("hi", 17));
    expect(reply.choices[0]?.message.content.split(" ")).toHaveLength(17);
    expect(reply.usage.completion_tokens).toBe(17);
    expect(reply.choices[0]?.finish_reason).toBe("stop");
  });

  test("are the same for the same question, streamed or not, and differ between questions", async () => {
    const { json, text } = setUp();
    const first = (await json(chat("one", 9))).choices[0]?.message.content;
    expect((await json(chat("one", 9))).choices[0]?.message.content).toBe(first);
    expect(contentOf(await text(chat("one", 9, { stream: true })))).toBe(first);
    expect((await json(chat("two", 9))).choices[0]?.message.content).not.toBe(first);
    expect((await json(chat("one", 9, { model: "n" }))).choices[0]?.message.content).not.toBe(first);
  });

  test("can be known beforehand", async () => {
    const { json, provider } = setUp();
    const init = chat("what?", 6);
    const expected = provider.answerTo("chat", JSON.parse(String(init.body)));
    expect((await json(init)).choices[0]?.message.content).toBe(expected);
  });

  test("keep to max_tokens, and are cut for length only where the hint asks for more", async () => {
    const { json } = setUp({ outputTokens: 50 });
    const unhinted = { model: "m", messages: [{ role: "user", content: "hi" }], max_tokens: 20 };
    const drawn = await json({ method: "POST", body: JSON.stringify(unhinted) });
    const cut = await json(chat("hi", 30, { max_tokens: 20 }));
    expect(cut.usage.completion_tokens).toBe(20);
    expect(cut.choices[0]?.finish_reason).toBe("length");
    expect(drawn.usage.completion_tokens).toBe(20);
    expect(drawn.choices[0]?.finish_reason).toBe("stop");
  });

  test("come n at a time, each its own", async () => {
    const { json, text } = setUp();
    const { choices, usage } = await json(chat("hi", 5, { n: 3 }));
    expect(new Set(choices.map(({ message }) => message.content)).size).toBe(3);
    expect(usage.completion_tokens).toBe(15);
    const stream = events(await text(chat("hi", 5, { n: 3, stream: true })));
    for (const index of [0, 1, 2]) {
      const parts = stream.flatMap((event) => event["choices"] as { index: number; delta: { content?: string } }[]);
      const content = parts.filter((part) => part.index === index).map((part) => part.delta.content ?? "");
      expect(content.join("")).toBe(choices[index]?.message.content);
    }
  });

  test("count reasoning as output and take its time before the first word", async () => {
    const { json, clock } = setUp();
    const { usage } = await json(chat("hi", 5, { metadata: { reasoning_tokens: "20" } }));
    expect(usage.completion_tokens).toBe(25);
    expect(usage.completion_tokens_details.reasoning_tokens).toBe(20);
    expect(clock.now()).toBeCloseTo(100 + 20 * 10 + 4 * 10);
  });

  test("report the start of a long prompt as cached when it comes again within ten minutes", async () => {
    const { json, clock } = setUp();
    const long = "y".repeat(8000);
    const cached = async (end: string): Promise<number> =>
      (await json(chat(long + end, 1))).usage.prompt_tokens_details.cached_tokens;
    expect(await cached("a")).toBe(0);
    expect(await cached("b")).toBe(1024);
    await clock.advance(601_000);
    expect(await cached("c")).toBe(0);
  });
});

describe("streams", () => {
  test("have a role first, one event a token, a finish, the usage if asked for, and [DONE]", async () => {
    const { text } = setUp();
    const stream = await text(chat("hi", 3, { stream: true, stream_options: { include_usage: true } }));
    expect(stream.endsWith("data: [DONE]\n\n")).toBe(true);
    const all = events(stream);
    expect(all).toHaveLength(1 + 3 + 1 + 1);
    expect(all[0]).toMatchObject({ choices: [{ delta: { role: "assistant", content: "" } }], usage: null });
    expect(all[4]).toMatchObject({ choices: [{ delta: {}, finish_reason: "stop" }] });
    expect(all[5]).toMatchObject({ choices: [], usage: { completion_tokens: 3 } });
    expect(await text(chat("hi", 3, { stream: true }))).not.toContain("usage");
  });

  test("are padded where the provider does, unless the request says no", async () => {
    const { text } = setUp({ obfuscation: true });
    expect(await text(chat("hi", 3, { stream: true }))).toContain("obfuscation");
    const off = { stream: true, stream_options: { include_obfuscation: false } };
    expect(await text(chat("hi", 3, off))).not.toContain("obfuscation");
  });

  test("bring each token in its time", async () => {
    const { clock, provider } = setUp();
    const reply = await clock.run(provider.fetch(CHAT_URL, chat("hi", 4, { stream: true })));
    const reader = (reply.body as ReadableStream<Uint8Array>).getReader();
    const times = new Map<string, number>();
    for (let part = await clock.run(reader.read()); !part.done; part = await clock.run(reader.read())) {
      times.set(new TextDecoder().decode(part.value), clock.now());
    }
    expect([...new Set(times.values())]).toEqual([100, 110, 120, 130]);
  });
});

describe("time", () => {
  test("grows with the prompt", async () => {
    const { text, clock } = setUp({ latency: { ...STEADY.latency, perInputToken: 2 } });
    await text(chat("x".repeat(394), 1));
    expect(clock.now()).toBeCloseTo(100 + 107 * 2);
  });

  test("runs slower for everybody when more streams decode than the hardware takes", async () => {
    const ends = async (streams: number): Promise<number> => {
      const { clock, provider } = setUp({ decodeCapacity: 4 });
      const all = Array.from({ length: streams }, (_, index) => provider.fetch(CHAT_URL, chat(String(index), 101)));
      await clock.run(Promise.all(all));
      return clock.now();
    };
    expect(await ends(4)).toBeCloseTo(100 + 1000);
    expect(await ends(8)).toBeCloseTo(100 + 2000);
    expect(await ends(16)).toBeCloseTo(100 + 4000);
  });

  test("gives the share of a finished stream to those that still run", async () => {
    const { clock, provider } = setUp({ decodeCapacity: 1 });
    const long = provider.fetch(CHAT_URL, chat("long", 101));
    await clock.run(provider.fetch(CHAT_URL, chat("short", 51)));
    expect(clock.now()).toBeCloseTo(100 + 1000);
    await clock.run(long);
    expect(clock.now()).toBeCloseTo(100 + 1000 + 500);
  });

  test("spreads as a log-normal with the median of the options", async () => {
    const { clock, provider } = setUp({ latency: { firstToken: 500, firstTokenSigma: 0.5, perInputToken: 0 } });
    await clock.run(Promise.all(Array.from({ length: 2001 }, () => provider.fetch(CHAT_URL, chat("hi", 1)))));
    const times = provider.log.map(({ at, endedAt }) => (endedAt ?? 0) - at).sort((a, b) => a - b);
    expect(times[1000]).toBeGreaterThan(470);
    expect(times[1000]).toBeLessThan(530);
    // A tenth of a log-normal lies beyond median * e^(1.2816 sigma).
    expect((times[1800] ?? 0) / 500).toBeCloseTo(Math.exp(1.2816 * 0.5), 0);
  });
});

describe("one seed", () => {
  const run = async (seed: number): Promise<readonly ProviderLogEntry[]> => {
    const clock = new VirtualClock();
    const fetch = simulatedFetch({
      clock,
      seed,
      requestsPerMinute: 300,
      decodeCapacity: 3,
      faults: ({ chance }) => (chance < 0.2 ? "overloaded" : undefined),
    });
    const all: Promise<unknown>[] = [];
    for (let index = 0; index < 60; index++) {
      const stream = index % 2 === 0;
      const body = { model: "m", stream, messages: [{ role: "user", content: `q${index}` }] };
      all.push(fetch(CHAT_URL, { method: "POST", body: JSON.stringify(body) }).then((reply) => reply.text()));
      await clock.advance(50);
    }
    await clock.run(Promise.all(all));
    return fetch.provider.log;
  };

  test("gives one log, another seed another", async () => {
    const first = await run(7);
    expect(await run(7)).toEqual(first);
    expect(await run(8)).not.toEqual(first);
    expect(first.filter(({ fault }) => fault === "overloaded").length).toBeGreaterThan(3);
  });
});

describe("giving up", () => {
  test.each([
    ["before the head", 50],
    ["while the answer is made", 120],
  ])("%s frees the place at once and leaves no timer", async (_, ms) => {
    const { clock, provider } = setUp({ concurrency: 1, decodeCapacity: 1 });
    const controller = new AbortController();
    const call = provider.fetch(CHAT_URL, { ...chat("hi", 50), signal: controller.signal });
    const outcome = call.catch((error: unknown) => error);
    await clock.advance(ms);
    controller.abort(new Error("enough"));
    expect(await outcome).toEqual(new Error("enough"));
    expect(provider.stats()).toMatchObject({ inFlight: 0, aborted: 1 });
    expect(provider.log[0]).toMatchObject({ aborted: true, endedAt: ms });
    expect(clock.pendingTimers).toBe(0);
  });

  test("in a stream ends its body with the reason", async () => {
    const { clock, provider } = setUp();
    const controller = new AbortController();
    const init = { ...chat("hi", 50, { stream: true }), signal: controller.signal };
    const reply = await clock.run(provider.fetch(CHAT_URL, init));
    const text = reply.text().catch((error: unknown) => error);
    await clock.advance(35);
    controller.abort(new Error("enough"));
    expect(await text).toEqual(new Error("enough"));
    expect(provider.log[0]).toMatchObject({ aborted: true, outputTokens: 4, status: 200 });
    expect(clock.pendingTimers).toBe(0);
  });

  test("by cancelling the body counts as well", async () => {
    const { clock, provider } = setUp();
    const reply = await clock.run(provider.fetch(CHAT_URL, chat("hi", 50, { stream: true })));
    await reply.body?.cancel();
    expect(provider.stats()).toMatchObject({ inFlight: 0, aborted: 1 });
    expect(clock.pendingTimers).toBe(0);
  });

  test("beforehand sends nothing", async () => {
    const { provider } = setUp();
    const signal = AbortSignal.abort(new Error("never"));
    await expect(provider.fetch(CHAT_URL, { ...chat("hi", 1), signal })).rejects.toThrow("never");
    expect(provider.log).toEqual([]);
  });
});

describe("the log", () => {
  test("tells what was sent and what became of it", async () => {
    const { provider, text } = setUp();
    await text(chat("hi", 3, { metadata: { priority: "high" } }));
    expect(provider.log).toEqual([
      {
        index: 0,
        at: 0,
        path: "/v1/chat/completions",
        model: "m",
        stream: false,
        priority: "high",
        status: 200,
        fault: undefined,
        admitted: true,
        charged: 2,
        promptTokens: 9,
        outputTokens: 3,
        aborted: false,
        endedAt: 120,
      },
    ]);
  });

  test("keeps the last entries only, while the sums go on", async () => {
    const { provider, text } = setUp({ logSize: 5, latency: false });
    for (let index = 0; index < 12; index++) await text(chat("hi", 2));
    expect(provider.log.map(({ index }) => index)).toEqual([7, 8, 9, 10, 11]);
    expect(provider.stats()).toMatchObject({
      requests: 12,
      admitted: 12,
      tokensServed: 12 * 11,
      byStatus: { 200: 12 },
    });
  });

  test("knows the busiest minute", async () => {
    const { provider, clock } = setUp({ latency: false });
    for (const wait of [0, 30_000, 29_999, 1, 59_999, 1]) {
      await clock.advance(wait);
      await provider.fetch(CHAT_URL, chat("hi", 1, { max_tokens: 10 }));
    }
    expect(provider.stats()).toMatchObject({ maxRequestsInAnyMinute: 3, maxTokensInAnyMinute: 30 });
  });
});

describe("requests that are wrong", () => {
  test.each([
    ["no JSON", "{", 400],
    ["no model", JSON.stringify({ messages: [{ role: "user", content: "x" }] }), 400],
    ["no messages", JSON.stringify({ model: "m", messages: [] }), 400],
    ["an unknown model", JSON.stringify({ model: "other", messages: [{ role: "user", content: "x" }] }), 404],
  ])("with %s are refused uncharged", async (_, body, status) => {
    const { provider } = setUp({ models: ["m"] });
    const reply = await provider.fetch(CHAT_URL, { method: "POST", body });
    expect(reply.status).toBe(status);
    expect(await reply.json()).toMatchObject({ error: { type: "invalid_request_error" } });
    expect(provider.stats().admitted).toBe(0);
  });

  test("for an unknown path are a 404", async () => {
    const { provider } = setUp();
    expect((await provider.fetch("http://provider.test/v1/nothing")).status).toBe(404);
  });
});

test.each<[string, object]>([
  ["provider.requestPerMinute", { requestPerMinute: 1 }],
  ["provider.requestsPerMinute", { requestsPerMinute: 0 }],
  ["provider.burst", { burst: "soon" }],
  ["provider.latency.median", { latency: { median: 3 } }],
  ["provider.concurrencyStatus", { concurrencyStatus: 500 }],
  ["provider.faults[1].kind", { faults: ["reset", "bad"] }],
  ["provider.faults[0].afterChunks", { faults: [{ kind: "cut", afterChunks: -1 }] }],
  ["provider.faults[0].factor", { faults: [{ kind: "cut", factor: 1 }] }],
  ["provider.faults[0].to", { faults: [{ from: "2s", to: "1s", fault: "reset" }] }],
])("a wrong option is named: %s", (option, options) => {
  const make = (): unknown => createProviderModel(options);
  expect(make).toThrow(OptionError);
  expect(make).toThrow(`"${option}"`);
});
