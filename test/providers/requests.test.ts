import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCredential, readRequest } from "../../src/providers/openai/index.ts";

const body = { model: "m", messages: [{ role: "user", content: "Hello" }] };

const read = (url: string, request: unknown = body, method = "POST") =>
  readRequest(method, new URL(url), typeof request === "string" ? request : JSON.stringify(request));

describe("the endpoints that are read", () => {
  it.each([
    ["https://api.openai.com/v1/chat/completions", "chat", "openai"],
    ["https://eu.api.openai.com/v1/responses", "responses", "openai"],
    ["https://api.openai.com/v1/embeddings", "embeddings", "openai"],
    ["https://me.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", "chat", "azure.ai.openai"],
    ["https://me.openai.azure.com/openai/v1/responses", "responses", "azure.ai.openai"],
    ["https://me.services.ai.azure.com/models/chat/completions", "chat", "azure.ai.inference"],
    ["https://api.groq.com/openai/v1/chat/completions", "chat", "groq"],
    ["https://api.mistral.ai/v1/embeddings", "embeddings", "mistral_ai"],
    ["https://api.deepseek.com/chat/completions", "chat", "deepseek"],
    ["https://api.x.ai/v1/chat/completions", "chat", "x_ai"],
    ["https://generativelanguage.googleapis.com/v1beta/openai/chat/completions", "chat", "gcp.gemini"],
    ["https://us-east1-aiplatform.googleapis.com/v1/endpoints/openapi/chat/completions", "chat", "gcp.vertex_ai"],
    ["https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1/chat/completions", "chat", "aws.bedrock"],
    ["https://openrouter.ai/api/v1/chat/completions", "chat", "openrouter.ai"],
    ["http://localhost:11434/v1/chat/completions", "chat", "localhost:11434"],
    ["http://127.0.0.1:8000/v1/responses/", "responses", "127.0.0.1:8000"],
    ["https://notapi.openai.com.evil.example/v1/responses", "responses", "notapi.openai.com.evil.example"],
  ])("%s", (url, operation, provider) => {
    expect(read(url)).toMatchObject({ operation, provider, model: "m", stream: false });
  });

  it.each([
    ["GET", "https://api.openai.com/v1/responses", body],
    ["POST", "https://api.openai.com/v1/files", body],
    ["POST", "https://api.openai.com/v1/models", body],
    ["POST", "https://api.openai.com/v1/audio/speech", body],
    ["POST", "https://api.openai.com/v1/responses/resp_1/cancel", body],
    ["POST", "https://api.openai.com/v1/responses/compact", body],
    ["POST", "https://api.openai.com/v1/chat/completions/id", body],
    ["POST", "https://api.openai.com/v1/myresponses", body],
    ["POST", "https://api.openai.com/v1/responses", { input: "no model" }],
    ["POST", "https://api.openai.com/v1/responses", { model: 7 }],
    ["POST", "https://api.openai.com/v1/responses", [body]],
    ["POST", "https://api.openai.com/v1/responses", "{"],
    ["POST", "https://api.openai.com/v1/responses", "null"],
    ["POST", "https://api.openai.com/v1/responses", ""],
  ])("are not %s %s with %j", (method, url, request) => {
    expect(read(url, request, method)).toBeUndefined();
  });

  it("take the model of an Azure deployment from the path", () => {
    const reading = read("https://me.openai.azure.com/openai/deployments/gpt-prod/embeddings", { input: "x" });
    expect(reading).toMatchObject({ model: "gpt-prod", operation: "embeddings" });
  });

  it("never throw on arbitrary bodies and paths", () => {
    const paths = fc.constantFrom("/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/x");
    fc.assert(
      fc.property(fc.string(), paths, fc.oneof(fc.string(), fc.json()), (method, path, text) => {
        readRequest(method, new URL(path, "https://api.openai.com"), text);
        readRequest("POST", new URL(path, "https://api.openai.com"), `{"model":"m","input":${text}}`);
      }),
    );
    const deep = `{"model":"m","input":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    expect(read("https://api.openai.com/v1/responses", deep)?.inputChars).toBe(0);
  });
});

describe("the endpoint", () => {
  const endpoint = (url: string) => read(url)?.endpoint;

  it("is origin and path", () => {
    expect(endpoint("https://api.openai.com/v1/responses")).toBe("https://api.openai.com/v1/responses");
  });

  it("shows the version of an API and hides other parameters, of which it knows the order no more", () => {
    const base = "https://me.openai.azure.com/openai/deployments/d/chat/completions";
    expect(endpoint(`${base}?api-version=2024-10-21`)).toBe(`${base}?api-version=2024-10-21`);
    const secret = endpoint(`${base}?key=hush&api-version=1&zone=a`);
    expect(secret).not.toContain("hush");
    expect(endpoint(`${base}?zone=a&key=hush&api-version=1`)).toBe(secret);
    expect(endpoint(`${base}?zone=b&key=hush&api-version=1`)).not.toBe(secret);
  });
});

describe("what a request may cost", () => {
  const url = "https://api.openai.com/v1/chat/completions";

  it.each([
    [{ max_tokens: 10 }, 10],
    [{ max_completion_tokens: 20, max_tokens: 10 }, 20],
    [{ max_output_tokens: 30 }, 30],
    [{ max_tokens: 10, n: 3 }, 30],
    [{ max_tokens: "10" }, undefined],
    [{ max_tokens: -1, n: 0 }, undefined],
    [{}, undefined],
  ])("%j allows %s tokens", (fields, most) => {
    expect(read(url, { ...body, ...fields })?.maxOutputTokens).toBe(most);
  });

  it("counts text as it is long, tokens as four characters and an image as no more than 6,000", () => {
    const chars = (request: object) => read(url, { model: "m", ...request })?.inputChars ?? 0;
    expect(chars({ input: "x".repeat(1_000) })).toBe(1_000);
    expect(chars({ input: ["ab", "cd"] })).toBe(4);
    expect(chars({ input: [[1, 2, 3]] })).toBe(12);
    const image = { type: "image_url", image_url: { url: `data:image/png;base64,${"A".repeat(1_000_000)}` } };
    expect(chars({ messages: [{ role: "user", content: [image] }] })).toBeLessThan(6_100);
    const sound = { type: "input_audio", input_audio: { data: "A".repeat(1_000_000), format: "wav" } };
    expect(chars({ messages: [{ role: "user", content: [sound] }] })).toBeLessThan(6_100);
    expect(chars({ messages: [], tools: [{ type: "function", function: { name: "f" } }] })).toBeGreaterThan(10);
    expect(chars({ user: "x".repeat(100), metadata: { a: "b" } })).toBe(0);
  });
});

describe("the name of a credential", () => {
  const name = (headers: Record<string, string>) => readCredential(new Headers(headers));

  it("is one-way and the same for the same credential", () => {
    expect(name({ authorization: "Bearer sk-secret" })).toBe(name({ Authorization: "Bearer sk-secret" }));
    expect(name({ authorization: "Bearer sk-secret" })).not.toContain("secret");
  });

  it("differs by header, organisation and project", () => {
    const names = [
      {},
      { authorization: "k" },
      { "api-key": "k" },
      { "x-api-key": "k" },
      { "x-goog-api-key": "k" },
      { "ocp-apim-subscription-key": "k" },
      { authorization: "k", "openai-organization": "o" },
      { authorization: "k", "openai-project": "o" },
    ].map(name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("knows an account without one: a gateway may add the secret", () => {
    expect(name({ "openai-organization": "o" })).not.toBe(name({ "openai-organization": "p" }));
  });

  it("is anonymous without a credential", () => {
    expect(name({})).toBe("anonymous");
    expect(name({ authorization: "", "openai-organization": "" })).toBe("anonymous");
  });
});
