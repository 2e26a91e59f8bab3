import OpenAI, { AzureOpenAI } from "openai";
import { describe, expect, it } from "vitest";
import { wrapClient } from "../../src/clients/index.ts";
import { pipeline } from "../../src/core/index.ts";
import { completion } from "./support/answers.ts";
import { json, startServer } from "./support/server.ts";

const chat = { model: "gpt-test", messages: [{ role: "user" as const, content: "Hello" }] };

describe("wrapClient", () => {
  it("gives a client of the same class and type, and leaves the given one as it is", () => {
    class Mine extends OpenAI {
      greeting = "hello";
    }
    const client = new Mine({ apiKey: "k", organization: "org", defaultHeaders: { "x-own": "1" }, timeout: 5_000 });
    const { fetch } = client as unknown as { fetch: unknown };
    const wrapped: Mine = wrapClient(client, pipeline());
    expect(wrapped).toBeInstanceOf(Mine);
    expect(wrapped).not.toBe(client);
    expect(wrapped).toMatchObject({
      apiKey: "k",
      organization: "org",
      timeout: 5_000,
      maxRetries: 0,
      greeting: "hello",
    });
    expect((client as unknown as { fetch: unknown }).fetch).toBe(fetch);
    expect(client.maxRetries).toBe(2);
  });

  it("asks through the fetch that the client was given", async () => {
    const seen: unknown[] = [];
    const fetch = async (url: unknown) => {
      seen.push(url);
      return Response.json(completion);
    };
    const wrapped = wrapClient(new OpenAI({ apiKey: "k", fetch, baseURL: "https://llm.test/v1" }), pipeline());
    expect(await wrapped.chat.completions.create(chat)).toMatchObject({ id: completion.id });
    expect(seen).toEqual(["https://llm.test/v1/chat/completions"]);
  });

  it("uses the key that was set after the client was made, and a function for it as a function", async () => {
    const keys: (string | null)[] = [];
    const fetch: typeof globalThis.fetch = async (_input, init) => {
      keys.push(new Headers(init?.headers).get("authorization"));
      return Response.json(completion);
    };
    const client = new OpenAI({ apiKey: "old", fetch });
    client.apiKey = "new";
    await wrapClient(client, pipeline()).chat.completions.create(chat);
    let turn = 0;
    const renewing = new OpenAI({ apiKey: async () => `k${++turn}`, fetch });
    await renewing.chat.completions.create(chat);
    const wrapped = wrapClient(renewing, pipeline());
    await wrapped.chat.completions.create(chat);
    await wrapped.chat.completions.create(chat);
    expect(keys).toEqual(["Bearer new", "Bearer k1", "Bearer k2", "Bearer k3"]);
  });

  it("keeps an Azure client's version, deployment and key", async () => {
    await using server = await startServer(json(completion));
    const azure = new AzureOpenAI({
      apiKey: "azure-key",
      apiVersion: "2026-01-01",
      deployment: "my-gpt",
      endpoint: server.url.replace("/v1", ""),
      maxRetries: 0,
    });
    const wrapped: AzureOpenAI = wrapClient(azure, pipeline());
    expect(wrapped).toBeInstanceOf(AzureOpenAI);
    const answers = [await azure.chat.completions.create(chat), await wrapped.chat.completions.create(chat)];
    expect(answers[1]).toEqual(answers[0]);
    const [bare, own] = server.seen;
    expect(own?.path).toBe("/openai/deployments/my-gpt/chat/completions?api-version=2026-01-01");
    expect(own?.path).toBe(bare?.path);
    expect(own?.rawHeaders).toEqual(bare?.rawHeaders);
  });

  it("keeps an Azure client's token provider", async () => {
    await using server = await startServer(json(completion));
    const azure = new AzureOpenAI({
      azureADTokenProvider: async () => "token-1",
      apiVersion: "2026-01-01",
      endpoint: server.url.replace("/v1", ""),
    });
    await wrapClient(azure, pipeline()).chat.completions.create(chat);
    expect(server.seen[0]?.headers.authorization).toBe("Bearer token-1");
  });

  it("refuses a client that has a line already, also after withOptions", () => {
    const wrapped = wrapClient(new OpenAI({ apiKey: "k" }), pipeline());
    expect(() => wrapClient(wrapped, pipeline())).toThrow(/optimized already/);
    expect(() => wrapClient(wrapped.withOptions({ timeout: 1_000 }), pipeline())).toThrow(TypeError);
  });

  it("keeps the line through withOptions", async () => {
    let passed = 0;
    const line = pipeline({
      name: "count",
      ring: "call",
      handle: (call, next) => {
        passed++;
        return next(call);
      },
    });
    await using server = await startServer(json(completion));
    const client = wrapClient(new OpenAI({ apiKey: "k", baseURL: server.url }), line);
    await client.withOptions({ timeout: 1_000 }).chat.completions.create(chat);
    expect(passed).toBe(1);
  });

  it("says what it takes when it is given something else", () => {
    const messagesOnly = { baseURL: "x", fetch, withOptions: () => ({}), messages: {} };
    for (const other of [{}, null, "client", () => {}, messagesOnly]) {
      expect(() => wrapClient(other as object, pipeline())).toThrow(
        /OpenAI, AzureOpenAI.*optimizer\.fetch.*optimizer\.call/,
      );
    }
  });
});
