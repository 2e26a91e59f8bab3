import { describe, expect, it, vi } from "vitest";
import { createFetch } from "../../src/clients/index.ts";
import {
  type BreakwaterEvent,
  type Call,
  createRuntime,
  OptionError,
  type Policy,
  pipeline,
} from "../../src/core/index.ts";
import { completion } from "./support/answers.ts";
import { rejectionOf, retrying, wrappedClient } from "./support/clients.ts";
import { json, startServer } from "./support/server.ts";

const chat = { model: "gpt-test", messages: [{ role: "user" as const, content: "Grüße" }] };
const url = "https://api.openai.com/v1/chat/completions";

/** A line that shows the calls which pass it. */
function looking() {
  const calls: Call[] = [];
  const policy: Policy = {
    name: "look",
    ring: "call",
    handle: (call, next) => {
      calls.push(call);
      return next(call);
    },
  };
  return { policy, line: pipeline(policy), calls };
}

describe("the request", () => {
  const text = JSON.stringify(chat);
  const bytes = new TextEncoder().encode(text);
  const post = { method: "POST", headers: { "content-type": "application/json", authorization: "Bearer k" } };
  const forms: Record<string, (url: string) => Parameters<typeof fetch>> = {
    "a string": (to) => [to, { ...post, body: text }],
    "a URL object": (to) => [new URL(to), { ...post, body: text }],
    bytes: (to) => [to, { ...post, body: bytes }],
    "a view of a larger buffer": (to) => [to, { ...post, body: new Uint8Array([0, ...bytes, 0]).subarray(1, -1) }],
    "an ArrayBuffer": (to) => [to, { ...post, body: bytes.buffer }],
    "a Request": (to) => [new Request(to, { ...post, body: text })],
    "a Request with its body replaced": (to) => [new Request(to, { ...post, body: "{}" }), { body: text }],
    "a method in lower case": (to) => [to, { ...post, method: "post", body: text }],
  };

  for (const [name, form] of Object.entries(forms)) {
    it(`is read and sent with the same bytes on each attempt: ${name}`, async () => {
      await using server = await startServer((response, seen, nth) =>
        nth === 1 ? json({ error: {} }, 500)(response, seen, nth) : json(completion)(response, seen, nth),
      );
      const { policy, calls } = looking();
      const line = pipeline(policy, retrying(2));
      const response = await createFetch(line)(...form(`${server.url}/chat/completions`));
      expect(await response.json()).toEqual(completion);
      expect(calls).toHaveLength(1);
      expect(calls[0]).toMatchObject({ operation: "chat", model: "gpt-test", stream: false });
      expect(server.seen.map(({ body }) => body.toString())).toEqual([text, text]);
      for (const { headers } of server.seen) expect(headers.authorization).toBe("Bearer k");
    });
  }

  it("keeps credentials apart without holding them", async () => {
    const { line, calls } = looking();
    const host = async () => Response.json(completion);
    for (const key of ["sk-secret-1", "sk-secret-2", "sk-secret-1"]) {
      const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
      await createFetch(line, { fetch: host })(url, { method: "POST", headers, body: text });
    }
    const names = calls.map(({ credential }) => credential);
    expect(names[0]).toBe(names[2]);
    expect(names[0]).not.toBe(names[1]);
    expect(names.join()).not.toContain("secret");
  });

  const others: Record<string, Parameters<typeof fetch>> = {
    "a GET": ["https://api.openai.com/v1/models"],
    "another endpoint": [
      "https://api.openai.com/v1/moderations",
      { method: "POST", body: '{"model":"m","input":"x"}' },
    ],
    "a form": [url, { method: "POST", body: new FormData() }],
    "search parameters": [url, { method: "POST", body: new URLSearchParams({ a: "b" }) }],
    "text that is not JSON": [url, { method: "POST", body: "{" }],
    "bytes that are not text": [url, { method: "POST", body: new Uint8Array([0xff, 0xfe]) }],
    "no body": [url, { method: "POST" }],
    "a body that is streamed": [url, { method: "POST", body: new ReadableStream(), duplex: "half" }],
  };

  for (const [name, args] of Object.entries(others)) {
    it(`goes to the host untouched, outside the line: ${name}`, async () => {
      const { line, calls } = looking();
      const answer = new Response("as it is");
      let given: unknown[] = [];
      const host: typeof fetch = async (...got) => {
        given = got;
        return answer;
      };
      expect(await createFetch(line, { fetch: host })(...args)).toBe(answer);
      expect(given[0]).toBe(args[0]);
      expect(given[1]).toBe(args[1]);
      expect(calls).toHaveLength(0);
    });
  }

  it("leaves a Request that it does not read usable", async () => {
    const request = new Request("https://api.openai.com/v1/moderations", { ...post, body: text });
    let sent = "";
    const host: typeof fetch = async (input) => {
      sent = await (input as Request).text();
      return new Response();
    };
    await createFetch(pipeline(), { fetch: host })(request);
    expect(sent).toBe(text);
  });

  it("uses the global fetch of the moment", async () => {
    const original = globalThis.fetch;
    const optimized = createFetch(pipeline());
    try {
      globalThis.fetch = async () => Response.json(completion);
      expect((await optimized(url, { ...post, body: text })).status).toBe(200);
    } finally {
      globalThis.fetch = original;
    }
  });
});

describe("what the caller changes while a call waits", () => {
  const text = JSON.stringify(chat);
  const headers = { "content-type": "application/json", authorization: "Bearer mine" };
  const waiting: Policy = {
    name: "wait",
    ring: "call",
    handle: async (call, next) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return next(call);
    },
  };
  const sent: { body: string; authorization: string | null }[] = [];
  const host: typeof fetch = async (_input, init) => {
    const { authorization = null } = Object.fromEntries(new Headers(init?.headers));
    sent.push({ body: Buffer.from(init?.body as Uint8Array).toString(), authorization });
    return Response.json({ error: {} }, { status: 500 });
  };
  const optimized = createFetch(pipeline(waiting, retrying(2)), { fetch: host });

  const forms: Record<string, () => { headers: NonNullable<RequestInit["headers"]>; change?: (to: string) => void }> = {
    Headers: () => {
      const own = new Headers(headers);
      return { headers: own, change: (to) => own.set("authorization", to) };
    },
    "a plain object": () => {
      const own = { ...headers };
      return { headers: own, change: (to) => Object.assign(own, { authorization: to }) };
    },
    "an iterator, which can be read once": () => ({ headers: new Map(Object.entries(headers)).entries() as never }),
  };

  for (const [name, form] of Object.entries(forms)) {
    it(`does not reach the provider on any attempt: bytes, and headers as ${name}`, async () => {
      sent.length = 0;
      for (const body of [new TextEncoder().encode(text), Buffer.from(text)]) {
        const { headers: given, change } = form();
        const response = optimized(url, { method: "POST", headers: given, body });
        await new Promise((resolve) => setTimeout(resolve, 1));
        body.fill(0);
        change?.("Bearer other");
        await response;
      }
      expect(sent.length).toBeGreaterThan(2);
      for (const seen of sent) expect(seen).toEqual({ body: text, authorization: "Bearer mine" });
    });
  }

  it("does not take an iterator's headers from a request that passes through", async () => {
    sent.length = 0;
    await optimized("https://api.openai.com/v1/moderations", {
      method: "POST",
      headers: new Map(Object.entries(headers)).entries() as never,
      body: text,
    });
    expect(sent).toEqual([{ body: text, authorization: "Bearer mine" }]);
  });
});

describe("headers that may change the answer", () => {
  it("are in the key, by a one-way name; the SDK's own are not", async () => {
    const { line, calls } = looking();
    const optimized = createFetch(line, { fetch: async () => Response.json(completion) });
    for (const headers of [
      {},
      { "x-stainless-lang": "js", "user-agent": "a", accept: "b", traceparent: "c", "x-client-request-id": "d" },
      { "OpenAI-Beta": "assistants=v2" },
      { "x-portkey-config": "secret-route" },
    ]) {
      await optimized(url, { method: "POST", headers: headers as Record<string, string>, body: JSON.stringify(chat) });
    }
    const [bare, plain, beta, routed] = calls.map((call) => call.fingerprint()?.key);
    expect(plain).toBe(bare);
    expect(new Set([bare, beta, routed]).size).toBe(3);
    expect(calls[3]?.endpoint).not.toContain("secret-route");
  });
});

describe("a host that ignores its signal", () => {
  it("does not hold up a caller who has left, and its late answer is cancelled", async () => {
    const { promise, resolve: answer } = Promise.withResolvers<Response>();
    const host: typeof fetch = () => promise;
    const caller = new AbortController();
    const { line, calls } = looking();
    const init = { method: "POST", body: JSON.stringify(chat), signal: caller.signal };
    const rejection = rejectionOf(createFetch(line, { fetch: host })(url, init));
    await new Promise((resolve) => setTimeout(resolve, 1));
    caller.abort();
    expect(await rejection).toBe(caller.signal.reason);
    expect(calls[0]?.cancellation.listenerCount).toBe(0);
    const cancel = vi.fn();
    answer(new Response(new ReadableStream({ cancel })));
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(cancel).toHaveBeenCalledExactlyOnceWith(caller.signal.reason);
  });
});

describe("the response", () => {
  const post = { method: "POST", body: JSON.stringify(chat) };
  const through = (response: Response) => createFetch(pipeline(), { fetch: async () => response })(url, post);

  it("keeps status, headers, address and bytes", async () => {
    const headers = new Headers({ "content-type": "application/json", "x-ratelimit-limit-requests": "60" });
    headers.append("set-cookie", "a=1");
    headers.append("set-cookie", "b=2");
    const text = JSON.stringify(completion, null, 3);
    const original = new Response(text, { status: 200, statusText: "Very well", headers });
    Object.defineProperty(original, "url", { value: url });
    const response = await through(original);
    expect(response.statusText).toBe("Very well");
    expect([...response.headers]).toEqual([...headers]);
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(response.url).toBe(url);
    expect(await response.text()).toBe(text);
  });

  it("keeps bytes that are not UTF-8, and a byte order mark", async () => {
    for (const prefix of [[0xef, 0xbb, 0xbf], []]) {
      const text = Buffer.from(JSON.stringify({ ...completion, id: "caf_" }));
      const bytes = new Uint8Array([...prefix, ...text]);
      if (prefix.length === 0) bytes[bytes.indexOf("_".charCodeAt(0))] = 0xe9;
      const response = await through(new Response(bytes, { headers: { "content-type": "application/json" } }));
      expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
    }
  });

  it("keeps a failure's status, headers and body", async () => {
    const original = Response.json({ error: { message: "no" } }, { status: 418, headers: { "x-own": "1" } });
    const response = await through(original);
    expect([response.status, response.headers.get("x-own")]).toEqual([418, "1"]);
    expect(await response.json()).toEqual({ error: { message: "no" } });
  });

  it("rejects with what the host threw", async () => {
    const thrown = new TypeError("fetch failed", { cause: Object.assign(new Error("x"), { code: "ECONNREFUSED" }) });
    const optimized = createFetch(pipeline(), { fetch: () => Promise.reject(thrown) });
    expect(await rejectionOf(optimized(url, post))).toBe(thrown);
  });

  it("counts a whole body that is cut as a failure that another try can answer", async () => {
    await using server = await startServer((response, seen, nth) => {
      if (nth > 1) return json(completion)(response, seen, nth);
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      response.write("{");
      setTimeout(() => response.socket?.destroy(), 10);
    });
    const answer = await wrappedClient(server, pipeline(retrying(2))).chat.completions.create(chat);
    expect(answer).toMatchObject({ id: completion.id });
  });
});

describe("two owners of retry", () => {
  it("are told once", async () => {
    const runtime = createRuntime();
    const told: BreakwaterEvent[] = [];
    runtime.events.on("retry.stacked", (event) => told.push(event));
    const policy: Policy = { name: "none", ring: "call", runtime, handle: (call, next) => next(call) };
    await using server = await startServer((response, seen, nth) =>
      nth % 3 === 0
        ? json(completion)(response, seen, nth)
        : json({}, 500, { "retry-after-ms": "1" })(response, seen, nth),
    );
    const client = wrappedClient(server, pipeline(policy));
    for (let call = 0; call < 2; call++) await client.chat.completions.create(chat, { maxRetries: 2 });
    expect(told).toMatchObject([{ type: "retry.stacked", retryCount: 1, model: "gpt-test" }]);
  });
});

describe("options", () => {
  it("are checked", () => {
    expect(() => createFetch(pipeline(), { fetch: 1 as never })).toThrow(OptionError);
    expect(() => createFetch(pipeline(), { fetsh: fetch } as never)).toThrow(OptionError);
  });
});
