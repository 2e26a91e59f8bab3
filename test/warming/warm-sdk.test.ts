import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { createOptimizer, type OptimizerOptions, seededRandom, withOptimization } from "../../src/index.ts";
import { simulatedFetch, VirtualClock } from "../../src/testing/index.ts";
import { prompts, warm } from "../../src/warming/index.ts";

/** The OpenAI SDK in front of a simulated provider, in virtual time. */
function setUp(options: OptimizerOptions = {}) {
  const clock = new VirtualClock();
  const optimizer = createOptimizer({ clock, random: seededRandom(1), environment: {}, monitor: false, ...options });
  const provider = simulatedFetch({ clock });
  let requests = 0;
  const fetch: typeof globalThis.fetch = (input, init) => {
    requests++;
    return provider(input, init);
  };
  const openai = withOptimization(new OpenAI({ apiKey: "sk-test", fetch }), optimizer);
  const body = (content: string) =>
    ({ model: "gpt-4o-mini", messages: [{ role: "user", content }], temperature: 0 }) as const;
  const ask = (content: string) =>
    openai.chat.completions.create({ ...body(content), messages: [...body(content).messages] });
  const stream = (content: string) =>
    openai.chat.completions.create({
      ...body(content),
      messages: [...body(content).messages],
      stream: true,
      stream_options: { include_usage: true },
    });
  return { clock, optimizer, ask, stream, requests: () => requests };
}

const questions = prompts({ template: "Explain {topic}.", values: { topic: ["rain", "snow", "wind"] } });

describe("warming through the OpenAI SDK", () => {
  it("keeps streamed answers, which plain callers then get", async () => {
    const { clock, optimizer, ask, stream, requests } = setUp();
    const summary = await clock.run(warm(optimizer, { calls: questions, ask: stream }).done);
    expect(summary).toMatchObject({ filled: 3, failed: 0, skipped: 0, ended: "completed" });
    for (const question of questions) expect((await clock.run(ask(question))).choices[0]?.message.content).not.toBe("");
    expect(requests()).toBe(3);
    await optimizer.close();
  });

  it("knows a refusal by whatever error the SDK makes of it", async () => {
    const { clock, optimizer, ask } = setUp({ pool: { concurrency: 1, maxQueue: 0 } });
    const somebody = ask("Who is first?");
    const warming = warm(optimizer, { calls: questions, ask, concurrency: 1 });
    const [, summary] = await clock.run(Promise.all([somebody, warming.done]));
    expect(summary).toMatchObject({ filled: 3, failed: 0 });
    expect(summary.costTokens).toBeGreaterThan(0);
    await optimizer.close();
  });

  it("ends when the optimizer is closed", async () => {
    const { clock, optimizer, ask } = setUp();
    const warming = warm(optimizer, { calls: questions, ask, concurrency: 1, interval: "1m" });
    await clock.advance(1);
    await optimizer.close();
    await clock.advance(300_000);
    expect((await warming.done).ended).toBe("stopped");
  });
});
