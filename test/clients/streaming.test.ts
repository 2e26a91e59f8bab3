import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFetch } from "../../src/clients/index.ts";
import { type Policy, pipeline, type Reply, type Settlement } from "../../src/core/index.ts";
import { chatEvents, DONE, event } from "./support/answers.ts";
import { collect, rejectionOf, retrying, wrappedClient } from "./support/clients.ts";
import { type Answer, events, startServer } from "./support/server.ts";

const chat = { model: "gpt-test", messages: [{ role: "user" as const, content: "Hello" }], stream: true as const };
const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(chat) };

/** A line without policies that tells how each reply ended. */
function watched() {
  const endings: Promise<Settlement>[] = [];
  const line = pipeline({
    name: "watch",
    ring: "call",
    async handle(call, next) {
      const outcome = await next(call);
      if (outcome.ok) endings.push((outcome as Reply).settled.promise());
      return outcome;
    },
  });
  return { line, ending: async () => endings[0] };
}

/** A `fetch` whose streams come in the given pieces. */
const inPieces =
  (pieces: readonly Uint8Array[]): typeof fetch =>
  async () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of pieces) if (piece.length > 0) controller.enqueue(piece);
        controller.close();
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };

describe("a stream by another name", () => {
  const endings: unknown[] = [];
  const watching: Policy = {
    name: "watch",
    ring: "call",
    handle: async (call, next) => {
      const outcome = await next(call);
      endings.push(outcome.ok ? outcome.body.kind : outcome.kind);
      return outcome;
    },
  };

  it("is one, where a stream was asked for and it is neither JSON nor a page", async () => {
    const text = chatEvents.join("");
    endings.length = 0;
    for (const type of ["text/plain; charset=utf-8", "application/octet-stream", "Text/Event-Stream"]) {
      const host: typeof fetch = async () => new Response(text, { headers: { "content-type": type } });
      const response = await createFetch(pipeline(watching), { fetch: host })(
        "https://api.openai.com/v1/chat/completions",
        {
          method: "POST",
          body: JSON.stringify({ model: "m", messages: [], stream: true }),
        },
      );
      expect(await response.text()).toBe(text);
    }
    expect(endings).toEqual(["stream", "stream", "stream"]);
  });

  it("ends in a failure when an event is not what it should be, and never hangs", async () => {
    const odd = { toString: 1, valueOf: 1 };
    for (const data of [
      { error: { code: odd, status: odd, metadata: { headers: { "X-RateLimit-Reset": odd } } } },
      { choices: [{ index: 0, delta: { tool_calls: [{ index: odd, function: { arguments: "{}" } }] } }] },
    ]) {
      endings.length = 0;
      const host: typeof fetch = async () =>
        new Response(`data: ${JSON.stringify(data)}\n\n`, { headers: { "content-type": "text/event-stream" } });
      const response = await createFetch(pipeline(watching), { fetch: host })(
        "https://api.openai.com/v1/chat/completions",
        {
          method: "POST",
          body: JSON.stringify({ model: "m", messages: [], stream: true }),
        },
      );
      await response.text().catch(() => {});
      expect(endings).toEqual(["stream"]);
    }
  });
});

describe("a stream through a line", () => {
  it("has the provider's bytes, wherever the network cut them and however lines end", async () => {
    const line = fc.constantFrom(
      ...chatEvents,
      ": ping\r\n\r\n",
      "\uFEFF: bom\n\n",
      "data: {}\r\n\r\n",
      "id: 1\n",
      "\n",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 12 }), fc.array(fc.nat(400)), async (lines, cuts) => {
        const sent = Buffer.from(`${lines.join("")}${DONE}`);
        const at = [0, ...cuts.map((cut) => cut % (sent.length + 1)).sort((a, b) => a - b), sent.length];
        const pieces = at.slice(1).map((end, index) => new Uint8Array(sent.subarray(at[index], end)));
        const response = await createFetch(pipeline(), { fetch: inPieces(pieces) })(
          "https://api.openai.com/v1/chat/completions",
          init,
        );
        const received = Buffer.from(await response.arrayBuffer());
        expect(received.equals(sent)).toBe(true);
      }),
    );
  });

  it("gives each event when it comes, not when the next one does", async () => {
    const gate = Promise.withResolvers<void>();
    await using server = await startServer(async (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(chatEvents[1]);
      await gate.promise;
      response.end(chatEvents.slice(2).join(""));
    });
    const stream = await wrappedClient(server).chat.completions.create(chat);
    const iterator = stream[Symbol.asyncIterator]();
    expect((await iterator.next()).value?.choices[0]?.delta.content).toBe("Grüße, ");
    gate.resolve();
    expect((await iterator.next()).value?.choices[0]?.delta.content).toBe("世界");
  });

  it("is over, and storable, when its last event has come", async () => {
    await using server = await startServer(events(chatEvents));
    const { line, ending } = watched();
    for await (const _chunk of await wrappedClient(server, line).chat.completions.create(chat));
    expect(await ending()).toMatchObject({ fault: undefined, storable: true, model: "gpt-test-2026" });
  });

  it("is whole for whoever leaves after the last event, even if the connection stays open", async () => {
    await using server = await startServer((response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(chatEvents.join(""));
    });
    const { line, ending } = watched();
    const response = await createFetch(line)(`${server.url}/chat/completions`, init);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let text = "";
    while (!text.includes("[DONE]")) text += Buffer.from((await reader.read()).value as Uint8Array).toString();
    await reader.cancel();
    expect(await ending()).toMatchObject({ fault: undefined, storable: true });
    await server.abandoned;
  });

  it("cancels upstream when the loop is left, and the call counts as aborted", async () => {
    await using server = await startServer(endless);
    const { line, ending } = watched();
    for await (const _chunk of await wrappedClient(server, line).chat.completions.create(chat)) break;
    await server.abandoned;
    expect((await ending())?.fault?.kind).toBe("aborted");
  });

  it("cancels upstream when its controller is aborted, and ends without an error as the bare one does", async () => {
    await using server = await startServer(endless);
    const stream = await wrappedClient(server).chat.completions.create(chat);
    let chunks = 0;
    for await (const _chunk of stream) if (++chunks === 2) stream.controller.abort();
    await server.abandoned;
    expect(chunks).toBe(2);
  });

  it("is over when the provider has told a failure, although its reader neither reads on nor leaves", async () => {
    const { line, ending } = watched();
    const failure = event({ error: { message: "The model failed.", type: "server_error" } });
    const pieces = [chatEvents[0] ?? "", chatEvents[1] ?? "", failure, DONE].map((text) => Buffer.from(text));
    const response = await createFetch(line, { fetch: inPieces(pieces) })(
      "https://api.openai.com/v1/chat/completions",
      init,
    );
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let text = "";
    while (!text.includes("The model failed.")) text += Buffer.from((await reader.read()).value ?? []).toString();
    expect(await ending()).toMatchObject({ fault: { kind: "server_error" } });
    let rest = "";
    for (let read = await reader.read(); !read.done; read = await reader.read())
      rest += Buffer.from(read.value).toString();
    expect(text + rest).toBe(pieces.join(""));
  });

  it("is the provider's failure when it told one, although the SDK leaves at that moment", async () => {
    await using server = await startServer(async (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`${chatEvents[1]}${event({ error: { message: "Overloaded", type: "server_error" } })}`);
    });
    const { line, ending } = watched();
    const stream = await wrappedClient(server, line).chat.completions.create(chat);
    await rejectionOf(collect(stream));
    const fault = (await ending())?.fault;
    expect(fault?.kind).not.toBe("aborted");
    expect(fault?.committed).toBe(true);
    await server.abandoned;
  });

  it("never ends cleanly when the terminal event did not come", async () => {
    await using server = await startServer(events(chatEvents.slice(0, 4)));
    const stream = await wrappedClient(server).chat.completions.create(chat);
    expect(await rejectionOf(collect(stream))).toMatchObject({ code: "STREAM_INTERRUPTED" });
  });

  it("reads no faster than its reader", async () => {
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulled++;
          controller.enqueue(Buffer.from(chatEvents[1] as string));
        },
      },
      { highWaterMark: 0 },
    );
    const host = async () => new Response(body, { headers: { "content-type": "text/event-stream" } });
    const response = await createFetch(pipeline(), { fetch: host })("https://api.openai.com/v1/chat/completions", init);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (let reads = 0; reads < 3; reads++) await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(pulled).toBeLessThanOrEqual(4);
    await reader.cancel();
  });
});

describe("an error told before the first content", () => {
  const told = event({ error: { message: "Overloaded", type: "server_error" } });

  it("is answered by another try", async () => {
    await using server = await startServer((response, seen, nth) =>
      events(nth === 1 ? [chatEvents[0] as string, told] : chatEvents)(response, seen, nth),
    );
    const stream = await wrappedClient(server, pipeline(retrying(2))).chat.completions.create(chat);
    expect(await collect(stream)).toHaveLength(4);
    expect(server.seen).toHaveLength(2);
    expect(server.seen[1]?.body).toEqual(server.seen[0]?.body);
  });

  it("reaches the caller as it was told when no try succeeds", async () => {
    await using server = await startServer(events([chatEvents[0] as string, told, DONE]));
    const response = await createFetch(pipeline(retrying(2)))(`${server.url}/chat/completions`, init);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    // What the provider says after its failure is not waited for.
    expect(await response.text()).toBe(`${chatEvents[0]}${told}`);
  });

  it("counts an event that is not JSON as one", async () => {
    await using server = await startServer((response, seen, nth) =>
      events(nth === 1 ? [chatEvents[0] as string, "data: {oops\n\n", ...chatEvents.slice(1)] : chatEvents)(
        response,
        seen,
        nth,
      ),
    );
    const stream = await wrappedClient(server, pipeline(retrying(2))).chat.completions.create(chat);
    expect(await collect(stream)).toHaveLength(4);
    expect(server.seen).toHaveLength(2);
  });

  it("is answered by another try also when the provider leaves the connection open", async () => {
    await using server = await startServer(async (response, seen, nth) => {
      if (nth > 1) return events(chatEvents)(response, seen, nth);
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(told);
    });
    const stream = await wrappedClient(server, pipeline(retrying(2))).chat.completions.create(chat);
    expect(await collect(stream)).toHaveLength(4);
    expect(server.seen).toHaveLength(2);
  });
});

const endless: Answer = async (response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  while (!response.destroyed) {
    response.write(chatEvents[1]);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};
