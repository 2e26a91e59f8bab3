import OpenAI from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createOptimizer, type Optimizer, withOptimization } from "../../src/index.ts";
import { type SimulatedProvider, startSimulatedProvider } from "../../src/testing/index.ts";

let simulated: SimulatedProvider;
let optimizer: Optimizer;
let openai: OpenAI;
let ends: string[];

beforeEach(async () => {
  simulated = await startSimulatedProvider({ latency: { firstToken: 10, perToken: 3 }, outputTokens: 12 });
  optimizer = createOptimizer({ environment: {} });
  openai = withOptimization(new OpenAI({ apiKey: "sk-one", baseURL: simulated.url }), optimizer);
  ends = [];
  for (const type of ["call.completed", "call.cancelled", "call.failed"] as const)
    optimizer.on(type, (event) => ends.push(event.type));
});

afterEach(async () => {
  await optimizer.close();
  await simulated.close();
});

const body = (n: number) => ({ model: "gpt-4o-mini", messages: [{ role: "user" as const, content: `Question ${n}` }] });

// The SDK stops reading at the provider's last event and leaves the connection: that is no abort.
describe("a stream that the SDK has read to its last event", () => {
  it("is an answered call, and is kept", async () => {
    for (const n of [1, 2, 3, 1, 2, 3]) {
      for await (const _chunk of await openai.chat.completions.create({ ...body(n), stream: true }));
    }
    expect(ends).toEqual(Array.from({ length: 6 }, () => "call.completed"));
    expect(simulated.provider.stats()).toMatchObject({ requests: 3, aborted: 0 });
    expect(optimizer.stats().cacheHits).toEqual({ memory: 3 });
  });

  it("is a cancelled one when the reader leaves before, and is not kept", async () => {
    for await (const _chunk of await openai.chat.completions.create({ ...body(1), stream: true })) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(ends).toEqual(["call.cancelled"]);
    expect(simulated.provider.stats().aborted).toBe(1);
    expect(optimizer.ledger()["slots"]?.inFlight).toBe(0);
    await openai.chat.completions.create(body(1));
    expect(simulated.provider.stats().requests).toBe(2);
  });
});
