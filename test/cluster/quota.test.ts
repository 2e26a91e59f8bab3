import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { amountsOf, perSecond } from "./support.ts";
import { Caller, timesOf } from "./virtual-load.ts";
import { type VirtualMember, VirtualServer } from "./virtual-server.ts";

let server: VirtualServer;
beforeEach(async () => {
  server = await VirtualServer.start();
});
afterEach(() => server.stop());

describe("a quota that several processes share", () => {
  it("is used up and not exceeded by more than the burst and what was held", async () => {
    const options = { burst: 50 };
    const takers = [1, 2, 3, 4].map(() => new Caller(server, server.open(options), "global", perSecond(200)));
    for (const taker of takers) taker.want(1_000);
    await server.pass(2_000);
    const times = timesOf(takers);
    const ms = (times.at(-1) as number) - (times[0] as number);
    expect(times.length).toBeGreaterThan(0.95 * 0.2 * ms);
    // What is held may be used late, by two seconds at most; that it is paced, the script's own test shows.
    expect(times.length).toBeLessThan(0.2 * ms + 10 + 100);
  });

  it("goes to whoever has calls, and to those alike who have many", async () => {
    const [idle, ...busy] = [0, 1, 2].map(() => new Caller(server, server.open(), "global", perSecond(100)));
    idle?.want(1);
    for (const taker of busy) taker.want(1_000);
    await server.pass(2_000);
    const [one, two] = busy.map(({ taken }) => taken.length) as [number, number];
    expect(idle?.taken.length).toBe(1);
    expect(one + two).toBeGreaterThan(190);
    expect(Math.abs(one - two)).toBeLessThan(60);
  });

  it("takes all limits of a key together, and the narrowest decides", async () => {
    const limits = [...perSecond(1_000), { unit: "tokens", windowMs: 1_000, limit: 2_000 } as const];
    const options = { burst: 50 };
    const takers = [1, 2].map(() => new Caller(server, server.open(options), "global", limits, { tokens: 40 }));
    for (const taker of takers) taker.want(1_000);
    await server.pass(1_500);
    const times = timesOf(takers);
    expect(times.length).toBeGreaterThan(60);
    expect(times.length).toBeLessThan(100);
  });

  it("lets a call through that is larger than the burst, and alone one that is larger than the limit", async () => {
    const limits = [{ unit: "tokens", windowMs: 1_000, limit: 1_000 } as const];
    const large = new Caller(server, server.open(), "global", limits, { tokens: 900 });
    const larger = new Caller(server, server.open(), "global", limits, { tokens: 5_000 });
    large.want(1);
    await server.until(() => large.taken.length === 1);
    larger.want(2);
    await server.until(() => larger.taken.length === 2);
    const [first, second] = timesOf([larger]) as [number, number];
    // The whole limit is taken each time, and flows off in a second.
    expect(second - first).toBeGreaterThan(950);
  });

  it("costs a process that is let through no more than one round trip in many calls", async () => {
    const opened = server.open();
    const taker = new Caller(server, opened, "global", perSecond(10_000));
    taker.want(1);
    await server.until(() => taker.waiting === 0);
    for (let ms = 0; ms < 1_000; ms += 20) {
      taker.want(20);
      await server.pass(20);
    }
    expect(taker.taken.length).toBe(1_001);
    expect(opened.member.snapshot().commands).toBeLessThan(60);
  });

  it("gets back what a process has held for nothing for two seconds", async () => {
    const limits = [{ unit: "requests", windowMs: 86_400_000, limit: 500 } as const];
    let waiting = amountsOf({ requests: 5 });
    const { member, clock } = server.open();
    const share = member.quotas.share("global", limits, { widened: () => {}, waiting: () => waiting });
    share.delay(amountsOf({ requests: 1 }), clock.now());
    const held = () => member.snapshot().quotas[0]?.limits[0]?.held;
    await server.until(() => held() === 5);
    waiting = amountsOf({});
    const other = new Caller(server, server.open(), "global", limits);
    other.want(500);
    await server.until(() => other.taken.length === 495);
    await server.until(() => held() === 0);
    // The other one was told when there would be room without that, and looks again a minute later.
    const late = new Caller(server, server.open(), "global", limits);
    late.want(5);
    await server.until(() => late.taken.length === 5);
    expect(other.taken.length).toBe(495);
  });
});

describe("a quota of a day", () => {
  const day = (limit: number) => [{ unit: "requests", windowMs: 86_400_000, limit } as const];

  it("may be used at once, and never beyond the limit by all together", async () => {
    const takers = [1, 2, 3].map(() => new Caller(server, server.open(), "global", day(50)));
    for (const taker of takers) taker.want(40);
    await server.until(() => timesOf(takers).length === 50);
    await server.pass(200);
    expect(timesOf(takers).length).toBe(50);
    const [first] = takers;
    const ms = first?.delay() ?? 0;
    expect(ms).toBeGreaterThan(23 * 3_600_000);
    expect(ms).toBeLessThanOrEqual(25 * 3_600_000);
  });

  it("gets back what was not used", async () => {
    const [one, two] = [server.open(), server.open()];
    const first = new Caller(server, one, "global", day(5));
    const second = new Caller(server, two, "global", day(5));
    first.want(5);
    await server.until(() => first.taken.length === 5);
    first.correct(amountsOf({}));
    await server.during(one.member.close());
    second.want(2);
    await server.until(() => second.taken.length === 1);
    await server.pass(100);
    expect(second.taken.length).toBe(1);
  });
});

describe("what a call has really used", () => {
  const tokens = (limit: number) => [{ unit: "tokens", windowMs: 1_000, limit } as const];

  it("is settled with the next round trip, for all", async () => {
    const options = { burst: 1_000 };
    const one = new Caller(server, server.open(options), "global", tokens(1_000), { tokens: 100 });
    const two = new Caller(server, server.open(options), "global", tokens(1_000), { tokens: 100 });
    one.want(1);
    await server.until(() => one.taken.length === 1);
    const now = server.clock.now();
    one.correct(amountsOf({ tokens: 1_000 }));
    one.want(1);
    two.want(10);
    await server.until(() => two.taken.length === 10);
    expect((timesOf([two])[9] as number) - now).toBeGreaterThan(800);
  });
});

describe("the limits of a key", () => {
  const limitOf = ({ member }: VirtualMember) => member.snapshot().quotas[0]?.limits[0]?.limit;

  it("are what the latest of all processes was told, also for one that comes later", async () => {
    const [one, two] = [server.open(), server.open()];
    const first = new Caller(server, one, "target/t", []);
    expect(first.delay()).toBe(0);
    first.share.setLimits(perSecond(100), 0);
    await server.pass(50);
    const told: unknown[] = [];
    two.member.quotas.onLimits((key, limits) => told.push([key, limits]));
    const second = new Caller(server, two, "target/t", []);
    await server.until(() => limitOf(two) === 100);
    second.share.setLimits(perSecond(50), 0);
    await server.pass(50);
    first.want(60);
    await server.until(() => limitOf(one) === 50);
    expect(told).toEqual([["target/t", perSecond(100)]]);
  });

  it("are the process's own alone, of any key that no provider tells of, as long as it has none", async () => {
    const [one, two] = [server.open(), server.open()];
    const limited = new Caller(server, one, "global", perSecond(1));
    limited.want(1);
    await server.until(() => limited.taken.length === 1);
    const free = new Caller(server, two, "global", []);
    free.want(100);
    await server.pass(50);
    expect(free.taken.length).toBe(100);
  });
});

describe("the keys in the server", () => {
  it("all expire, and those of a scope have one hash tag, whatever its name", async () => {
    const opened = server.open();
    const taker = new Caller(server, opened, "client/a}b{c", perSecond(100));
    taker.want(1);
    opened.member.quotas.closeGate("target/t", 1_000);
    await server.until(() => taker.taken.length === 1);
    await server.pass(50);
    const keys = ((await server.command("KEYS", "*")) as string[]).sort();
    expect(keys).toEqual([
      "breakwater:{cluster}:live",
      "breakwater:{cluster}:told",
      "breakwater:{quota:client/a%7Db%7Bc}",
    ]);
    for (const key of keys) expect(await server.command("PTTL", key)).toBeGreaterThan(0);
  });
});
