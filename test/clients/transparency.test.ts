import type OpenAI from "openai";
import type { APIError } from "openai";
import { describe, expect, it } from "vitest";
import {
  chatEvents,
  completion,
  completionOf,
  DONE,
  embeddings,
  event,
  responsesAnswer,
  responsesEvents,
  toolCall,
} from "./support/answers.ts";
import { bareClient, collect, rejectionOf, wrappedClient } from "./support/clients.ts";
import { type Answer, events, json, type Seen, startServer } from "./support/server.ts";

const chat = { model: "gpt-test", messages: [{ role: "user" as const, content: "Hello" }] };

/** Runs `use` with the bare and with the wrapped client and gives both results, and what each sent. */
async function both<T>(answer: Answer, use: (client: OpenAI) => Promise<T>) {
  const results: T[] = [];
  const sent: Seen[][] = [];
  for (const clientOf of [bareClient, wrappedClient]) {
    await using server = await startServer(answer);
    results.push(await use(clientOf(server)));
    sent.push([...server.seen]);
  }
  const [bare, wrapped] = results as [T, T];
  const [bareSent, wrappedSent] = sent as [Seen[], Seen[]];
  return { bare, wrapped, bareSent, wrappedSent };
}

const withoutPort = (headers: readonly string[]): string[] =>
  headers.map((text) => text.replace(/127\.0\.0\.1:\d+/, "host"));

describe("a wrapped client gives what the bare one gives", () => {
  const scenarios: Record<string, { answer: Answer; use: (client: OpenAI) => Promise<unknown> }> = {
    "a chat completion": { answer: json(completion), use: async (c) => c.chat.completions.create(chat) },
    "a chat completion with tools": {
      answer: json(toolCall),
      use: async (c) =>
        c.chat.completions.create({
          ...chat,
          tools: [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }],
        }),
    },
    "a chat completion in JSON mode": {
      answer: json(completionOf({ content: '{"a":1}' })),
      use: async (c) => c.chat.completions.create({ ...chat, response_format: { type: "json_object" } }),
    },
    "a streamed chat completion": {
      answer: events(chatEvents),
      use: async (c) => collect(await c.chat.completions.create({ ...chat, stream: true })),
    },
    embeddings: {
      answer: json(embeddings),
      use: async (c) => c.embeddings.create({ model: "embed-test", input: "a" }),
    },
    "a response": { answer: json(responsesAnswer), use: async (c) => c.responses.create({ model: "m", input: "Hi" }) },
    "a streamed response": {
      answer: events(responsesEvents),
      use: async (c) => collect(await c.responses.create({ model: "m", input: "Hi", stream: true })),
    },
    "the response stream helper": {
      answer: events(responsesEvents),
      use: async (c) => c.responses.stream({ model: "m", input: "Hi" }).finalResponse(),
    },
    "the chat stream helper and its events": {
      answer: events(chatEvents),
      use: async (c) => {
        const texts: string[] = [];
        const runner = c.chat.completions.stream(chat).on("content", (delta, whole) => texts.push(delta, whole));
        return [await runner.finalChatCompletion(), texts];
      },
    },
    ".parse()": {
      answer: json(completionOf({ content: '{"city":"Oslo"}' })),
      use: async (c) =>
        c.chat.completions.parse({
          ...chat,
          response_format: { type: "json_schema", json_schema: { name: "place", schema: {}, strict: true } },
        }),
    },
    runTools: {
      answer: (response, seen, nth) => json(nth === 1 ? toolCall : completion)(response, seen, nth),
      use: async (c) => {
        const runner = c.chat.completions.runTools({
          ...chat,
          tools: [
            {
              type: "function",
              function: {
                name: "weather",
                description: "Tells the weather.",
                parameters: { type: "object", properties: { city: { type: "string" } } },
                parse: JSON.parse,
                function: async ({ city }: { city: string }) => `rain in ${city}`,
              },
            },
          ],
        });
        return [await runner.finalContent(), runner.messages];
      },
    },
    ".withResponse()": {
      answer: json(completion, 200, { "x-ratelimit-remaining-requests": "59", "set-cookie": "a=1" }),
      use: async (c) => {
        const { data, response, request_id } = await c.chat.completions.create(chat).withResponse();
        const headers = [...response.headers].filter(([name]) => name !== "date");
        return [data, request_id, response.status, response.statusText, headers, new URL(response.url).pathname];
      },
    },
    ".asResponse()": {
      answer: json(completion),
      use: async (c) => {
        const response = await c.chat.completions.create(chat).asResponse();
        return [response instanceof Response, response.ok, await response.text()];
      },
    },
    "a model list, which is not read": {
      answer: json({ object: "list", data: [{ id: "m", object: "model", created: 1, owned_by: "me" }] }),
      use: async (c) => (await c.models.list()).data,
    },
    "a file upload, which is not read": {
      answer: json({ id: "file-1", object: "file" }),
      use: async (c) => c.files.create({ file: new File(["text"], "a.txt"), purpose: "assistants" }),
    },
  };

  for (const [name, { answer, use }] of Object.entries(scenarios)) {
    it(name, async () => {
      const { bare, wrapped, bareSent, wrappedSent } = await both(answer, use);
      expect(wrapped).toEqual(bare);
      expect(wrappedSent.map(({ method, path }) => [method, path])).toEqual(
        bareSent.map(({ method, path }) => [method, path]),
      );
      if (name.includes("file")) return;
      expect(wrappedSent.map(({ body }) => body)).toEqual(bareSent.map(({ body }) => body));
      expect(wrappedSent.map(({ rawHeaders }) => withoutPort(rawHeaders))).toEqual(
        bareSent.map(({ rawHeaders }) => withoutPort(rawHeaders)),
      );
    });
  }
});

describe("a wrapped client throws what the bare one throws", () => {
  const failures: Record<string, Answer> = {
    "400": json({ error: { message: "Bad", type: "invalid_request_error", param: "x", code: null } }, 400),
    "401": json({ error: { message: "Wrong key", type: "invalid_request_error", code: "invalid_api_key" } }, 401),
    "403": json({ error: { message: "No", type: "x" } }, 403),
    "404": json({ error: { message: "No such model", code: "model_not_found" } }, 404),
    "409": json({ error: { message: "Conflict" } }, 409),
    "422": json({ error: { message: "No" } }, 422),
    "429": json({ error: { message: "Slow down", code: "rate_limit_exceeded" } }, 429, { "retry-after": "1" }),
    "500": json({ error: { message: "Oops", type: "server_error" } }, 500),
    "502 with a page": (response) => {
      response.writeHead(502, { "content-type": "text/html" });
      response.end("<html>Bad gateway</html>");
    },
    "503 without a body": (response) => {
      response.writeHead(503);
      response.end();
    },
    "200 that is not JSON": json("{ not json"),
    "a connection that is reset": (response) => {
      response.socket?.destroy();
    },
  };

  const describeError = (error: unknown) => {
    const { message, status, code, param, type, requestID, error: body, headers } = error as APIError;
    const sent = headers === undefined ? undefined : [...headers].filter(([name]) => name !== "date");
    return [(error as Error).constructor, message, status, code, param, type, requestID, body, sent];
  };

  for (const [name, answer] of Object.entries(failures)) {
    it(name, async () => {
      const { bare, wrapped } = await both(answer, (c) => rejectionOf(c.chat.completions.create(chat)));
      expect(describeError(wrapped)).toEqual(describeError(bare));
    });
  }

  it("an error told inside a chat stream, after the chunks before it", async () => {
    const broken = [chatEvents[0], chatEvents[1], event({ error: { message: "Overloaded", code: "overloaded" } })];
    const read = async (client: OpenAI) => {
      const texts: unknown[] = [];
      const error = await rejectionOf(
        (async () => {
          for await (const chunk of await client.chat.completions.create({ ...chat, stream: true })) texts.push(chunk);
        })(),
      );
      return [texts, describeError(error).slice(0, 8)];
    };
    const { bare, wrapped } = await both(events([...(broken as string[]), DONE]), read);
    expect(wrapped).toEqual(bare);
    expect((wrapped[0] as unknown[]).length).toBe(2);
  });

  it("a body that is cut in a stream", async () => {
    const answer: Answer = async (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(chatEvents[1]);
      setTimeout(() => response.socket?.destroy(), 20);
    };
    const { bare, wrapped } = await both(answer, (c) =>
      rejectionOf(c.chat.completions.create({ ...chat, stream: true }).then(collect)),
    );
    const { constructor: kind, message, cause } = bare as Error;
    expect(wrapped).toMatchObject({ message, cause: { code: (cause as NodeJS.ErrnoException).code } });
    expect((wrapped as Error).constructor).toBe(kind);
  });
});
