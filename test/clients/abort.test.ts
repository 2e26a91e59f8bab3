import OpenAI, { APIConnectionTimeoutError, APIUserAbortError } from "openai";
import { describe, expect, it } from "vitest";
import { createFetch } from "../../src/clients/index.ts";
import { aborted, type Outcome, type Policy, pipeline, timedOut } from "../../src/core/index.ts";
import { completion } from "./support/answers.ts";
import { rejectionOf, retrying, wrappedClient } from "./support/clients.ts";
import { type Answer, json, startServer } from "./support/server.ts";

const chat = { model: "gpt-test", messages: [{ role: "user" as const, content: "Hello" }] };
const silent: Answer = () => {};

/** A policy in which every call waits for ever, unless it gives up. */
function waitingRoom() {
  const entered = Promise.withResolvers<void>();
  let waiting = 0;
  const policy: Policy = {
    name: "room",
    ring: "call",
    handle: (call) =>
      new Promise<Outcome>((resolve) => {
        waiting++;
        entered.resolve();
        call.cancellation.onCancel((reason) => {
          waiting--;
          resolve(aborted(reason));
        });
      }),
  };
  return { policy, entered: entered.promise, waiting: () => waiting };
}

describe("giving up", () => {
  it("before the call: nothing enters the line", async () => {
    await using server = await startServer(json(completion));
    const controller = new AbortController();
    controller.abort();
    const error = await rejectionOf(wrappedClient(server).chat.completions.create(chat, { signal: controller.signal }));
    expect(error).toBeInstanceOf(APIUserAbortError);
    expect(server.seen).toHaveLength(0);
    const reason = new Error("not wanted");
    const request = { method: "POST", body: JSON.stringify(chat), signal: AbortSignal.abort(reason) };
    expect(await rejectionOf(createFetch(pipeline())(`${server.url}/chat/completions`, request))).toBe(reason);
  });

  it("while the call waits in the line", async () => {
    await using server = await startServer(json(completion));
    const room = waitingRoom();
    const controller = new AbortController();
    const promise = wrappedClient(server, pipeline(room.policy)).chat.completions.create(chat, {
      signal: controller.signal,
    });
    await room.entered;
    controller.abort();
    expect(await rejectionOf(promise)).toBeInstanceOf(APIUserAbortError);
    expect(room.waiting()).toBe(0);
    expect(server.seen).toHaveLength(0);
  });

  it("while the provider is silent: the request is cancelled and not tried again", async () => {
    const asked = Promise.withResolvers<void>();
    await using server = await startServer(() => asked.resolve());
    const controller = new AbortController();
    const promise = wrappedClient(server, pipeline(retrying(3))).chat.completions.create(chat, {
      signal: controller.signal,
    });
    await asked.promise;
    controller.abort();
    expect(await rejectionOf(promise)).toBeInstanceOf(APIUserAbortError);
    await server.abandoned;
    expect(server.seen).toHaveLength(1);
  });

  it("while the body of a whole answer arrives", async () => {
    const begun = Promise.withResolvers<void>();
    await using server = await startServer((response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"id":');
      begun.resolve();
    });
    const controller = new AbortController();
    const promise = wrappedClient(server).chat.completions.create(chat, { signal: controller.signal });
    await begun.promise;
    controller.abort();
    expect(await rejectionOf(promise)).toBeInstanceOf(APIUserAbortError);
    await server.abandoned;
  });

  it("leaves no listener on the caller's signal", async () => {
    await using server = await startServer(json(completion));
    const signal = new AbortController().signal;
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    const request = { method: "POST", body: JSON.stringify(chat), signal };
    await createFetch(pipeline())(`${server.url}/chat/completions`, request);
    expect(listeners).toBe(0);
  });
});

describe("time limits through the SDK", () => {
  it("the SDK's own timeout counts while the call waits in the line", async () => {
    await using server = await startServer(json(completion));
    const room = waitingRoom();
    const client = wrappedClient(server, pipeline(room.policy));
    const error = await rejectionOf(client.chat.completions.create(chat, { timeout: 30 }));
    expect(error).toBeInstanceOf(APIConnectionTimeoutError);
    expect(room.waiting()).toBe(0);
  });

  it("the SDK's own timeout counts while the provider is silent", async () => {
    await using server = await startServer(silent);
    const error = await rejectionOf(wrappedClient(server).chat.completions.create(chat, { timeout: 30 }));
    expect(error).toBeInstanceOf(APIConnectionTimeoutError);
    await server.abandoned;
  });

  it("tells the line how long the SDK waits", async () => {
    await using server = await startServer(json(completion));
    const waits: number[] = [];
    const line = pipeline({
      name: "look",
      ring: "call",
      handle: (call, next) => {
        waits.push(call.admitBy - call.trace.startedAt);
        return next(call);
      },
    });
    const client = wrappedClient(server, line);
    await client.chat.completions.create(chat, { timeout: 20_000 });
    await client.chat.completions.create(chat, { timeout: 900 });
    expect(waits).toEqual([20_000, Number.POSITIVE_INFINITY]);
  });

  it("a timer of the line is a timeout to the SDK", async () => {
    await using server = await startServer(json(completion));
    const line = pipeline({ name: "timeout", ring: "attempt", handle: async () => timedOut("attempt", 50) });
    const error = await rejectionOf(wrappedClient(server, line).chat.completions.create(chat));
    expect(error).toBeInstanceOf(APIConnectionTimeoutError);
    expect(error).toBeInstanceOf(OpenAI.APIError);
  });
});
