import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOptimizer, type OptimizerOptions, seededRandom, withOptimization } from "../../src/index.ts";
import { type SimulatedProvider, startSimulatedProvider } from "../../src/testing/index.ts";

const OFF: OptimizerOptions = {
  cache: false,
  coalesce: false,
  pool: false,
  retry: false,
  breaker: false,
  throttle: false,
  rateLimit: false,
  timeout: false,
  monitor: false,
  environment: {},
};

let simulated: SimulatedProvider;
let constantFetch: typeof fetch;

beforeAll(async () => {
  simulated = await startSimulatedProvider({ latency: false, obfuscation: true });
  constantFetch = recording();
});
afterAll(() => simulated.close());

/** The same request gets the same bytes, so that what differs between two clients is the clients' doing. */
function recording(): typeof fetch {
  const recorded = new Map<string, Promise<{ status: number; headers: [string, string][]; body: ArrayBuffer }>>();
  const record = async (url: string, init: RequestInit | undefined) => {
    const response = await fetch(url, init);
    return { status: response.status, headers: [...response.headers], body: await response.arrayBuffer() };
  };
  return async (input, init) => {
    const key = `${String(input)} ${String(init?.body)}`;
    if (!recorded.has(key)) recorded.set(key, record(String(input), init));
    const { status, headers, body } = await (recorded.get(key) as ReturnType<typeof record>);
    return new Response(body.slice(0), { status, headers });
  };
}

const client = (): OpenAI =>
  new OpenAI({ apiKey: "sk-one", baseURL: simulated.url, fetch: constantFetch, maxRetries: 0 });

type Request = { readonly kind: "chat" | "responses" | "embeddings"; readonly body: Record<string, unknown> };

const tool = {
  type: "function",
  function: {
    name: "weather",
    description: "Weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } } },
  },
};

/** Requests of every kind, as different as a seed makes them. */
function requests(count: number): Request[] {
  const random = seededRandom(42);
  const chance = (share: number): boolean => random() < share;
  return Array.from({ length: count }, (_, index): Request => {
    const prompt = `Request ${index}: ${"wörd ".repeat(1 + Math.floor(random() * 40))}🌊`;
    const stream = chance(0.5);
    const kind = random();
    if (kind < 0.15) {
      const input = chance(0.5) ? prompt : [prompt, "another"];
      return {
        kind: "embeddings",
        body: {
          model: "text-embedding-3-small",
          input,
          ...(chance(0.5) && { encoding_format: "float" }),
          dimensions: 16,
        },
      };
    }
    if (kind < 0.4) {
      return { kind: "responses", body: { model: "gpt-4o-mini", input: prompt, temperature: random(), stream } };
    }
    return {
      kind: "chat",
      body: {
        model: "gpt-4o-mini",
        messages: [
          { role: "system", content: "Be brief." },
          { role: "user", content: prompt },
        ],
        temperature: random(),
        ...(chance(0.3) && { tools: [tool], tool_choice: "required" }),
        ...(chance(0.2) && { response_format: { type: "json_object" } }),
        ...(chance(0.2) && { n: 2 }),
        ...(chance(0.2) && { user: `user-${index}`, seed: index }),
        stream,
        ...(stream && chance(0.5) && { stream_options: { include_usage: true } }),
      },
    };
  });
}

async function answer(openai: OpenAI, { kind, body }: Request): Promise<unknown> {
  const result = await (kind === "chat"
    ? openai.chat.completions.create(body as never)
    : kind === "responses"
      ? openai.responses.create(body as never)
      : openai.embeddings.create(body as never));
  if (typeof result !== "object" || result === null || !(Symbol.asyncIterator in result)) return result;
  const events: unknown[] = [];
  for await (const event of result as AsyncIterable<unknown>) events.push(event);
  return events;
}

describe("200 requests of every kind through a wrapped client", () => {
  const all = requests(200);

  it("cover plain and streamed, tools, JSON mode, embeddings and responses", () => {
    const has = (test: (request: Request) => boolean): number => all.filter(test).length;
    expect(has(({ kind }) => kind === "embeddings")).toBeGreaterThan(10);
    expect(has(({ kind, body }) => kind === "responses" && body["stream"] === true)).toBeGreaterThan(10);
    expect(has(({ kind, body }) => kind === "chat" && body["stream"] === true)).toBeGreaterThan(20);
    expect(has(({ body }) => body["tools"] !== undefined)).toBeGreaterThan(10);
    expect(has(({ body }) => body["response_format"] !== undefined)).toBeGreaterThan(10);
  });

  it.each([
    ["with every policy off", OFF],
    ["with every policy on", { environment: {} } satisfies OptimizerOptions],
  ])("are answered as by the bare one, event for event, %s", async (_name, options) => {
    const optimizer = createOptimizer(options);
    const wrapped = withOptimization(client(), optimizer);
    const bare = client();
    for (const request of all)
      expect(await answer(wrapped, request), JSON.stringify(request)).toEqual(await answer(bare, request));
    await optimizer.close();
  });

  it("are answered the same again from the cache, without the provider", async () => {
    let asked = 0;
    const counting: typeof fetch = (input, init) => {
      asked++;
      return constantFetch(input, init);
    };
    const optimizer = createOptimizer({ environment: {} });
    const bare = client();
    const wrapped = withOptimization(bare.withOptions({ fetch: counting }), optimizer);
    for (const request of all) await answer(wrapped, request);
    const cold = asked;
    for (const request of all) {
      expect(withoutPadding(await answer(wrapped, request)), JSON.stringify(request)).toEqual(
        withoutPadding(await answer(bare, request)),
      );
    }
    expect(cold).toBe(all.length);
    expect(asked - cold).toBe(0);
    await optimizer.close();
  });
});

// Random padding against eavesdroppers is no part of an answer.
function withoutPadding(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner) => (key === "obfuscation" ? undefined : inner)));
}
