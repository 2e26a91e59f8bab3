import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../../src/core/index.ts";
import { type AlertRule, DEFAULT_ALERTS } from "../../../src/monitor/index.ts";
import { everySecond, monitored } from "../support.ts";
import { called, heard } from "./support.ts";

const HOT: AlertRule = {
  id: "hot",
  metric: "app.temperature",
  aggregate: "value",
  above: 80,
  for: "5s",
  keep: 0,
  groupBy: ["provider", "room"],
};
const ROOMS = Array.from({ length: 50 }, (_, index) => `room-${index}`);

function house(options: Parameters<typeof monitored>[0] = {}) {
  const rig = monitored({ alerts: [HOT], ...options });
  const gauge = rig.monitor.gauge("app.temperature");
  const heat = (value: number, rooms: readonly string[], provider = "p"): void => {
    for (const room of rooms) gauge.set(value, { provider, room });
  };
  return { ...rig, heat, brief: () => rig.sent.map(({ state, count }) => `${state} ${count}`) };
}

describe("alerts of one group", () => {
  it("are told in one message and their end in another, also when they come a little apart", async () => {
    const { clock, heat, sent, brief } = house();
    heat(90, ROOMS.slice(0, 20));
    await clock.advance(5_000);
    heat(90, ROOMS.slice(20));
    await clock.advance(60_000);
    expect(brief()).toEqual(["firing 50"]);
    expect(sent[0]?.alerts.map(({ labels }) => labels["room"]).toSorted()).toEqual(ROOMS.toSorted());
    expect(sent[0]).toMatchObject({ group: "hot {provider=p}", labels: { provider: "p" }, repeat: 0 });
    expect(sent[0]?.message).toMatch(/ \(provider=p, room=room-\d+\), and 49 more\.$/);

    heat(20, ROOMS.slice(0, 49));
    await clock.advance(60_000);
    expect(sent).toHaveLength(1);
    heat(20, ROOMS.slice(49));
    await clock.advance(5_000);
    expect(brief()).toEqual(["firing 50", "resolved 50"]);
  });

  it("are told at once where nothing is about to join them", async () => {
    const { clock, heat, sent } = house();
    heat(90, ["hall"]);
    await clock.advance(10_000);
    expect(sent).toHaveLength(1);
  });

  it("wait for one another for 10 s at most", async () => {
    const { clock, heat, brief } = house();
    for (const room of ROOMS.slice(0, 10)) {
      heat(90, [room]);
      await clock.advance(5_000);
    }
    // The first fires after 10 s and waits until 20 s after the start; the next message comes 5 minutes later.
    expect(brief()).toEqual(["firing 3"]);
    await clock.advance(300_000);
    expect(brief()).toEqual(["firing 3", "firing 10"]);
  });

  it("follow a fact that was told at once after 10 s", async () => {
    const { clock, heat, brief, monitor } = house({ alerts: [{ ...HOT, for: 0 }] });
    heat(90, ["hall"]);
    monitor.evaluate();
    heat(90, ROOMS);
    await clock.advance(20_000);
    expect(brief()).toEqual(["firing 1", "firing 51"]);
  });

  it("are apart by provider", async () => {
    const { clock, heat, sent } = house();
    heat(90, ROOMS, "p");
    heat(90, ROOMS, "q");
    await clock.advance(30_000);
    expect(sent.map(({ group, count }) => [group, count])).toEqual([
      ["hot {provider=p}", 50],
      ["hot {provider=q}", 50],
    ]);
  });

  it("that still fire are told again every 4 hours, with how often they were told", async () => {
    const { clock, heat, sent } = house({ evaluateEvery: "1m", alerts: [{ ...HOT, for: 0 }] });
    heat(90, ["hall"]);
    await clock.advance(9 * 3_600_000);
    expect(sent.map(({ state, repeat }) => `${state} ${repeat}`)).toEqual(["firing 0", "firing 1", "firing 2"]);
    heat(20, ["hall"]);
    await clock.advance(60_000);
    expect(sent.at(-1)).toMatchObject({ state: "resolved", repeat: 3 });
  });

  it("are not told of their end when nobody was told of their beginning", async () => {
    const { clock, runtime, heat, sent, monitor } = house();
    const resolved = heard(runtime, "alert.resolved");
    monitor.alerts.silence({ for: "1h" });
    heat(90, ["hall"]);
    await clock.advance(30_000);
    heat(20, ["hall"]);
    await clock.advance(30_000);
    expect(sent).toEqual([]);
    expect(resolved).toHaveLength(1);
  });

  it("list a hundred and count the rest", async () => {
    const { clock, heat, sent } = house();
    heat(
      90,
      Array.from({ length: 130 }, (_, index) => `r${index}`),
    );
    await clock.advance(30_000);
    expect(sent[0]?.alerts).toHaveLength(100);
    expect(sent[0]?.count).toBe(130);
  });
});

describe("the messages of a group", () => {
  const heats = fc.array(
    fc.record({
      room: fc.nat({ max: 5 }),
      provider: fc.constantFrom("p", "q"),
      value: fc.constantFrom(20, 70, 85, 110),
      seconds: fc.constantFrom(0, 5, 30, 120),
    }),
    { maxLength: 40 },
  );
  const rule: AlertRule = { ...HOT, above: { warning: 80, critical: 100 }, clear: 60, keep: "10s", cooldown: "1m" };

  it("begin with one that fires, end with one that it is over, and tell of nobody who was not there", async () => {
    await fc.assert(
      fc.asyncProperty(heats, async (all) => {
        const { clock, runtime, heat, sent, monitor } = house({ alerts: [rule] });
        const began = heard(runtime, "alert.firing");
        for (const { room, provider, value, seconds } of all) {
          heat(value, [`r${room}`], provider);
          await clock.advance(seconds * 1000);
        }
        for (const provider of ["p", "q"]) heat(20, ["r0", "r1", "r2", "r3", "r4", "r5"], provider);
        await clock.advance(60_000);

        const names = (alerts: readonly { labels: unknown }[]) => alerts.map(({ labels }) => JSON.stringify(labels));
        for (const group of new Set(sent.map((alert) => alert.group))) {
          const told = new Set<string>();
          let messages = 0;
          for (const { state, repeat, alerts } of sent.filter((alert) => alert.group === group)) {
            expect(repeat).toBe(messages);
            messages = state === "firing" ? messages + 1 : 0;
            if (state === "firing") for (const name of names(alerts)) told.add(name);
            else expect(new Set(names(alerts))).toEqual(told);
            if (state === "resolved") told.clear();
          }
          // All is over, and everybody knows.
          expect(messages).toBe(0);
        }
        const ever = new Set(names(began));
        expect(sent.flatMap(({ alerts }) => names(alerts)).every((name) => ever.has(name))).toBe(true);
        expect(monitor.alerts.list()[0]?.alerts).toEqual([]);
        monitor.close();
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe("an alert whose level rises", () => {
  it("is told again at once, in spite of cooldown and interval", async () => {
    const { clock, heat, sent } = house({
      alerts: [{ ...HOT, above: { info: 60, warning: 80, critical: 100 }, clear: 50, cooldown: "1h" }],
    });
    for (const value of [70, 90, 110, 90, 70]) {
      heat(value, ["hall"]);
      await clock.advance(15_000);
    }
    // The level does not fall while the alert lasts.
    expect(sent.map(({ level }) => level)).toEqual(["info", "warning", "critical"]);
    expect(sent.map(({ threshold }) => threshold)).toEqual([60, 80, 100]);
    heat(20, ["hall"]);
    await clock.advance(15_000);
    expect(sent.at(-1)).toMatchObject({ state: "resolved", level: "critical" });
  });

  it("does so only when the worse condition has held for as long", async () => {
    const { clock, heat, sent } = house({ alerts: [{ ...HOT, for: "30s", above: { warning: 80, critical: 100 } }] });
    for (let turn = 0; turn < 12; turn++) {
      heat(turn % 4 === 0 ? 90 : 110, ["hall"]);
      await clock.advance(5_000);
    }
    expect(sent.map(({ level }) => level)).toEqual(["warning"]);
  });
});

describe("fifty models of one provider that fail together", () => {
  it("make one message that lists them all, and one of the end", async () => {
    const { clock, runtime, sent } = monitored({ alerts: DEFAULT_ALERTS });
    const models = Array.from({ length: 50 }, (_, index) => `model-${index}`);
    const all = (error?: "server_error") => () => {
      for (const model of models) called(runtime, { model, error });
    };
    await everySecond(clock, 120, all());
    await everySecond(clock, 200, all("server_error"));
    await everySecond(clock, 600, all());
    expect(sent.map(({ state, level, count }) => `${state} ${level} ${count}`)).toEqual([
      "firing critical 50",
      "resolved critical 50",
    ]);
    expect(sent[0]?.alerts.map(({ labels }) => labels["model"]).toSorted()).toEqual(models.toSorted());
  });

  it("says which option of the grouping is wrong", () => {
    for (const grouping of [{ by: "provider" }, { by: [1] }, { by: ["no-key"] }, { wait: "soon" }, { every: "1m" }]) {
      expect(() => monitored({ grouping: grouping as never }), JSON.stringify(grouping)).toThrow(OptionError);
    }
  });
});
