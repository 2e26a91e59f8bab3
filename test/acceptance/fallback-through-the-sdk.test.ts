import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { targetOf, wrapClient } from "../../src/clients/index.ts";
import { type BreakwaterEvent, createRuntime, type Line, pipeline } from "../../src/core/index.ts";
import { breaker } from "../../src/policies/breaker/index.ts";
import { deadline } from "../../src/policies/deadline/index.ts";
import { type FallbackPolicy, fallback } from "../../src/policies/fallback/index.ts";
import { pool } from "../../src/policies/pool/index.ts";
import { rateLimit } from "../../src/policies/rate-limit/index.ts";
import { retry } from "../../src/policies/retry/index.ts";
import { timeout } from "../../src/policies/timeout/index.ts";
import { type FaultSpec, type SimulatedProvider, startSimulatedProvider } from "../../src/testing/index.ts";

let primary: SimulatedProvider;
let spare: SimulatedProvider;
let faultNow: FaultSpec | undefined;

beforeAll(async () => {
  primary = await startSimulatedProvider({ latency: false, outputTokens: 8, faults: () => faultNow });
  spare = await startSimulatedProvider({ latency: false, outputTokens: 8, seed: 2 });
});

afterAll(async () => {
  await primary.close();
  await spare.close();
});

const messages = [{ role: "user" as const, content: "hello" }];

/** The SDK's client of the primary, with the whole line and the spare behind it. */
function stage(): {
  readonly client: OpenAI;
  readonly line: Line;
  readonly balance: FallbackPolicy;
  readonly used: string[];
} {
  const runtime = createRuntime();
  const there = new OpenAI({ apiKey: "sk-spare", baseURL: spare.url });
  const balance = fallback(
    { targets: [targetOf({ client: there, model: "small", name: "spare" })], maxWait: 50 },
    runtime,
  );
  const line = pipeline(
    deadline({ total: "10s" }, runtime),
    pool({}, runtime),
    balance,
    retry({ baseDelay: 10 }, runtime),
    breaker({ minimumCalls: 5 }, runtime),
    rateLimit({}, runtime),
    timeout({ firstToken: 300, attempt: 500 }, runtime),
  );
  const used: string[] = [];
  runtime.events.on("fallback.used", (event: BreakwaterEvent<"fallback.used">) => void used.push(event.reason));
  const client = wrapClient(new OpenAI({ apiKey: "sk-primary", baseURL: primary.url }), line);
  return { client, line, balance, used };
}

async function textOf(client: OpenAI, stream: boolean): Promise<{ readonly model: string; readonly text: string }> {
  const body = { model: "big", messages };
  if (!stream) {
    const answer = await client.chat.completions.create(body);
    return { model: answer.model, text: answer.choices[0]?.message.content ?? "" };
  }
  let model = "";
  let text = "";
  for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
    model = chunk.model;
    text += chunk.choices[0]?.delta.content ?? "";
  }
  return { model, text };
}

const MOVING: readonly FaultSpec[] = [
  { kind: "rateLimited", wait: "30s" },
  "quotaExhausted",
  "badCredential",
  "overloaded",
  { kind: "status", status: 500 },
  "refused",
  "reset",
  "silent",
  { kind: "silent", at: "body" },
  "wrongContentType",
];

describe("a call of the SDK whose provider fails", () => {
  it.each(MOVING.flatMap((fault) => [[fault, false] as const, [fault, true] as const]))(
    "is answered by the other provider: %j (stream: %s)",
    async (fault, stream) => {
      faultNow = undefined;
      const { client, line, balance, used } = stage();
      expect((await textOf(client, stream)).model).toMatch(/^big/);
      faultNow = fault;
      const { model, text } = await textOf(client, stream);
      expect(model).toMatch(/^small/);
      expect(text.length).toBeGreaterThan(0);
      expect(used).toHaveLength(1);
      expect(Object.values(balance.snapshot().targets).map(({ inFlight }) => inFlight)).toEqual([0, 0]);
      await line.close();
    },
  );

  it("is answered elsewhere when an error is the first thing its stream tells", async () => {
    faultNow = "errorBeforeContent";
    const { client, line } = stage();
    expect((await textOf(client, true)).model).toMatch(/^small/);
    await line.close();
  });

  it("is told of a stream that is cut after its first content, and never gets two beginnings", async () => {
    faultNow = { kind: "cut", afterChunks: 2 };
    const { client, line, used } = stage();
    await expect(textOf(client, true)).rejects.toThrow();
    expect(used).toEqual([]);
    await line.close();
  });

  it("gets the provider's own error for a request that is wrong", async () => {
    faultNow = { kind: "status", status: 400 };
    const { client, line, used } = stage();
    await expect(textOf(client, false)).rejects.toThrow(OpenAI.BadRequestError);
    expect(used).toEqual([]);
    await line.close();
  });
});

describe("an outage of the primary", () => {
  it("costs nobody an answer, and it is asked again when it is back", async () => {
    faultNow = undefined;
    const { client, line, balance, used } = stage();
    balance.update({ probeEvery: 100, returnOver: 200 });
    const models: string[] = [];
    const ask = async (calls: number): Promise<void> => {
      for (let n = 0; n < calls; n++) models.push((await textOf(client, n % 2 === 0)).model.slice(0, 3));
    };
    await ask(5);
    await primary.pause();
    await ask(40);
    const sentWhileDown = used.length;
    await primary.resume();
    for (let n = 0; n < 200 && models.at(-1) !== "big"; n++) {
      await ask(1);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(models.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => "big"));
    expect(models.slice(5, 45)).toEqual(Array.from({ length: 40 }, () => "sma"));
    expect(sentWhileDown).toBe(40);
    expect(models.at(-1)).toBe("big");
    await line.close();
  });
});
