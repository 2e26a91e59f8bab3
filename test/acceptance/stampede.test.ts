import OpenAI from "openai";
import { afterEach, describe, expect, it } from "vitest";
import { createOptimizer, type Optimizer, withOptimization } from "../../src/index.ts";
import { type FaultSpec, type SimulatedProvider, startSimulatedProvider } from "../../src/testing/index.ts";

const CALLERS = 1000;

let simulated: SimulatedProvider;
let optimizer: Optimizer;

async function start(fault?: FaultSpec): Promise<OpenAI> {
  simulated = await startSimulatedProvider({
    latency: { firstToken: 150, firstTokenSigma: 0, perToken: 5 },
    outputTokens: 20,
    ...(fault !== undefined && { faults: () => fault }),
  });
  optimizer = createOptimizer({ environment: {}, retry: false });
  return withOptimization(new OpenAI({ apiKey: "sk-one", baseURL: simulated.url }), optimizer);
}

afterEach(async () => {
  await optimizer.close();
  await simulated.close();
});

const body = { model: "gpt-4o-mini", messages: [{ role: "user" as const, content: "The same for all." }] };

async function whole(openai: OpenAI, signal?: AbortSignal): Promise<string> {
  const answer = await openai.chat.completions.create(body, signal === undefined ? {} : { signal });
  return answer.choices[0]?.message.content ?? "";
}

async function streamed(openai: OpenAI, signal?: AbortSignal): Promise<string> {
  let text = "";
  const stream = await openai.chat.completions.create(
    { ...body, stream: true },
    signal === undefined ? {} : { signal },
  );
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  return text;
}

describe("a thousand callers with the same question, at the same moment", () => {
  it.each([
    ["whole", whole],
    ["streamed", streamed],
  ])("cost one request and get the same %s answer", async (_form, ask) => {
    const openai = await start();
    const answers = await Promise.all(Array.from({ length: CALLERS }, () => ask(openai)));
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).not.toBe("");
    expect(simulated.provider.stats().requests).toBe(1);
  });

  it.each([
    ["whole", whole],
    ["streamed", streamed],
  ])("lose nothing when the first of them leaves (%s)", async (_form, ask) => {
    const openai = await start();
    const controller = new AbortController();
    const first = ask(openai, controller.signal);
    const others = Array.from({ length: CALLERS - 1 }, () => ask(openai));
    setTimeout(() => controller.abort(), 50);
    await expect(first).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
    expect(new Set(await Promise.all(others)).size).toBe(1);
    expect(simulated.provider.stats().requests).toBe(1);
  });

  it("all get the provider's error when it fails, and cost one request", async () => {
    const openai = await start({ kind: "status", status: 500 });
    const errors = await Promise.all(
      Array.from({ length: CALLERS }, () => whole(openai).catch((error: unknown) => error)),
    );
    expect(errors.every((error) => error instanceof OpenAI.InternalServerError)).toBe(true);
    expect(simulated.provider.stats().requests).toBe(1);
  });
});
