import { describe, expect, it } from "vitest";
import { OptionError } from "../../../src/core/index.ts";
import type { Alert, AlertRule, Monitor } from "../../../src/monitor/index.ts";
import { monitored } from "../support.ts";
import { heard } from "./support.ts";

const HOT: AlertRule = { id: "hot", metric: "app.temperature", aggregate: "value", above: 80, keep: 0, cooldown: 0 };
const states = (alerts: readonly { state: string }[]): string[] => alerts.map(({ state }) => state);

function thermometer(monitor: Monitor): (value: number, room?: string) => void {
  const gauge = monitor.gauge("app.temperature");
  return (value, room) => gauge.set(value, room === undefined ? {} : { room });
}

describe("a handler", () => {
  it("that throws, rejects or hangs harms neither the others nor the alert", async () => {
    const told: string[] = [];
    const handlers = [
      () => {
        throw new TypeError("thrown");
      },
      async () => {
        throw new RangeError("rejected");
      },
      () => new Promise(() => {}),
      (alert: Alert) => told.push(alert.state),
    ];
    const { clock, runtime, monitor, sent } = monitored({ alerts: [{ ...HOT, handlers }] });
    const failures = heard(runtime, "alert.handler_failed");
    const temperature = thermometer(monitor);
    temperature(90);
    await clock.advance(5_000);
    expect(told).toEqual(["firing"]);
    expect(failures.map(({ error }) => error)).toEqual(["TypeError", "RangeError"]);
    await clock.advance(5_000);
    expect(failures.map(({ error }) => error)).toEqual(["TypeError", "RangeError", "TimeoutError"]);
    temperature(20);
    await clock.advance(5_000);
    expect(told).toEqual(["firing", "resolved"]);
    expect(states(sent)).toEqual(["firing", "resolved"]);
    monitor.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it("is counted by what became of its messages, and alerts by whether they fire", async () => {
    const { clock, monitor } = monitored({ alerts: [{ ...HOT, groupBy: ["room"], level: "critical" }] });
    const firing = () => monitor.read("breakwater.alerts.firing", { labels: { rule: "hot", level: "critical" } });
    const told = (handler: string, result: string) =>
      monitor.read("breakwater.alert.notifications", { aggregate: "sum", window: "1h", labels: { handler, result } });
    monitor.alerts.notify(() => {}, { name: "chat" });
    monitor.alerts.notify(() => Promise.reject(new Error("no")), { name: "pager" });
    const temperature = thermometer(monitor);
    expect(firing()).toBeUndefined();
    temperature(90, "cellar");
    temperature(95, "attic");
    await clock.advance(5_000);
    expect(firing()).toBe(2);
    expect([told("chat", "delivered"), told("pager", "failed")]).toEqual([1, 1]);
    temperature(20, "attic");
    await clock.advance(5_000);
    expect(firing()).toBe(1);
    temperature(20, "cellar");
    await clock.advance(5_000);
    expect(firing()).toBe(0);
    expect([told("chat", "delivered"), told("pager", "failed")]).toEqual([2, 2]);
    expect(told("chat", "failed") ?? 0).toBe(0);
    monitor.close();
  });

  it("is told at once when the alert is sent, and the event says how long it took", async () => {
    const { clock, runtime, monitor } = monitored({ alerts: [HOT] });
    const notified = heard(runtime, "alert.notified");
    const took: number[] = [];
    async function pager(): Promise<void> {
      took.push(clock.now());
      await new Promise<void>((resolve) => {
        clock.timer(700, resolve);
      });
    }
    monitor.alerts.notify(pager);
    thermometer(monitor)(90);
    await clock.advance(6_000);
    expect(took).toEqual([5_000]);
    expect(notified).toMatchObject([{ rule: "hot", handler: "pager", durationMs: 700 }]);
  });

  it("of some levels hears of those only, and of the end of what it heard of", async () => {
    const { clock, monitor } = monitored({ alerts: [{ ...HOT, above: { warning: 80, critical: 100 } }] });
    const all: Alert[] = [];
    const pages: Alert[] = [];
    monitor.alerts.notify((alert) => all.push(alert));
    const stop = monitor.alerts.notify((alert) => pages.push(alert), { levels: ["critical"] });
    const temperature = thermometer(monitor);
    for (const value of [90, 20, 110, 90, 20]) {
      temperature(value);
      await clock.advance(5_000);
    }
    expect(all.map(({ state, level }) => `${state} ${level}`)).toEqual([
      "firing warning",
      "resolved warning",
      "firing critical",
      "resolved critical",
    ]);
    expect(states(pages)).toEqual(["firing", "resolved"]);
    stop();
    temperature(110);
    await clock.advance(5_000);
    expect(pages).toHaveLength(2);
  });

  it("has at most four messages at a time, and of one group the next only after the last", async () => {
    const { clock, monitor } = monitored({ grouping: { by: ["room"] } });
    monitor.alerts.add({ ...HOT, groupBy: ["room"] });
    const begun: string[] = [];
    const ends: (() => void)[] = [];
    monitor.alerts.notify(
      ({ state, labels }) => {
        begun.push(`${labels["room"]} ${state}`);
        return new Promise<void>((resolve) => {
          ends.push(resolve);
        });
      },
      { timeout: "1m" },
    );
    const temperature = thermometer(monitor);
    for (const room of ["a", "b", "c", "d", "e"]) temperature(90, room);
    await clock.advance(5_000);
    temperature(20, "a");
    await clock.advance(5_000);
    expect(begun).toEqual(["a firing", "b firing", "c firing", "d firing"]);
    ends[1]?.();
    await clock.advance(1);
    expect(begun.at(-1)).toBe("e firing");
    ends[0]?.();
    await clock.advance(1);
    expect(begun.at(-1)).toBe("a resolved");
    monitor.close();
  });

  it("is aborted when its time is over, and gives way to the next", async () => {
    const { clock, monitor } = monitored({ alerts: [HOT] });
    const begun: string[] = [];
    const aborted: string[] = [];
    monitor.alerts.notify(({ state }, { signal }) => {
      begun.push(state);
      signal.addEventListener("abort", () => aborted.push(signal.reason.name));
      return new Promise(() => {});
    });
    const temperature = thermometer(monitor);
    temperature(90);
    await clock.advance(5_000);
    temperature(20);
    await clock.advance(5_000);
    expect(begun).toEqual(["firing", "resolved"]);
    expect(aborted).toEqual(["TimeoutError"]);
  });

  it("that keeps failing is left alone for 30 s, and loses nothing of what comes meanwhile", async () => {
    const { clock, runtime, monitor } = monitored({ alerts: [HOT] });
    const failures = heard(runtime, "alert.handler_failed");
    const tries: number[] = [];
    const taken: string[] = [];
    let broken = true;
    monitor.alerts.notify(({ state }) => {
      tries.push(clock.now());
      if (broken) throw new Error("down");
      taken.push(state);
    });
    const temperature = thermometer(monitor);
    for (let turn = 0; turn < 8; turn++) {
      temperature(turn % 2 === 0 ? 90 : 20);
      await clock.advance(5_000);
    }
    expect(failures).toHaveLength(5);
    broken = false;
    await clock.advance(30_000);
    expect(tries[5]).toBe((tries[4] as number) + 30_000);
    expect(taken).toEqual(["resolved", "firing", "resolved"]);
  });

  it("that hangs for ever lets at most a hundred messages wait", async () => {
    const { clock, runtime, monitor } = monitored({ alerts: [HOT] });
    const failures = heard(runtime, "alert.handler_failed");
    monitor.alerts.notify(() => new Promise(() => {}), { timeout: "10m", name: "slow" });
    const temperature = thermometer(monitor);
    for (let turn = 0; turn < 104; turn++) {
      temperature(turn % 2 === 0 ? 90 : 20);
      await clock.advance(5_000);
    }
    expect(failures).toMatchObject([
      { handler: "slow", error: "QueueFull" },
      { handler: "slow", error: "QueueFull" },
      { handler: "slow", error: "QueueFull" },
    ]);
    monitor.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it("of a rule and of the monitor is told once, and what was taken from it is not missed", async () => {
    const told: string[] = [];
    const handler = ({ state }: Alert): void => {
      told.push(state);
    };
    const { clock, monitor } = monitored({ alerts: [{ ...HOT, handlers: [handler] }], handlers: [handler] });
    thermometer(monitor)(90);
    await clock.advance(5_000);
    expect(told).toEqual(["firing"]);
    expect(() => monitor.alerts.notify(handler)).toThrow(OptionError);
  });

  it("may take away its own rule", async () => {
    const { clock, monitor, sent } = monitored();
    monitor.alerts.add({ ...HOT, handlers: [(alert) => alert.state === "firing" && monitor.alerts.remove("hot")] });
    thermometer(monitor)(90);
    await clock.advance(20_000);
    expect(states(sent)).toEqual(["firing", "resolved"]);
  });

  it("may close the monitor", async () => {
    const { clock, monitor, sent } = monitored();
    monitor.alerts.add({ ...HOT, groupBy: ["room"], handlers: [() => monitor.close()] });
    const temperature = thermometer(monitor);
    for (const room of ["a", "b"]) temperature(90, room);
    await clock.advance(20_000);
    expect(sent).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it.each([{ levels: ["fatal"] }, { levels: "critical" }, { timeout: 0 }, { name: "" }, { retries: 3 }])(
    "with wrong options is refused: %j",
    (options) => {
      const { monitor } = monitored();
      expect(() => monitor.alerts.notify(() => {}, options as never)).toThrow(OptionError);
    },
  );

  it("that another one stops, or that closes the monitor, is not told any more", () => {
    for (const closes of [false, true]) {
      const { runtime, monitor } = monitored({ alerts: [{ event: "cache.gap" }] });
      const told: string[] = [];
      let stop = (): void => {};
      monitor.alerts.notify(() => {
        told.push("first");
        if (closes) monitor.close();
        else stop();
      });
      stop = monitor.alerts.notify(() => void told.push("second"));
      runtime.events.emit("cache.gap", undefined, { tier: "redis" });
      expect(told).toEqual(["first"]);
    }
  });
});
