import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { handler } from "../../src/http/index.ts";
import { createOptimizer } from "../../src/index.ts";
import { type Desk, makeCalls, openDesk } from "./support.ts";

let desk: Desk;
afterEach(() => desk.close());

interface Ready {
  readonly status: string;
  readonly checks: readonly { readonly name: string; readonly status: string; readonly reason?: string }[];
}

async function ready(): Promise<Ready & { readonly code: number }> {
  const response = await desk.ask("/health/ready");
  return { ...((await response.json()) as Ready), code: response.status };
}

describe("health", () => {
  it("stays live and becomes degraded, not unready, within 10 s of every call failing", async () => {
    desk = openDesk({}, { retry: false });
    expect(await ready()).toMatchObject({ code: 200, status: "ok" });
    await desk.clock.run(makeCalls(desk.optimizer, 30, () => true));
    await desk.clock.advance(10_000);
    expect(await ready()).toMatchObject({ code: 200, status: "degraded" });
    expect((await ready()).checks.find(({ name }) => name === "calls")?.reason).toContain("no answer");
    expect((await desk.ask("/health/live")).status).toBe(200);
  });

  it("does no work in the request: what is asked between two looks is the same", async () => {
    desk = openDesk({}, { retry: false });
    const before = await ready();
    await makeCalls(desk.optimizer, 30, () => true);
    expect(await ready()).toEqual(before);
    await desk.clock.advance(1_000);
    expect((await ready()).status).toBe("degraded");
  });

  it("is not ready without what the application needs, until that is back", async () => {
    let isThere = true;
    desk = openDesk({
      checks: {
        database: () => isThere,
        queue: () => Promise.reject(new Error("secret-address:5432")),
        slow: () => new Promise(() => {}),
      },
    });
    await desk.clock.advance(6_000);
    const { code, status, checks } = await ready();
    expect([code, status]).toEqual([503, "down"]);
    expect(checks).toContainEqual({ name: "database", status: "ok" });
    expect(checks).toContainEqual({ name: "queue", status: "down", reason: "Error" });
    expect(checks).toContainEqual({ name: "slow", status: "down", reason: "no answer within 5 s" });
    isThere = false;
    await desk.clock.advance(10_000);
    expect((await ready()).checks).toContainEqual({ name: "database", status: "down", reason: "the check failed" });
    isThere = true;
    await desk.clock.advance(10_000);
    expect((await ready()).checks).toContainEqual({ name: "database", status: "ok" });
  });

  it("is not ready while the server drains", async () => {
    desk = openDesk();
    desk.handle.drain();
    expect(await ready()).toMatchObject({ code: 503, status: "down" });
    expect((await desk.ask("/health/live")).status).toBe(200);
  });

  it("tells afterwards of an event loop that stood still", async () => {
    desk = openDesk();
    const optimizer = createOptimizer({ environment: {} });
    const handle = handler(optimizer);
    const ask = async (): Promise<Ready> =>
      (await (await handle(new Request("http://localhost/health/ready"))).json()) as Ready;
    try {
      await pause(100);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);
      await expect.poll(ask, { timeout: 30_000 }).toMatchObject({ status: "degraded" });
      expect((await ask()).checks.find(({ name }) => name === "event loop")?.reason).toMatch(/stood still for \d/);
    } finally {
      handle.close();
      await optimizer.close();
    }
  });
});
