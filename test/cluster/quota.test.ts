import { createClient } from "@redis/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { amountsOf, openMember, passing, perSecond, Taker, together, until } from "./support.ts";

let server: RedisServer;
let client: ReturnType<typeof createClient>;
beforeAll(async () => {
  server = await startRedis();
  client = createClient({ url: server.url });
  await client.connect();
});
afterAll(async () => {
  client.destroy();
  await server.stop();
});

let namespaces = 0;
const newNamespace = () => ({ url: server.url, namespace: `n${++namespaces}:` });

describe.concurrent("a quota that several processes share", () => {
  it("is used up and not exceeded by more than the burst and what was held", async () => {
    const options = { ...newNamespace(), burst: 50 };
    const takers = [1, 2, 3, 4].map(() => new Taker(openMember(options), "global", perSecond(200)));
    for (const taker of takers) taker.want(1_000);
    await passing(2_000);
    const times = together(takers);
    const ms = (times.at(-1) as number) - (times[0] as number);
    expect(times.length).toBeGreaterThan(0.95 * 0.2 * ms);
    // What is held may be used late, by two seconds at most; that it is paced, the script's own test shows.
    expect(times.length).toBeLessThan(0.2 * ms + 10 + 100);
  });

  it("goes to whoever has calls, and to those alike who have many", async () => {
    const options = newNamespace();
    const [idle, ...busy] = [0, 1, 2].map(() => new Taker(openMember(options), "global", perSecond(100)));
    idle?.want(1);
    for (const taker of busy) taker.want(1_000);
    await passing(2_000);
    const [one, two] = busy.map(({ takenAt }) => takenAt.length) as [number, number];
    expect(idle?.takenAt.length).toBe(1);
    expect(one + two).toBeGreaterThan(190);
    expect(Math.abs(one - two)).toBeLessThan(60);
  });

  it("takes all limits of a key together, and the narrowest decides", async () => {
    const limits = [...perSecond(1_000), { unit: "tokens", windowMs: 1_000, limit: 2_000 } as const];
    const options = { ...newNamespace(), burst: 50 };
    const takers = [1, 2].map(() => new Taker(openMember(options), "global", limits, { tokens: 40 }));
    for (const taker of takers) taker.want(1_000);
    await passing(1_500);
    const times = together(takers);
    expect(times.length).toBeGreaterThan(60);
    expect(times.length).toBeLessThan(100);
  });

  it("lets a call through that is larger than the burst, and alone one that is larger than the limit", async () => {
    const limits = [{ unit: "tokens", windowMs: 1_000, limit: 1_000 } as const];
    const options = newNamespace();
    const large = new Taker(openMember(options), "global", limits, { tokens: 900 });
    const larger = new Taker(openMember(options), "global", limits, { tokens: 5_000 });
    large.want(1);
    await until(() => large.takenAt.length === 1);
    larger.want(2);
    await until(() => larger.takenAt.length === 2);
    const [first, second] = larger.takenAt as [number, number];
    // The whole limit is taken each time, and flows off in a second.
    expect(second - first).toBeGreaterThan(950);
  });

  it("costs a process that is let through no more than one round trip in many calls", async () => {
    const opened = openMember(newNamespace());
    const taker = new Taker(opened, "global", perSecond(10_000));
    taker.want(1);
    await until(() => taker.waiting === 0);
    for (let ms = 0; ms < 1_000; ms += 20) {
      taker.want(20);
      await passing(20);
    }
    expect(taker.takenAt.length).toBe(1_001);
    expect(opened.member.snapshot().commands).toBeLessThan(60);
  });

  it("gets back what a process has held for nothing for two seconds", async () => {
    const options = newNamespace();
    const limits = [{ unit: "requests", windowMs: 86_400_000, limit: 500 } as const];
    let waiting = amountsOf({ requests: 5 });
    const { member } = openMember(options);
    const share = member.quotas.share("global", limits, { widened: () => {}, waiting: () => waiting });
    share.delay(amountsOf({ requests: 1 }), performance.now());
    const held = () => member.snapshot().quotas[0]?.limits[0]?.held;
    await until(() => held() === 5);
    waiting = amountsOf({});
    const other = new Taker(openMember(options), "global", limits);
    other.want(500);
    await until(() => other.takenAt.length === 495);
    await until(() => held() === 0);
    // The other one was told when there would be room without that, and looks again a minute later.
    const late = new Taker(openMember(options), "global", limits);
    late.want(5);
    await until(() => late.takenAt.length === 5);
    expect(other.takenAt.length).toBe(495);
  });
});

describe.concurrent("a quota of a day", () => {
  const day = (limit: number) => [{ unit: "requests", windowMs: 86_400_000, limit } as const];

  it("may be used at once, and never beyond the limit by all together", async () => {
    const options = newNamespace();
    const takers = [1, 2, 3].map(() => new Taker(openMember(options), "global", day(50)));
    for (const taker of takers) taker.want(40);
    await until(() => together(takers).length === 50);
    await passing(200);
    expect(together(takers).length).toBe(50);
    const [first] = takers;
    const ms = first?.share.delay(amountsOf({ requests: 1 }), performance.now()) ?? 0;
    expect(ms).toBeGreaterThan(23 * 3_600_000);
    expect(ms).toBeLessThanOrEqual(25 * 3_600_000);
  });

  it("gets back what was not used", async () => {
    const options = newNamespace();
    const [one, two] = [openMember(options), openMember(options)];
    const first = new Taker(one, "global", day(5));
    const second = new Taker(two, "global", day(5));
    first.want(5);
    await until(() => first.takenAt.length === 5);
    first.share.correct(amountsOf({ requests: 1 }), amountsOf({}), performance.now(), performance.now());
    await one.member.close();
    second.want(2);
    await until(() => second.takenAt.length === 1);
    await passing(100);
    expect(second.takenAt.length).toBe(1);
  });
});

describe.concurrent("what a call has really used", () => {
  const tokens = (limit: number) => [{ unit: "tokens", windowMs: 1_000, limit } as const];

  it("is settled with the next round trip, for all", async () => {
    const options = { ...newNamespace(), burst: 1_000 };
    const one = new Taker(openMember(options), "global", tokens(1_000), { tokens: 100 });
    const two = new Taker(openMember(options), "global", tokens(1_000), { tokens: 100 });
    one.want(1);
    await until(() => one.takenAt.length === 1);
    const now = performance.now();
    one.share.correct(amountsOf({ tokens: 100 }), amountsOf({ tokens: 1_000 }), now, now);
    one.want(1);
    two.want(10);
    await until(() => two.takenAt.length === 10);
    expect((two.takenAt[9] as number) - now).toBeGreaterThan(800);
  });
});

describe.concurrent("the limits of a key", () => {
  const limitOf = ({ member }: ReturnType<typeof openMember>) => member.snapshot().quotas[0]?.limits[0]?.limit;

  it("are what the latest of all processes was told, also for one that comes later", async () => {
    const options = newNamespace();
    const [one, two] = [openMember(options), openMember(options)];
    const first = new Taker(one, "target/t", []);
    expect(first.share.delay(amountsOf({ requests: 1 }), performance.now())).toBe(0);
    first.share.setLimits(perSecond(100), performance.now());
    await passing(50);
    const told: unknown[] = [];
    two.member.quotas.onLimits((key, limits) => told.push([key, limits]));
    const second = new Taker(two, "target/t", []);
    await until(() => limitOf(two) === 100);
    second.share.setLimits(perSecond(50), performance.now());
    await passing(50);
    first.want(60);
    await until(() => limitOf(one) === 50);
    expect(told).toEqual([["target/t", perSecond(100)]]);
  });

  it("are the process's own alone, of any key that no provider tells of, as long as it has none", async () => {
    const options = newNamespace();
    const [one, two] = [openMember(options), openMember(options)];
    const limited = new Taker(one, "global", perSecond(1));
    limited.want(1);
    await until(() => limited.takenAt.length === 1);
    const free = new Taker(two, "global", []);
    free.want(100);
    await passing(50);
    expect(free.takenAt.length).toBe(100);
  });
});

describe.concurrent("a server that loses its keys", () => {
  it("lets no more through than what was held, and a burst", async () => {
    const own = await startRedis();
    const flusher = createClient({ url: own.url });
    await flusher.connect();
    const options = { url: own.url, burst: 50 };
    const takers = [1, 2, 3, 4].map(() => new Taker(openMember(options), "global", perSecond(200)));
    for (const taker of takers) taker.want(10_000);
    await passing(1_500);
    await flusher.sendCommand(["FLUSHALL"]);
    await passing(1_500);
    flusher.destroy();
    await own.stop();
    const times = together(takers);
    expect(times.length).toBeGreaterThan(0.95 * 600);
    // Each held at most two blocks of a quarter of a second.
    expect(times.length).toBeLessThan(600 + 4 * 50 + 2 * 10 + 50);
  });

  it("is served on by one that has lost the scripts", async () => {
    const taker = new Taker(openMember(newNamespace()), "global", perSecond(100));
    taker.want(1);
    await until(() => taker.takenAt.length === 1);
    await client.sendCommand(["SCRIPT", "FLUSH"]);
    taker.want(20);
    await until(() => taker.takenAt.length === 21);
  });
});

describe.concurrent("the keys in the server", () => {
  it("all expire, and those of a scope have one hash tag, whatever its name", async () => {
    const options = newNamespace();
    const opened = openMember(options);
    const taker = new Taker(opened, "client/a}b{c", perSecond(100));
    taker.want(1);
    opened.member.quotas.closeGate("target/t", 1_000);
    await until(() => taker.takenAt.length === 1);
    await passing(50);
    const keys = await client.keys(`${options.namespace}*`);
    expect(keys.sort()).toEqual([
      `${options.namespace}{cluster}:live`,
      `${options.namespace}{cluster}:told`,
      `${options.namespace}{quota:client/a%7Db%7Bc}`,
    ]);
    for (const key of keys) expect(await client.pTTL(key)).toBeGreaterThan(0);
  });
});
