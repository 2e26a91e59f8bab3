import { afterEach, describe, expect, it } from "vitest";
import { simulatedFetch } from "../../src/testing/index.ts";
import { BEARER, type Desk, errorCode, openDesk, TOKEN } from "./support.ts";

let desk: Desk;
afterEach(() => desk.close());

const PATHS = [
  "/",
  "/metrics",
  "/events",
  "/api/v1/snapshot",
  "/api/v1/performance/stats",
  "/api/v1/report",
  "/nothing",
];

describe("host names", () => {
  it("of others are refused, as DNS rebinding would bring them", async () => {
    desk = openDesk();
    for (const path of PATHS) {
      const response = await desk.ask(path, { at: "http://evil.example:9464" });
      expect([response.status, await errorCode(response)], path).toEqual([403, "FOREIGN_HOST"]);
      const named = await desk.ask(path, { headers: { host: "evil.example" } });
      expect(named.status, path).toBe(403);
    }
    for (const host of [
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "evil.example:80",
      "",
      "a b",
      "[::1].evil",
    ]) {
      expect((await desk.ask("/metrics", { headers: { host } })).status, host).toBe(403);
    }
  });

  it("of this machine, addresses and those that are listed are answered", async () => {
    desk = openDesk({ hosts: ["App.example.com"] });
    for (const host of [
      "localhost",
      "localhost:9464",
      "a.localhost",
      "127.0.0.1:1",
      "10.0.0.7",
      "[::1]:9464",
      "app.example.com",
    ]) {
      expect((await desk.ask("/metrics", { headers: { host } })).status, host).toBe(200);
    }
  });

  it("are not looked at for liveness, and hide the reasons of readiness", async () => {
    desk = openDesk();
    expect((await desk.ask("/health/live", { at: "http://pod.cluster.example" })).status).toBe(200);
    expect(await (await desk.ask("/health/ready", { at: "http://pod.cluster.example" })).json()).toEqual({
      status: "ok",
    });
    expect(await (await desk.ask("/health/ready")).json()).toHaveProperty("checks");
  });

  it('are all answered with "*"', async () => {
    desk = openDesk({ hosts: "*" });
    expect((await desk.ask("/metrics", { at: "http://any.example" })).status).toBe(200);
  });
});

describe("other origins", () => {
  it("are refused, reading and changing", async () => {
    desk = openDesk({ token: TOKEN });
    for (const origin of ["https://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1.evil.example"]) {
      for (const path of PATHS) {
        const response = await desk.ask(path, { headers: { origin } });
        expect([response.status, await errorCode(response)], `${origin} ${path}`).toEqual([403, "FOREIGN_ORIGIN"]);
      }
      const change = await desk.ask("/api/v1/cache/clear", { method: "POST", headers: { ...BEARER, origin } });
      expect(change.status, origin).toBe(403);
    }
  });

  it("are not the page's own, nor that of a listed name", async () => {
    desk = openDesk({ hosts: ["app.example.com"] });
    expect((await desk.ask("/metrics", { headers: { origin: "http://127.0.0.1:9464" } })).status).toBe(200);
    expect((await desk.ask("/metrics", { headers: { origin: "https://app.example.com" } })).status).toBe(200);
  });
});

describe("what changes state", () => {
  it("is closed while no token is set, and says how to set one", async () => {
    desk = openDesk();
    const response = await desk.ask("/api/v1/cache/clear", { method: "POST", headers: BEARER });
    expect(response.status).toBe(403);
    expect(((await response.json()) as { error: { message: string } }).error.message).toContain('option "token"');
  });

  it("wants the token, as bearer or as the password of Basic", async () => {
    desk = openDesk({ token: TOKEN });
    const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });
    const clear = async (headers: Record<string, string>) =>
      (await desk.ask("/api/v1/cache/clear", { method: "POST", headers })).status;
    for (const wrong of [
      {},
      { authorization: "Bearer " },
      { authorization: `Bearer ${TOKEN}x` },
      { authorization: TOKEN },
    ]) {
      expect(await clear(wrong as Record<string, string>)).toBe(401);
    }
    expect(await clear(basic("any:wrong"))).toBe(401);
    expect(await clear(basic(`any:${TOKEN}`))).toBe(200);
  });
});

describe("with everything protected", () => {
  it("only health is open, and only its status", async () => {
    desk = openDesk({ token: "0123456789abcdef", protect: "everything" });
    for (const path of PATHS) {
      const response = await desk.ask(path);
      expect([response.status, response.headers.get("www-authenticate")], path).toEqual([
        401,
        'Basic realm="breakwater", charset="UTF-8"',
      ]);
    }
    expect(await (await desk.ask("/health/ready")).json()).toEqual({ status: "ok" });
    const headers = { authorization: "Bearer 0123456789abcdef" };
    expect((await desk.ask("/metrics", { headers })).status).toBe(200);
    expect(await (await desk.ask("/health/ready", { headers })).json()).toHaveProperty("checks");
  });
});

describe("prompts, answers, keys and headers", () => {
  it("are on no page, in no event and in no error", async () => {
    const canaries = ["canary-prompt", "canary-key", "canary-header", "canary-tag", "canary-body"];
    const fetch = simulatedFetch({
      latency: false,
      faults: [undefined, { kind: "status", status: 500 }, { kind: "badCredential" }],
    });
    desk = openDesk({ token: TOKEN }, { fetch: fetch as typeof globalThis.fetch, retry: false });
    for (let n = 0; n < 3; n++) {
      const sent = desk.optimizer.fetch("https://api.openai.com/v1/chat/completions", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          authorization: "Bearer sk-canary-key",
          "x-secret": "canary-header",
        },
        body: JSON.stringify({
          model: "m",
          user: "canary-body",
          messages: [{ role: "user", content: `canary-prompt ${n}` }],
        }),
      });
      await (await sent).text();
    }
    const stream = await desk.ask("/events");
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
    const texts = [new TextDecoder().decode((await reader.read()).value)];
    await reader.cancel();
    for (const path of PATHS.filter((path) => path !== "/events")) texts.push(await (await desk.ask(path)).text());
    for (const path of ["/health/ready", "/api/v1/cache/stats", "/api/v1/alerts", "/api/v1/calls"]) {
      texts.push(await (await desk.ask(path)).text());
    }
    const wrong = {
      method: "POST",
      headers: { ...BEARER, "content-type": "application/json" },
      body: '{"profile":"m"}',
    };
    texts.push(await (await desk.ask("/api/v1/performance/optimize", wrong)).text());
    expect(texts.join("")).toContain("openai");
    for (const canary of [...canaries, TOKEN]) expect(texts.join("")).not.toContain(canary);
  });
});
