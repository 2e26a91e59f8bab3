import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDashboard, type Dashboard, type ViewQuery } from "../../src/dashboard/index.ts";
import { createOptimizer, type Optimizer } from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { pricedOptimizer, someTraffic } from "./traffic.ts";

const ALL: ViewQuery = { window: 5, provider: undefined, model: undefined };

let clock: VirtualClock;
let optimizer: Optimizer;
let dashboard: Dashboard;

function start(made: Optimizer): void {
  optimizer = made;
  dashboard = createDashboard(optimizer);
}
beforeEach(() => {
  clock = new VirtualClock();
  start(pricedOptimizer({ clock }));
});
afterEach(async () => {
  dashboard.close();
  await optimizer.close();
});

/** A call that takes so long in virtual time. */
async function call(model: string, ms: number, fails = false): Promise<void> {
  await clock.run(
    optimizer
      .call({ model, input: `${model} ${clock.now()} ${Math.random()}` }, async () => {
        await new Promise<void>((resolve) => clock.timer(ms, () => resolve()));
        if (fails) throw Object.assign(new Error("busy"), { status: 400 });
        return { answer: 1, usage: { input_tokens: 1_000, output_tokens: 100 } };
      })
      .catch(() => {}),
  );
}

describe("the view", () => {
  it("knows nothing before the first call, and nowhere says zero instead", () => {
    const view = dashboard.view(ALL);
    for (const tile of Object.values(view.tiles)) expect(tile).toMatchObject({ value: null, previous: null, n: 0 });
    for (const chart of Object.values(view.charts)) expect(chart.series).toEqual([]);
    expect([view.models, view.breakers, view.alerts, view.failures, view.slowCalls]).toEqual([[], [], [], [], []]);
    expect(view.health).toMatchObject({ status: "ok", reasons: [] });
  });

  it("has no number that JSON cannot carry", async () => {
    await clock.run(someTraffic(optimizer));
    const view = dashboard.view(ALL);
    expect(JSON.parse(JSON.stringify(view))).toEqual(view);
  });

  it("counts calls, success, tokens and cost in the time that has passed", async () => {
    for (let n = 0; n < 10; n++) await call("gpt-4o", 5_900, n < 2);
    await clock.advance(1_000);
    const { tiles } = dashboard.view(ALL);
    expect(tiles.calls.n).toBe(10);
    expect(tiles.calls.value).toBeCloseTo(10, 0);
    expect(tiles.success.value).toBeCloseTo(0.8, 6);
    expect(tiles.latency.value).toBeCloseTo(5.9, 0);
    expect(tiles.tokens.value).toBeCloseTo(8_000, -3);
    // 8 answers of 1000 tokens in and 100 out at 1 and 4 dollars a million, in a minute.
    expect(tiles.cost.value).toBeCloseTo(8 * 0.0014 * 60, 1);
  });

  it("tells zero from no data once calls have come and gone", async () => {
    await call("gpt-4o", 100);
    await clock.advance(6 * 60_000);
    const { tiles, models } = dashboard.view(ALL);
    expect(tiles.calls.value).toBe(0);
    expect(tiles.latency.value).toBeNull();
    expect(tiles.success.value).toBeNull();
    expect(models).toEqual([]);
  });

  it("compares with the window before", async () => {
    for (let n = 0; n < 6; n++) await call("gpt-4o", 50_000);
    for (let n = 0; n < 60; n++) await call("gpt-4o", 5_000);
    const { tiles } = dashboard.view(ALL);
    expect(tiles.latency.value).toBeCloseTo(5, 0);
    expect(tiles.latency.previous).toBeCloseTo(50, -1);
  });

  it("shows what passes the filter, and every model all the same", async () => {
    await call("gpt-4o", 100);
    await call("o4-mini", 9_000);
    const view = dashboard.view({ ...ALL, model: "gpt-4o" });
    expect(view.tiles.calls.n).toBe(1);
    expect(view.slowCalls.map(({ model }) => model)).toEqual(["gpt-4o"]);
    expect(view.models.map(({ model }) => model).sort()).toEqual(["gpt-4o", "o4-mini"]);
  });

  it("tells where the time of slow calls went, slowest first, for 15 minutes", async () => {
    for (const ms of [100, 3_000, 200, 7_000]) await call("gpt-4o", ms);
    const { slowCalls } = dashboard.view(ALL);
    expect(slowCalls.map(({ seconds }) => Math.round(seconds * 10) / 10)).toEqual([7, 3, 0.2, 0.1]);
    expect(slowCalls[0]?.provide).toBeCloseTo(7, 3);
    for (let n = 0; n < 100; n++) await call("gpt-4o", 10);
    expect(dashboard.view(ALL).slowCalls).toHaveLength(8);
    await clock.advance(16 * 60_000);
    expect(dashboard.view(ALL).slowCalls).toEqual([]);
  });

  it("tells of failures, alike ones once, without their words", async () => {
    for (let n = 0; n < 30; n++) await call(`model-${n % 12}`, 10, true);
    const { failures } = dashboard.view(ALL);
    expect(failures).toHaveLength(8);
    const last = { model: "model-5", error: "bad_request", status: 400, attempts: 1 };
    expect(failures[0]).toMatchObject(last);
    await call("model-4", 10, true);
    expect(dashboard.view(ALL).failures[0]).toMatchObject({ ...last, model: "model-4", count: 2 });
    expect(JSON.stringify(failures)).not.toContain("busy");
  });

  it("follows a breaker from closed to open and back", async () => {
    const { events } = optimizer.line.runtime;
    const opened = {
      key: "custom/gpt-4o",
      reason: "overloaded",
      failureRate: 1,
      slowCallRate: 0,
      samples: 10,
    } as const;
    events.emit("breaker.opened", undefined, { ...opened, openForMs: 1_000 });
    await clock.advance(1_000);
    events.emit("breaker.half_opened", undefined, { key: opened.key });
    await clock.advance(1_000);
    events.emit("breaker.closed", undefined, { key: opened.key, openMs: 2_000 });
    const [breaker] = dashboard.view(ALL).breakers;
    expect(breaker).toMatchObject({ key: opened.key, state: "closed" });
    expect(breaker?.changes.map(([, state]) => state)).toEqual(["open", "half open", "closed"]);
  });

  it("sends sixty models and says how many it leaves out", async () => {
    dashboard.close();
    await optimizer.close();
    start(createOptimizer({ clock, environment: {} }));
    for (let n = 0; n < 100; n++) await optimizer.call({ model: `model-${n}`, input: "x" }, () => "answer");
    const { models, modelsLeftOut, tiles } = dashboard.view(ALL);
    expect(models).toHaveLength(60);
    expect(modelsLeftOut).toBeGreaterThan(0);
    expect(tiles.calls.n).toBe(100);
  });
});
