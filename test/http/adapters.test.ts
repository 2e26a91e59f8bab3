import { once } from "node:events";
import { createServer, request as httpRequest, type RequestOptions } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type HttpHandler, handler, nodeHandler, serve } from "../../src/http/index.ts";
import { createOptimizer, type Optimizer } from "../../src/index.ts";
import { BEARER, TOKEN } from "./support.ts";

let optimizer: Optimizer;
let stops: (() => unknown)[];
beforeEach(() => {
  optimizer = createOptimizer({ environment: {} });
  stops = [];
});
afterEach(async () => {
  for (const stop of stops) await stop();
  await optimizer.close();
});

function open(basePath?: string): HttpHandler {
  const handle = handler(optimizer, { token: TOKEN, ...(basePath !== undefined && { basePath }) });
  stops.push(() => handle.close());
  return handle;
}

type Listener = Parameters<typeof createServer>[1];

async function listen(listener: Listener): Promise<string> {
  const server = createServer({}, listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stops.unshift(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Mounted at that address, every part works: pages, streams, bodies that are sent, redirects. */
async function expectWhole(base: string): Promise<void> {
  expect(await (await fetch(`${base}/health/live`)).json()).toEqual({ status: "ok" });
  const page = await fetch(`${base}/`);
  const [, script] = /src="([^"/]+\.js)"/.exec(await page.text()) ?? [];
  expect((await fetch(`${base}/${script}`)).status).toBe(200);
  const tuned = await fetch(`${base}/api/v1/performance/optimize`, {
    method: "POST",
    headers: { ...BEARER, "content-type": "application/json" },
    body: JSON.stringify({ profile: "batch" }),
  });
  expect(await tuned.json()).toMatchObject({ profile: "batch" });
  const stream = await fetch(`${base}/events`);
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toContain("event: snapshot");
  await reader.cancel();
  expect((await fetch(`${base}/nothing`)).status).toBe(404);
}

describe("a handler is mounted", () => {
  it("on node:http, under a path", async () => {
    const address = await listen((request, response) => void listener(request, response));
    const listener = nodeHandler(open("/x/y"));
    await expectWhole(`${address}/x/y`);
    expect((await fetch(`${address}/x/y`)).url).toBe(`${address}/x/y/`);
  });

  it("in Express, at the root and under a path, before and after a body parser", async () => {
    const app = express();
    app.use("/x/y", nodeHandler(open()));
    app.use("/parsed", express.json(), nodeHandler(open()));
    app.use(nodeHandler(open("/root")));
    const address = await listen(app);
    await expectWhole(`${address}/x/y`);
    await expectWhole(`${address}/parsed`);
    await expectWhole(`${address}/root`);
    expect((await fetch(`${address}/x/y?a=1`)).url).toBe(`${address}/x/y/?a=1`);
  });

  it("in Fastify, with its raw request and response", async () => {
    const app = fastify();
    const listener = nodeHandler(open("/x/y"));
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_request, _payload, done) => done(null));
    app.all("/x/y/*", (request, reply) => {
      reply.hijack();
      return listener(request.raw, reply.raw);
    });
    const address = await app.listen({ port: 0, host: "127.0.0.1" });
    stops.unshift(() => {
      app.server.closeAllConnections();
      return app.close();
    });
    await expectWhole(`${address}/x/y`);
  });

  it("in Hono, as fetch has it", async () => {
    const app = new Hono();
    app.mount("/x/y", open());
    const handle = open("/whole");
    app.all("/whole/*", (context) => handle(context.req.raw));
    for (const base of ["/x/y", "/whole"]) {
      expect(await (await app.request(`http://localhost${base}/health/live`)).json()).toEqual({ status: "ok" });
      expect((await app.request(`http://localhost${base}/`)).headers.get("content-type")).toContain("text/html");
    }
  });
});

describe("a server of its own", () => {
  it("listens on this machine alone, tells where, and gives the port back", async () => {
    const server = await serve(optimizer, { port: 0, token: TOKEN });
    expect(server.url).toBe(`http://127.0.0.1:${server.port}/`);
    await expectWhole(server.url.slice(0, -1));
    const watching = await fetch(`${server.url}events`);
    server.drain();
    await server.close();
    await server.close();
    await watching.body?.cancel().catch(() => {});
    await expect(fetch(server.url)).rejects.toThrow();
  });

  it("says why it cannot listen", async () => {
    const first = await serve(optimizer, { port: 0 });
    await expect(serve(optimizer, { port: first.port })).rejects.toMatchObject({ code: "EADDRINUSE" });
    await first.close();
    await expect(serve(optimizer, { port: 70_000 })).rejects.toMatchObject({ option: "http.port" });
  });

  it("answers a request whose method or host cannot be read", async () => {
    const server = await serve(optimizer, { port: 0 });
    const asked = { host: "127.0.0.1", port: server.port, path: "//" };
    const statusFor = async (odd: RequestOptions): Promise<number> => {
      const [response] = await once(httpRequest({ ...asked, ...odd }).end(), "response");
      return response.resume().statusCode;
    };
    expect(await statusFor({ method: "TRACE" })).toBe(400);
    expect(await statusFor({ headers: { host: "a b" } })).toBe(403);
    await server.close();
  });

  it("goes on when a client leaves in the middle", async () => {
    const server = await serve(optimizer, { port: 0 });
    for (let n = 0; n < 20; n++) {
      const gone = new AbortController();
      const stream = await fetch(`${server.url}events`, { signal: gone.signal });
      expect(stream.status).toBe(200);
      gone.abort();
    }
    await expect
      .poll(
        async () => {
          const stream = await fetch(`${server.url}events`);
          await stream.body?.cancel();
          return stream.status;
        },
        { timeout: 30_000 },
      )
      .toBe(200);
    await server.close();
  });
});
