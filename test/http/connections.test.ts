import { once } from "node:events";
import { createServer, request as httpRequest, type Server } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, type Server as NetServer } from "node:net";
import express from "express";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type HandlerOptions, type HttpHandler, handler, nodeHandler } from "../../src/http/index.ts";
import { createOptimizer, type Optimizer } from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { BEARER, TOKEN } from "./support.ts";

const PATIENT = { timeout: 30_000 };

let clock: VirtualClock;
let optimizer: Optimizer;
let stops: (() => unknown)[];
beforeEach(() => {
  clock = new VirtualClock();
  optimizer = createOptimizer({ clock, environment: {} });
  stops = [];
});
afterEach(async () => {
  for (const stop of stops) await stop();
  await optimizer.close();
});

function open(options: HandlerOptions = {}): HttpHandler {
  const handle = handler(optimizer, { token: TOKEN, ...options });
  stops.push(() => handle.close());
  return handle;
}

async function listen(server: NetServer): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stops.unshift(() => {
    (server as Server).closeAllConnections?.();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe("a client", () => {
  it("that has left before its stream begins takes no place", async () => {
    const handle = open({ maxStreams: 1 });
    const listener = nodeHandler(handle);
    let served: Promise<void> | undefined;
    const port = await listen(
      createServer(async (request, response) => {
        await once(response, "close");
        served = listener(request, response);
      }),
    );
    const idle = clock.pendingTimers;
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.write("GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", () => socket.destroy());
    await expect.poll(() => served !== undefined, PATIENT).toBe(true);
    await expect.poll(() => clock.pendingTimers, PATIENT).toBe(idle);
    await served;
  });

  it("that does not read is cut off, not only forgotten", async () => {
    const listener = nodeHandler(open());
    const server = createServer((request, response) => void listener(request, response));
    const port = await listen(server);
    const idle = clock.pendingTimers;
    const socket = connect(port, "127.0.0.1");
    stops.unshift(() => socket.destroy());
    socket.on("error", () => {});
    socket.pause();
    socket.write("GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    await expect.poll(() => clock.pendingTimers, PATIENT).toBeGreaterThan(idle);
    // The system takes some megabytes before the server notices.
    await expect
      .poll(async () => {
        await clock.advance(200_000);
        return clock.pendingTimers;
      }, PATIENT)
      .toBe(idle);
    await expect.poll(() => connectionsOf(server), PATIENT).toBe(0);
  });

  it("whose body is not wanted is answered, and so is what it asks next on that connection", async () => {
    const listener = nodeHandler(open());
    const port = await listen(createServer((request, response) => void listener(request, response)));
    for (const [path, token, status] of [
      ["cache/clear", "wrong", 401],
      ["cache/clear", TOKEN, 200],
      ["performance/optimize", TOKEN, 413],
    ] as const) {
      const socket = connect(port, "127.0.0.1");
      stops.unshift(() => socket.destroy());
      let answers = "";
      socket.setEncoding("utf8").on("data", (text) => {
        answers += text;
      });
      const body = "x".repeat(3_000_000);
      socket.write(
        `POST /api/v1/${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
          "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
      );
      const statuses = (): string[] => [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => code ?? "");
      await expect.poll(statuses, PATIENT).toEqual([String(status), "200"]);
    }
  });

  it("that sends too much is told so", async () => {
    const listener = nodeHandler(open());
    const port = await listen(createServer((request, response) => void listener(request, response)));
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/performance/optimize`, {
      method: "POST",
      headers: { ...BEARER, "content-type": "application/json" },
      body: JSON.stringify({ profile: "x".repeat(1_000_000) }),
    });
    expect(response.status).toBe(413);
  });
});

describe("a listener for node:http", () => {
  it("leaves alone what somebody else has answered", async () => {
    const listener = nodeHandler(open({ maxStreams: 1 }));
    let served: Promise<void> | undefined;
    const port = await listen(
      createServer((request, response) => {
        response.end("too late");
        served = listener(request, response);
      }),
    );
    const idle = clock.pendingTimers;
    expect(await (await fetch(`http://127.0.0.1:${port}/events`)).text()).toBe("too late");
    await served;
    expect(clock.pendingTimers).toBe(idle);
  });

  it("sends the headers of every reply with its redirects too, which stay on this host", async () => {
    const app = express();
    app.use("/:name", nodeHandler(open()));
    const port = await listen(createServer(app));
    const response = await fetch(`http://127.0.0.1:${port}/x:y`, { redirect: "manual" });
    expect(response.status).toBe(308);
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    const target = new URL(response.headers.get("location") ?? "", `http://127.0.0.1:${port}/x:y`);
    expect(target.href).toBe(`http://127.0.0.1:${port}/x:y/`);
  });

  it("takes a body that was read already, as text or as bytes too", async () => {
    const app = express();
    app.use("/text", express.text({ type: "*/*" }), nodeHandler(open()));
    app.use("/bytes", express.raw({ type: "*/*" }), nodeHandler(open()));
    const port = await listen(createServer(app));
    for (const parser of ["text", "bytes"]) {
      const response = await fetch(`http://127.0.0.1:${port}/${parser}/api/v1/performance/optimize`, {
        method: "POST",
        headers: { ...BEARER, "content-type": "application/json" },
        body: JSON.stringify({ profile: "batch" }),
      });
      expect([parser, response.status]).toEqual([parser, 200]);
    }
  });

  it("takes the path from the address alone, whatever the host is said to be", async () => {
    const listener = nodeHandler(open({ hosts: "*" }));
    const port = await listen(createServer((request, response) => void listener(request, response)));
    const headers = { host: "127.0.0.1/metrics?" };
    const request = httpRequest({ host: "127.0.0.1", port, path: "/nothing", headers }).end();
    const [response] = await once(request, "response");
    response.resume();
    expect(response.statusCode).not.toBe(200);
  });

  it("knows the host of HTTP/2, and refuses that of others", async () => {
    const listener = nodeHandler(open({ hosts: ["app.example.com"] }));
    const server = createHttp2Server((request, response) => void listener(request as never, response as never));
    const port = await listen(server);
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const statusFor = async (authority: string): Promise<unknown> => {
      const stream = session.request({ ":path": "/metrics", ":authority": authority });
      stream.resume();
      const [headers] = await once(stream, "response");
      return headers[":status"];
    };
    const answers = [await statusFor("evil.example"), await statusFor("app.example.com")];
    session.destroy();
    expect(answers).toEqual([403, 200]);
  });
});

describe("a handler that is closed", () => {
  it("begins no stream and no timer", async () => {
    const handle = handler(optimizer, {});
    handle.close();
    const idle = clock.pendingTimers;
    const response = await handle(new Request("http://127.0.0.1/events"));
    expect(clock.pendingTimers).toBe(idle);
    expect(response.status).toBe(503);
  });
});

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

describe("a source of the dashboard that throws", () => {
  it("takes no place and no process with it", async () => {
    let works = true;
    const list = (): [] => {
      if (!works) throw new Error("no recommendations");
      return [];
    };
    const handle = open({ recommendations: { list }, maxStreams: 1 });
    const ask = (): Promise<Response> => handle(new Request("http://127.0.0.1/events"));
    const idle = clock.pendingTimers;
    const cut = await ask();
    works = false;
    await clock.advance(1_000);
    await expect(cut.text()).rejects.toThrow("could not be made");
    expect(clock.pendingTimers).toBe(idle);
    expect((await ask()).status).toBe(500);
    works = true;
    const again = await ask();
    expect(again.status).toBe(200);
    await again.body?.cancel();
  });
});
