import { describe, expect, it } from "vitest";
import { callThrough, explainOf } from "../../src/clients/index.ts";
import { createRuntime, type Policy, pipeline, QueueFullError } from "../../src/core/index.ts";
import { chatEvents, completion } from "./support/answers.ts";
import { collect, refusing, rejectionOf, retrying, wrappedClient } from "./support/clients.ts";
import { events, json, startServer } from "./support/server.ts";

const chat = { model: "gpt-test", messages: [{ role: "user" as const, content: "Hello" }] };

describe("explainOf", () => {
  it("knows a call by its response", async () => {
    await using server = await startServer((response, seen, nth) =>
      json(nth === 1 ? { error: {} } : completion, nth === 1 ? 500 : 200)(response, seen, nth),
    );
    const client = wrappedClient(server, pipeline(retrying(2)));
    const { response } = await client.chat.completions.create(chat).withResponse();
    expect(explainOf(response)).toMatchObject({
      model: "gpt-test",
      operation: "chat",
      outcome: "answered",
      servedBy: "upstream",
      attempts: [
        { number: 1, status: 500 },
        { number: 2, status: 200 },
      ],
    });
  });

  it("knows a stream by its response, also while it runs", async () => {
    await using server = await startServer(events(chatEvents));
    const { data, response } = await wrappedClient(server)
      .chat.completions.create({ ...chat, stream: true })
      .withResponse();
    expect(explainOf(response)?.outcome).toBe("running");
    await collect(data);
    expect(explainOf(response)?.outcome).toBe("answered");
  });

  it("knows a call by the SDK's error for the provider's response, for our refusal and for a lost connection", async () => {
    await using failing = await startServer(json({ error: { message: "no" } }, 400));
    await using gone = await startServer((response) => void response.socket?.destroy());
    const refused = refusing(new QueueFullError("full", { policy: "pool" }));
    for (const client of [wrappedClient(failing), wrappedClient(failing, refused), wrappedClient(gone)]) {
      const error = await rejectionOf(client.chat.completions.create(chat));
      expect(explainOf(error)).toMatchObject({ model: "gpt-test", outcome: "failed" });
    }
  });

  it("knows a call of a function by its result and by its error", async () => {
    const result = await callThrough(pipeline(), { model: "m", input: "a" }, () => ({ text: "b" }));
    expect(explainOf(result)).toMatchObject({ model: "m", provider: "function", outcome: "answered" });
    const error = await rejectionOf(
      callThrough(pipeline(), { model: "m", input: "a" }, () => {
        throw new Error("no");
      }),
    );
    expect(explainOf(error)).toMatchObject({ outcome: "failed", attempts: [{ fault: "unknown" }] });
  });

  it("knows the last 200 calls by the id that events carry", async () => {
    const runtime = createRuntime();
    const ids: string[] = [];
    runtime.events.on("call.completed", ({ callId }) => ids.push(callId as string));
    const policy: Policy = { name: "none", ring: "call", runtime, handle: (call, next) => next(call) };
    const line = pipeline(policy);
    for (let call = 0; call < 201; call++) await callThrough(line, { model: "m", input: call }, () => 1);
    expect(explainOf(ids[0])).toBeUndefined();
    expect(explainOf(ids[1])?.callId).toBe(ids[1]);
    expect(explainOf(ids[200])?.callId).toBe(ids[200]);
  });

  it("knows a call by its id while it runs", async () => {
    const runtime = createRuntime();
    const policy: Policy = { name: "none", ring: "call", runtime, handle: (call, next) => next(call) };
    let id: string | undefined;
    runtime.events.on("call.started", ({ callId }) => {
      id = callId;
    });
    const outcome = await callThrough(pipeline(policy), { model: "m", input: "a" }, () => explainOf(id)?.outcome);
    expect(outcome).toBe("running");
  });

  it("knows nothing of anything else", () => {
    for (const target of [undefined, null, 1, "c-none", {}, new Error("x"), new Response()]) {
      expect(explainOf(target)).toBeUndefined();
    }
  });
});
