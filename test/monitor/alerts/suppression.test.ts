import { describe, expect, it } from "vitest";
import { OptionError } from "../../../src/core/index.ts";
import type { AlertRule, SilenceOptions } from "../../../src/monitor/index.ts";
import { monitored } from "../support.ts";
import { heard } from "./support.ts";

const HOT: AlertRule = {
  id: "hot",
  metric: "app.temperature",
  aggregate: "value",
  above: 80,
  keep: 0,
  groupBy: ["room"],
};
const SMOKE: AlertRule = { ...HOT, id: "smoke", metric: "app.smoke", above: 0, level: "critical" };

function house(rules: readonly AlertRule[]) {
  const rig = monitored({ alerts: rules });
  const set = (metric: string, value: number, room = "hall"): void => {
    rig.monitor.gauge(metric).set(value, { room });
  };
  return { ...rig, set, brief: () => rig.sent.map(({ rule, state }) => `${rule} ${state}`) };
}

describe("an alert for which another one stands", () => {
  it("is not sent, and an event says so once", async () => {
    const { clock, runtime, monitor, set, brief } = house([{ ...HOT, inhibitedBy: ["smoke"] }, SMOKE]);
    const suppressed = heard(runtime, "alert.suppressed");
    set("app.smoke", 1);
    set("app.temperature", 90);
    set("app.temperature", 90, "cellar");
    await clock.advance(60_000);
    expect(brief()).toEqual(["hot firing", "smoke firing"]);
    expect(suppressed).toMatchObject([{ rule: "hot", labels: { room: "hall" }, by: "alert", cause: "smoke" }]);
    expect(monitor.alerts.list()[0]?.alerts).toMatchObject([
      { labels: { room: "hall" }, state: "firing", suppressedBy: "alert", notified: false },
      { labels: { room: "cellar" }, state: "firing", notified: true },
    ]);
  });

  it("is sent when it still fires a window after the other one is over", async () => {
    const { clock, set, brief } = house([{ ...HOT, window: "1m", inhibitedBy: ["smoke"] }, SMOKE]);
    set("app.smoke", 1);
    set("app.temperature", 90);
    await clock.advance(30_000);
    set("app.smoke", 0);
    await clock.advance(55_000);
    expect(brief()).toEqual(["smoke firing", "smoke resolved"]);
    await clock.advance(15_000);
    expect(brief()).toEqual(["smoke firing", "smoke resolved", "hot firing"]);
  });

  it("is the less severe one of a family, and never the more severe one", async () => {
    const { clock, set, brief } = house([
      { ...HOT, family: "fire" },
      { ...SMOKE, family: "fire", inhibitedBy: ["hot"] },
    ]);
    set("app.temperature", 90);
    await clock.advance(5_000);
    set("app.smoke", 1);
    await clock.advance(5_000);
    expect(brief()).toEqual(["hot firing", "smoke firing"]);
    set("app.temperature", 90, "cellar");
    set("app.smoke", 1, "cellar");
    await clock.advance(400_000);
    // The cellar's heat is told by its smoke alone.
    expect(brief()).toEqual(["hot firing", "smoke firing", "smoke firing"]);
  });

  it("may be the only one with a label that the other one has not", async () => {
    const everywhere: AlertRule = { ...SMOKE, groupBy: [] };
    const { clock, set, brief } = house([{ ...HOT, inhibitedBy: ["smoke"] }, everywhere]);
    set("app.smoke", 1, "attic");
    for (const room of ["hall", "cellar"]) set("app.temperature", 90, room);
    await clock.advance(60_000);
    expect(brief()).toEqual(["smoke firing"]);
  });

  it("may be one on an event", async () => {
    const { clock, runtime, monitor, sent } = monitored();
    monitor.alerts.add({ id: "cause", event: "cluster.lost", until: "cluster.restored", level: "critical" });
    monitor.alerts.add({ id: "symptom", event: "cache.gap", inhibitedBy: ["cause"] });
    runtime.events.emit("cluster.lost", undefined, { reason: "timeout", processes: 2 });
    await clock.advance(20_000);
    runtime.events.emit("cache.gap", undefined, { tier: "redis" });
    await clock.advance(20_000);
    expect(sent.map(({ rule }) => rule)).toEqual(["cause"]);
  });
});

describe("a silence", () => {
  it("keeps back what it covers, and what still fires afterwards is sent then", async () => {
    const { clock, runtime, monitor, set, brief } = house([HOT, SMOKE]);
    const suppressed = heard(runtime, "alert.suppressed");
    const id = monitor.alerts.silence({ rule: "hot", labels: { room: "hall" }, for: "10m", comment: "painting" });
    expect(monitor.alerts.silences()).toEqual([
      { id, rule: "hot", labels: { room: "hall" }, until: clock.wall() + 600_000, comment: "painting" },
    ]);
    set("app.temperature", 90);
    set("app.smoke", 1);
    await clock.advance(300_000);
    expect(brief()).toEqual(["smoke firing"]);
    expect(suppressed).toMatchObject([{ rule: "hot", by: "silence", cause: id }]);
    await clock.advance(305_000);
    expect(brief()).toEqual(["smoke firing", "hot firing"]);
    expect(monitor.alerts.silences()).toEqual([]);
    expect(monitor.alerts.unsilence(id)).toBe(false);
  });

  it("does not keep back the end of what was told, nor is it told again meanwhile", async () => {
    const { clock, monitor, set, brief } = house([HOT]);
    set("app.temperature", 90);
    await clock.advance(5_000);
    const id = monitor.alerts.silence({ for: "24h" });
    await clock.advance(9 * 3_600_000);
    expect(brief()).toEqual(["hot firing"]);
    set("app.temperature", 20);
    await clock.advance(5_000);
    expect(brief()).toEqual(["hot firing", "hot resolved"]);
    expect(monitor.alerts.unsilence(id)).toBe(true);
    expect(monitor.alerts.silences()).toEqual([]);
  });

  it.each([{ for: 0 }, {}, { for: "1h", rule: 3 }, { for: "1h", labels: { room: 3 } }, { for: "1h", until: 3 }])(
    "that is wrong is refused: %j",
    (options) => {
      const { monitor } = monitored();
      expect(() => monitor.alerts.silence(options as unknown as SilenceOptions)).toThrow(OptionError);
    },
  );

  it("is one of a hundred at most", () => {
    const { monitor } = monitored();
    for (let count = 0; count < 100; count++) monitor.alerts.silence({ for: "1h" });
    expect(() => monitor.alerts.silence({ for: "1h" })).toThrow(OptionError);
  });
});

describe("a cooldown", () => {
  it("is each label set's own", async () => {
    const { clock, set, sent } = house([{ ...HOT, cooldown: "1h" }]);
    set("app.temperature", 90);
    await clock.advance(5_000);
    set("app.temperature", 20);
    await clock.advance(5_000);
    set("app.temperature", 90);
    set("app.temperature", 90, "cellar");
    await clock.advance(5_000);
    const told = sent.map(({ state, alerts }) => [state, alerts.map(({ labels }) => labels["room"]).join()]);
    expect(told).toEqual([
      ["firing", "hall"],
      ["resolved", "hall"],
      ["firing", "cellar"],
    ]);
  });
});
