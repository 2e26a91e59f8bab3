import OpenAI, { AzureOpenAI } from "openai";
import { describe, expect, it } from "vitest";
import { callThrough, createFetch, explainOf, targetOf, wrapClient } from "../../src/clients/index.ts";
import { type Line, OptionError, pipeline, type Target } from "../../src/core/index.ts";
import { memory } from "../../src/index.ts";
import { cache } from "../../src/policies/cache/index.ts";
import { fallback } from "../../src/policies/fallback/index.ts";

interface Seen {
  readonly url: string;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
  readonly text: string;
}

/** A provider that notes what it is sent, and answers or fails. */
function providerOf(name: string, status = 200) {
  const seen: Seen[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const text = String(init?.body);
    seen.push({ url: String(input), headers: new Headers(init?.headers), body: JSON.parse(text), text });
    if (status !== 200) return Response.json({ error: { message: "down", type: "server_error" } }, { status });
    const { model, stream } = JSON.parse(text) as { readonly model: string; readonly stream?: boolean };
    return stream === true ? streamed(name, model) : Response.json(completion(name, model));
  };
  return { seen, fetch };
}

function completion(content: string, model: string) {
  return {
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1,
    model: `${model}-2026-01-01`,
    choices: [
      { index: 0, message: { role: "assistant", content, refusal: null }, finish_reason: "stop", logprobs: null },
    ],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  };
}

function streamed(content: string, model: string): Response {
  const chunk = (delta: object, finish_reason: string | null) =>
    `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model, choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
  const body = `${chunk({ role: "assistant", content: "" }, null)}${chunk({ content }, null)}${chunk({}, "stop")}data: [DONE]\n\n`;
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

function clientOf(name: string, fetch: typeof globalThis.fetch, options: object = {}): OpenAI {
  return new OpenAI({ apiKey: `sk-${name}`, baseURL: `https://${name}.example/v1`, fetch, maxRetries: 0, ...options });
}

function lineTo(...targets: readonly Target[]): Line {
  return pipeline(fallback({ targets }));
}

const messages = [{ role: "user" as const, content: "hello" }];

describe("another model of the same client", () => {
  it("is asked with the caller's own request, headers and credential", async () => {
    const { seen, fetch } = providerOf("own", 500);
    const client = wrapClient(clientOf("own", fetch), lineTo(targetOf({ model: "small" })));
    await expect(
      client.chat.completions.create({ model: "big", messages, seed: 7 }, { headers: { "x-own": "1" } }),
    ).rejects.toThrow(OpenAI.InternalServerError);
    expect(seen.map(({ body }) => body)).toEqual([
      { model: "big", messages, seed: 7 },
      { model: "small", messages, seed: 7 },
    ]);
    for (const { url, headers } of seen) {
      expect(url).toBe("https://own.example/v1/chat/completions");
      expect(headers.get("authorization")).toBe("Bearer sk-own");
      expect(headers.get("x-own")).toBe("1");
    }
  });

  it("is another deployment at Azure, by its path", async () => {
    const { seen, fetch } = providerOf("azure", 500);
    const azure = new AzureOpenAI({
      apiKey: "k",
      endpoint: "https://a.example",
      apiVersion: "2024-10-21",
      fetch,
      maxRetries: 0,
    });
    const client = wrapClient(azure, lineTo(targetOf({ model: "gpt-eu" })));
    await expect(client.chat.completions.create({ model: "gpt-us", messages })).rejects.toThrow();
    expect(seen.map(({ url }) => new URL(url).pathname)).toEqual([
      "/openai/deployments/gpt-us/chat/completions",
      "/openai/deployments/gpt-eu/chat/completions",
    ]);
    expect(seen[1]?.headers.get("api-key")).toBe("k");
  });

  it("is never asked for an embedding, whose vectors do not compare", async () => {
    const { seen, fetch } = providerOf("own", 500);
    const client = wrapClient(clientOf("own", fetch), lineTo(targetOf({ model: "other" })));
    await expect(client.embeddings.create({ model: "m", input: "hello" })).rejects.toThrow();
    expect(seen).toHaveLength(1);
  });

  it("is not asked when a header says what the body is", async () => {
    const { seen, fetch } = providerOf("own", 500);
    const send = createFetch(lineTo(targetOf({ model: "small" })), { fetch });
    const headers = { "content-digest": "sha-256=:abc:" };
    await send("https://own.example/v1/chat/completions", {
      method: "POST",
      headers,
      body: JSON.stringify({ model: "big", messages }),
    });
    expect(seen).toHaveLength(1);
  });
});

describe("another client", () => {
  it("is asked as if it had been called itself, and told nothing of the first one's secrets", async () => {
    const own = providerOf("own", 500);
    const other = providerOf("other");
    const there = clientOf("other", other.fetch, { organization: "org-2", defaultHeaders: { "x-team": "b" } });
    const line = lineTo(targetOf({ client: there, model: "small" }));
    const client = wrapClient(clientOf("own", own.fetch, { defaultHeaders: { "x-secret": "of own" } }), line);
    const { data, response } = await client.chat.completions.create({ model: "big", messages, seed: 7 }).withResponse();
    expect(data.choices[0]?.message.content).toBe("other");
    expect(data.model).toBe("small-2026-01-01");
    const [seen] = other.seen;
    expect(seen?.url).toBe("https://other.example/v1/chat/completions");
    expect(seen?.body).toEqual({ model: "small", messages, seed: 7 });
    expect(seen?.headers.get("authorization")).toBe("Bearer sk-other");
    expect(seen?.headers.get("openai-organization")).toBe("org-2");
    expect(seen?.headers.get("x-team")).toBe("b");
    expect(JSON.stringify([...(seen?.headers ?? [])])).not.toMatch(/sk-own|of own/);
    expect(explainOf(response)?.steps.map(({ what }) => what)).toEqual(["moved"]);
  });

  it("has the limits, circuits and answers that its own calls have", async () => {
    const other = providerOf("other");
    const there = clientOf("other", other.fetch);
    const targets: string[] = [];
    const noting = pipeline(fallback({ targets: [targetOf({ client: there })] }), {
      name: "noting",
      ring: "attempt",
      handle(call, next) {
        targets.push(call.target);
        return next(call);
      },
    });
    await wrapClient(clientOf("own", providerOf("own", 500).fetch), noting).chat.completions.create({
      model: "m",
      messages,
    });
    await wrapClient(there, noting).chat.completions.create({ model: "m", messages });
    expect(targets).toHaveLength(3);
    expect(targets[1]).toBe(targets[2]);
    expect(targets[0]).not.toBe(targets[1]);
  });

  it("takes streams, and keys that a function gives", async () => {
    const other = providerOf("other");
    let keys = 0;
    const there = clientOf("other", other.fetch, { apiKey: async () => `sk-${++keys}` });
    const client = wrapClient(clientOf("own", providerOf("own", 503).fetch), lineTo(targetOf({ client: there })));
    let text = "";
    for await (const chunk of await client.chat.completions.create({ model: "m", messages, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? "";
    }
    expect(text).toBe("other");
    expect(other.seen[0]?.headers.get("authorization")).toBe("Bearer sk-1");
  });

  it("at Azure is asked at the deployment that stands for the model", async () => {
    const other = providerOf("azure");
    const azure = new AzureOpenAI({
      apiKey: "k",
      endpoint: "https://a.example",
      apiVersion: "2024-10-21",
      fetch: other.fetch,
    });
    const line = lineTo(targetOf({ client: azure, model: "gpt-eu" }));
    await wrapClient(clientOf("own", providerOf("own", 500).fetch), line).chat.completions.create({
      model: "m",
      messages,
    });
    expect(other.seen[0]?.url).toBe(
      "https://a.example/openai/deployments/gpt-eu/chat/completions?api-version=2024-10-21",
    );
    expect(other.seen[0]?.headers.get("api-key")).toBe("k");
  });

  it.each([
    ["an earlier response", { input: "go on", previous_response_id: "resp_1" }],
    ["a conversation", { input: "go on", conversation: "conv_1" }],
    ["a stored prompt", { prompt: { id: "pmpt_1", version: "1" } }],
    ["a file", { input: [{ role: "user", content: [{ type: "input_file", file_id: "file-1" }] }] }],
    ["a vector store", { input: "find it", tools: [{ type: "file_search", vector_store_ids: ["vs_1"] }] }],
  ])("is not asked for what refers to %s of another account", async (_what, request) => {
    const other = providerOf("other");
    const send = createFetch(lineTo(targetOf({ client: clientOf("other", other.fetch) })), {
      fetch: providerOf("own", 500).fetch,
    });
    const body = JSON.stringify({ model: "m", ...request });
    const response = await send("https://own.example/v1/responses", { method: "POST", body });
    expect(response.status).toBe(500);
    expect(other.seen).toHaveLength(0);
  });

  it("is passed over when it cannot have its key", async () => {
    const there = clientOf("other", providerOf("other").fetch, {
      apiKey: () => Promise.reject(new Error("no key today")),
    });
    const send = createFetch(lineTo(targetOf({ client: there })), { fetch: providerOf("own", 500).fetch });
    const response = await send("https://own.example/v1/chat/completions", {
      method: "POST",
      body: JSON.stringify({ model: "m", messages }),
    });
    expect(response.status).toBe(500);
    expect(explainOf(response)?.steps).toMatchObject([{ what: "passed over" }]);
  });
});

describe("the cache", () => {
  const cached = (target: Target): Line =>
    pipeline(cache({ tiers: [memory()], when: "always" }), fallback({ targets: [target] }));

  it.each([false, true])(
    "never keeps the answer of another model as that of the first (stream: %s)",
    async (stream) => {
      let status = 500;
      const seen: number[] = [];
      const own: typeof fetch = async (_input, init) => {
        seen.push(status);
        return providerOf("own", status).fetch("https://own.example", init);
      };
      const other = providerOf("other");
      const line = cached(targetOf({ client: clientOf("other", other.fetch), model: "small" }));
      const send = createFetch(line, { fetch: own });
      const body = JSON.stringify({ model: "big", messages, temperature: 0, stream });
      const ask = async () => (await send("https://own.example/v1/chat/completions", { method: "POST", body })).text();
      expect(await ask()).toContain("other");
      status = 200;
      expect(await ask()).toContain("own");
      expect(await ask()).toContain("own");
      expect(seen).toEqual([500, 200]);
    },
  );

  it.each([false, true])("keeps the answer of the same model elsewhere (stream: %s)", async (stream) => {
    const other = providerOf("other");
    const target = targetOf({ client: clientOf("other", other.fetch), model: "big-eu", sameModel: true });
    const send = createFetch(cached(target), { fetch: providerOf("own", 500).fetch });
    const body = JSON.stringify({ model: "big", messages, temperature: 0, stream });
    for (let n = 0; n < 2; n++) {
      const response = await send("https://own.example/v1/chat/completions", { method: "POST", body });
      expect(await response.text()).toContain("other");
    }
    expect(other.seen).toHaveLength(1);
  });

  it("never keeps what a function said for another model", async () => {
    const line = cached(targetOf({ model: "small" }));
    let dead = true;
    const ask = () =>
      callThrough(line, { model: "big", input: "hello", temperature: 0 }, async ({ model }) => {
        if (dead && model === "big") throw Object.assign(new Error("down"), { status: 500 });
        return `from ${model}`;
      });
    expect(await ask()).toBe("from small");
    dead = false;
    expect(await ask()).toBe("from big");
    dead = true;
    expect(await ask()).toBe("from big");
  });
});

describe("a call of a function", () => {
  const down = (): never => {
    throw Object.assign(new Error("down"), { status: 503 });
  };

  it("is told which model and target are asked", async () => {
    const asked: unknown[] = [];
    const line = lineTo(targetOf({ model: "small", provider: "elsewhere", credential: "k2", name: "spare" }));
    const result = await callThrough(line, { model: "big", input: "hello" }, async ({ model, target, attempt }) => {
      asked.push([model, target, attempt]);
      return target === undefined ? down() : "well";
    });
    expect(result).toBe("well");
    expect(asked).toEqual([
      ["big", undefined, 1],
      ["small", "spare", 1],
    ]);
  });

  it("can be answered by another function", async () => {
    const line = lineTo(targetOf({ fn: async ({ model }) => `other function, ${model}`, model: "small" }));
    expect(await callThrough(line, { model: "big", input: "hello" }, down)).toBe("other function, small");
  });

  it("does not go to a client", async () => {
    const other = providerOf("other");
    const line = lineTo(targetOf({ client: clientOf("other", other.fetch) }));
    await expect(callThrough(line, { model: "big", input: "hello" }, down)).rejects.toThrow("down");
    expect(other.seen).toHaveLength(0);
  });
});

describe("targetOf", () => {
  it.each([
    [{}, "target"],
    [{ modle: "m" }, "target.modle"],
    [{ model: "" }, "target.model"],
    [{ model: "m", credential: "" }, "target.credential"],
    [{ client: clientOf("a", fetch), fn: () => 1 }, "target.client"],
    [{ model: "m", sameModel: "yes" }, "target.sameModel"],
  ])("names a wrong option: %j", (options, option) => {
    const make = (): unknown => targetOf(options as Parameters<typeof targetOf>[0]);
    expect(make).toThrow(OptionError);
    expect(make).toThrow(`"${option}"`);
  });

  it("takes no client that is optimized already, nor an object of another kind", () => {
    const optimized = wrapClient(clientOf("a", fetch), lineTo(targetOf({ model: "m" })));
    expect(() => targetOf({ client: optimized })).toThrow(/optimized already/);
    expect(() => targetOf({ client: new Map() })).toThrow(TypeError);
  });

  it("names itself by where it leads", () => {
    expect(targetOf({ model: "m" }).name).toBe("m");
    expect(targetOf({ client: clientOf("a", fetch) }).name).toBe("a.example");
    expect(targetOf({ client: clientOf("a", fetch), model: "m" }).name).toBe("a.example/m");
    expect(targetOf({ provider: "p", model: "m" }).name).toBe("p/m");
  });
});
