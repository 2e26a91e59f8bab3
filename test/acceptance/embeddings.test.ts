import OpenAI from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createOptimizer, type Optimizer, withOptimization } from "../../src/index.ts";
import { type FaultSpec, type SimulatedProvider, startSimulatedProvider } from "../../src/testing/index.ts";

let simulated: SimulatedProvider;
let optimizer: Optimizer;
let openai: OpenAI;
let bare: OpenAI;
let fault: FaultSpec | undefined;
let sent: { input: unknown; encoding_format?: string }[];

beforeEach(async () => {
  sent = [];
  fault = undefined;
  const latency = { firstToken: 1, perToken: 0 };
  simulated = await startSimulatedProvider({ latency, embeddingDimensions: 8, faults: () => fault });
  const record: typeof fetch = (input, init) => {
    sent.push(JSON.parse(String(init?.body)));
    return fetch(input, init);
  };
  bare = new OpenAI({ apiKey: "sk-one", baseURL: simulated.url, maxRetries: 0 });
  optimizer = createOptimizer({ environment: {} });
  openai = withOptimization(new OpenAI({ apiKey: "sk-one", baseURL: simulated.url, fetch: record }), optimizer);
});

afterEach(async () => {
  await optimizer.close();
  await simulated.close();
});

const model = "text-embedding-3-small";
const embed = (input: OpenAI.EmbeddingCreateParams["input"], more: object = {}, client = openai) =>
  client.embeddings.create({ model, input, ...more });
const inputsSent = () => sent.map(({ input }) => input);

describe("a batch of inputs", () => {
  it("sends only those that are missing, in order and in one request", async () => {
    await embed(["a", "c"]);
    const answer = await embed(["a", "b", "c", "d"]);
    expect(inputsSent()).toEqual([
      ["a", "c"],
      ["b", "d"],
    ]);
    const { usage: _, ...expected } = await embed(["a", "b", "c", "d"], {}, bare);
    expect(answer).toMatchObject(expected);
  });

  it("is the provider's own answer, byte for byte, when nothing was known", async () => {
    const body = JSON.stringify({ model, input: ["x", "y"], encoding_format: "float" });
    const init = { method: "POST", headers: { "content-type": "application/json" }, body };
    const [ours, theirs] = await Promise.all([
      optimizer.fetch(`${simulated.url}/embeddings`, init).then((response) => response.text()),
      fetch(`${simulated.url}/embeddings`, init).then((response) => response.text()),
    ]);
    expect(ours).toBe(theirs);
  });

  it("sends an input that stands there more than once only once", async () => {
    const answer = await embed(["a", "b", "a", "a"]);
    expect(inputsSent()).toEqual([["a", "b"]]);
    expect(answer.data.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(answer.data[2]?.embedding).toEqual(answer.data[0]?.embedding);
    expect(answer.usage).toEqual((await embed(["a", "b", "a", "a"], {}, bare)).usage);
  });

  it("shares its entries with inputs that are asked alone", async () => {
    await embed("a");
    await embed(["b"]);
    await embed(["a", "b"]);
    await embed(["a"]);
    await embed("b");
    expect(inputsSent()).toEqual(["a", ["b"]]);
  });

  it("may be tokens, in one list or in several", async () => {
    await embed([1, 2, 3]);
    const answer = await embed([[1, 2, 3], [4], [4]]);
    expect(inputsSent()).toEqual([[1, 2, 3], [[4]]]);
    expect(answer).toMatchObject({ data: (await embed([[1, 2, 3], [4], [4]], {}, bare)).data });
    await embed("1 2 3");
    expect(sent).toHaveLength(3);
  });

  it("keeps models and dimensions apart, and does not care who the end user is", async () => {
    await embed(["a", "b"]);
    await embed(["a", "b"], { user: "u" });
    expect(sent).toHaveLength(1);
    await embed(["a", "b"], { dimensions: 4 });
    await embed(["a", "b"], { model: "text-embedding-3-large" });
    expect(sent).toHaveLength(3);
  });
});

describe("the two formats", () => {
  const text = async (input: unknown, encoding_format: string, send = optimizer.fetch) => {
    const body = JSON.stringify({ model, input, encoding_format });
    const init = { method: "POST", headers: { "content-type": "application/json" }, body };
    return (await send(`${simulated.url}/embeddings`, init)).json() as Promise<{ data: { embedding: unknown }[] }>;
  };

  it.each([
    ["float", "base64", "a"],
    ["float", "base64", ["a", "b"]],
    ["base64", "float", "a"],
    ["base64", "float", ["a", "b"]],
  ])("%s kept is %s as the provider gives it: %j", async (asked, wanted, input) => {
    await text(input, asked);
    const answer = await text(input, wanted);
    expect(answer.data).toEqual((await text(input, wanted, fetch)).data);
    expect(optimizer.stats().cacheHits["memory"]).toBe(Array.isArray(input) ? 2 : 1);
  });

  it("are the same numbers to the SDK, which asks for base64 and decodes it", async () => {
    const [first] = (await embed("a", { encoding_format: "float" })).data;
    const [second] = (await embed("a")).data;
    expect(second?.embedding).toEqual(first?.embedding);
    expect(second?.embedding).toHaveLength(8);
  });
});

describe("usage", () => {
  it("says what the inputs cost once, and the ledger only what was sent", async () => {
    const spent: number[] = [];
    optimizer.on("attempt.completed", ({ usage }) => spent.push(usage?.inputTokens ?? 0));
    const words = ["one", "two words", "three more words", "and four more words"];
    const [a, b, c, d] = words as [string, string, string, string];
    const whole = await embed(words, {}, bare);
    await embed([a, c]);
    const mixed = await embed([a, b, c, d]);
    const hit = await embed([d, c, b, a]);
    expect(mixed.usage).toEqual(whole.usage);
    expect(hit.usage).toEqual(whole.usage);
    expect(spent.reduce((sum, tokens) => sum + tokens, 0)).toBe(whole.usage.prompt_tokens);
    expect(spent).toHaveLength(2);
  });

  it("lets limits see only what is sent", async () => {
    const reserved = () => optimizer.ledger()["tokens"]?.reserved ?? 0;
    const long = "a".repeat(40_000);
    await embed([long, "b"]);
    const before = reserved();
    await embed([long, "b", "c"]);
    expect(reserved() - before).toBeLessThan(1000);
  });
});

describe("what goes wrong", () => {
  it("fails the call when what is missing fails, and keeps what was known", async () => {
    await embed(["a"]);
    fault = { kind: "status", status: 400 };
    await expect(embed(["a", "b", "c"])).rejects.toMatchObject({ status: 400 });
    fault = undefined;
    await embed(["a"]);
    await embed(["b", "a"]);
    expect(inputsSent()).toEqual([["a"], ["b", "c"], ["b"]]);
  });

  it("does not say of each input that it is wrong when one of several is", async () => {
    await optimizer.close();
    optimizer = createOptimizer({ environment: {}, cache: { negativeTtl: "1m" } });
    openai = withOptimization(bare, optimizer);
    fault = { kind: "status", status: 400 };
    await expect(embed(["a", "b"])).rejects.toMatchObject({ status: 400 });
    fault = undefined;
    expect((await embed(["a", "b"])).data).toHaveLength(2);
  });

  it("never asks with only-if-cached, and asks for everything with refresh", async () => {
    await embed(["a", "b"]);
    const only = { cache: "only-if-cached" } as const;
    await optimizer.run(only, () => embed(["b", "a"]));
    await expect(optimizer.run(only, () => embed(["a", "c"]))).rejects.toMatchObject({ status: 504 });
    await optimizer.run({ cache: "refresh" }, () => embed(["a", "b"]));
    await optimizer.run({ cache: "bypass" }, () => embed(["a", "a"]));
    expect(inputsSent()).toEqual([
      ["a", "b"],
      ["a", "b"],
      ["a", "a"],
    ]);
  });
});
