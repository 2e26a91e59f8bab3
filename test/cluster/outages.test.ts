import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mostBeyond } from "./load.ts";
import { amountsOf, perSecond } from "./support.ts";
import {
  backMs,
  Caller,
  callersOf,
  countBetween,
  isCentral,
  MINUTE,
  PER_SECOND,
  timesOf,
  waitOf,
} from "./virtual-load.ts";
import { VirtualServer } from "./virtual-server.ts";

const KEY = "breakwater:{quota:global}";

let server: VirtualServer;
beforeEach(async () => {
  server = await VirtualServer.start();
});
afterEach(() => server.stop());

describe("processes that are cut off from the server", () => {
  it("go by their part, and others have less afterwards by what they have used", async () => {
    const { opened, callers } = await callersOf(server, 8, 2 * PER_SECOND);
    const from = server.clock.now();
    for (const { line } of opened.slice(0, 4)) line.away = "silent";
    await server.pass(20_000);
    const over = server.clock.now();
    const during = countBetween(timesOf(callers), from, over) / (20 * PER_SECOND);
    expect(during).toBeLessThanOrEqual(1 + (0.9 * 4) / 8 + 0.05);
    expect(during).toBeGreaterThan(1.3);
    server.goAway(undefined);
    await server.pass(40_000);
    expect(countBetween(timesOf(callers), from, over + 40_000)).toBeLessThanOrEqual(1.03 * 60 * PER_SECOND);
  });

  it("owe what they have used while others were busy, although nobody had been before", async () => {
    const { opened, callers } = await callersOf(server, 8, 1);
    await server.pass(60_000);
    for (const { line } of opened.slice(0, 4)) line.away = "silent";
    const from = server.clock.now();
    for (const [index, caller] of callers.entries()) caller.call((2 * PER_SECOND) / 8, index + 100);
    await server.pass(20_000);
    server.goAway(undefined);
    await server.pass(40_000);
    expect(countBetween(timesOf(callers), from, from + 60_000)).toBeLessThanOrEqual(1.04 * 60 * PER_SECOND);
  });

  it.each([{ keys: "kept" }, { keys: "lost" }])(
    "owe nothing after three minutes without it ($keys keys)",
    async ({ keys }) => {
      const { callers } = await callersOf(server, 8, 2 * PER_SECOND);
      server.goAway("refusing");
      await server.pass(180_000);
      if (keys === "lost") await server.command("FLUSHALL");
      server.goAway(undefined);
      await server.pass(5_000);
      const from = server.clock.now();
      await server.pass(20_000);
      expect(countBetween(timesOf(callers), from, from + 20_000)).toBeGreaterThanOrEqual(0.98 * 20 * PER_SECOND);
    },
  );

  it("owe a burst at most after five seconds without it", async () => {
    const { opened, callers } = await callersOf(server, 8, 2 * PER_SECOND);
    server.goAway("paused");
    await server.pass(5_000);
    server.goAway(undefined);
    await backMs(server, opened);
    await server.pass(200);
    const from = server.clock.now();
    await server.pass(2_000);
    // Less by the burst that each had while it went by its part, and what they have asked for meanwhile.
    expect(countBetween(timesOf(callers), from, from + 2_000)).toBeGreaterThanOrEqual(1.2 * PER_SECOND);
  });

  it("owe after three minutes no more than what they have used in the last", async () => {
    const { opened, callers } = await callersOf(server, 8, 2 * PER_SECOND);
    for (const { line } of opened.slice(0, 4)) line.away = "silent";
    await server.pass(180_000);
    server.goAway(undefined);
    const from = server.clock.now();
    await server.pass(60_000);
    const used = countBetween(timesOf(callers), from, from + 60_000) / (60 * PER_SECOND);
    expect(used).toBeLessThan(0.7);
    expect(used).toBeGreaterThan(1 - 0.9 / 2 - 0.05);
    await server.pass(20_000);
    expect(countBetween(timesOf(callers), from + 60_000, from + 80_000)).toBeGreaterThan(0.98 * 20 * PER_SECOND);
  });

  it("give back nothing of what they never owed", async () => {
    const tokens = [{ unit: "tokens", windowMs: 60_000, limit: 60_000 }] as const;
    const [away, near] = [server.open(), server.open()];
    await server.pass(1_000);
    const one = new Caller(server, away, "global", tokens, { tokens: 1_000 });
    const two = new Caller(server, near, "global", tokens, { tokens: 100 });
    one.want(1);
    await server.pass(1_000);
    away.line.away = "silent";
    for (let calls = 0; calls < 20; calls++) {
      one.want(1);
      await server.pass(2_500);
    }
    expect(one.taken.length).toBe(21);
    const from = server.clock.now();
    two.call(20, 1);
    await server.pass(5_000);
    for (let calls = 0; calls < 20; calls++) one.correct(amountsOf({ requests: 1, tokens: 10 }));
    away.line.away = undefined;
    await server.pass(10_000);
    // Ten calls a second, and a burst of five.
    expect(
      mostBeyond(
        10 / 1_000,
        timesOf([two]).filter((at) => at >= from),
      ),
    ).toBeLessThan(12);
  });

  it("know of no fewer others because the server has just forgotten them", async () => {
    const { callers } = await callersOf(server, 8, 2 * PER_SECOND);
    // It has started empty, and is gone before all have told that they live.
    server.goAway("refusing");
    await server.pass(2_000);
    await server.command("FLUSHALL");
    server.goAway(undefined);
    await server.pass(400);
    server.goAway("refusing");
    const from = server.clock.now();
    await server.pass(20_000);
    expect(countBetween(timesOf(callers), from, from + 20_000)).toBeLessThanOrEqual(1.1 * 20 * PER_SECOND);
  });

  it("do not begin all at once where each of many has a part of less than a call", async () => {
    const limits = [{ unit: "requests", windowMs: 60_000, limit: 30 }] as const;
    const opened = Array.from({ length: 100 }, () => server.open());
    await server.pass(2_000);
    const callers = opened.map((one) => new Caller(server, one, "global", limits));
    server.goAway("refusing");
    await server.pass(12_000);
    expect(opened.filter(isCentral)).toEqual([]);
    for (const caller of callers) caller.want(10);
    await server.pass(120_000);
    // 27 a minute are meant; each begins at a time of its own.
    expect(timesOf(callers).length).toBeGreaterThan(54 - 3 * Math.sqrt(54));
    expect(timesOf(callers).length).toBeLessThan(54 + 12 * 0.45 + 3 * Math.sqrt(60));
  });
});

describe("a server that does not answer", () => {
  it("is not waited for again, and asked about once a second", async () => {
    const opened = server.open();
    const caller = new Caller(server, opened, "global", perSecond(1_000));
    caller.want(1);
    await server.pass(5_000);
    opened.line.away = "silent";
    caller.want(1);
    await server.pass(100);
    expect(caller.waiting).toBe(0);
    const { commands } = opened.member.snapshot();
    for (let n = 0; n < 1_000; n++) {
      caller.want(1);
      await server.pass(10);
    }
    expect(waitOf([caller], 5_100, Number.POSITIVE_INFINITY, 1)).toBeLessThan(10);
    expect(opened.member.snapshot().commands - commands).toBeLessThan(15);
  });

  it("leaves a process that never saw it with a part as of those it was told of", async () => {
    const opened = server.open({ processes: 10 });
    opened.line.away = "refusing";
    const caller = new Caller(server, opened, "global", perSecond(100));
    caller.want(1_000);
    await server.pass(10_000);
    expect(caller.taken.length).toBeLessThanOrEqual(9 * 10 + 0.5 * 9 + 1);
    expect(caller.taken.length).toBeGreaterThan(9 * 10 - 5);
  });

  it("gives a process without a limit none of others when it is back", async () => {
    const [limited, free] = [server.open(), server.open()];
    new Caller(server, limited, "global", perSecond(10)).call(20, 1);
    const other = new Caller(server, free, "global", []);
    await server.pass(1_000);
    server.goAway("silent");
    free.member.quotas.closeGate("target/t", 10);
    await server.pass(3_000);
    expect([limited, free].map(isCentral)).toEqual([false, false]);
    server.goAway(undefined);
    await server.pass(3_000);
    expect([limited, free].map(isCentral)).toEqual([true, true]);
    other.want(100);
    expect(other.taken.length).toBe(100);
    expect(free.member.snapshot().quotas).toEqual([{ key: "global", limits: [] }]);
  });
});

describe("a key that is evicted again and again", () => {
  it("gives each time one burst at most, and what was held is not forgotten", async () => {
    const { callers } = await callersOf(server, 8, 2 * PER_SECOND);
    const from = server.clock.now();
    for (let times = 0; times < 6; times++) {
      await server.command("DEL", KEY);
      await server.pass(5_000);
    }
    const most = 30 * PER_SECOND + 6 * 0.5 * PER_SECOND;
    expect(countBetween(timesOf(callers), from, from + 30_000)).toBeLessThanOrEqual(1.05 * most);
  });

  it("of a day's limit takes nothing with it that living processes have used", async () => {
    const day = [{ unit: "requests", windowMs: 86_400_000, limit: 1_000 }] as const;
    const callers = [1, 2].map(() => new Caller(server, server.open(), "global", day));
    for (const caller of callers) caller.want(400);
    await server.pass(5_000);
    expect(timesOf(callers).length).toBe(800);
    await server.command("FLUSHALL");
    await server.pass(1_000);
    for (const caller of callers) caller.want(400);
    await server.pass(5_000);
    expect(timesOf(callers).length).toBeGreaterThanOrEqual(990);
    expect(timesOf(callers).length).toBeLessThanOrEqual(1_000);
  });
});

describe("processes with different limits for one key", () => {
  it("all go by what the latest was told, and tell one another once", async () => {
    const [first, second] = [server.open(), server.open()];
    const one = new Caller(server, first, "global", MINUTE);
    one.call(200, 1);
    await server.pass(3_000);
    const two = new Caller(server, second, "global", [{ ...MINUTE[0], limit: 600 }]);
    two.call(200, 2);
    // What was granted before counts in units: it takes ten times as long to flow off.
    await server.pass(30_000);
    const [from, answered] = [server.clock.now(), server.answered];
    await server.pass(30_000);
    expect(countBetween(timesOf([one, two]), from, from + 30_000)).toBeLessThanOrEqual(1.1 * 300);
    expect(countBetween(timesOf([one, two]), from, from + 30_000)).toBeGreaterThan(0.95 * 300);
    expect(server.answered - answered).toBeLessThan(30 * 10);
  });

  it("do not tell one another all the time where a provider tells each something else", async () => {
    const callers = [server.open(), server.open()].map((opened) => new Caller(server, opened, "target/t", []));
    for (const [index, caller] of callers.entries()) caller.call(10, index);
    await server.pass(1_000);
    const { answered } = server;
    for (let n = 0; n < 1_000; n++) {
      for (const [index, caller] of callers.entries()) {
        caller.share.setLimits([{ ...MINUTE[0], limit: 1_000 * (index + 1) }], 0);
      }
      await server.pass(10);
    }
    expect(server.answered - answered).toBeLessThan(10 * 2 * 20);
  });
});

describe("a server whose clock goes back", () => {
  it("keeps neither gates nor the dead for longer than they were to be", async () => {
    const [one, dead] = [server.open(), server.open()];
    await server.pass(1_000);
    one.member.quotas.closeGate("target/t", 20_000);
    await server.pass(1_000);
    dead.line.away = "silent";
    server.aheadMs -= 3_600_000;
    await server.pass(22_000);
    const late = server.open();
    await server.pass(1_000);
    expect(late.member.snapshot().processes).toBe(3);
    const gatedMs = new Caller(server, late, "target/t", []).delay();
    // It was noticed with the next sign of life, up to twelve and a half seconds later.
    expect(gatedMs).toBeLessThanOrEqual(12_500);
    await server.pass(25_000);
    expect(one.member.snapshot().processes).toBe(2);
  });
});
