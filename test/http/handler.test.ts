import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { callLog } from "../../src/call-log/index.ts";
import { type HandlerOptions, handler } from "../../src/http/index.ts";
import { createOptimizer, OptionError } from "../../src/index.ts";
import { BEARER, type Desk, errorCode, makeCalls, openDesk, TOKEN } from "./support.ts";

let desk: Desk;
afterEach(() => desk.close());

const POSTS = ["/api/v1/performance/optimize", "/api/v1/cache/clear"];
const GETS = [
  "/",
  "/health/live",
  "/health/ready",
  "/metrics",
  "/api/v1/performance/stats",
  "/api/v1/cache/stats",
  "/api/v1/alerts",
  "/api/v1/report",
  "/api/v1/snapshot",
];

describe("a handler", () => {
  it("answers every path, with headers that keep a browser from doing harm", async () => {
    desk = openDesk();
    for (const path of GETS) {
      const response = await desk.ask(path);
      expect(response.status, path).toBe(200);
      expect(response.headers.get("x-content-type-options"), path).toBe("nosniff");
      expect(response.headers.get("content-security-policy"), path).toContain("default-src 'none'");
      expect(response.headers.get("content-security-policy"), path).not.toContain("unsafe");
      expect(response.headers.get("access-control-allow-origin"), path).toBeNull();
    }
  });

  it("gives the same head and no body for HEAD", async () => {
    desk = openDesk();
    for (const path of GETS) {
      const [get, head] = [await desk.ask(path), await desk.ask(path, { method: "HEAD" })];
      expect(head.status, path).toBe(200);
      expect(head.headers.get("content-type"), path).toBe(get.headers.get("content-type"));
      expect(await head.text(), path).toBe("");
    }
  });

  it("says which methods a path takes", async () => {
    desk = openDesk({ token: TOKEN });
    for (const path of GETS.slice(1)) {
      const response = await desk.ask(path, { method: "POST", headers: BEARER });
      expect([response.status, response.headers.get("allow")], path).toEqual([405, "GET, HEAD"]);
    }
    for (const path of POSTS) {
      const response = await desk.ask(path);
      expect([response.status, response.headers.get("allow")], path).toEqual([405, "POST"]);
    }
  });

  it("knows no other path, whatever its name", async () => {
    desk = openDesk();
    for (const path of [
      "/nothing",
      "/constructor",
      "/__proto__",
      "/api/v1",
      "/index.htm",
      "//evil.example/",
      "/..%2f",
    ]) {
      const response = await desk.ask(path);
      expect(response.status, path).toBe(404);
      expect(await errorCode(response), path).toBe("NOT_FOUND");
    }
  });

  it("serves no dashboard where it is switched off", async () => {
    desk = openDesk({ dashboard: false });
    expect((await desk.ask("/")).status).toBe(404);
    expect((await desk.ask("/events")).status).toBe(404);
    expect((await desk.ask("/metrics")).status).toBe(200);
  });

  it("answers below its base path only, and sends to the path with a slash", async () => {
    desk = openDesk({ basePath: "/x/y/" });
    expect((await desk.ask("/x/y/health/live")).status).toBe(200);
    expect((await desk.ask("/x/y/")).status).toBe(200);
    expect((await desk.ask("/health/live")).status).toBe(404);
    expect((await desk.ask("/x/yhealth/live")).status).toBe(404);
    const redirect = await desk.ask("/x/y?a=1");
    expect([redirect.status, redirect.headers.get("location")]).toEqual([308, "./y/?a=1"]);
  });

  it("lets assets be kept for ever and the page be asked for anew", async () => {
    desk = openDesk();
    const page = await desk.ask("/");
    const etag = page.headers.get("etag") ?? "";
    expect(page.headers.get("cache-control")).toBe("no-cache");
    expect((await desk.ask("/", { headers: { "if-none-match": etag } })).status).toBe(304);
    const [, script] = /src="([^"]+\.js)"/.exec(await page.text()) ?? [];
    const asset = await desk.ask(`/${script}`, { headers: { "accept-encoding": "gzip" } });
    expect(asset.headers.get("cache-control")).toContain("immutable");
    expect(asset.headers.get("content-encoding")).toBe("gzip");
    expect(asset.headers.get("content-type")).toContain("javascript");
  });

  it("says which option is wrong", async () => {
    desk = openDesk();
    const wrong: readonly [string, unknown][] = [
      ["http.token", { token: "short" }],
      ["http.token", { token: "a token of enough characters" }],
      ["http.token", { protect: "everything" }],
      ["http.protect", { protect: "nothing" }],
      ["http.hosts", { hosts: "app.example.com" }],
      ["http.hosts[0]", { hosts: ["https://app.example.com"] }],
      ["http.basePath", { basePath: "breakwater" }],
      ["http.maxStreams", { maxStreams: 0 }],
      ["http.callLog", { callLog: {} }],
      ["http.recommendations", { recommendations: [] }],
      ["http.profiler", { profiler: { profiles: () => [] } }],
      ["http.checks.db", { checks: { db: true } }],
      ["http.prot", { prot: 1 }],
    ];
    for (const [option, options] of wrong) {
      const error = thrownBy(() => handler(desk.optimizer, options as HandlerOptions));
      expect(error, option).toBeInstanceOf(OptionError);
      expect((error as OptionError).option).toBe(option);
      expect((error as OptionError).message).not.toContain("short");
    }
  });
});

describe("the routes of the API", () => {
  it("tell what the optimizer tells", async () => {
    desk = openDesk();
    await makeCalls(desk.optimizer, 12);
    const { stats, health } = (await (await desk.ask("/api/v1/performance/stats")).json()) as {
      stats: { monitor: { calls: number }; profile: string };
      health: { status: string };
    };
    expect([stats.monitor.calls, stats.profile, health.status]).toEqual([12, "production", "ok"]);
    expect(await (await desk.ask("/api/v1/cache/stats")).json()).toMatchObject({ misses: { absent: 12 } });
    expect(await (await desk.ask("/api/v1/alerts")).json()).toHaveProperty("alerts");
    const report = (await (await desk.ask("/api/v1/report?minutes=5")).json()) as { totals: { calls: number } };
    expect(report.totals.calls).toBe(12);
    expect(await (await desk.ask("/metrics")).text()).toContain("breakwater_calls_total");
    const accept = "application/openmetrics-text; version=1.0.0";
    const openMetrics = await desk.ask("/metrics", { headers: { accept } });
    expect(openMetrics.headers.get("content-type")).toContain("openmetrics");
    expect(await openMetrics.text()).toMatch(/# EOF\n$/);
  });

  it("apply a profile, and refuse one that does not exist", async () => {
    desk = openDesk({ token: TOKEN });
    const headers = { ...BEARER, "content-type": "application/json" };
    const tune = (body: string, more: Record<string, string> = headers) =>
      desk.ask("/api/v1/performance/optimize", { method: "POST", headers: more, body });
    expect(await (await tune('{"profile":"batch"}')).json()).toEqual({ profile: "batch", before: "production" });
    expect(desk.optimizer.stats().profile).toBe("batch");
    const wrong = await tune('{"profile":"fastest"}');
    expect(wrong.status).toBe(400);
    expect(((await wrong.json()) as { error: { message: string } }).error.message).toContain("interactive");
    expect((await tune("{")).status).toBe(400);
    expect((await tune("[]")).status).toBe(400);
    expect((await tune('{"profile":"batch"}', BEARER)).status).toBe(415);
    expect((await tune(`{"profile":"${"x".repeat(20_000)}"}`)).status).toBe(413);
    expect(desk.optimizer.stats().profile).toBe("batch");
  });

  it("clear the cache", async () => {
    desk = openDesk({ token: TOKEN });
    await makeCalls(desk.optimizer, 1);
    const cleared = await desk.ask("/api/v1/cache/clear", { method: "POST", headers: BEARER });
    expect(await cleared.json()).toEqual({ cleared: true });
    await makeCalls(desk.optimizer, 1);
    expect(desk.optimizer.cache.stats().hits).toEqual({ memory: 0 });
  });

  it("refuse wrong parameters with what is right", async () => {
    desk = openDesk();
    for (const path of [
      "/api/v1/report?minutes=0",
      "/api/v1/report?minutes=x",
      "/api/v1/snapshot?window=7",
      "/events?window=x",
    ]) {
      expect((await desk.ask(path)).status, path).toBe(400);
    }
  });

  it("show the call log where there is one", async () => {
    desk = openDesk();
    const absent = await desk.ask("/api/v1/calls");
    expect([absent.status, await errorCode(absent)]).toEqual([404, "NO_CALL_LOG"]);
    await desk.close();
    const asked: unknown[] = [];
    const callLog = {
      query(options: Readonly<Record<string, unknown>>) {
        asked.push(options);
        if (Number.isNaN(options["page"])) throw new OptionError("callLog.page", "x", "a whole number");
        return { rows: [], total: 0 };
      },
    };
    desk = openDesk({ callLog });
    expect(
      await (await desk.ask("/api/v1/calls?page=2&model=m&model=n&stream=true&minDuration=1s&from=5")).json(),
    ).toEqual({ rows: [], total: 0 });
    expect(asked).toEqual([{ page: 2, model: ["m", "n"], stream: true, minDuration: "1s", from: 5 }]);
    expect((await desk.ask("/api/v1/calls?page=x")).status).toBe(400);
  });

  it("read the real call log page by page", async () => {
    const folder = mkdtempSync(join(tmpdir(), "breakwater-http-"));
    const optimizer = createOptimizer({ environment: {} });
    const log = callLog(optimizer, { path: join(folder, "calls.db") });
    const handle = handler(optimizer, { callLog: log });
    desk = openDesk();
    try {
      await makeCalls(optimizer, 3);
      const response = await handle(new Request("http://localhost/api/v1/calls?perPage=2&model=model-a"));
      expect(await response.json()).toMatchObject({ total: 3, totalPages: 2, hasNext: true, rows: [{}, {}] });
      expect((await handle(new Request("http://localhost/api/v1/calls?perPage=0"))).status).toBe(400);
      expect((await handle(new Request("http://localhost/api/v1/calls?nothing=1"))).status).toBe(400);
    } finally {
      handle.close();
      await log.close();
      await optimizer.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("say nothing of what went wrong inside", async () => {
    desk = openDesk({
      callLog: {
        query() {
          throw new Error("sk-canary in a message");
        },
      },
    });
    const response = await desk.ask("/api/v1/calls");
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("canary");
  });
});

function thrownBy(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  return undefined;
}

it("holds nothing once it is closed", async () => {
  desk = openDesk();
  const optimizer = createOptimizer({ clock: desk.clock, environment: {}, monitor: false });
  const timers = desk.clock.pendingTimers;
  const listeners = optimizer.line.runtime.events.listenerCount;
  const handle = handler(optimizer, { checks: { db: () => true } });
  expect(desk.clock.pendingTimers).toBeGreaterThan(timers);
  handle.close();
  await desk.clock.advance(20_000);
  expect(optimizer.line.runtime.events.listenerCount).toBe(listeners);
  expect((await handle(new Request("http://localhost/health/live"))).status).toBe(200);
  await optimizer.close();
});
