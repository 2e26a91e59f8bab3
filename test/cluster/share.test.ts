import { describe, expect, it } from "vitest";
import type { DrawReply, DrawRequest, Granted } from "../../src/cluster/protocol.ts";
import { KeyShare, type ShareHost } from "../../src/cluster/share.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { amountsOf } from "./support.ts";

const CALL = amountsOf({ requests: 1 });
const LIMIT = { unit: "requests", windowMs: 60_000, limit: 6_000 } as const;
const NAME = "requests/60000";

/** A cluster of which the test is the server: it answers each draw when and as it likes. */
class Host implements ShareHost {
  readonly clock = new VirtualClock();
  readonly burstMs = 500;
  readonly processes = 1;
  readonly draws: { request: DrawRequest; answer(amount: number, perMs?: number): Promise<void>; fail(): void }[] = [];
  readonly active = new Set<KeyShare>();
  readonly leaving: Promise<void>[] = [];
  readonly lostAt = 0;
  reachable = true;

  mostProcesses(): number {
    return 1;
  }

  random(): number {
    return 0.5;
  }

  gatedMs(): number {
    return 0;
  }

  draw(_key: string, request: DrawRequest): Promise<DrawReply> {
    return new Promise((resolve, reject) => {
      const answer = async (amount: number, perMs = 0.1): Promise<void> => {
        const granted: Granted = { amount, fromMs: -500, perMs, flown: 0 };
        const grants = Object.fromEntries(Object.keys(request.units).map((name) => [name, granted]));
        resolve({ birth: "1", limits: request.limits, waitMs: 0, grants });
        await this.clock.advance(0);
      };
      this.draws.push({ request, answer, fail: () => reject(new Error("failed")) });
    });
  }

  activate(share: KeyShare): void {
    this.active.add(share);
  }

  limitsTold(): void {}

  closed(share: KeyShare): void {
    this.leaving.push(share.leave());
  }
}

async function sharing({ waiting = 1, windowMs = 60_000 }: { waiting?: number; windowMs?: number } = {}) {
  const host = new Host();
  await host.clock.advance(10_000);
  let widened = 0;
  const share = new KeyShare(
    "global",
    [{ ...LIMIT, windowMs }],
    {
      widened: () => widened++,
      waiting: () => amountsOf({ requests: waiting }),
    },
    host,
  );
  await host.clock.advance(0);
  return { host, share, delay: () => share.delay(CALL, host.clock.now()), widened: () => widened };
}

const changeOf = (request: DrawRequest | undefined, name = NAME) => request?.units[name]?.change;

describe("a process that sleeps, and its timers with it", () => {
  it("uses nothing of what it held then, and returns nothing of it: its time has passed", async () => {
    const { host, share, delay } = await sharing({ waiting: 20 });
    await host.draws[0]?.answer(20);
    expect(delay()).toBe(0);
    const woken = host.clock.now() + 600_000;
    expect(share.delay(CALL, woken)).toBe(Number.POSITIVE_INFINITY);
    await host.clock.advance(0);
    expect(host.draws).toHaveLength(2);
    expect(changeOf(host.draws[1]?.request)).toBe(0);
  });

  it("returns what it held of a long window", async () => {
    const { host, share, delay } = await sharing({ waiting: 20, windowMs: 86_400_000 });
    await host.draws[0]?.answer(20, 0);
    expect(delay()).toBe(0);
    expect(share.delay(CALL, host.clock.now() + 600_000)).toBe(Number.POSITIVE_INFINITY);
    await host.clock.advance(0);
    expect(changeOf(host.draws[1]?.request, "requests/86400000")).toBe(-20);
  });

  it("uses nothing of an answer that waited for it all the time, and asks again", async () => {
    const { host, delay } = await sharing({ waiting: 20 });
    await host.clock.advance(600_000);
    await host.draws[0]?.answer(20);
    expect(delay()).toBe(Number.POSITIVE_INFINITY);
    await host.clock.advance(0);
    expect(host.draws).toHaveLength(2);
    await host.draws[1]?.answer(20);
    expect(delay()).toBe(0);
  });
});

describe("a share that is closed while it draws", () => {
  it("gives back what comes, before it has left", async () => {
    const { host, share } = await sharing({ waiting: 20 });
    share.close();
    await host.clock.advance(0);
    expect(host.draws).toHaveLength(1);
    await host.draws[0]?.answer(20);
    expect(host.draws).toHaveLength(2);
    expect(changeOf(host.draws[1]?.request)).toBe(-20);
    await host.draws[1]?.answer(0);
    await Promise.all(host.leaving);
    expect(host.clock.pendingTimers).toBe(0);
  });

  it("leaves, too, when nothing comes", async () => {
    const { host, share } = await sharing();
    share.close();
    host.draws[0]?.fail();
    await Promise.all(host.leaving);
    expect(host.draws).toHaveLength(1);
    expect(host.clock.pendingTimers).toBe(0);
  });
});

describe("a draw that fails", () => {
  it("is made again when the server answers others, but not at once", async () => {
    const { host } = await sharing();
    host.draws[0]?.fail();
    await host.clock.advance(50);
    expect(host.draws).toHaveLength(1);
    await host.clock.advance(60);
    expect(host.draws).toHaveLength(2);
  });

  it.each([
    { used: 4, told: 3, again: 3 },
    { used: 0, told: -1, again: 0 },
  ])("tells again what was used when the server is back, not what was given back ($told)", async (given) => {
    const { host, share, widened } = await sharing({ waiting: 20 });
    await host.draws[0]?.answer(20);
    const now = host.clock.now();
    for (let n = 0; n < 20; n++) share.take(CALL, now);
    share.correct(CALL, amountsOf({ requests: given.used }), now, now);
    await host.clock.advance(0);
    expect(changeOf(host.draws.at(-1)?.request)).toBe(given.told);
    host.reachable = false;
    share.turned();
    host.draws.at(-1)?.fail();
    await host.clock.advance(1_000);
    const [before, seen] = [host.draws.length, widened()];
    host.reachable = true;
    share.turned();
    await host.clock.advance(0);
    expect(host.draws).toHaveLength(before + 1);
    expect(changeOf(host.draws.at(-1)?.request)).toBe(given.again);
    expect(widened()).toBe(seen);
  });
});

describe("a new life of a key", () => {
  it("is told what is held, once, and ends with nothing told where nothing is", async () => {
    const { host, share } = await sharing({ waiting: 20 });
    await host.draws[0]?.answer(20);
    share.reborn("1");
    await host.clock.advance(0);
    const { length } = host.draws;
    share.reborn("2");
    await host.clock.advance(0);
    expect(host.draws).toHaveLength(length + 1);
    expect(host.draws.at(-1)?.request.units[NAME]?.held).toBe(20);
  });
});
