import OpenAI, {
  APIConnectionError,
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from "openai";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type FaultSpec, type SimulatedProvider, startSimulatedProvider } from "../../src/testing/index.ts";

let server: SimulatedProvider;
let openai: OpenAI;

beforeAll(async () => {
  server = await startSimulatedProvider({ latency: { firstToken: 5, perToken: 1 }, models: ["gpt-4o-mini"] });
  openai = new OpenAI({ baseURL: server.url, apiKey: "test", maxRetries: 0 });
});
afterEach(() => server.provider.clearFault());
afterAll(() => server.close());

const model = "gpt-4o-mini";
const messages = [{ role: "user" as const, content: "What is a breakwater?" }];
const metadata = { output_tokens: "12" };
const parameters = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" }, unit: { enum: ["C", "F"] } },
  required: ["city", "days", "unit"],
  additionalProperties: false,
};

describe("chat completions", () => {
  test("plain and streamed give one answer", async () => {
    const plain = await openai.chat.completions.create({ model, messages, metadata });
    const stream = await openai.chat.completions.create({
      model,
      messages,
      metadata,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let tokens: number | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      tokens = chunk.usage?.completion_tokens ?? tokens;
    }
    expect(text).toBe(plain.choices[0]?.message.content);
    expect(text).toBe(server.provider.answerTo("chat", { model, messages, metadata }));
    expect(tokens).toBe(12);
    expect(plain.usage?.completion_tokens).toBe(12);
  });

  test("the SDK's stream helper puts the message together", async () => {
    const message = await openai.chat.completions.stream({ model, messages, metadata }).finalMessage();
    expect(message.content).toBe(server.provider.answerTo("chat", { model, messages, metadata }));
  });

  test("a required tool is called, with arguments after its schema, streamed or not", async () => {
    const tools = [{ type: "function" as const, function: { name: "weather", parameters } }];
    const body = { model, messages, tools, tool_choice: "required" as const };
    const plain = await openai.chat.completions.create(body);
    const call = plain.choices[0]?.message.tool_calls?.[0];
    if (call?.type !== "function") throw new Error("no function call");
    expect(plain.choices[0]?.finish_reason).toBe("tool_calls");
    expect(call.function.name).toBe("weather");
    expect(JSON.parse(call.function.arguments)).toEqual({
      city: expect.any(String),
      days: expect.any(Number),
      unit: expect.stringMatching(/^[CF]$/),
    });
    const streamed = await openai.chat.completions.stream(body).finalMessage();
    expect(streamed.tool_calls?.[0]).toMatchObject({
      type: "function",
      function: { arguments: call.function.arguments },
    });
  });

  test("JSON mode and structured outputs give JSON", async () => {
    const loose = await openai.chat.completions.create({ model, messages, response_format: { type: "json_object" } });
    expect(JSON.parse(loose.choices[0]?.message.content ?? "")).toEqual({ answer: expect.any(String) });
    const strict = await openai.chat.completions.create({
      model,
      messages,
      response_format: { type: "json_schema", json_schema: { name: "plan", schema: parameters } },
    });
    expect(Object.keys(JSON.parse(strict.choices[0]?.message.content ?? ""))).toEqual(["city", "days", "unit"]);
  });
});

describe("responses", () => {
  const input = "What is a breakwater?";

  test("plain and streamed give one answer", async () => {
    const plain = await openai.responses.create({ model, input, metadata });
    expect(plain.status).toBe("completed");
    expect(plain.usage).toMatchObject({ output_tokens: 12 });
    const types: string[] = [];
    const numbers: number[] = [];
    let text = "";
    for await (const event of await openai.responses.create({ model, input, metadata, stream: true })) {
      if (types.at(-1) !== event.type) types.push(event.type);
      numbers.push(event.sequence_number);
      if (event.type === "response.output_text.delta") text += event.delta;
      if (event.type === "response.completed") expect(event.response.usage?.output_tokens).toBe(12);
    }
    expect(text).toBe(plain.output_text);
    expect(numbers).toEqual(numbers.map((_, index) => index));
    expect(types).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
  });

  test("the SDK's stream helper puts a function call together", async () => {
    const tools = [{ type: "function" as const, name: "weather", parameters, strict: true }];
    const body = { model, input, tools, tool_choice: "required" as const };
    const response = await openai.responses.stream(body).finalResponse();
    const item = response.output[0];
    if (item?.type !== "function_call") throw new Error("no function call");
    expect(Object.keys(JSON.parse(item.arguments))).toEqual(["city", "days", "unit"]);
  });

  test("structured outputs give JSON", async () => {
    const text = { format: { type: "json_schema" as const, name: "plan", schema: parameters } };
    const response = await openai.responses.create({ model, input, text });
    expect(Object.keys(JSON.parse(response.output_text))).toEqual(["city", "days", "unit"]);
  });

  test("an answer that is cut says why", async () => {
    server.provider.setFault("lengthFinish");
    const response = await openai.responses.create({ model, input, metadata });
    expect(response).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_output_tokens" } });
  });

  test("an error before the content comes as error and response.failed", async () => {
    server.provider.setFault("errorBeforeContent");
    const stream = await openai.responses.create({ model, input, stream: true });
    const types: string[] = [];
    const read = async (): Promise<void> => {
      for await (const event of stream) types.push(event.type);
    };
    await expect(read()).rejects.toThrow(APIError);
    expect(types).toEqual(["response.created", "response.in_progress"]);
  });
});

describe("embeddings", () => {
  test("are the same as floats and as base64, of unit length, and equal only for equal texts", async () => {
    const input = ["one", "two", "one"];
    const floats = await openai.embeddings.create({ model, input, dimensions: 64, encoding_format: "float" });
    const packed = await openai.embeddings.create({ model, input, dimensions: 64 });
    expect(packed.data).toEqual(floats.data);
    const [one, two, again] = floats.data.map(({ embedding }) => embedding);
    expect(one).toHaveLength(64);
    expect(one).toEqual(again);
    expect(one).not.toEqual(two);
    expect(Math.hypot(...(one ?? []))).toBeCloseTo(1);
    expect(floats.usage.prompt_tokens).toBe(3);
  });

  test("have 1,536 dimensions unless told otherwise", async () => {
    const { data } = await openai.embeddings.create({ model, input: "one" });
    expect(data[0]?.embedding).toHaveLength(1536);
  });
});

test("models can be listed and files sent", async () => {
  const ids: string[] = [];
  for await (const { id } of openai.models.list()) ids.push(id);
  expect(ids).toEqual([model]);
  const file = await openai.files.create({ file: new File(["hello"], "a.txt"), purpose: "user_data" });
  expect(file.object).toBe("file");
});

describe("errors", () => {
  const ask = (): Promise<unknown> => openai.chat.completions.create({ model, messages, metadata });

  test.each<[FaultSpec, new (...parts: never[]) => APIError, number | undefined]>([
    ["rateLimited", RateLimitError, 429],
    ["quotaExhausted", RateLimitError, 429],
    ["badCredential", AuthenticationError, 401],
    ["overloaded", InternalServerError, 503],
    [{ kind: "overloaded", status: 529 }, InternalServerError, 529],
    [{ kind: "status", status: 502 }, InternalServerError, 502],
    ["refused", APIConnectionError, undefined],
    ["reset", APIConnectionError, undefined],
  ])("%o is the SDK's own class", async (fault, type, status) => {
    server.provider.setFault(fault);
    const error = await ask().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(type);
    expect((error as APIError).status).toBe(status);
  });

  test("a wrong request and an unknown model are too", async () => {
    await expect(openai.chat.completions.create({ model, messages: [] })).rejects.toThrow(BadRequestError);
    await expect(openai.chat.completions.create({ model: "none", messages })).rejects.toThrow(NotFoundError);
  });

  test("an error in a stream is thrown while it is read", async () => {
    server.provider.setFault({ kind: "cutWithError", afterChunks: 2 });
    const stream = await openai.chat.completions.create({ model, messages, metadata, stream: true });
    let words = 0;
    const read = async (): Promise<void> => {
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content) words++;
    };
    await expect(read()).rejects.toThrow(APIError);
    expect(words).toBe(2);
  });

  test("an abort by the caller ends the generation", async () => {
    server.provider.setFault({ kind: "slowTokens", factor: 1000 });
    const controller = new AbortController();
    const stream = await openai.chat.completions.create(
      { model, messages, metadata, stream: true },
      { signal: controller.signal },
    );
    const read = async (): Promise<void> => {
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content) controller.abort();
    };
    await read().catch((error: unknown) => expect(error).toBeInstanceOf(APIUserAbortError));
    while (server.provider.stats().inFlight > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(server.provider.log.at(-1)?.aborted).toBe(true);
  });
});
