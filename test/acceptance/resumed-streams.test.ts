import fc from "fast-check";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { createFetch } from "../../src/clients/index.ts";
import { createRuntime, pipeline, seededRandom } from "../../src/core/index.ts";
import { type RetryOptions, retry } from "../../src/policies/retry/index.ts";

const WORDS = "harbour stone light water tide morning signal quiet river measure open field north paper glass".split(
  " ",
);
const random = seededRandom(3);
// Without two passages that are the same, or nobody could tell what is said twice.
const ANSWER = Array.from(
  { length: 90 },
  (_, n) => WORDS[Math.floor(random() * WORDS.length)] + (n % 9 === 8 ? `, ${n}.` : ""),
).join(" ");

interface Body {
  readonly max_tokens?: number;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

const event = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`;
const chunk = (delta: object, finish_reason: string | null = null): string =>
  event({
    id: "c",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    choices: [{ index: 0, delta, finish_reason }],
  });

/** The events of an answer that says `text` in small pieces; one that is cut ends without its last event. */
function eventsOf(text: string, cut: boolean): string[] {
  const pieces = text.match(/.{1,7}/gs) ?? [];
  const end = cut ? [] : [chunk({}, "stop"), "data: [DONE]\n\n"];
  return [chunk({ role: "assistant", content: "" }), ...pieces.map((content) => chunk({ content })), ...end];
}

/** A provider that gives these answers in order, and remembers what it was asked. */
function provider(answers: readonly (readonly string[])[]) {
  const asked: Body[] = [];
  const fetch = async (_input: unknown, init?: RequestInit): Promise<Response> => {
    const events = answers[asked.push(JSON.parse(String(init?.body)) as Body) - 1] ?? [];
    const body = new ReadableStream({
      start(controller) {
        for (const text of events) controller.enqueue(new TextEncoder().encode(text));
        controller.close();
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  return { asked, fetch };
}

/** What the SDK's reader gets: the text, and the error it ends with. */
async function read(options: RetryOptions, answers: readonly (readonly string[])[], request: object = {}) {
  const { asked, fetch } = provider(answers);
  const runtime = createRuntime();
  const policy = retry({ baseDelay: 0, ...options }, runtime);
  const client = new OpenAI({
    apiKey: "k",
    maxRetries: 0,
    fetch: createFetch(pipeline(policy), { fetch: fetch as typeof globalThis.fetch }),
  });
  let text = "";
  let error: unknown;
  try {
    const stream = await client.chat.completions.create({
      model: "m",
      stream: true,
      messages: [{ role: "user", content: "Tell me about keepers." }],
      ...request,
    });
    for await (const { choices } of stream as AsyncIterable<OpenAI.ChatCompletionChunk>) {
      text += choices[0]?.delta.content ?? "";
    }
  } catch (thrown) {
    error = thrown;
  }
  return { text, error, asked };
}

describe("a chat completion that breaks off", () => {
  it("is continued where the caller allows it: the model is given what it said, and nothing is said twice", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 30, max: ANSWER.length - 30 }),
        fc.constantFrom(0, 12, 25),
        async (at, again) => {
          const { text, error, asked } = await read({ afterCommit: "continue" }, [
            eventsOf(ANSWER.slice(0, at), true),
            eventsOf(ANSWER.slice(at - again), false),
          ]);
          expect(error).toBeUndefined();
          expect(text).toBe(ANSWER);
          expect(asked).toHaveLength(2);
          expect(asked[1]?.messages.slice(0, 2)).toEqual([
            { role: "user", content: "Tell me about keepers." },
            { role: "assistant", content: ANSWER.slice(0, at) },
          ]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("keeps to the limit of tokens that was asked for", async () => {
    const answers = [eventsOf(ANSWER.slice(0, 200), true), eventsOf(ANSWER.slice(200), false)];
    const { asked } = await read({ afterCommit: "continue" }, answers, { max_tokens: 120 });
    expect(asked.map(({ max_tokens }) => max_tokens)).toEqual([120, 70]);
  });

  it("ends with its failure when the model begins anew instead", async () => {
    const { text, error } = await read({ afterCommit: "continue", attempts: 2 }, [
      eventsOf(ANSWER.slice(0, 300), true),
      eventsOf(ANSWER, false),
    ]);
    expect(error).toBeDefined();
    expect(text).toBe(ANSWER.slice(0, 300));
  });

  it("ends with its failure where it called a tool, has several choices, or nobody allowed more", async () => {
    const tool = { tool_calls: [{ index: 0, id: "t", type: "function", function: { name: "f", arguments: '{"a":' } }] };
    const calling = [chunk({ role: "assistant" }), chunk(tool)];
    const good = eventsOf(ANSWER, false);
    for (const [options, first, request] of [
      [{ afterCommit: "continue" }, calling, {}],
      [{ afterCommit: "continue" }, eventsOf("Some words, and then", true), { n: 2 }],
      [{}, eventsOf("Some words, and then", true), {}],
    ] as const) {
      const { error, asked } = await read(options, [first, good], request);
      expect(error).toBeDefined();
      expect(asked).toHaveLength(1);
    }
  });

  it("is mended unseen while it is held back, and told as the provider told it when nobody succeeds", async () => {
    const held = await read({ commit: "complete" }, [eventsOf(ANSWER.slice(0, 100), true), eventsOf(ANSWER, false)]);
    expect(held).toMatchObject({ text: ANSWER, error: undefined });

    const failure = event({ error: { message: "The server had an error", type: "server_error", code: null } });
    const told = [...eventsOf("Some words", true), failure];
    const failed = await read({ commit: "complete", attempts: 2 }, [told, told]);
    expect(failed.asked).toHaveLength(2);
    expect(failed.text).toBe("Some words");
    expect(failed.error).toMatchObject({ message: expect.stringContaining("The server had an error") });
  });
});
