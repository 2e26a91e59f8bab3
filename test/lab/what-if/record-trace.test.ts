import { expect, it } from "vitest";
import { seededRandom } from "../../../src/core/index.ts";
import { readTracedCalls, recordTrace, type TracedCall } from "../../../src/lab/index.ts";
import { createOptimizer, type OptimizerOptions } from "../../../src/optimizer.ts";
import { createProviderModel, type ProviderModelOptions, VirtualClock } from "../../../src/testing/index.ts";

function world(options: OptimizerOptions = {}, provider: ProviderModelOptions = {}) {
  const clock = new VirtualClock();
  const model = createProviderModel({ clock, ...provider });
  const optimizer = createOptimizer({
    clock,
    random: seededRandom(1),
    environment: {},
    fetch: model.fetch,
    ...options,
  });
  const ask = (question: string, client?: string, stream = false): Promise<string> =>
    optimizer.run(client === undefined ? {} : { client }, async () => {
      const body = { model: "gpt-4o", stream, messages: [{ role: "user", content: question }] };
      const headers = { authorization: "Bearer sk-hidden" };
      const url = "https://api.openai.com/v1/chat/completions";
      const reply = await optimizer.fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
      return reply.text();
    });
  return { clock, optimizer, ask };
}

it("writes the shape of every call and nothing that was said", async () => {
  const { clock, optimizer, ask } = world();
  let text = "";
  const recording = recordTrace(optimizer, { write: (line) => (text += line) });
  await clock.run(ask("a private matter", "alice@example.com", true));
  await clock.run(ask("another matter", "bob@example.com"));
  await clock.advance(5_000);
  await clock.run(ask("a private matter", "alice@example.com", true));
  await optimizer.close();

  const calls = [...readTracedCalls(text)];
  expect(text).not.toMatch(/matter|alice|bob|example|hidden/);
  expect(recording).toMatchObject({ recorded: 3, dropped: 0 });
  expect(calls.map(({ client, question, servedBy, stream }) => ({ client, question, servedBy, stream }))).toEqual([
    { client: "c1", question: "q1", servedBy: "upstream", stream: true },
    { client: "c2", question: "q2", servedBy: "upstream", stream: false },
    { client: "c1", question: "q1", servedBy: "cache", stream: true },
  ]);
  const [first, second, third] = calls as [TracedCall, TracedCall, TracedCall];
  expect(first.firstTokenMs).toBeGreaterThan(0);
  expect(first.providerMs).toBeGreaterThan(first.firstTokenMs as number);
  // A stream that was not asked for its usage tells none.
  expect(first.inputTokens).toBeUndefined();
  expect(second.inputTokens).toBeGreaterThan(0);
  expect(second.at - first.at).toBeCloseTo(first.durationMs as number, 2);
  expect(third.at).toBeGreaterThan(second.at + 5_000);
  expect(third.providerMs).toBeUndefined();
});

it("tells how calls and their tries failed", async () => {
  const { clock, optimizer, ask } = world(
    { retry: { attempts: 2 } },
    { faults: ({ index }) => (index === 0 ? { kind: "status", status: 500 } : undefined) },
  );
  let text = "";
  recordTrace(optimizer, { write: (line) => (text += line) });
  await clock.run(ask("one"));
  const [call] = [...readTracedCalls(text)];
  expect(call).toMatchObject({ failures: ["server_error"], servedBy: "upstream" });
  await optimizer.close();
});

it("is bounded, can be stopped, and loses no call when its line cannot be written", async () => {
  const { clock, optimizer, ask } = world({ cache: false });
  const lines: string[] = [];
  const bounded = recordTrace(optimizer, { write: (line) => lines.push(line), maxCalls: 2 });
  const broken = recordTrace(optimizer, {
    write: () => {
      throw new Error("the disk is full");
    },
  });
  for (const question of ["one", "two", "three"]) expect(await clock.run(ask(question))).toContain("choices");
  expect(lines).toHaveLength(2);
  expect(bounded).toMatchObject({ recorded: 2, dropped: 1 });
  bounded.stop();
  broken.stop();
  await clock.run(ask("four"));
  expect(bounded).toMatchObject({ recorded: 2, dropped: 1 });
  await optimizer.close();
});

it("names a wrong option", async () => {
  const { optimizer } = world();
  expect(() => recordTrace(optimizer, {} as never)).toThrow(/recordTrace\.write/);
  expect(() => recordTrace(optimizer, { write: () => {}, maxCalls: 0 })).toThrow(/recordTrace\.maxCalls/);
  await optimizer.close();
});
