import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startSimulatedProvider } from "../../src/testing/index.ts";
import { chat, failureOf } from "./bodies.ts";

test("pause refuses connections, resume listens on the same port", async () => {
  await using server = await started();
  const send = (): Promise<Response> => fetch(`${server.url}/chat/completions`, chat("hi", 1));
  expect((await send()).status).toBe(200);
  await server.pause();
  expect((await failureOf(send())).cause?.code).toBe("ECONNREFUSED");
  await server.resume();
  expect((await send()).status).toBe(200);
});

test("close ends every connection and every generation", async () => {
  const server = await startSimulatedProvider({ faults: () => ({ kind: "silent", at: "body" }) });
  const replies = await Promise.all(
    Array.from({ length: 5 }, () => fetch(`${server.url}/chat/completions`, chat("hi", 1, { stream: true }))),
  );
  const bodies = replies.map((reply) => failureOf(reply.text()));
  await server.close();
  for (const error of await Promise.all(bodies)) expect(error.message).toBe("terminated");
  expect(server.provider.stats()).toMatchObject({ inFlight: 0, aborted: 5 });
  await server.close();
});

test("a client that goes away before its answer frees the place", async () => {
  await using server = await started({ firstToken: "1h" });
  const controller = new AbortController();
  const call = failureOf(fetch(`${server.url}/chat/completions`, { ...chat("hi", 1), signal: controller.signal }));
  while (server.provider.stats().inFlight === 0) await turn();
  controller.abort();
  expect((await call).name).toBe("AbortError");
  while (server.provider.stats().inFlight > 0) await turn();
  expect(server.provider.log[0]?.aborted).toBe(true);
});

test("every one of many concurrent callers gets the answer to its own question", async () => {
  await using server = await started({ firstToken: 2, perToken: 1 });
  const asked = Array.from({ length: 200 }, (_, index) => chat(`question ${index}`, 5));
  const got = await Promise.all(
    asked.map(async (init) => {
      const reply = await fetch(`${server.url}/chat/completions`, init);
      return ((await reply.json()) as { choices: { message: { content: string } }[] }).choices[0]?.message.content;
    }),
  );
  expect(got).toEqual(asked.map(({ body }) => server.provider.answerTo("chat", JSON.parse(String(body)))));
  expect(new Set(got).size).toBe(200);
});

test("a closed server keeps no process alive", async () => {
  const door = new URL("../../src/testing/index.ts", import.meta.url).href;
  const script = `
    import { startSimulatedProvider } from ${JSON.stringify(door)};
    const server = await startSimulatedProvider();
    const call = fetch(server.url + "/chat/completions", ${JSON.stringify(chat("hi", 5))}).catch(() => {});
    while (server.provider.stats().inFlight === 0) await new Promise((resolve) => setImmediate(resolve));
    await server.close();
    await call;
    console.log("closed");
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  expect(stdout).toBe("closed\n");
});

function started(latency?: { firstToken?: number | "1h"; perToken?: number }) {
  return startSimulatedProvider({ latency: latency === undefined ? false : { ...latency, perInputToken: 0 } });
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
