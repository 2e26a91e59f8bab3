import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type FaultSpec,
  type Fetch,
  type ProviderModel,
  type SimulatedProvider,
  simulatedFetch,
  startSimulatedProvider,
  VirtualClock,
} from "../../src/testing/index.ts";
import { CHAT_URL, chat, events, failureOf, STEADY } from "./bodies.ts";

/** One face of the provider: a way to call it with a fault, and to wait for what comes of it. */
interface Face {
  readonly name: string;
  open(): Promise<{
    readonly provider: ProviderModel;
    readonly fetch: Fetch;
    run<T>(promise: Promise<T>): Promise<T>;
    close(): Promise<void>;
  }>;
}

const VIRTUAL: Face = {
  name: "as a fetch function in virtual time",
  async open() {
    const clock = new VirtualClock();
    const fetch = simulatedFetch({ ...STEADY, clock });
    return { provider: fetch.provider, fetch, run: (promise) => clock.run(promise), close: async () => {} };
  },
};

const HTTP: Face = {
  name: "over HTTP",
  async open() {
    const server = await startSimulatedProvider({ latency: { firstToken: 5, perToken: 1 } });
    const fetch: Fetch = (_, init) => globalThis.fetch(`${server.url}/chat/completions`, init);
    return { provider: server.provider, fetch, run: (promise) => promise, close: () => server.close() };
  },
};

const plain = chat("hi", 8);
const streamed = chat("hi", 8, { stream: true });

describe.each([VIRTUAL, HTTP])("$name", (face) => {
  let opened: Awaited<ReturnType<Face["open"]>>;
  beforeAll(async () => {
    opened = await face.open();
  });
  afterAll(() => opened.close());

  const send = (fault: FaultSpec, init = plain): Promise<Response> => {
    opened.provider.setFault(fault);
    return opened.run(opened.fetch(CHAT_URL, init));
  };
  const text = async (fault: FaultSpec, init = plain): Promise<string> => {
    const reply = await send(fault, init);
    expect(reply.status).toBe(200);
    return opened.run(reply.text());
  };
  const errorOf = async (reply: Response): Promise<Record<string, unknown>> =>
    ((await opened.run(reply.json())) as { error: Record<string, unknown> }).error;
  const words = (stream: string): number => events(stream).filter((event) => wordOf(event) !== "").length;

  test("refused: fetch fails without a reply", async () => {
    const error = await failureOf(send("refused"));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toBe("fetch failed");
    expect(opened.provider.log.at(-1)).toMatchObject({ fault: "refused", status: undefined, admitted: false });
  });

  test("reset before the head: fetch fails, told as a reset", async () => {
    const error = await failureOf(send("reset"));
    expect(error.message).toBe("fetch failed");
    expect(error.cause?.code).toBe("ECONNRESET");
  });

  test("reset in a stream: the body fails after what was sent", async () => {
    const reply = await send({ kind: "reset", afterChunks: 2 }, streamed);
    expect(reply.status).toBe(200);
    const seen: string[] = [];
    const error = await failureOf(
      opened.run(
        (async () => {
          for await (const part of reply.body as ReadableStream<Uint8Array>) seen.push(new TextDecoder().decode(part));
        })(),
      ),
    );
    expect(error.message).toBe("terminated");
    expect(words(seen.join(""))).toBe(2);
  });

  test("reset in an answer that is not streamed: the body fails", async () => {
    const reply = await send({ kind: "reset", afterChunks: 2 });
    expect((await failureOf(opened.run(reply.text()))).message).toBe("terminated");
  });

  test("silent: nothing comes until the caller gives up, and then the provider knows", async () => {
    opened.provider.setFault("silent");
    const controller = new AbortController();
    const call = opened.fetch(CHAT_URL, { ...plain, signal: controller.signal });
    await until(() => opened.provider.log.at(-1)?.fault === "silent");
    controller.abort();
    expect((await failureOf(call)).name).toBe("AbortError");
    await until(() => opened.provider.log.at(-1)?.aborted === true);
  });

  test("silent after the head: the head comes, then nothing", async () => {
    const controller = new AbortController();
    const reply = await send({ kind: "silent", at: "body" }, { ...streamed, signal: controller.signal });
    expect(reply.headers.get("content-type")).toContain("text/event-stream");
    expect(opened.provider.stats().inFlight).toBe(1);
    const body = failureOf(reply.text());
    controller.abort();
    expect((await body).name).toBe("AbortError");
    await until(() => opened.provider.stats().inFlight === 0);
  });

  test("keepaliveOnly: comments, and never an event", async () => {
    const reply = await send({ kind: "keepaliveOnly", every: 5 }, streamed);
    const reader = (reply.body as ReadableStream<Uint8Array>).getReader();
    for (let index = 0; index < 3; index++) {
      const { value } = await opened.run(reader.read());
      expect(new TextDecoder().decode(value)).toMatch(/^(: keep-alive\n\n)+$/);
    }
    await reader.cancel();
    await until(() => opened.provider.stats().inFlight === 0);
  });

  test.each([
    ["seconds", "retry-after", "2"],
    ["milliseconds", "retry-after-ms", "1500"],
  ] as const)("rateLimited: a 429 that tells %s", async (hint, header, value) => {
    const reply = await send({ kind: "rateLimited", wait: 1500, hint });
    expect(reply.status).toBe(429);
    expect(reply.headers.get(header)).toBe(value);
    expect(await errorOf(reply)).toMatchObject({ code: "rate_limit_exceeded" });
  });

  test("rateLimited: a 429 that tells a date, never too early", async () => {
    const reply = await send({ kind: "rateLimited", wait: "1h", hint: "date" });
    expect(reply.headers.get("retry-after")).toMatch(/ GMT$/);
    const until = Date.parse(reply.headers.get("retry-after") ?? "");
    const now = face === VIRTUAL ? Date.UTC(2026, 0, 1) : Date.now();
    expect(until - now).toBeGreaterThan(3_590_000);
    expect(until - now).toBeLessThan(3_700_000);
  });

  test("rateLimited: a 429 that tells only in words, or nothing", async () => {
    const told = await send({ kind: "rateLimited", wait: 1500, hint: "text" });
    expect([...told.headers.keys()].filter((name) => name.startsWith("retry-after"))).toEqual([]);
    expect((await errorOf(told))["message"]).toContain("Please try again in 1.5s.");
    const untold = await send({ kind: "rateLimited", hint: "none" });
    expect((await errorOf(untold))["message"]).not.toContain("try again");
  });

  test.each<[FaultSpec, number, Record<string, unknown>]>([
    ["quotaExhausted", 429, { code: "insufficient_quota", type: "insufficient_quota" }],
    ["badCredential", 401, { code: "invalid_api_key" }],
    ["overloaded", 503, { message: "The engine is currently overloaded, please try again later" }],
    [{ kind: "overloaded", status: 529 }, 529, { type: "server_error" }],
    [{ kind: "status", status: 500 }, 500, { type: "server_error" }],
    [{ kind: "status", status: 503 }, 503, { type: "server_error" }],
    [{ kind: "status", status: 403 }, 403, { type: "invalid_request_error" }],
  ])("%o: status %i with an error body", async (fault, status, error) => {
    const reply = await send(fault);
    expect(reply.status).toBe(status);
    expect(await errorOf(reply)).toMatchObject(error);
    expect(opened.provider.log.at(-1)).toMatchObject({ admitted: false, charged: 0 });
  });

  test.each([502, 504])("status %i is a proxy's page", async (status) => {
    const reply = await send({ kind: "status", status });
    expect(reply.status).toBe(status);
    expect(reply.headers.get("content-type")).toContain("text/html");
    await opened.run(reply.text());
  });

  test("wrongContentType: a page with status 200", async () => {
    const reply = await send("wrongContentType");
    expect(reply.status).toBe(200);
    expect(reply.headers.get("content-type")).toContain("text/html");
    expect(await opened.run(reply.text())).toContain("<html>");
  });

  test("cut: a stream ends without finish and [DONE], an answer in the middle of its JSON", async () => {
    const stream = await text({ kind: "cut", afterChunks: 4 }, streamed);
    expect(words(stream)).toBe(4);
    expect(stream).not.toContain("[DONE]");
    expect(stream).not.toContain('"finish_reason":"');
    const whole = await text("cut");
    expect(() => JSON.parse(whole)).toThrow(SyntaxError);
  });

  test("cut after more chunks than there are: only the last events are missing", async () => {
    const stream = await text({ kind: "cut", afterChunks: 100 }, streamed);
    expect(words(stream)).toBe(8);
    expect(stream).not.toContain("[DONE]");
  });

  test("cutWithError: an error event ends the stream; an answer is an error with status 200", async () => {
    const stream = await text({ kind: "cutWithError", afterChunks: 1 }, streamed);
    expect(words(stream)).toBe(1);
    expect(events(stream).at(-1)).toMatchObject({ error: { type: "server_error" } });
    expect(stream).not.toContain("[DONE]");
    expect(JSON.parse(await text("cutWithError"))).toMatchObject({ error: { type: "server_error" } });
  });

  test("errorBeforeContent: the first event is an error", async () => {
    const stream = await text("errorBeforeContent", streamed);
    expect(events(stream)).toHaveLength(1);
    expect(events(stream)[0]).toHaveProperty("error");
    expect(JSON.parse(await text("errorBeforeContent"))).toHaveProperty("error");
  });

  test("malformedEvent: one line is no JSON, and the stream goes on", async () => {
    const stream = await text({ kind: "malformedEvent", afterChunks: 2 }, streamed);
    const lines = stream.split("\n").filter((line) => line.startsWith("data: {"));
    const broken = lines.filter((line) => !line.endsWith("}"));
    expect(broken).toHaveLength(1);
    expect(lines.indexOf(broken[0] as string)).toBe(1 + 2);
    expect(stream).toContain("[DONE]");
  });

  test("badJson: the JSON is cut", async () => {
    const whole = await text("badJson");
    expect(() => JSON.parse(whole)).toThrow(SyntaxError);
    const stream = await text("badJson", streamed);
    expect(() => events(stream)).toThrow(SyntaxError);
  });

  test.each([
    ["contentFilter", "content_filter"],
    ["lengthFinish", "length"],
  ] as const)("%s: half the answer, with that finish reason", async (fault, reason) => {
    const whole = JSON.parse(await text(fault)) as {
      choices: { finish_reason: string; message: { content: string } }[];
    };
    expect(whole.choices[0]?.finish_reason).toBe(reason);
    expect(whole.choices[0]?.message.content.split(" ")).toHaveLength(4);
    const stream = await text(fault, streamed);
    expect(words(stream)).toBe(4);
    expect(stream).toContain(`"finish_reason":"${reason}"`);
  });

  test("none: after clearFault all is well again", async () => {
    opened.provider.setFault("overloaded");
    opened.provider.clearFault();
    const reply = await opened.run(opened.fetch(CHAT_URL, plain));
    expect(reply.status).toBe(200);
    await opened.run(reply.text());
  });
});

describe("slow", () => {
  const timeOf = async (fault?: FaultSpec): Promise<number> => {
    const clock = new VirtualClock();
    const fetch = simulatedFetch({ ...STEADY, clock });
    if (fault !== undefined) fetch.provider.setFault(fault);
    await clock.run(fetch(CHAT_URL, chat("hi", 11)));
    return clock.now();
  };

  test("slowStart takes longer to the first token, slowTokens between tokens", async () => {
    expect(await timeOf()).toBeCloseTo(100 + 10 * 10);
    expect(await timeOf({ kind: "slowStart", factor: 3 })).toBeCloseTo(300 + 10 * 10);
    expect(await timeOf("slowTokens")).toBeCloseTo(100 + 10 * 100);
  });
});

describe("a script", () => {
  const statuses = async (faults: Parameters<typeof simulatedFetch>[0] & object, count: number): Promise<number[]> => {
    const clock = new VirtualClock();
    const fetch = simulatedFetch({ clock, latency: false, ...faults });
    const seen: number[] = [];
    for (let index = 0; index < count; index++) {
      seen.push((await fetch(CHAT_URL, chat("hi", 1))).status);
      await clock.advance(1000);
    }
    return seen;
  };

  test("as a list has a fault for each request, and none after its end", async () => {
    expect(await statuses({ faults: ["overloaded", undefined, { kind: "status", status: 500 }] }, 5)).toEqual([
      503, 200, 500, 200, 200,
    ]);
  });

  test("with windows plays them while they last, before the list", async () => {
    const faults = [undefined, { from: "2s", to: "4s", fault: "badCredential" }, "overloaded"] as const;
    expect(await statuses({ faults }, 6)).toEqual([200, 503, 401, 401, 200, 200]);
  });

  test("as a function sees the request", async () => {
    const clock = new VirtualClock();
    const seen: unknown[] = [];
    const fetch = simulatedFetch({
      clock,
      latency: false,
      faults: (request) => {
        seen.push(request);
        return request.model === "bad" ? "overloaded" : undefined;
      },
    });
    await clock.advance(5);
    const bad = await fetch(CHAT_URL, chat("hi", 1, { model: "bad" }));
    const good = await fetch(CHAT_URL, chat("hi", 1));
    expect([bad.status, good.status]).toEqual([503, 200]);
    expect(seen[0]).toMatchObject({
      index: 0,
      at: 5,
      model: "bad",
      path: "/v1/chat/completions",
      headers: { "content-type": "application/json" },
      body: chat("hi", 1, { model: "bad" }).body,
    });
  });

  test("has a chance that the seed decides", async () => {
    const faulty = async (seed: number): Promise<number[]> =>
      statuses({ seed, faults: ({ chance }) => (chance < 0.3 ? "overloaded" : undefined) }, 100);
    const first = await faulty(1);
    expect(await faulty(1)).toEqual(first);
    const share = first.filter((status) => status === 503).length / 100;
    expect(share).toBeGreaterThan(0.15);
    expect(share).toBeLessThan(0.45);
  });
});

describe("a server", () => {
  let server: SimulatedProvider;
  beforeAll(async () => {
    server = await startSimulatedProvider({ latency: false, faults: () => ({ kind: "status", status: 5 }) });
  });
  afterAll(() => server.close());

  test("answers a mistake in its fault script with a 500 that names it", async () => {
    const reply = await fetch(`${server.url}/chat/completions`, plain);
    expect(reply.status).toBe(500);
    expect(await reply.text()).toContain("provider.faults.status");
  });
});

function wordOf(event: Record<string, unknown>): string {
  return (event["choices"] as { delta: { content?: string } }[] | undefined)?.[0]?.delta.content ?? "";
}

/** Waits in real time; the test's own limit ends it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
